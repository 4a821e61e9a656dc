"""render: views, depth and video."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from fieldlr.cli.verbs.flags import Flag
from fieldlr.cli.verbs.verb import Out, RunFolder, Verb
from fieldlr.runs.options import RenderOptions


@dataclass(frozen=True, kw_only=True)
class Render(Verb):
    """Renders views of a run: a .png, a .mp4, or a folder of pictures.

    A .png shows the run from where a training photo was taken; other paths stay near the cameras.

    Example: fieldlr render windmill-run --out orbit.mp4 --frames 90
    """

    target: RunFolder
    out: Out
    """x.png, x.mp4, or a folder."""
    path: Annotated[
        str | None,
        tyro.conf.arg(
            metavar="orbit|spiral|test|FILE.json", help_behavior_hint="(default: near the cameras)"
        ),
    ] = None
    """orbit, spiral, test (the held-out cameras), or a nerfstudio camera_path.json. By default
    near the cameras: an orbit where they go around, else to and fro along them."""
    path_transforms: Annotated[
        Path | None,
        tyro.conf.arg(metavar="FILE.json", help_behavior_hint="(default: the one beside the path)"),
    ] = None
    """The dataparser_transforms.json of the nerfstudio run that a camera_path.json is from. By
    default the one beside the path, or in the folder above."""
    depth_map: Flag[bool] = False
    """Writes depth too: .npy in the user's units, and a picture of it."""
    view: RenderOptions

    def run(self) -> dict[str, Any]:
        from fieldlr.cli.progress import counted
        from fieldlr.runs import open_run
        from fieldlr.runs.render import render_run

        run, view = open_run(self.target), self.view
        frames = render_run(
            run,
            self.out,
            self.path,
            view.frames,
            view.size,
            view.fps,
            self.depth_map,
            self.path_transforms,
            view.background,
        )
        written = {
            str(path)
            for files in counted(frames, frames.total, "view", self.quiet)
            for path in files
        }
        return {
            "out": str(self.out),
            "frames": frames.total,
            "files": sorted(written),
            "warnings": list(frames.warnings),
        }
