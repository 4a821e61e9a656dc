"""Plans the views to render of a run: cameras, size and warnings."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from fieldlr.errors import FieldlrError
from fieldlr.fields.field import Field
from fieldlr.geometry.boxes import Aabb
from fieldlr.geometry.cameras import Cameras
from fieldlr.geometry.placement import ideal_cameras
from fieldlr.rendering.flights import natural_path, orbit_of, similar_views
from fieldlr.rendering.nerfstudio_frames import normalised_frame, transforms_beside
from fieldlr.rendering.paths import focal_for, orbit, read_camera_path, spiral
from fieldlr.rendering.standpoints import home_camera, layout
from fieldlr.runs import Run
from fieldlr.runs.flr_file import FlrRun

# A view of a shape: an orbit that sees all of it, from a little above.
SHAPE_SIZE, SHAPE_ELEVATION, SHAPE_DISTANCE = (480, 480), 20.0, 3.0
# Pixels along the longer side up to which views have the photos' size unasked: a view of more takes
# gigabytes, a video of more hours.
LARGEST_STILL, LARGEST_FRAME = 4096, 1920
# Beyond so many times the reach of the photos' cameras a view shows what no photo did.
SURROUNDINGS = 2.0

Size = tuple[int, int]


@dataclass(frozen=True)
class Plan:
    """The views to be rendered, in the field's frame."""

    cameras: Cameras
    warnings: tuple[str, ...] = ()


def plan_views(
    run: Run | FlrRun,
    field: Field,
    path: str | None,
    frames: int,
    size: Size | int | None = None,
    even: bool = False,
    transforms: Path | None = None,
) -> Plan:
    """Views along `path`: `orbit`, `spiral`, `test`, a camera_path.json, or None.

    None is for one frame the view of a training camera that stands well, for more the path that
    suits how the cameras stand. Without `size` views have the photos', up to LARGEST_STILL or
    LARGEST_FRAME pixels, and with `even` even numbers, as videos need them; with a height alone
    they keep the photos' shape. `transforms` is the dataparser_transforms.json of a
    camera_path.json, by default the one beside it.
    """
    if path not in (None, "orbit", "spiral", "test"):
        own = None if isinstance(size, int) else size  # a height alone keeps the file's shape
        plan = _from_file(run, field, Path(path), own, transforms)
        return Plan(_resized(plan.cameras, size, even), plan.warnings)
    if transforms is not None:
        raise FieldlrError("`path_transforms` is for a `path` from a file. Leave it out.")
    if run.kind != "photos":
        if path in ("spiral", "test"):
            raise FieldlrError(
                f"`path` {path} follows the photos' cameras; this run was made from a "
                f"{run.kind}. Use `path` orbit, or a camera_path.json."
            )
        return Plan(shape_orbit(field.aabb, frames, _sized(SHAPE_SIZE, size, even)))
    cameras, test = run.load_cameras()
    if path == "test":
        views = cameras[list(test) or [0]]
        views = views[:frames] if frames == 1 else views
        return Plan(_resized(views, size, even))
    home = home_of(cameras, test)
    width, height = cameras.sizes[home].tolist()
    if size is None:
        size, warnings = _photo_size((width, height), frames, even)
    else:
        size, warnings = _sized((width, height), size, even), []
    if path is None and frames == 1:
        return Plan(_home_view(cameras[home], size), tuple(warnings))
    if path is None:
        return Plan(natural_path(cameras, frames, size, home), tuple(warnings))
    if path == "orbit":
        warnings += _orbit_doubts(cameras, field)
        return Plan(orbit_of(cameras, frames, size, home), tuple(warnings))
    some = cameras if layout(cameras) == "front" else similar_views(cameras, home)
    return Plan(spiral(some, frames, size), tuple(warnings))


def _from_file(
    run: Run | FlrRun, field: Field, path: Path, size: Size | None, transforms: Path | None
) -> Plan:
    """The views of a camera_path.json, and a word where its frame is not known or not the run's."""
    given = transforms or transforms_beside(path)
    normalised = None if given is None else normalised_frame(given)
    views = read_camera_path(path, field.frame, size, normalised)
    said = [] if given is None else [f"The path is in the frame of {given}."]
    if run.kind != "photos":
        return Plan(views, tuple(said))
    known = run.load_cameras()[0].camera_to_world[:, :, 3].double()
    center = known.mean(0)
    reach = float((known - center).norm(dim=-1).max())
    apart = (views.camera_to_world[:, :, 3].double() - center).norm(dim=-1)
    away = int((apart > SURROUNDINGS * reach).sum())
    if away:
        said.append(
            f"{away} of the {len(views)} views of the path stand more than {SURROUNDINGS:g} times "
            "as far from the middle of the photos' cameras as any of these: no photo shows what "
            "they see. A path from nerfstudio's viewer is in its own frame: give the "
            "dataparser_transforms.json of its run as `path_transforms`."
        )
    return Plan(views, tuple(said))


def home_of(cameras: Cameras, test: tuple[int, ...]) -> int:
    """The index of the training camera that shows a run best; of any where none trained."""
    everyone = range(len(cameras))
    return home_camera(cameras, [i for i in everyone if i not in test] or list(everyone))


def shape_orbit(aabb: Aabb, frames: int, size: Size) -> Cameras:
    """An orbit that sees all of a box."""
    radius = 0.5 * SHAPE_DISTANCE * float(np.linalg.norm(aabb.size))
    focal = 0.5 * min(size) * (SHAPE_DISTANCE**2 - 1.0) ** 0.5
    return orbit(aabb.center, radius, SHAPE_ELEVATION, frames, focal, size)


def _home_view(camera: Cameras, size: Size) -> Cameras:
    """The view of a photo's camera with its own lens, or with an ideal one at another shape."""
    width, height = camera.sizes[0].tolist()
    if abs(width * size[1] - height * size[0]) <= max(width, height):
        return camera.resized(torch.tensor([size]))
    return ideal_cameras(camera.camera_to_world, focal_for(camera, size), size)


def _sized(own: Size, size: Size | int | None, even: bool) -> Size:
    """`size`, or `own`; of a height alone with the width that keeps the shape of `own`."""
    if not isinstance(size, int):
        return size or own
    width = own[0] * size / own[1]
    return (max(2, 2 * round(width / 2)) if even else max(1, round(width))), size


def _resized(views: Cameras, size: Size | int | None, even: bool) -> Cameras:
    """The same views at `size`, each at its own where that is None."""
    sizes = [_sized((width, height), size, even) for width, height in views.sizes.tolist()]
    return views if size is None else views.resized(torch.tensor(sizes))


def _photo_size(photo: Size, frames: int, even: bool) -> tuple[Size, list[str]]:
    """The size of a photo, reduced where a view of it would take too long, and a word."""
    width, height = photo
    most = LARGEST_STILL if frames == 1 else LARGEST_FRAME
    scale = min(1.0, most / max(width, height))
    size = max(1, round(scale * width)), max(1, round(scale * height))
    if even:
        size = max(2, size[0] // 2 * 2), max(2, size[1] // 2 * 2)
    if scale == 1.0:
        return size, []
    return size, [
        f"The photos have {width} x {height} pixels; this is rendered at {size[0]} x {size[1]}. "
        f"For more give `size`."
    ]


def _orbit_doubts(cameras: Cameras, field: Field) -> list[str]:
    """Refuses an orbit where only the front is known, and warns where one side is not."""
    if field.space.kind == "ndc":
        raise FieldlrError(
            "forward-facing photos do not allow an orbit: nothing is known behind them. Use "
            "`path` spiral."
        )
    if layout(cameras) == "around":
        return []
    return [
        "The cameras do not stand all around the subject: for a part of this orbit it shows what "
        "no photo saw. Leave `path` out to stay near the cameras."
    ]
