"""Warnings about the poses that were found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from fieldlr.data.frame_choice import LARGEST_STEP, FrameChoice
from fieldlr.data.framing import depths_seen
from fieldlr.data.scene import Capture

# A baseline below this share of the distance to the scene is too short to tell depth.
SMALLEST_BASELINE = 0.05
# A larger relative difference to EXIF's focal length means that one of the two is wrong.
FOCAL_TOLERANCE = 0.2
# The share of the frames in a video's header that must be readable.
WHOLE_VIDEO = 0.9
MOST_NAMES = 10
ADVICE = (
    "Photos need much overlap (two thirds with the next one), several standpoints rather than one "
    "turn on the spot, sharp pictures, and a subject with texture that does not move."
)


def doubts(
    capture: Capture, num_photos: int, absent: Sequence[str], views: Sequence[int]
) -> list[str]:
    """Photos that are left out, groups that do not join, cameras that stand on one spot."""
    warnings = []
    if absent:
        warnings.append(
            f"{len(absent)} of {num_photos} photos have no pose and are left out: "
            f"{listed(absent)}." + f" {ADVICE}" * (2 * len(absent) > num_photos)
        )
    if absent and len(views) > 1:
        warnings.append(
            f"The photos fall into {len(views)} groups that do not join (of "
            f"{', '.join(map(str, views))} photos); the largest is taken. More photos between "
            "them would join them."
        )
    baseline = _baseline(capture)
    if baseline < SMALLEST_BASELINE:
        warnings.append(
            f"The cameras stand within {100 * baseline:.1f} % of their distance to what they see: "
            "depths are hardly known. Move further between photos."
        )
    return warnings


def lens_doubts(lenses: Sequence[Mapping[str, Any]]) -> list[str]:
    """Lenses whose focal length is not the one that EXIF tells."""
    return [
        f"EXIF says a focal length of {lens['exif_px']:.0f} px"
        + (f" for {lens['camera']}" if lens["camera"] else "")
        + f", the photos agree on {lens['focal_px']:.0f} px. That is right for photos that were "
        "cropped; else look at the poses with care."
        for lens in lenses
        if lens["exif_px"] and lens["focal_px"]
        if abs(lens["focal_px"] / lens["exif_px"] - 1) > FOCAL_TOLERANCE
    ]


def video_doubts(choice: FrameChoice, looked_at: int, expected: float) -> list[str]:
    """A video that breaks off, frames that are too far from each other."""
    doubtful = []
    if looked_at < WHOLE_VIDEO * expected:
        doubtful.append(
            f"The video breaks off: of about {expected:.0f} frames {looked_at} could be read."
        )
    if choice.step > LARGEST_STEP:
        doubtful.append(
            f"The picture moves by {100 * choice.step:.0f} % of its longer side from one chosen "
            "frame to the next: they overlap little. Take more frames, or film more slowly."
        )
    return doubtful


def listed(names: Sequence[str]) -> str:
    """Names in a sentence, the first MOST_NAMES of them."""
    others = f" and {len(names) - MOST_NAMES} others" if len(names) > MOST_NAMES else ""
    return ", ".join(names[:MOST_NAMES]) + others


def _baseline(capture: Capture) -> float:
    """The way between the two cameras furthest apart, by the median depth of what they see."""
    positions = capture.cameras.camera_to_world[:, :, 3]
    depths = (
        torch.empty(0) if capture.points is None else depths_seen(capture.cameras, capture.points)
    )
    if not len(depths):
        return 0.0
    return float(torch.cdist(positions, positions).max() / depths.median())
