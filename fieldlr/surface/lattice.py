"""The sampling lattice over a box, and the evaluation of a level on it.

A node is a triple of integers. Nodes 1 ... counts lie in the box; node 0 and nodes beyond `counts`
form an empty layer around it, so that every surface is closed at the box.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Num
from torch import Tensor

from fieldlr.errors import FieldlrError
from fieldlr.geometry.boxes import Aabb, Vector, vector
from fieldlr.nn.execution import in_parts

Level = Callable[[Float[Tensor, "m 3"]], Float[Tensor, " m"]]

# Marching cubes puts a vertex at the fraction a / (a - b) of an edge. With magnitudes clamped to
# these, the fraction never rounds to 0 or 1, so each vertex belongs to exactly one edge: slabs can
# be welded by edge, and values equal to the isovalue are unambiguous.
SMALLEST, LARGEST = 1e-9, 1e3
POINTS_AT_A_TIME = 1 << 18


@dataclass(frozen=True)
class Lattice:
    """Cubic cells over a box: `resolution` samples along the longest edge, all inside the box."""

    first: Vector  # the world position of node (1, 1, 1)
    spacing: float  # world units
    counts: tuple[int, int, int]  # samples in the box along each axis

    @staticmethod
    def over(aabb: Aabb, resolution: int) -> Lattice:
        if not 2 <= resolution <= 4096:
            raise FieldlrError(
                f"A surface needs a resolution of 2 to 4096 samples; got {resolution}. "
                "256 suits most shapes."
            )
        if not (min(aabb.size) > 0 and math.isfinite(aabb.longest_edge)):
            raise FieldlrError(
                f"A surface needs a non-empty bounding box; got {aabb.minimum} to {aabb.maximum}. "
                "Use a box whose maximum exceeds its minimum on every axis."
            )
        spacing = aabb.longest_edge / (resolution - 1)
        nx, ny, nz = (math.floor(edge / spacing + 1e-6) + 1 for edge in aabb.size)
        first = vector(
            center - 0.5 * spacing * (count - 1)
            for center, count in zip(aabb.center, (nx, ny, nz), strict=True)
        )
        return Lattice(first, spacing, (nx, ny, nz))

    def shape(self, stride: int, coarsest: int) -> tuple[int, int, int]:
        """Nodes along each axis of the lattice at a `stride`, padded to whole coarsest cells."""
        cells = (-(-(count + 1) // coarsest) * coarsest for count in self.counts)
        nx, ny, nz = (count // stride + 1 for count in cells)
        return nx, ny, nz

    def holds(self, nodes: Int[np.ndarray, "m 3"]) -> Bool[np.ndarray, " m"]:
        """Which of the nodes (M, 3) lie in the box."""
        return np.all((nodes >= 1) & (nodes <= self.counts), axis=1)

    def points(self, nodes: Num[np.ndarray, "m 3"]) -> Float[np.ndarray, "m 3"]:
        """World positions (M, 3) float64 of nodes (M, 3), which may be fractional."""
        return np.asarray(self.first) + self.spacing * (nodes - 1)


@dataclass
class Sampler:
    """Evaluates `level - offset` at nodes and counts the evaluations."""

    level: Level
    lattice: Lattice
    offset: float = 0.0
    evaluations: int = field(default=0, init=False)

    def __call__(self, nodes: Int[np.ndarray, "m 3"]) -> Float[np.ndarray, " m"]:
        """Values (M,) float32 at nodes (M, 3): positive inside, never zero, finite."""
        values = np.full(len(nodes), -LARGEST, np.float32)

        def read(chunk: slice) -> None:
            held = self.lattice.holds(nodes[chunk])
            if held.any():
                values[chunk][held] = self._read(nodes[chunk][held])

        list(in_parts(read, len(nodes), POINTS_AT_A_TIME))
        return values

    @torch.no_grad()
    def _read(self, nodes: np.ndarray) -> np.ndarray:
        points = torch.from_numpy(self.lattice.points(nodes).astype(np.float32))
        values = self.level(points).detach().float().cpu().numpy().reshape(-1) - self.offset
        self.evaluations += len(nodes)
        if np.isnan(values).any():
            raise FieldlrError(
                f"the field returned NaN at {int(np.isnan(values).sum())} of {len(values)} points. "
                "The training diverged: train again with another seed."
            )
        magnitude = np.clip(np.abs(values), SMALLEST, LARGEST)
        return np.where(values > 0, magnitude, -magnitude)
