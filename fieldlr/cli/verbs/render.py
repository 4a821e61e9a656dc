"""render: views, depth and video."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fieldlr.cli.verbs.verb import Out, RunFolder, Verb
from fieldlr.errors import FieldlrError


@dataclass(frozen=True, kw_only=True)
class Render(Verb):
    """Renders views of a run: a .png, a .mp4, or a folder of pictures.

    Example: fieldlr render windmill-run --out orbit.mp4 --frames 90
    """

    target: RunFolder
    out: Out
    """x.png, x.mp4, or a folder."""
    path: str | None = None
    """orbit, spiral, test, or a nerfstudio camera_path.json."""
    frames: int | None = None
    """Views along an orbit or a spiral: 60, or 1 for a .png."""
    size: str | None = None
    """WIDTHxHEIGHT in pixels."""
    fps: float = 30.0
    """Frames a second of a video."""
    depth_map: bool = False
    """Writes depth too: .npy in the user's units, and a picture of it."""

    def run(self) -> dict[str, Any]:
        from fieldlr.runs import open_run
        from fieldlr.runs.filming import film

        size = _size(self.size)
        frames = film(
            open_run(self.target), self.out, self.path, self.frames, size, self.fps, self.depth_map
        )
        from fieldlr.cli.progress import counted

        written = {
            str(path)
            for files in counted(frames, frames.total, "view", self.quiet)
            for path in files
        }
        return {"out": str(self.out), "frames": frames.total, "files": sorted(written)}


def _size(text: str | None) -> tuple[int, int] | None:
    """WIDTHxHEIGHT as two numbers."""
    if text is None:
        return None
    width, x, height = text.lower().partition("x")
    if x and width.isdecimal() and height.isdecimal() and 0 < int(width) * int(height) <= 2**26:
        return int(width), int(height)
    raise FieldlrError(f"--size is WIDTHxHEIGHT in pixels, such as 400x300; got {text}.")
