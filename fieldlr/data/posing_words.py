"""What `fieldlr poses` found, in lines for people: the terminal and the app show the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MOST_FAILURES = 20


def told(result: Mapping[str, Any]) -> list[str]:
    """Lines about the video, the lenses and the photos without a pose, as far as there are any."""
    lines = []
    if video := result.get("video"):
        lines.append(
            f"video: {video['chosen']} of {video['looked_at']:,} frames, one each "
            f"{100 * video['step']:.1f} % of the picture's motion; {video['blurred']} blurred ones "
            "left out"
        )
    lines += [_lens(lens) for lens in result.get("lenses", ())]
    failed = result.get("failed", ())
    lines += [f"no pose: {one['photo']}: {one['why']}" for one in failed[:MOST_FAILURES]]
    if len(failed) > MOST_FAILURES:
        lines.append(f"no pose: {len(failed) - MOST_FAILURES} others (--json names them all)")
    return lines


def _lens(lens: Mapping[str, Any]) -> str:
    known, found = lens["exif_px"], lens["focal_px"]
    camera = lens["camera"] or "camera"
    began = "no EXIF" if known is None else f"EXIF {known:.1f} px"
    ended = "not found" if found is None else f"found {found:.1f} px"
    return f"focal length of {camera} ({lens['photos']} photos): {began}, {ended}"
