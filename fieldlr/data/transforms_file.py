"""Writes posed photos as a transforms.json, which instant-ngp and nerfstudio read too."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fieldlr.data.transforms_lens import DISTORTION
from fieldlr.geometry.cameras import Cameras
from fieldlr.system.files import replacing

CAMERA_MODELS = {"perspective": "OPENCV", "fisheye": "OPENCV_FISHEYE"}


def write_transforms(path: Path, names: Sequence[str], cameras: Cameras) -> None:
    """Writes the cameras of the photos `names`, which are paths relative to the file's folder.

    What all views share stands at the top, as the tools that know one camera alone expect it.
    """
    lenses = [_lens(cameras, view) for view in range(len(cameras))]
    first = lenses[0].items()
    shared = {key: value for key, value in first if all(lens[key] == value for lens in lenses)}
    frames = [
        {"file_path": name, "transform_matrix": [*pose, [0.0, 0.0, 0.0, 1.0]]}
        | {key: value for key, value in lens.items() if key not in shared}
        for name, pose, lens in zip(names, cameras.camera_to_world.tolist(), lenses, strict=True)
    ]
    meta = {"camera_model": CAMERA_MODELS[cameras.model]} | shared | {"frames": frames}
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(meta, indent=1) + "\n")


def _lens(cameras: Cameras, view: int) -> dict[str, Any]:
    width, height = cameras.sizes[view].tolist()
    named = dict(zip(("fl_x", "fl_y", "cx", "cy"), cameras.intrinsics[view].tolist(), strict=True))
    distortion = dict(zip(DISTORTION, cameras.distortion[view].tolist(), strict=True))
    return {"w": width, "h": height} | named | distortion
