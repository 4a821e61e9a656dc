"""Videos as ffmpeg decodes them: what a file contains, small frames, and chosen frames as files.

ffmpeg turns frames as the file's rotation says, in both readings alike.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

import numpy as np
from jaxtyping import UInt8

from fieldlr.errors import FieldlrError
from fieldlr.system.ffmpeg import find_ffmpeg

VIDEO_SUFFIXES = (".mp4", ".mov", ".m4v", ".webm", ".mkv", ".avi", ".mpg", ".mpeg", ".3gp", ".wmv")
# The longer side of the frames that are compared: blur of two pixels in 1080p is still visible.
THUMBNAIL = 640
# A video with more frames than this is read at a lower frame rate. Some files state the ticks of
# their clock as their frame rate.
MOST_LOOKS, FASTEST = 4000, 60.0
# ffmpeg chooses a reader by content: a playlist named .mp4 would open other files.
TRUSTED = (
    "-protocol_whitelist",
    "file,pipe",
    "-format_whitelist",
    "mov,matroska,avi,mpeg,mpegts,asf",
)
JPEG_QUALITY = "2"  # of ffmpeg's scale from 2, the best, to 31

Thumbnail = UInt8[np.ndarray, "h w"]


@dataclass(frozen=True)
class VideoFile:
    """A video and what its header says."""

    path: Path
    seconds: float
    rate: float  # frames a second, as they are read
    size: tuple[int, int]  # (width, height) after rotation
    rotation: int  # degrees, from the file; already applied in `size`


def is_video(path: Path) -> bool:
    """Whether a file is named as a video."""
    return path.suffix.lower() in VIDEO_SUFFIXES and path.is_file()


def open_video_file(path: Path) -> VideoFile:
    """What ffmpeg reports of a file; FieldlrError where it is not a video."""
    done = subprocess.run(
        [find_ffmpeg(), "-hide_banner", *TRUSTED, "-i", str(path)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
    )
    said = done.stderr.decode(errors="replace")
    stream = re.search(r"Stream #.*Video:.*?, (\d{2,5})x(\d{2,5})\b.*", said)
    rate = re.search(r"([\d.]+)(k?) (?:fps|tbr)", stream[0]) if stream else None
    if stream is None or rate is None:
        raise _unreadable(path, said)
    clock = re.search(r"Duration: (\d+):(\d+):([\d.]+)", said)
    seconds = 3600 * int(clock[1]) + 60 * int(clock[2]) + float(clock[3]) if clock else 0.0
    turn = re.search(r"rotation of (-?[\d.]+) degrees", said)
    rotation = round(float(turn[1])) % 360 if turn else 0
    width, height = (int(stream[part]) for part in ((2, 1) if rotation % 180 else (1, 2)))
    frames = min(float(rate[1]) * (1000 if rate[2] else 1), FASTEST)
    lowered = min(frames, MOST_LOOKS / seconds) if seconds else frames
    return VideoFile(path, seconds, lowered, (width, height), rotation)


def thumbnails(video: VideoFile) -> Generator[Thumbnail, None, None]:
    """Every frame in grey, THUMBNAIL pixels on its longer side; FieldlrError if there is none.

    What is damaged in the middle is left out, as players do.
    """
    width, height = thumbnail_size(video.size)
    command = [
        *_reading(video), "-vf", f"fps={video.rate:.6f},scale={width}:{height}:flags=area",
        "-f", "rawvideo", "-pix_fmt", "gray", "-",
    ]  # fmt: skip
    count = 0
    with tempfile.TemporaryFile() as words:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=words
        )
        try:
            with cast("IO[bytes]", process.stdout) as pipe:  # stdout=PIPE: there is one
                while len(frame := pipe.read(width * height)) == width * height:
                    count += 1
                    yield np.frombuffer(frame, np.uint8).reshape(height, width)
            process.wait()
        finally:
            process.kill()
            process.wait()
        words.seek(0)
        if not count:
            raise _unreadable(video.path, words.read().decode(errors="replace"))


def thumbnail_size(size: tuple[int, int]) -> tuple[int, int]:
    """(width, height) of the frames that are looked at: even, and not larger than the video."""
    share = min(1.0, THUMBNAIL / max(size))
    width, height = (max(2, round(side * share / 2) * 2) for side in size)
    return width, height


def write_frames(video: VideoFile, numbers: Sequence[int], folder: Path) -> list[Path]:
    """The frames of these numbers, counted as `thumbnails` gives them, as JPEG in full size."""
    listed = "+".join(f"eq(n,{number})" for number in numbers)
    command = [
        *_reading(video), "-vf", f"fps={video.rate:.6f},select='{listed}'",
        "-fps_mode", "passthrough", "-c:v", "mjpeg", "-q:v", JPEG_QUALITY,
        "-pix_fmt", "yuvj444p", str(folder / "%06d.jpg"),
    ]  # fmt: skip
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True)
    written = sorted(folder.glob("*.jpg"))
    if len(written) != len(numbers):
        raise _unreadable(video.path, done.stderr.decode(errors="replace"))
    digits = len(str(max(numbers)))
    named = [folder / f"frame {number:0{digits}d}.jpg" for number in numbers]
    for file, name in zip(written, named, strict=True):
        file.rename(name)
    return named


def _reading(video: VideoFile) -> list[str]:
    command = [find_ffmpeg(), "-v", "error", "-nostdin", *TRUSTED, "-i", str(video.path)]
    return [*command, "-map", "0:v:0"]


def _unreadable(path: Path, said: str) -> FieldlrError:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    hidden = ("At least one output file", "Input #", "Metadata", "Stream #")
    reasons = [line for line in lines if not line.startswith(hidden)]
    reason = reasons[-1][-160:] if reasons else "it contains no frame"
    return FieldlrError(
        f"{path}: not a readable video ({reason}). Copy it again from the camera, or save its "
        "frames as pictures into a folder."
    )
