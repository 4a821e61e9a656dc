"""From a video to a folder of frames: looked at, chosen, written."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fieldlr.data.frame_choice import FrameChoice, FrameWatch, choose_frames
from fieldlr.data.scene import FEWEST_VIEWS
from fieldlr.data.video import VideoFile, thumbnails, write_frames
from fieldlr.errors import FieldlrError


@dataclass(frozen=True)
class VideoFrames:
    """The frames that were taken, and how they were chosen."""

    files: list[Path]
    choice: FrameChoice
    about: dict[str, Any]  # details for the result, as plain values


def take_frames(video: VideoFile, folder: Path, most: int) -> Generator[int, None, VideoFrames]:
    """Writes at most `most` frames into `folder`; yields how many were read so far.

    FieldlrError where too few differ: a still camera, or a clip of a moment.
    """
    watch = FrameWatch()
    for number, frame in enumerate(thumbnails(video), 1):
        watch.look(frame)
        yield number
    choice = choose_frames(watch.sharpness, watch.way, most)
    looked = len(watch.way)
    if len(choice.chosen) < FEWEST_VIEWS:
        raise FieldlrError(
            f"{video.path}: poses need at least {FEWEST_VIEWS} sharp frames from different places; "
            f"of {looked} frames {len(choice.chosen)} are (the picture moves by "
            f"{100 * watch.way[-1]:.0f} % of its longer side in all, {choice.blurred} frames are "
            "blurred). Walk around the subject while filming."
        )
    folder.mkdir()
    files = write_frames(video, choice.chosen, folder)
    about = {
        "seconds": video.seconds,
        "size": list(video.size),
        "rotation": video.rotation,
        "looked_at": looked,
        "chosen": len(files),
        "blurred": choice.blurred,
        "step": round(choice.step, 4),
        "times": [round(number / video.rate, 3) for number in choice.chosen],
    }
    return VideoFrames(files, choice, about)
