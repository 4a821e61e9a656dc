"""Videos that play everywhere: MP4, H.264, yuv420p."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import IO, cast

import numpy as np
from jaxtyping import Float, UInt8

from fieldlr.errors import FieldlrError
from fieldlr.export.image import to_bytes
from fieldlr.system.ffmpeg import find_ffmpeg
from fieldlr.system.files import replacing

Frame = Float[np.ndarray, "h w 3"] | UInt8[np.ndarray, "h w 3"]


class Video:
    """A video being written, frame by frame; use it in a `with` block.

    The encoder runs from the start, so what is wrong with it shows before the first frame is
    rendered. The file takes its name when the block ends well.
    """

    def __init__(self, path: Path | str, fps: float, size: tuple[int, int]):
        width, height = size
        self.path, self.size, self.num_frames = Path(path), size, 0
        program = find_ffmpeg()
        _probe(program)
        with ExitStack() as stack:
            self._errors = stack.enter_context(tempfile.TemporaryFile())
            temporary = stack.enter_context(replacing(self.path))
            self._process = subprocess.Popen(
                _command(program, str(temporary), fps, (width + width % 2, height + height % 2)),
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=self._errors,
            )
            self._pipe = cast("IO[bytes]", self._process.stdin)  # stdin=PIPE: there is one
            self._stack = stack.pop_all()

    def add(self, frame: Frame) -> None:
        """Appends an image (H, W, 3), bytes or floats in [0, 1]."""
        width, height = self.size
        if frame.shape != (height, width, 3):
            raise ValueError(f"a frame of {self.path} is {frame.shape}, not {(height, width, 3)}")
        even = np.pad(to_bytes(frame), [(0, height % 2), (0, width % 2), (0, 0)], mode="edge")
        try:
            self._pipe.write(even.tobytes())
        except BrokenPipeError:
            raise self._failure() from None
        self.num_frames += 1

    def __enter__(self) -> Video:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._stack:
            if kind is not None:
                self._process.kill()
            self._process.communicate()
            if kind is None and (self._process.returncode or not self.num_frames):
                raise self._failure()
            # A failed block is handed on, so that the half-written file is dropped.
            self._stack.pop_all().__exit__(kind, error, traceback)

    def _failure(self) -> FieldlrError:
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        reason = lines[-1] if lines else "it was given no frame"
        return FieldlrError(f"ffmpeg could not write {self.path}: {reason}")


def open_video(path: Path | str, fps: float, size: tuple[int, int]) -> Video:
    """A video of `size` (width, height) to add frames to; fails now if it cannot be written.

    H.264 in yuv420p needs even sizes: an odd one gets a repeated last column or row.
    """
    path = Path(path)
    if path.suffix.lower() != ".mp4":
        raise FieldlrError(f"A video is written as .mp4; got {path.name}. Change the suffix.")
    if not (fps > 0 and min(size) > 0):
        raise FieldlrError(
            f"A video needs a positive frame rate and size; got {fps} and {size[0]} x {size[1]}."
        )
    return Video(path, fps, size)


def write_video(
    frames: Iterable[Frame], path: Path | str, fps: float, size: tuple[int, int]
) -> int:
    """Writes frames (H, W, 3) as they come and gives their number."""
    with open_video(path, fps, size) as video:
        for frame in frames:
            video.add(frame)
    return video.num_frames


def _probe(program: str) -> None:
    """Encodes one black frame to nowhere: some builds of ffmpeg lack H.264."""
    source = ["-f", "lavfi", "-i", "color=black:size=64x64:rate=1", "-frames:v", "1"]
    command = [program, "-v", "error", *source, "-c:v", "libx264", "-f", "null", "-"]
    result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True)
    if result.returncode:
        reason = result.stderr.decode(errors="replace").strip().splitlines()
        raise FieldlrError(
            f"A video needs an ffmpeg that encodes H.264; {program} does not "
            f"({reason[0] if reason else 'it failed'}). "
            "Get one with pip install 'fieldlr[video]', or write pictures into a folder."
        )


def _command(program: str, output: str, fps: float, size: tuple[int, int]) -> list[str]:
    source = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{size[0]}x{size[1]}", "-r", str(fps)]
    coding = ["-c:v", "libx264", "-crf", "18", "-pix_fmt", "yuv420p", "-movflags", "+faststart"]
    return [program, "-y", "-v", "error", *source, "-i", "-", *coding, "-f", "mp4", output]
