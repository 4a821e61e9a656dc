"""Floor detection: the plane that contains most of a mesh's upward-facing area."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from fieldlr.errors import FieldlrError
from fieldlr.geometry.boxes import Vector, vector
from fieldlr.geometry.frames import Similarity
from fieldlr.geometry.triangles import TriangleMesh, unit

TRIALS, MOST_FACES = 400, 20_000
# The largest angle to `up` of a floor and of the faces considered (as cosines).
STEEPEST_FLOOR, STEEPEST_FACE = np.cos(np.radians(25.0)), np.cos(np.radians(45.0))
LEAST_SHARE = 0.2  # of the upward-facing area
ROUNDS = 5  # of least-squares fitting


@dataclass(frozen=True)
class Plane:
    """The points x with normal . x = offset; `normal` is a unit vector."""

    normal: Vector
    offset: float

    def heights(self, points: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n"]:
        """Signed heights (...) of points (..., 3) above the plane."""
        return points @ points.new_tensor(self.normal) - self.offset

    def raised(self, height: float) -> Plane:
        """The plane moved by `height` along its normal."""
        return Plane(self.normal, self.offset + height)

    def transformed(self, frame: Similarity) -> Plane:
        """The plane transformed by `frame`."""
        normal = torch.tensor(frame.rotation, dtype=torch.float64) @ torch.tensor(
            self.normal, dtype=torch.float64
        )
        moved = normal @ torch.tensor(frame.translation, dtype=torch.float64)
        return Plane(vector(normal.tolist()), frame.scale * self.offset + float(moved))


def find_floor(mesh: TriangleMesh, up: Vector, tolerance: float) -> Plane:
    """The plane with the largest area that faces `up`; raises FieldlrError if there is none.

    RANSAC (Fischler and Bolles 1981) on the centroids of faces: a candidate is the plane through
    one of them perpendicular to its normal or to `up`; the best one, by the area within
    `tolerance` world units, is then refined by least squares.
    """
    centroids, normals, areas = _upward(mesh, np.asarray(up))
    random = np.random.default_rng(0)
    if not len(areas):
        raise _no_floor()
    chosen = random.choice(len(areas), TRIALS, p=areas / areas.sum())
    own = np.where(np.arange(TRIALS)[:, None] % 2, normals[chosen], np.asarray(up))
    own = np.where((own @ np.asarray(up) > STEEPEST_FLOOR)[:, None], own, np.asarray(up))
    offsets = (own * centroids[chosen]).sum(1)
    near = np.abs(centroids @ own.T - offsets) < tolerance
    best = int((areas @ near).argmax())
    normal, offset = own[best], offsets[best]
    for _ in range(ROUNDS):
        within = np.abs(centroids @ normal - offset) < tolerance
        normal, offset = _fitted(centroids[within], areas[within], np.asarray(up))
    within = np.abs(centroids @ normal - offset) < tolerance
    level = normal @ np.asarray(up) > STEEPEST_FLOOR
    if not level or areas[within].sum() < LEAST_SHARE * areas.sum():
        raise _no_floor()
    return Plane(vector(normal.tolist()), float(offset))


def _upward(mesh: TriangleMesh, up: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Centroids (F, 3), unit normals (F, 3) and areas (F,) of a subset of upward-facing faces."""
    doubled = mesh.face_normals
    normals, areas = unit(doubled), 0.5 * np.linalg.norm(doubled, axis=1)
    chosen = np.flatnonzero((normals @ up > STEEPEST_FACE) & (areas > 0.0))
    chosen = chosen[:: max(1, len(chosen) // MOST_FACES)]
    centroids = mesh.vertices[mesh.faces[chosen]].mean(1)
    return centroids, normals[chosen], areas[chosen]


def _fitted(points: np.ndarray, weights: np.ndarray, up: np.ndarray) -> tuple[np.ndarray, float]:
    """(normal, offset) of the least-squares plane of weighted points (N, 3)."""
    middle = np.average(points, axis=0, weights=weights)
    away = (points - middle) * np.sqrt(weights)[:, None]
    normal = np.linalg.svd(away.T @ away)[0][:, 2]
    normal = normal if normal @ up > 0.0 else -normal
    return normal, float(normal @ middle)


def _no_floor() -> FieldlrError:
    return FieldlrError(
        "no floor found: less than a fifth of the upward-facing area lies in one plane. Leave "
        "`remove_floor` out, or cut the floor off with a `crop` box."
    )
