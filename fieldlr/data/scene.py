"""Posed photos: what a reader finds (`Capture`) and what every later step sees (`Scene`)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath

import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from fieldlr.errors import FieldlrError
from fieldlr.geometry.cameras import Cameras
from fieldlr.geometry.frames import Similarity
from fieldlr.geometry.spaces import Space

FEWEST_VIEWS = 3
MOST_PIXELS = 1 << 20  # along an edge of a photo
# Of a part of a path: names made from it are a little longer, and 255 is what file systems take.
MOST_NAME_BYTES, MOST_PATH_BYTES = 220, 2000
# Beyond this from the origin the square of a distance is no float32.
FARTHEST = 1e18

Pixels = UInt8[Tensor, "_ _ _"]  # (H, W, 3), or (H, W, 4) with straight alpha
Mask = Bool[Tensor, "_ _"]  # (H, W), True where a pixel counts


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
    def every_eighth(num_views: int, why: str = "") -> Split:
        """The habit of the field's papers: view i is held out where i % 8 == 0."""
        test = tuple(range(0, num_views, 8))
        train = tuple(i for i in range(num_views) if i % 8)
        return Split(train, test, f"every 8th view is held out (i % 8 == 0){why}")


@dataclass(frozen=True)
class Capture:
    """What a reader finds, in the user's frame, before any photo is decoded."""

    name: str
    photos: list[Photo]
    cameras: Cameras
    split: Split
    pose_files: tuple[Path, ...]
    points: Float[Tensor, "p 3"] | None = None
    bounds: tuple[float, float] | None = None  # nearest and farthest depth, where the source says
    upright: bool = False  # the frame is +Z up and centred as made (Blender): leave it
    missing: int = 0
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Scene:
    """Photos, their cameras, the space to reconstruct and how the views are split."""

    name: str
    images: list[Pixels]
    cameras: Cameras  # in the internal frame
    space: Space  # in the internal frame
    frame: Similarity  # from the internal frame to the user's
    train: tuple[int, ...]
    test: tuple[int, ...]
    names: tuple[str, ...]  # image paths relative to the source
    masks: list[Mask | None] | None
    points: Float[Tensor, "p 3"] | None  # sparse points in the internal frame
    missing: int  # views that are listed but have no photo
    warnings: tuple[str, ...]
    content_hash: str  # of the pose files and the photos, as stored
    split: str  # how the split was made, in words

    def __repr__(self) -> str:
        sizes = {f"{width} x {height}" for width, height in self.cameras.sizes.tolist()}
        size = sizes.pop() if len(sizes) == 1 else f"{len(sizes)} sizes"
        held_out = f"{len(self.test)} held out"
        return f"Scene {self.name}: {len(self.cameras)} views ({held_out}), {size}"

    @property
    def memory_bytes(self) -> int:
        """Bytes of the photos and masks."""
        tensors = [*self.images, *(mask for mask in self.masks or () if mask is not None)]
        return sum(tensor.numel() * tensor.element_size() for tensor in tensors)

    @property
    def fit_bytes(self) -> int:
        """Bytes that a fit takes because of the photos."""
        pixels = sum(image.shape[0] * image.shape[1] for image in self.images)
        channels = max(image.shape[-1] for image in self.images)
        return fit_bytes(pixels, channels, self.masks is not None)


def fit_bytes(num_pixels: int, channels: int, masked: bool) -> int:
    """Bytes that a fit of so many pixels takes beside what every fit takes.

    Photos are kept as they were read and once more as one list of pixels; with masks there are
    also three booleans and an 8-byte number for every pixel.
    """
    return num_pixels * (2 * channels + 11 * masked)


def checked_pose(
    matrix: Float[Tensor, "3 4"] | Float[Tensor, "4 4"], where: str
) -> Float[Tensor, "3 4"]:
    """The pose (3, 4) in float64 with axes of unit length, or an error that names `where`.

    Tools round their numbers, and some scale the axes; a mirrored or sheared pose is a mistake.
    """
    if not (matrix.abs() <= FARTHEST).all():
        raise FieldlrError(
            f"{where}: a pose needs finite numbers; this one has NaN, infinity or more than "
            f"{FARTHEST:g}."
        )
    axes = torch.nn.functional.normalize(matrix[:3, :3].double(), dim=0)
    defect = (axes.T @ axes - torch.eye(3, dtype=torch.float64)).abs().max()
    if defect > 0.02 or torch.linalg.det(axes) <= 0:
        raise FieldlrError(
            f"{where}: the left 3 x 3 of a pose must be a rotation; this one is mirrored or "
            "sheared. Export camera-to-world matrices with right-handed axes."
        )
    u, _, vh = torch.linalg.svd(axes)
    return torch.cat([u @ vh, matrix[:3, 3:4].double()], 1)


def path_inside(folder: Path, name: str, where: str) -> Path:
    """The path of a photo that a pose file names; it may not leave the folder."""
    relative = PurePosixPath(name.replace("\\", "/"))
    leaves = relative.is_absolute() or PureWindowsPath(name).drive or ".." in relative.parts
    if leaves or not relative.parts or "\0" in name:
        raise FieldlrError(
            f"{where}: paths of photos must be relative and stay inside their folder; got "
            f"{name[:80]!r}. Put the photos there, or name the folder that holds them: `images`."
        )
    encoded = [part.encode("utf-8", "surrogatepass") for part in relative.parts]
    if max(map(len, encoded)) > MOST_NAME_BYTES or sum(map(len, encoded)) > MOST_PATH_BYTES:
        raise FieldlrError(f"{where}: the path {name[:80]!r}... is too long. Use shorter names.")
    return folder / relative


def require_views(
    num_found: int, num_listed: int, where: str, examples: list[str], hint: str = ""
) -> list[str]:
    """A warning about listed views without photos, or an error where too few are left.

    `hint` says where photos were looked for and what is there.
    """
    missing = num_listed - num_found
    listed = ", ".join(examples[:3]) + (" and others" if len(examples) > 3 else "")
    if num_found < FEWEST_VIEWS:
        lost = f" {missing} photos are missing ({listed})." if missing else ""
        raise FieldlrError(
            f"{where}: a reconstruction needs at least {FEWEST_VIEWS} views with their photos; "
            f"got {num_found} of {num_listed}.{lost}{hint} Put photos there by the names that the "
            "poses have, or name their folder: `images`."
        )
    if not missing:
        return []
    return [
        f"{missing} of the {num_listed} listed views have no photo and are left out: {listed}."
        f"{hint}"
    ]
