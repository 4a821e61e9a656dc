"""Shape metrics: IoU of solids, distances between surfaces.

Distances follow Occupancy Networks (Mescheder et al. 2019): samples uniform by area, accuracy from
the test to the reference, completeness the other way, Chamfer L1 their mean.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from jaxtyping import Bool, Float, Int
from torch import Tensor

from fieldlr.geometry.boxes import Vector, vector
from fieldlr.geometry.triangles import TriangleMesh, unit

_NEIGHBOURS = 6  # candidate triangles for the nearest point
_CHUNK_POINTS = 2**14

Solid = TypeVar("Solid", Bool[np.ndarray, " ..."], Bool[Tensor, " ..."])


@dataclass(frozen=True)
class SurfaceSamples:
    """points (N, 3) and the indices (N,) of the triangles of `mesh` that they lie on."""

    mesh: TriangleMesh
    points: Float[np.ndarray, "n 3"]
    faces: Int[np.ndarray, " n"]


@dataclass(frozen=True)
class SurfaceDistances:
    """Distances in world units; `relative` ones are divided by the reference's longest edge.

    normals: mean |cos| between normals of nearest points, both ways. fscore_1pct: harmonic mean of
    the fractions of samples within 1 % of the longest edge. signed_offset: mean height of the
    test's samples above the reference along its outward normal, which reveals dilation or erosion.
    shift: the translation of the test that explains these heights best (least squares, point to
    plane), which reveals misalignment.
    """

    accuracy: float
    completeness: float
    chamfer_l1: float
    normals: float
    fscore_1pct: float
    signed_offset: float
    shift: Vector
    longest_edge: float

    @property
    def chamfer_l1_relative(self) -> float:
        return self.chamfer_l1 / self.longest_edge

    @property
    def signed_offset_relative(self) -> float:
        return self.signed_offset / self.longest_edge


def iou(reference: Solid, test: Solid) -> float:
    """|both| / |either| of booleans of equal shape (arrays or tensors); 1 where both are empty."""
    if reference.shape != test.shape:
        raise ValueError(f"solids of different shapes: {reference.shape} and {test.shape}")
    either = int((reference | test).sum())
    return int((reference & test).sum()) / either if either else 1.0


def surface_distances(
    reference: TriangleMesh, test: TriangleMesh, num_samples: int = 100_000, seed: int = 0
) -> SurfaceDistances:
    """Distances between two surfaces from `num_samples` points on each.

    A test without faces gets the worst values of Occupancy Networks: sqrt(3) longest edges, and -1
    for the normals; its offset and shift are NaN.
    """
    longest = float(np.ptp(reference.vertices[reference.faces].reshape(-1, 3), axis=0).max())
    if len(test.faces) == 0:
        worst = math.sqrt(3.0) * longest
        nowhere = (math.nan, math.nan, math.nan)
        return SurfaceDistances(worst, worst, worst, -1.0, 0.0, math.nan, nowhere, longest)
    random = np.random.default_rng(seed)
    reference_samples = sample_surface(reference, num_samples, random)
    test_samples = sample_surface(test, num_samples, random)
    to_reference, height, normal, reference_cosine = _nearest(test_samples, reference_samples)
    to_test, _, _, test_cosine = _nearest(reference_samples, test_samples)
    accuracy, completeness = to_reference.mean(), to_test.mean()
    precision, recall = ((d < 0.01 * longest).mean() for d in (to_reference, to_test))
    return SurfaceDistances(
        float(accuracy),
        float(completeness),
        float(0.5 * (accuracy + completeness)),
        float(0.5 * (reference_cosine.mean() + test_cosine.mean())),
        float(2.0 * precision * recall / max(precision + recall, 1e-12)),
        float(height.mean()),
        vector(np.linalg.lstsq(normal, height, rcond=None)[0].tolist()),
        longest,
    )


def sample_surface(mesh: TriangleMesh, count: int, random: np.random.Generator) -> SurfaceSamples:
    """Points uniform by area, stratified: one in each of `count` equal parts of the area."""
    corners = mesh.vertices[mesh.faces]
    level = np.cumsum(np.linalg.norm(mesh.face_normals, axis=1))
    where = (np.arange(count) + random.random(count)) * (level[-1] / count)
    faces = np.minimum(np.searchsorted(level, where, side="right"), len(level) - 1)
    u, v = random.random((2, count))
    u = np.sqrt(u)
    weights = np.stack([1.0 - u, u * (1.0 - v), u * v], 1)
    return SurfaceSamples(mesh, np.einsum("nc,ncd->nd", weights, corners[faces]), faces)


def closest_on_triangles(
    points: Float[np.ndarray, "*#n 3"], corners: Float[np.ndarray, "*#n 3 3"]
) -> Float[np.ndarray, "*#n 3"]:
    """The nearest point (..., 3) of each triangle (..., 3, 3) to its point (..., 3).

    The foot of the perpendicular if inside, else the nearest point on the three edges.
    """
    a, edges = corners, np.roll(corners, -1, axis=-2) - corners
    along = (edges * (points[..., None, :] - a)).sum(-1) / np.maximum((edges**2).sum(-1), 1e-300)
    on_edges = a + np.clip(along, 0.0, 1.0)[..., None] * edges
    distance = ((on_edges - points[..., None, :]) ** 2).sum(-1)
    best = np.take_along_axis(on_edges, distance.argmin(-1)[..., None, None], -2)[..., 0, :]
    normal = np.cross(edges[..., 0, :], edges[..., 1, :])
    height = ((points - a[..., 0, :]) * normal).sum(-1) / np.maximum((normal**2).sum(-1), 1e-300)
    foot = points - height[..., None] * normal
    side = np.matmul(np.cross(edges, foot[..., None, :] - a), normal[..., None])
    return np.where((side[..., 0] >= 0.0).all(-1)[..., None], foot, best)


def distances_to(
    reference: TriangleMesh,
    points: Float[np.ndarray, "n 3"],
    num_samples: int = 100_000,
    seed: int = 0,
) -> Float[np.ndarray, " n"]:
    """Distances (N,) of points (N, 3) to a surface, found through `num_samples` points on it."""
    target = sample_surface(reference, num_samples, np.random.default_rng(seed))
    return np.linalg.norm(_offsets(points, target)[0], axis=1)


def _offsets(points: np.ndarray, target: SurfaceSamples) -> tuple[np.ndarray, np.ndarray]:
    """(offsets (N, 3) of points (N, 3) from the nearest points of a surface, their faces (N,)).

    Candidates are found through the target's samples and the centroids of all its triangles.
    """
    # SciPy's compiled modules have no stubs.
    from scipy.spatial import cKDTree  # pyright: ignore[reportAttributeAccessIssue]

    corners = target.mesh.vertices[target.mesh.faces]
    # The tree splits just above a coordinate. Just above zero is a denormal number; on a CPU that
    # flushes denormals to zero this does not terminate, so coordinates are moved away from zero.
    away = 1.0 + np.ptp(target.points, axis=0) - target.points.min(0)
    tree = cKDTree(np.concatenate([target.points, corners.mean(1)]) + away)
    owners = np.concatenate([target.faces, np.arange(len(corners))])
    _, near = tree.query(points + away, k=min(_NEIGHBOURS, len(owners)), workers=-1)
    candidates = owners[near.reshape(len(points), -1)]
    offset, face = np.empty_like(points), np.empty(len(points), np.int64)
    for start in range(0, len(offset), _CHUNK_POINTS):
        part = slice(start, start + _CHUNK_POINTS)
        some, nearby = points[part, None], candidates[part]
        offsets = some - closest_on_triangles(some, corners[nearby])
        best = (offsets**2).sum(-1).argmin(1)
        row = np.arange(len(best))
        offset[part], face[part] = offsets[row, best], nearby[row, best]
    return offset, face


def _nearest(
    samples: SurfaceSamples, target: SurfaceSamples
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(distance, height along the target's normal, that normal, |cosine| of both normals)."""
    offset, face = _offsets(samples.points, target)
    normals = unit(target.mesh.face_normals)[face]
    own = unit(samples.mesh.face_normals)[samples.faces]
    height, cosine = (offset * normals).sum(1), np.abs((own * normals).sum(1))
    return np.linalg.norm(offset, axis=1), height, normals, cosine
