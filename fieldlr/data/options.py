"""How a source is read, and how poses are found."""

from __future__ import annotations

from dataclasses import dataclass

from fieldlr.system.kinds import Choice, Text, Whole
from fieldlr.system.options import Options, option

FINEST_GRID = 1024
CLOUD_METHODS = ("winding", "poisson")


@dataclass(frozen=True, kw_only=True)
class ReadingOptions(Options):
    downscale: int | None = option(Whole(1), "Divides the size of photos", shown_default="1")
    grid: int | None = option(
        Whole(16, FINEST_GRID),
        "Voxels along the longest edge of a mesh or point cloud",
        shown_default="512",
    )
    cloud: str | None = option(
        Choice(CLOUD_METHODS),
        "How a point cloud becomes a solid: by its winding number, or by Poisson (open3d)",
        shown_default="winding",
    )
    images: str | None = option(
        Text("DIR"),
        "The folder that holds the photos, seen from the source or from here",
        shown_default="found by itself",
    )


@dataclass(frozen=True, kw_only=True)
class PosingOptions(Options):
    frames: int | None = option(
        Whole(3, 2000), "Frames to take of a video, at most", shown_default="150"
    )
