"""The floor that a subject stands on: the plane that most of a mesh's upward faces lie in."""

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
# A floor faces up within this angle, and so do its faces, roughly.
STEEPEST_FLOOR, STEEPEST_FACE = np.cos(np.radians(25.0)), np.cos(np.radians(45.0))
LEAST_SHARE = 0.2  # of the area that faces up: less is no floor
ROUNDS = 5  # of least squares


@dataclass(frozen=True)
class Plane:
    """The points x with normal . x = offset; `normal` is of length 1."""

    normal: Vector
    offset: float

    def heights(self, points: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n"]:
        """How far points (..., 3) lie above the plane."""
        return points @ points.new_tensor(self.normal) - self.offset

    def raised(self, height: float) -> Plane:
        """The plane so much further along its normal."""
        return Plane(self.normal, self.offset + height)

    def transformed(self, frame: Similarity) -> Plane:
        """The same plane in the frame that `frame` leads to."""
        normal = torch.tensor(frame.rotation, dtype=torch.float64) @ torch.tensor(
            self.normal, dtype=torch.float64
        )
        moved = normal @ torch.tensor(frame.translation, dtype=torch.float64)
        return Plane(vector(normal.tolist()), frame.scale * self.offset + float(moved))


def find_floor(mesh: TriangleMesh, up: Vector, tolerance: float) -> Plane:
    """The plane near which the largest area faces `up`; FieldlrError where there is none.

    RANSAC (Fischler and Bolles 1981) on the middles of faces: a trial is the plane through one of
    them at right angles to its own normal or to `up`; the best one, by the area within `tolerance`
    world units, is then fitted by least squares.
    """
    middles, normals, areas = _upward(mesh, np.asarray(up))
    random = np.random.default_rng(0)
    if not len(areas):
        raise _no_floor()
    chosen = random.choice(len(areas), TRIALS, p=areas / areas.sum())
    own = np.where(np.arange(TRIALS)[:, None] % 2, normals[chosen], np.asarray(up))
    own = np.where((own @ np.asarray(up) > STEEPEST_FLOOR)[:, None], own, np.asarray(up))
    offsets = (own * middles[chosen]).sum(1)
    near = np.abs(middles @ own.T - offsets) < tolerance
    best = int((areas @ near).argmax())
    normal, offset = own[best], offsets[best]
    for _ in range(ROUNDS):
        within = np.abs(middles @ normal - offset) < tolerance
        normal, offset = _fitted(middles[within], areas[within], np.asarray(up))
    within = np.abs(middles @ normal - offset) < tolerance
    level = normal @ np.asarray(up) > STEEPEST_FLOOR
    if not level or areas[within].sum() < LEAST_SHARE * areas.sum():
        raise _no_floor()
    return Plane(vector(normal.tolist()), float(offset))


def _upward(mesh: TriangleMesh, up: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Middles (F, 3), unit normals (F, 3) and areas (F,) of some of the faces that face up."""
    doubled = mesh.face_normals
    normals, areas = unit(doubled), 0.5 * np.linalg.norm(doubled, axis=1)
    chosen = np.flatnonzero((normals @ up > STEEPEST_FACE) & (areas > 0.0))
    chosen = chosen[:: max(1, len(chosen) // MOST_FACES)]
    middles = mesh.vertices[mesh.faces[chosen]].mean(1)
    return middles, normals[chosen], areas[chosen]


def _fitted(points: np.ndarray, weights: np.ndarray, up: np.ndarray) -> tuple[np.ndarray, float]:
    """(normal, offset) of the plane nearest to weighted points (N, 3)."""
    middle = np.average(points, axis=0, weights=weights)
    away = (points - middle) * np.sqrt(weights)[:, None]
    normal = np.linalg.svd(away.T @ away)[0][:, 2]
    normal = normal if normal @ up > 0.0 else -normal
    return normal, float(normal @ middle)


def _no_floor() -> FieldlrError:
    return FieldlrError(
        "no floor was found: less than a fifth of what faces up lies in one plane. Leave "
        "`remove_floor` out, or cut the floor off by a `crop` box."
    )
