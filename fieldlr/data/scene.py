"""Posed photos: what a reader finds (`Capture`) and what every later step sees (`Scene`)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from fieldlr.cameras import Cameras
from fieldlr.errors import FieldlrError
from fieldlr.geometry import Similarity, Space

FEWEST_VIEWS = 3


@dataclass(frozen=True)
class Photo:
    """Where the picture of one view is stored."""

    name: str  # relative to the source, with forward slashes
    path: Path
    mask: Path | None = None
    mask_marks: str = "use"  # what a mask's non-zero pixels say: "use" or "ignore"
    alpha: Path | None = None  # a grey picture beside an opaque photo


@dataclass(frozen=True)
class Split:
    """Which views train and which are held out, and in words how that was decided."""

    train: tuple[int, ...]
    test: tuple[int, ...]
    words: str

    @staticmethod
    def every_eighth(num_views: int) -> Split:
        """The habit of the field's papers: view i is held out where i % 8 == 0."""
        test = tuple(range(0, num_views, 8))
        train = tuple(i for i in range(num_views) if i % 8)
        return Split(train, test, "every 8th view is held out (i % 8 == 0)")


@dataclass(frozen=True)
class Capture:
    """What a reader finds, in the user's frame, before any photo is decoded."""

    name: str
    photos: list[Photo]
    cameras: Cameras
    split: Split
    pose_files: tuple[Path, ...]
    points: Tensor | None = None  # (P, 3)
    bounds: tuple[float, float] | None = None  # nearest and farthest depth, where the source says
    upright: bool = False  # the frame is +Z up and centred as made (Blender): leave it
    missing: int = 0
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Scene:
    """Photos, their cameras, the space to reconstruct and how the views are split."""

    name: str
    images: list[Tensor]  # uint8 (H, W, 3), or (H, W, 4) with straight alpha
    cameras: Cameras  # in the internal frame
    space: Space  # in the internal frame
    frame: Similarity  # from the internal frame to the user's
    train: tuple[int, ...]
    test: tuple[int, ...]
    names: tuple[str, ...]  # image paths relative to the source
    masks: list[Tensor | None] | None  # bool (H, W), True where the pixel counts
    points: Tensor | None  # (P, 3) sparse points in the internal frame
    missing: int  # views that are listed but have no photo
    warnings: tuple[str, ...]
    content_hash: str  # of the pose files and the photos, as stored
    split: str  # how the split was made, in words

    @property
    def memory_bytes(self) -> int:
        """Bytes of the photos and masks."""
        tensors = [*self.images, *(mask for mask in self.masks or () if mask is not None)]
        return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def checked_pose(matrix: Tensor, where: str) -> Tensor:
    """The pose (3, 4) in float32 with axes of unit length, or an error that names `where`.

    Tools round their numbers, and some scale the axes; a mirrored or sheared pose is a mistake.
    """
    if not torch.isfinite(matrix).all():
        raise FieldlrError(f"{where}: a pose needs finite numbers; this one has NaN or infinity.")
    axes = torch.nn.functional.normalize(matrix[:3, :3].double(), dim=0)
    defect = (axes.T @ axes - torch.eye(3, dtype=torch.float64)).abs().max()
    if defect > 0.02 or torch.linalg.det(axes) <= 0:
        raise FieldlrError(
            f"{where}: the left 3 x 3 of a pose must be a rotation; this one is mirrored or "
            "sheared. Export camera-to-world matrices with right-handed axes."
        )
    u, _, vh = torch.linalg.svd(axes)
    return torch.cat([u @ vh, matrix[:3, 3:4].double()], 1).float()


def require_views(num_found: int, num_listed: int, where: str, examples: list[str]) -> list[str]:
    """A warning about listed views without photos, or an error where too few are left."""
    missing = num_listed - num_found
    listed = ", ".join(examples[:3]) + (" and others" if len(examples) > 3 else "")
    if num_found < FEWEST_VIEWS:
        lost = f" {missing} photos are missing ({listed})." if missing else ""
        raise FieldlrError(
            f"{where}: a reconstruction needs at least {FEWEST_VIEWS} views with their photos; "
            f"got {num_found} of {num_listed}.{lost} Add photos beside the pose file."
        )
    if not missing:
        return []
    return [f"{missing} of the {num_listed} listed views have no photo and are left out: {listed}."]
