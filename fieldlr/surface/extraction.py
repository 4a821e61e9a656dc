"""Extraction of a level set as a mesh."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from fieldlr.geometry.boxes import Aabb
from fieldlr.geometry.triangles import TriangleMesh
from fieldlr.surface.lattice import Lattice, Level, Sampler
from fieldlr.surface.marching import march
from fieldlr.surface.refinement import coarsest_stride, dense_slabs, refined_slabs


@dataclass(frozen=True)
class Extraction:
    """A mesh and the cost of its extraction."""

    mesh: TriangleMesh
    evaluations: int  # points at which the level was evaluated
    seconds: float  # in total
    marching_seconds: float  # without evaluations of the level


def extract(
    level: Level, aabb: Aabb, resolution: int, offset: float = 0.0, dense: bool = False
) -> Extraction:
    """The surface `level == offset` inside a box, as a closed mesh that faces outward.

    `level` maps world points (M, 3) float32 to (M,) values, positive inside and of order one: an
    occupancy logit, log(density / threshold), a distance in world units. It is sampled with
    `resolution` samples along the longest edge of the box, in cubic cells; coarse to fine
    (`refinement` states the guarantees) or, with `dense`, everywhere. A surface cut by the box is
    closed at its faces; without a surface the mesh is empty.
    """
    began = time.perf_counter()
    lattice = Lattice.over(aabb, resolution)
    sampler = Sampler(level, lattice, offset)
    coarsest = coarsest_stride(lattice)
    everywhere = dense or coarsest == 1
    slabs = dense_slabs(sampler) if everywhere else refined_slabs(sampler, coarsest)
    nodes, faces, marching_seconds = march(slabs)
    # The empty layer starts one cell outside the box: clamp its vertices to the box.
    vertices = lattice.points(np.clip(nodes, 1, lattice.counts))
    seconds = time.perf_counter() - began
    mesh = TriangleMesh(vertices, faces)
    return Extraction(mesh, sampler.evaluations, seconds, marching_seconds)
