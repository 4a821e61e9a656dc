"""What `fieldlr poses` leaves: DIR/images, DIR/transforms.json and the figures of its result."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fieldlr.data import colmap
from fieldlr.data.framing import levelling
from fieldlr.data.posing_doubts import ADVICE, MOST_NAMES, doubts, lens_doubts
from fieldlr.data.posing_failures import explain
from fieldlr.data.scene import FEWEST_VIEWS
from fieldlr.data.transforms_file import write_transforms
from fieldlr.data.upright import UprightPhoto
from fieldlr.errors import FieldlrError


def take_over(
    folder: Path,
    files: Sequence[Path],
    copies: Sequence[UprightPhoto],
    found: Mapping[str, Any],
    twins: Mapping[str, str],
) -> dict[str, Any]:
    """Writes the posed photos into `folder` and gives the figures; FieldlrError without poses.

    `copies` are the photos that were matched; the one at index i is of files[i]. `twins` are files
    of the same content as another, which were left out before.
    """
    originals = [file.name for file in files]
    failed = explain(originals, [copy.path for copy in copies], found)
    if not found["views"] or found["views"][0] < FEWEST_VIEWS:
        raise FieldlrError(_no_poses(failed))
    capture = colmap.find(folder / "work")
    (folder / "images").mkdir()
    names = []
    for photo in capture.photos:
        original = originals[int(photo.path.stem)]
        same = photo.path.suffix == Path(original).suffix.lower()
        names.append(f"images/{original if same else original + photo.path.suffix}")
        os.replace(photo.path, folder / names[-1])
    level = levelling(capture.cameras).inverse()
    write_transforms(folder / "transforms.json", names, capture.cameras.transformed(level))
    failed += [_twin(name, original) for name, original in twins.items()]
    lenses, absent = _lenses(copies, found), [one["photo"] for one in failed]
    num_photos = len(files) + len(twins)
    return {
        "registered": len(capture.photos),
        "photos": num_photos,
        "reprojection_px": found["reprojection_px"],
        "points": 0 if capture.points is None else len(capture.points),
        "mapping": found["mapping"],
        "pairs": found["pairs"],
        "pairs_matched": found["verified"],
        "lenses": lenses,
        "unregistered": absent,
        "failed": failed,
        "warnings": doubts(capture, num_photos, absent, found["views"]) + lens_doubts(lenses),
    }


def _no_poses(failed: Sequence[Mapping[str, Any]]) -> str:
    reasons = "; ".join(f"{one['photo']}: {one['why']}" for one in failed[:MOST_NAMES])
    others = f"; and {len(failed) - MOST_NAMES} others" if len(failed) > MOST_NAMES else ""
    return f"the {len(failed)} photos do not fit together: no poses ({reasons}{others}). {ADVICE}"


def _twin(name: str, original: str) -> dict[str, Any]:
    return {"photo": name, "reason": "duplicate", "why": f"the same picture as {original}"}


def _lenses(copies: Sequence[UprightPhoto], found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """{camera, photos, exif_px, focal_px} of every lens, as found and as EXIF tells; else None."""
    by_name = {copy.path.name: copy.lens for copy in copies}
    lenses = [copy.lens for copy in copies]
    return [
        {
            "camera": by_name[lens["photo"]][1],
            "photos": lenses.count(by_name[lens["photo"]]),
            "exif_px": _rounded(lens["exif_px"]),
            "focal_px": _rounded(lens["focal_px"]),
        }
        for lens in found["lenses"]
    ]


def _rounded(pixels: float | None) -> float | None:
    return None if pixels is None else round(pixels, 2)
