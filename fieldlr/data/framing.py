"""From a capture in the user's frame to a scene: orientation, scale, space, near and far.

Three ways, each recorded in `Scene.frame` so that exports come back in the user's frame:

* LLFF captures from about one place: the frame of Mildenhall et al. 2020, with rays in `ndc`;
* objects before nothing (photos with alpha, or Blender files before one colour): a `box` around
  the silhouettes, or what all views hold;
* everything else: the world `contracted` about what the cameras look at.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from fieldlr.data.images import Pictures
from fieldlr.data.masks import without_rays_masked
from fieldlr.data.object_box import (
    before_one_color,
    box_in_view,
    carve,
    have_silhouettes,
    silhouettes,
    spread_views,
)
from fieldlr.data.scene import Capture, Photo, Scene
from fieldlr.errors import FieldlrError
from fieldlr.geometry.boxes import Aabb, place, vector
from fieldlr.geometry.cameras import Cameras
from fieldlr.geometry.frames import Similarity
from fieldlr.geometry.spaces import Space

# Every view of a forward-facing capture looks within acos(0.8) = 37 degrees of the average.
FORWARD_FACING = 0.8
# The reference scales LLFF poses so that the nearest depth is 1 / 0.75; its NDC begins at 1.
BOUNDS_FACTOR, NDC_NEAR = 0.75, 1.0
# The depth from which on all that any camera sees is in the cube. Nearer, the edges of some views
# may not be: to hold them too, the cube of a scene with a near corner would be several times wider.
NDC_FULL = 4.0
NO_HULL = (
    "The photos have alpha, but what they show has no place that all cameras look at: the poses "
    "may be wrong. What lies around the cameras is reconstructed, not an object alone."
)
# A focal length in units of the longer side: from a view of 180 degrees to one of a third of one.
FOCAL_SHARES = (1e-3, 1e3)


def framed(capture: Capture, pictures: Pictures) -> Scene:
    """The scene: cameras and points in the internal frame, and the space to reconstruct."""
    cameras = pictures.cameras
    _require_rays(cameras, capture.photos)
    masks, lens_notes = without_rays_masked(capture, cameras, pictures.masks)
    notes: list[str] = []
    if capture.bounds is not None and _looks_from_one_place(cameras, capture.bounds[0]):
        frame, space = _forward_facing(cameras, capture.bounds)
    else:
        frame, space, notes = _around(capture, pictures)
    points = None if capture.points is None else frame.inverse().apply(capture.points).float()
    # Only here, about their own centre: far from the origin float32 would round places away.
    cameras = cameras.transformed(frame.inverse()).in_single_precision()
    box = torch.tensor([*space.aabb.minimum, *space.aabb.maximum])
    if not (cameras.camera_to_world.isfinite().all() and box.isfinite().all()):
        raise FieldlrError(
            f"{capture.name}: the cameras are so near to each other, or so far from all else, that "
            "float32 cannot tell them apart. Scale the scene to a size near 1."
        )
    return Scene(
        name=capture.name,
        images=pictures.images,
        cameras=cameras,
        space=space,
        frame=frame,
        train=capture.split.train,
        test=capture.split.test,
        names=tuple(photo.name for photo in capture.photos),
        masks=masks,
        points=points,
        missing=capture.missing,
        warnings=(*capture.warnings, *pictures.warnings, *lens_notes, *notes),
        content_hash=pictures.content_hash,
        split=capture.split.words,
    )


def _require_rays(cameras: Cameras, photos: list[Photo]) -> None:
    """FieldlrError where a lens is none: impossible numbers show in the rays of the corners."""
    shares = cameras.intrinsics[:, :2] / cameras.sizes.max(-1).values[:, None]
    good = (shares > FOCAL_SHARES[0]).all(-1) & (shares < FOCAL_SHARES[1]).all(-1)
    corners = cameras.sizes[:, None] * torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1, 1]])
    views = torch.arange(len(cameras)).repeat_interleave(4)
    rays = cameras.rays(views, corners.reshape(-1, 2)).directions
    good &= rays.isfinite().all(-1).view(-1, 4).all(-1)
    if not good.all():
        bad = int((~good).nonzero()[0])
        raise FieldlrError(
            f"{photos[bad].name}: focal lengths of {cameras.intrinsics[bad, :2].tolist()} and its "
            f"distortion are no camera of {cameras.sizes[bad].tolist()} pixels. A focal length is "
            f"{FOCAL_SHARES[0]:g} to {FOCAL_SHARES[1]:g} times the longer side; correct it."
        )


def forward_axes(cameras: Cameras) -> Float[Tensor, "n 3"]:
    """Unit optical axes (N, 3)."""
    return -cameras.camera_to_world[:, :, 2]


def is_forward_facing(cameras: Cameras) -> bool:
    axes = forward_axes(cameras)
    mean = torch.nn.functional.normalize(axes.mean(0), dim=0)
    return bool((axes @ mean).min() > FORWARD_FACING)


def _looks_from_one_place(cameras: Cameras, nearest: float) -> bool:
    """Whether all look one way, from places no further apart than from the nearest thing.

    Where cameras move further, a frustum from one place is a poor frame: what is near leaves it,
    and what lies to the sides fills most of it.
    """
    positions = cameras.camera_to_world[:, :, 3]
    moved = (positions - positions.mean(0)).norm(dim=-1).max()
    return is_forward_facing(cameras) and float(moved) < nearest


def focus_point(cameras: Cameras) -> tuple[Float[Tensor, " 3"], Float[Tensor, " n"]]:
    """The point (3,) nearest to all optical axes, and its depth (N,) in front of each camera.

    Least squares: sum_i (I - d_i d_i^T) (p - o_i) = 0. A little weight holds the point to the
    cameras' middle where the axes are parallel and the system has no answer of its own.
    """
    origins = cameras.camera_to_world[:, :, 3].double()
    axes = forward_axes(cameras).double()
    across = torch.eye(3, dtype=torch.float64) - axes[:, :, None] * axes[:, None, :]
    matrix = across.mean(0) + 1e-4 * torch.eye(3, dtype=torch.float64)
    right = (across @ origins[:, :, None])[..., 0].mean(0) + 1e-4 * origins.mean(0)
    point = torch.linalg.solve(matrix, right)
    like = cameras.camera_to_world.dtype
    return point.to(like), ((point - origins) * axes).sum(-1).to(like)


def _forward_facing(cameras: Cameras, bounds: tuple[float, float]) -> tuple[Similarity, Space]:
    """Poses about their average, looking along -Z, scaled by the nearest depth."""
    poses = cameras.camera_to_world.double()
    backward = torch.nn.functional.normalize(poses[:, :, 2].sum(0), dim=0)
    right = torch.linalg.cross(poses[:, :, 1].sum(0), backward)
    right = torch.nn.functional.normalize(right, dim=0)
    axes = torch.stack([right, torch.linalg.cross(backward, right), backward], 1)
    scale = bounds[0] * BOUNDS_FACTOR
    frame = _similarity(axes, scale, poses[:, :, 3].mean(0))
    far = max(bounds[1] / scale, 2.0 * NDC_NEAR)
    across, up = _widest(cameras.transformed(frame.inverse()))
    aabb = Aabb((-across * far, -up * far, -far), (across * far, up * far, -NDC_NEAR))
    return frame, Space("ndc", aabb, near=NDC_NEAR, ndc_focal=(1.0 / across, 1.0 / up))


def _widest(cameras: Cameras) -> tuple[float, float]:
    """|x / z| and |y / z| at most of what cameras near the origin see from NDC_FULL on.

    The frustum of the mean camera alone, as Mildenhall et al. 2020 have it, leaves out what the
    others see beside it, and a grid over the cube has no place for that.
    """
    corners = cameras.sizes[:, None] * torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1, 1]])
    views = torch.arange(len(cameras)).repeat_interleave(4)
    rays = cameras.rays(views, corners.reshape(-1, 2))
    depth = -rays.directions[:, 2:]
    endless = rays.directions[:, :2] / depth
    nearest = (rays.origins[:, :2] + endless * (NDC_FULL + rays.origins[:, 2:])) / NDC_FULL
    across, up = torch.cat([endless, nearest]).abs().amax(0).tolist()
    return across, up


def _around(capture: Capture, pictures: Pictures) -> tuple[Similarity, Space, list[str]]:
    """A box where there is an object alone, a contracted world otherwise."""
    level = Similarity() if capture.upright else levelling(pictures.cameras)
    cameras = pictures.cameras.transformed(level.inverse())
    focus, depths = focus_point(cameras)
    distances = (cameras.camera_to_world[:, :, 3] - focus).norm(dim=-1)
    box, notes, images = None, [], silhouettes(pictures)
    ahead = bool((depths > 0).all())
    if have_silhouettes(images):
        box = carve(cameras, images, focus, float(distances.median())) if ahead else None
        notes = [] if box else [NO_HULL]
    elif capture.upright and ahead and before_one_color(pictures):
        box = box_in_view(cameras, focus, distances)
        where = place(level.apply(focus).tolist(), box.longest_edge)
        notes = [
            "The photos have no alpha: the object is taken to lie in a box of "
            f"{box.longest_edge:.4g} about {where}, which fills the views. With alpha the box "
            "follows the object."
        ]
    if box is None:
        return *_contracted(capture, pictures.cameras, level), notes
    # Objects come at any scale; the longest edge of the box becomes 2.
    middle = level.apply(torch.tensor(box.center, dtype=torch.float64))
    frame = _similarity(torch.tensor(level.rotation), 0.5 * box.longest_edge, middle)
    half = vector(edge / box.longest_edge for edge in box.size)
    return frame, Space("box", Aabb(vector(-edge for edge in half), half)), notes


def levelling(cameras: Cameras) -> Similarity:
    """The rotation that makes the cameras' mean up +Z and their mean forward axis +Y."""
    up = torch.nn.functional.normalize(cameras.camera_to_world[:, :, 1].double().mean(0), dim=0)
    axes = torch.cat([forward_axes(cameras).double().mean(0)[None], torch.eye(3).double()])
    flat = axes - (axes @ up)[:, None] * up
    ahead = flat[(flat.norm(dim=-1) > 0.1).nonzero()[0, 0]]
    ahead = torch.nn.functional.normalize(ahead, dim=0)
    return _similarity(torch.stack([torch.linalg.cross(ahead, up), ahead, up], 1), 1.0, up * 0)


def _contracted(capture: Capture, cameras: Cameras, level: Similarity) -> tuple[Similarity, Space]:
    """The cameras and what they look at fill the ball of radius 1; the rest is squeezed around.

    The ball holds all cameras and the point where the axes meet; with sparse points it is also
    large enough for the nearer half of what was seen. `near` keeps fog off the lenses: half the
    first percentile of the depths seen or half the nearest depth that is known, or a fifth of the
    nearest camera's distance.
    """
    positions = cameras.camera_to_world[:, :, 3]
    focus, depths = focus_point(cameras)
    if (depths > 0).double().mean() < 0.9:
        focus = positions.mean(0)  # axes that do not meet ahead: a panorama, seen from its middle
    distances = (positions - focus).norm(dim=-1)
    radius, near = float(distances.max()), 0.2 * float(distances.min())
    if capture.bounds is not None:
        near = 0.5 * capture.bounds[0]
    points = capture.points
    if points is not None and len(seen := depths_seen(cameras, points)):
        radius = max(radius, float((points - focus).norm(dim=-1).median()))
        near = 0.5 * float(torch.quantile(seen, 0.01))
    if not radius > 0:
        raise FieldlrError(
            f"{capture.name}: all cameras stand at one point, so nothing has a depth. "
            "Photos must be taken from several places."
        )
    frame = _similarity(torch.tensor(level.rotation), radius, focus)
    near = min(max(near / radius, 0.005), 0.5)
    return frame, Space("contracted", Aabb((-1.0, -1.0, -1.0), (1.0, 1.0, 1.0)), near=near)


def depths_seen(
    cameras: Cameras, points: Float[Tensor, "p 3"], num_views: int = 16
) -> Float[Tensor, " d"]:
    """Depths (D,) of the points inside the pictures of a few cameras, at most 100,000 of them."""
    seen = [torch.empty(0)]
    chosen = points[:: max(1, len(points) // 6000)]
    for view in spread_views(len(cameras), num_views):
        pixels, depth = cameras.project(view, chosen)
        inside = ((pixels >= 0) & (pixels < cameras.sizes[view])).all(-1) & (depth > 0)
        seen.append(depth[inside])
    return torch.cat(seen)


def _similarity(rotation: Tensor, scale: float, translation: Tensor) -> Similarity:
    x, y, z = (vector(row) for row in rotation.double().tolist())
    return Similarity((x, y, z), float(scale), vector(translation.double().tolist()))
