"""nerfstudio's own normalised frame, in which its viewer writes camera paths."""

from __future__ import annotations

import json
from pathlib import Path

import torch

from fieldlr.data.scene import checked_pose
from fieldlr.errors import FieldlrError
from fieldlr.geometry.boxes import vector
from fieldlr.geometry.frames import Similarity

NAME = "dataparser_transforms.json"


def transforms_beside(path: Path) -> Path | None:
    """The dataparser_transforms.json of the run that a camera path was saved from, or None.

    nerfstudio writes it into the run's folder, outputs/SCENE/METHOD/TIME; paths lie beside it, or
    in the data folder, where only an option can say which run it was.
    """
    folder = path.resolve().parent
    places = (folder / NAME, folder.parent / NAME)
    return next((place for place in places if place.is_file()), None)


def normalised_frame(file: Path) -> Similarity:
    """From the user's frame to nerfstudio's: x -> scale (R x + t), as the file says."""
    try:
        content = json.loads(file.read_text(encoding="utf-8-sig"))
        matrix = torch.tensor(content["transform"], dtype=torch.float64)
        scale = float(content["scale"])
        shape = tuple(matrix.shape)
    except (OSError, ValueError, TypeError, KeyError, RuntimeError, RecursionError) as error:
        raise FieldlrError(
            f"{file}: needs `transform`, 3 rows of 4 numbers, and `scale`, as nerfstudio writes "
            f"them ({type(error).__name__}). Give the {NAME} of the run."
        ) from None
    if shape not in ((3, 4), (4, 4)) or not 0.0 < scale < float("inf"):
        raise FieldlrError(
            f"{file}: `transform` is 3 rows of 4 numbers and `scale` is positive. Give the {NAME} "
            "of the run."
        )
    pose = checked_pose(matrix, f"{file}: transform")
    x, y, z = (vector(row) for row in pose[:, :3].tolist())
    return Similarity((x, y, z), scale, vector((scale * pose[:, 3]).tolist()))
