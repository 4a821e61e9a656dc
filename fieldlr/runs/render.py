"""`fieldlr render`: views along a path, written as a picture, a video or a folder."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from fieldlr.errors import FieldlrError
from fieldlr.export import open_video, write_depth, write_image
from fieldlr.export.image import to_bytes
from fieldlr.geometry.boxes import Vector
from fieldlr.runs import Run
from fieldlr.runs.flr_file import FlrRun
from fieldlr.runs.planning import plan_views
from fieldlr.runs.views import View, views
from fieldlr.system.files import make_folder

VIDEO_FRAMES = 60


@dataclass(frozen=True)
class Rendering:
    """Views being written: iterate to write them; gives the files of each view."""

    frames: Generator[list[Path], None, None]
    total: int
    warnings: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[list[Path]]:
        return self.frames


def render_run(
    run: Run | FlrRun,
    out: Path,
    path: str | None = None,
    frames: int | None = None,
    size: tuple[int, int] | int | None = None,
    fps: float = 30.0,
    depth_map: bool = False,
    path_transforms: Path | None = None,
    background: Vector | None = None,
) -> Rendering:
    """Renders a run along a path into `out`: x.png, x.mp4, or a folder of %05d.png."""
    suffix = out.suffix.lower()
    if suffix not in (".png", ".mp4", ""):
        raise FieldlrError(f"views are written as .png, .mp4 or into a folder; got {out.name}.")
    if frames is not None and frames < 1:
        raise FieldlrError(f"`frames` is the number of views, 1 or more; got {frames}.")
    if depth_map and run.kind != "photos":
        raise FieldlrError("`depth_map` is for runs made from photos; this one is a shape's.")
    field = run.load_field()
    count = 1 if suffix == ".png" else frames or VIDEO_FRAMES
    plan = plan_views(run, field, path, count, size, suffix == ".mp4", path_transforms)
    cameras = plan.cameras
    if suffix == ".png" or frames is not None:
        cameras = cameras[:count]  # A path with cameras of its own may have more.
    if suffix == ".mp4" and len({tuple(s) for s in cameras.sizes.tolist()}) > 1:
        raise FieldlrError("a video has one size and these views have several. Give `size` WxH.")
    pictures = views(run, field, cameras, background=background)
    width, height = cameras.sizes[0].tolist()
    written = _write(pictures, out, suffix, (width, height), fps, depth_map)
    return Rendering(written, len(cameras), plan.warnings)


def _write(
    pictures: Iterator[View],
    out: Path,
    suffix: str,
    size: tuple[int, int],
    fps: float,
    depth_map: bool,
) -> Generator[list[Path], None, None]:
    if suffix == "":
        make_folder(out)
    with open_video(out, fps, size) if suffix == ".mp4" else nullcontext() as video:
        for number, view in enumerate(pictures):
            place = out / f"{number:05d}.png" if suffix == "" else out
            if video is not None:
                video.add(to_bytes(view.rgb))
            else:
                write_image(view.rgb, place)
            files = [place]
            if depth_map and view.depth is not None:
                stem = place.stem if suffix != ".mp4" else f"{place.stem}_{number:05d}"
                files.append(place.with_name(f"{stem}_depth.npy"))
                write_depth(view.depth, files[-1])
            yield files
