"""Diagnosis of posed photos before training, and a drawing of the cameras."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from fieldlr.data.framing import focus_point, forward_axes, is_forward_facing
from fieldlr.data.photo_doubts import photo_doubts
from fieldlr.data.scene import Scene
from fieldlr.data.sight import out_of_sight
from fieldlr.geometry.boxes import Aabb
from fieldlr.geometry.cameras import Cameras
from fieldlr.geometry.frames import Similarity

TINY_PIXELS = 64
# Faces of a box as pairs of its eight corners, numbered in binary: x + 2 y + 4 z.
BOX_EDGES = tuple((a, a | bit) for a in range(8) for bit in (1, 2, 4) if not a & bit)


@dataclass(frozen=True)
class Diagnosis:
    """Facts about a scene, lengths in the user's units, and warnings."""

    views: int
    missing: int
    train: int
    test: int
    split: str
    space: str
    aabb: Aabb  # around the box of the space, in the user's frame
    near: float
    far: float | None  # None where the space has no end
    smallest_size: tuple[int, int]
    focal_px: tuple[float, float]  # least and greatest
    field_of_view: float  # horizontal, degrees, mean
    axes_meet_ahead: float  # share of the views before which the optical axes meet
    memory_bytes: int
    warnings: tuple[str, ...]


def diagnose(scene: Scene) -> Diagnosis:
    cameras, unit = scene.cameras, scene.frame.scale
    _, depths = focus_point(cameras)
    widths, focals = cameras.sizes[:, 0].float(), cameras.intrinsics[:, 0]
    angles = (
        widths / focals if cameras.model == "fisheye" else 2 * torch.atan(0.5 * widths / focals)
    )
    smallest = cameras.sizes[cameras.sizes.prod(-1).argmin()].tolist()
    return Diagnosis(
        views=len(cameras),
        missing=scene.missing,
        train=len(scene.train),
        test=len(scene.test),
        split=scene.split,
        space=scene.space.kind,
        aabb=Aabb.around(scene.frame.apply(_corners(scene.space.aabb))),
        near=scene.space.near * unit,
        far=scene.space.far * unit if math.isfinite(scene.space.far) else None,
        smallest_size=(smallest[0], smallest[1]),
        focal_px=(float(focals.min()), float(focals.max())),
        field_of_view=math.degrees(float(angles.mean())),
        axes_meet_ahead=float((depths > 0).double().mean()),
        memory_bytes=scene.memory_bytes,
        warnings=(*scene.warnings, *out_of_sight(scene), *_doubts(scene), *photo_doubts(scene)),
    )


def drawing(
    scene: Scene,
) -> tuple[dict[str, Float[Tensor, "_ 2 3"]], Float[Tensor, "p 3"] | None]:
    """Named line segments (S, 2, 3) and sparse points (P, 3) of a scene, levelled, +Z up."""
    cameras, points, corners = scene.cameras, scene.points, _corners(scene.space.aabb)
    if scene.space.kind == "ndc":  # looks along -Z with +Y up; turn it to stand
        stand = Similarity(((1.0, 0.0, 0.0), (0.0, 0.0, -1.0), (0.0, 1.0, 0.0)))
        cameras, corners = cameras.transformed(stand), stand.apply(corners)
        points = None if points is None else stand.apply(points)
    positions = cameras.camera_to_world[:, :, 3]
    focus, _ = focus_point(cameras)
    spread = (positions - positions.mean(0)).norm(dim=-1).max()
    reach = 0.07 * float(torch.maximum(spread, (positions - focus).norm(dim=-1).median() * 0.5))
    lines = {"train": camera_lines(cameras[torch.tensor(scene.train)], reach)}
    if scene.test:
        lines["test"] = camera_lines(cameras[torch.tensor(scene.test)], reach)
    if scene.space.kind != "ndc":  # that box is a frustum without end, and would hide the cameras
        lines["box"] = torch.stack([corners[[a, b]] for a, b in BOX_EDGES])
    return lines, points


def camera_lines(cameras: Cameras, reach: float) -> Float[Tensor, "lines 2 3"]:
    """Line segments (9 N, 2, 3): the pyramid of each view, `reach` deep, and a tick that is up."""
    pose = cameras.camera_to_world
    half = 0.5 * cameras.sizes / cameras.intrinsics[:, :2]
    half = half.clamp_max(2.0) * reach
    signs = torch.tensor([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]])
    corners = torch.cat([half[:, None] * signs, torch.full((len(cameras), 4, 1), -reach)], -1)
    tick = torch.stack([0 * half[:, 0], 1.4 * half[:, 1], 0 * half[:, 0] - reach], -1)
    local = torch.cat([corners, tick[:, None]], 1)
    world = torch.einsum("nij,npj->npi", pose[:, :, :3], local) + pose[:, None, :, 3]
    apex = pose[:, :, 3]
    pairs = [(apex, world[:, i]) for i in range(4)]
    pairs += [(world[:, i], world[:, (i + 1) % 4]) for i in range(4)]
    pairs += [(0.5 * (world[:, 2] + world[:, 3]), world[:, 4])]
    return torch.stack([torch.stack(pair, 1) for pair in pairs], 1).reshape(-1, 2, 3)


def _corners(box: Aabb) -> Tensor:
    return torch.tensor(
        [[box.maximum[k] if i >> k & 1 else box.minimum[k] for k in range(3)] for i in range(8)],
        dtype=torch.float64,
    )


def _doubts(scene: Scene) -> list[str]:
    checks = (_directions, _inside, _focal_lengths, _principal_points, _sizes, _duplicates)
    return [sentence for check in checks for sentence in check(scene)]


def _directions(scene: Scene) -> list[str]:
    """Cameras that look away from their subject: most often poses with OpenCV axes."""
    cameras = scene.cameras
    advice = (
        "Poses with OpenCV axes (+Y down, +Z forward) look like this: negate the second and third "
        "columns of each camera-to-world matrix."
    )
    if scene.points is not None:
        ahead = torch.stack([cameras.project(i, scene.points)[1] > 0 for i in range(len(cameras))])
        share = float(ahead.double().mean())
        return [f"{100 * (1 - share):.0f} % of the points lie behind the cameras. {advice}"] * (
            share < 0.5
        )
    if is_forward_facing(cameras):
        return []
    focus, depths = focus_point(cameras)
    behind = float((depths < 0).double().mean())
    if behind > 0.5:
        return [
            f"The optical axes of {100 * behind:.0f} % of the views meet behind the camera. "
            f"{advice} For cameras that look outward (a panorama) this is correct."
        ]
    positions = cameras.camera_to_world[:, :, 3]
    along = positions + depths[:, None] * forward_axes(cameras)
    misses = (along - focus).norm(dim=-1) / (positions - focus).norm(dim=-1).clamp_min(1e-9)
    if float(misses.median()) > 0.7:
        return [
            "The optical axes meet nowhere: the views share no subject, or poses and "
            "photos are mixed up."
        ]
    return []


def _inside(scene: Scene) -> list[str]:
    if scene.space.kind != "box":
        return []
    inside = int(scene.space.aabb.contains(scene.cameras.camera_to_world[:, :, 3]).sum())
    return [f"{inside} cameras stand inside the box of the object."] * (inside > 0)


def _focal_lengths(scene: Scene) -> list[str]:
    """Focal lengths as shares of the picture's width, so that sizes may differ."""
    intrinsics, sizes = scene.cameras.intrinsics, scene.cameras.sizes
    shares = intrinsics[:, 0] / sizes.max(-1).values
    found = []
    if float(shares.max() / shares.min()) > 1.05:
        found.append(
            f"The focal lengths of the views differ: {shares.min():.2f} to {shares.max():.2f} of "
            "the longer side. That is right only for a zoom or several cameras."
        )
    oddness = (intrinsics[:, 0] / intrinsics[:, 1] - 1).abs().max()
    if float(oddness) > 0.05:
        found.append(
            f"fl_x and fl_y differ by {100 * oddness:.0f} %: pixels are rarely that oblong."
        )
    if float(shares.min()) < 0.15 or float(shares.max()) > 10:
        found.append(
            f"A focal length of {shares.min():.2f} to {shares.max():.2f} of the longer side is "
            "unusual: check fl_x (pixels), x_fov (degrees) and camera_angle_x (radians)."
        )
    return found


def _principal_points(scene: Scene) -> list[str]:
    offset = (scene.cameras.intrinsics[:, 2:] / scene.cameras.sizes - 0.5).abs().max()
    return [
        f"The principal point is {100 * offset:.0f} % of the picture away from its centre: cx and "
        "cy may belong to another size, or the photos were cropped."
    ] * bool(offset > 0.1)


def _sizes(scene: Scene) -> list[str]:
    shortest = scene.cameras.sizes.min(-1).values
    tiny = int((shortest < TINY_PIXELS).sum())
    return [
        f"{tiny} photos are under {TINY_PIXELS} px on the shorter side ({int(shortest.min())} px): "
        "they hold little detail."
    ] * (tiny > 0)


def _duplicates(scene: Scene) -> list[str]:
    """Views of one pose: a file listed twice, or a failure of the pose tool."""
    poses = scene.cameras.camera_to_world.flatten(1)
    copies = len(poses) - len(torch.unique((poses * 1e5).round(), dim=0))
    return [f"{copies} views repeat the pose of another view."] * (copies > 0)
