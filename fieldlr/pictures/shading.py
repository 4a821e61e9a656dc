"""A software renderer for meshes: light-grey clay, or vertex colours, on one colour."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, UInt8

from fieldlr.geometry.boxes import Vector
from fieldlr.geometry.triangles import TriangleMesh, rasterise, unit

_CLAY = (0.84, 0.83, 0.81)  # sRGB
_GAMMA = 2.2
_CREASE_COSINE = 0.7  # below it, between face and vertex normal, faces are shaded flat
_SKY = (0.0, 0.0, 1.0)
_KEY_IN_CAMERA = (-0.55, 0.60, 0.58)  # over the left shoulder
_SHARES = {"ambient": 0.06, "sky": 0.22, "key": 0.70, "head": 0.16}


def shade(
    mesh: TriangleMesh,
    camera_to_world: Float[np.ndarray, "3 4"],
    focal_pixels: float,
    width: int,
    height: int,
    supersample: int = 2,
    background: Vector = (1.0, 1.0, 1.0),
) -> UInt8[np.ndarray, "{height} {width} 3"]:
    """A render (height, width, 3) uint8 of a mesh from a camera pose (3, 4), over an sRGB colour.

    Edges are blended with the background in linear light.
    """
    pose = np.asarray(camera_to_world, np.float64)
    wide, high = width * supersample, height * supersample
    face, weights = _visible(mesh, pose, focal_pixels * supersample, wide, high)
    hit = face >= 0
    picture = np.full((wide * high, 3), np.array(background) ** _GAMMA)
    picture[hit] = _shaded(mesh, pose, face[hit], weights[hit])
    picture = picture.reshape(wide, high, 3).swapaxes(0, 1)
    picture = picture.reshape(height, supersample, width, supersample, 3).mean((1, 3))
    return np.rint(255.0 * np.clip(picture, 0.0, 1.0) ** (1.0 / _GAMMA)).astype(np.uint8)


def _visible(
    mesh: TriangleMesh, pose: np.ndarray, focal: float, width: int, height: int
) -> tuple[np.ndarray, np.ndarray]:
    """(face, weights) of the nearest triangle at each pixel, column-major; face -1 if none."""
    local = (mesh.vertices - pose[:, 3]) @ pose[:, :3]
    depth = -local[:, 2]
    closeness = 1.0 / np.where(depth > 1e-9, depth, np.inf)
    center = np.array([0.5 * width - 0.5, 0.5 * height - 0.5])
    screen = local[:, :2] * (focal, -focal) * closeness[:, None] + center
    in_front = np.flatnonzero((closeness[mesh.faces] > 0.0).all(1))
    face = np.full(width * height, -1)
    weights = np.zeros((width * height, 3))
    nearest = np.zeros(width * height)
    for samples in rasterise(screen, mesh.faces[in_front], (0, width), height):
        pixel = samples.columns * height + samples.rows
        # 1 / depth is linear in screen space.
        shares = samples.weights * closeness[mesh.faces[in_front[samples.faces]]]
        near = shares.sum(1)
        np.maximum.at(nearest, pixel, near)
        won = near == nearest[pixel]
        face[pixel[won]] = in_front[samples.faces[won]]
        weights[pixel[won]] = shares[won] / near[won, None]
    return face, weights


def _shaded(
    mesh: TriangleMesh, pose: np.ndarray, face: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """Linear colours (M, 3) of points on faces (M,) with barycentric weights (M, 3)."""
    corners = mesh.faces[face]
    flat = unit(mesh.face_normals[face])
    at_corners = mesh.vertex_normals[corners]
    creased = (at_corners @ flat[..., None])[..., 0] < _CREASE_COSINE
    at_corners = np.where(creased[..., None], flat[:, None], at_corners)
    normals = unit((at_corners * weights[..., None]).sum(1))
    points = (mesh.vertices[corners] * weights[..., None]).sum(1)
    view = unit(pose[:, 3] - points)
    # Two-sided lighting: normals face the camera.
    normals = np.where((flat * view).sum(1, keepdims=True) < 0.0, -normals, normals)
    light = (
        _SHARES["ambient"]
        + _SHARES["sky"] * (0.5 + 0.5 * normals @ np.array(_SKY))
        + _SHARES["key"] * np.clip(normals @ unit(pose[:, :3] @ np.array(_KEY_IN_CAMERA)), 0, 1)
        + _SHARES["head"] * np.clip((normals * view).sum(1), 0.0, 1.0)
    )
    colors = np.array(_CLAY)
    if mesh.colors is not None:
        colors = (mesh.colors[corners] / 255.0 * weights[..., None]).sum(1)
    return colors**_GAMMA * light[:, None]
