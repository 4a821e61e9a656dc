"""Ray marching through the occupancy grid by a compiled loop, equivalent to `GridSampler`.

Formulas are those of `geometry.spaces.Space`, for one point at a time.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fieldlr.geometry.rays import Rays
from fieldlr.geometry.spaces import Space
from fieldlr.nn.execution.compiled import compiled, in_threads
from fieldlr.rendering.samples import RaySamples

# Rays per unit of work of a thread.
CHUNK = 1024
BOX, NDC, CONTRACTED = 0, 1, 2
KINDS = {"box": BOX, "ndc": NDC, "contracted": CONTRACTED}


def march(
    space: Space,
    occupied: Bool[Tensor, "cells cells cells"],
    rays: Rays,
    marching: tuple[Float[Tensor, " n"], ...],
    num_steps: int,
) -> RaySamples:
    """The occupied intervals of N rays.

    marching: start, stop, the step as a fraction of the way between them, and the offset of the
    first step in steps, all (N,).
    """
    minimum, maximum = (torch.tensor(corner) for corner in (space.aabb.minimum, space.aabb.maximum))
    center, to_unit = (0.5 * (minimum + maximum)).numpy(), (2.0 / (maximum - minimum)).numpy()
    lens = np.array([space.near, *space.ndc_focal, 0.5 * space.aabb.longest_edge], np.float32)
    columns = (rays.origins, rays.directions, *marching)
    arrays = [column.detach().contiguous().numpy() for column in columns]
    cells, kind = occupied.view(-1).numpy(), KINDS[space.kind]
    parts = [slice(i, i + CHUNK) for i in range(0, max(1, len(rays)), CHUNK)]
    found: dict[int, tuple[np.ndarray, ...]] = {}

    def work(part: slice) -> None:
        own = [array[part] for array in arrays]
        size = len(own[0]) * (num_steps + 1)
        starts, ends = np.empty(size, np.float32), np.empty(size, np.float32)
        counts = np.zeros(len(own[0]), np.int64)
        space_arrays = kind, center, to_unit, lens
        kept = _march(*own, *space_arrays, num_steps, cells, len(occupied), starts, ends, counts)
        found[part.start] = starts[:kept], ends[:kept], counts

    in_threads(work, parts)
    columns = zip(*(found[part.start] for part in parts), strict=True)
    starts, ends, counts = (torch.from_numpy(np.concatenate(column)) for column in columns)
    indices = torch.arange(len(rays)).repeat_interleave(counts)
    return RaySamples(starts, ends, indices, len(rays))


@compiled
def _contract(kind, center, to_unit, lens, x, y, z):
    """A world point in the unit cube of the space."""
    if kind == NDC:
        z = min(z, np.float32(-1e-9))
        return -lens[1] * x / z, -lens[2] * y / z, np.float32(1) + np.float32(2) * lens[0] / z
    x = (x - center[0]) * to_unit[0]
    y = (y - center[1]) * to_unit[1]
    z = (z - center[2]) * to_unit[2]
    if kind == BOX:
        return x, y, z
    norm = max(np.sqrt(x * x + y * y + z * z), np.float32(1e-9))
    share = np.float32(0.5)
    if norm > np.float32(1):
        share = np.float32(0.5) * (np.float32(2) - np.float32(1) / norm) / norm
    return x * share, y * share, z * share


@compiled
def _normalised_distance(unit, t):
    """The normalised distance of a distance in a contracted space."""
    t = t / unit
    if t < np.float32(1):
        return np.float32(0.5) * t
    return np.float32(1) - np.float32(0.5) / t


@compiled
def _distance(kind, lens, slope, start, stop, first, last, s):
    """The distance at fraction s of the ray; `first` and `last` are start and stop, contracted."""
    if kind == BOX:
        return start + (stop - start) * s
    if kind == NDC:
        return start + lens[0] * s / (max(np.float32(1) - s, np.float32(1e-6)) * slope)
    unit, u = lens[3], first + (last - first) * s
    if u < np.float32(0.5):
        return unit * np.float32(2) * u
    return unit * np.float32(0.5) / max(np.float32(1) - u, np.float32(1e-9))


@compiled
def _march(
    origins, directions, start, stop, step_size, offsets, kind, center, to_unit, lens,
    num_steps, occupied, cells, starts, ends, counts,
):  # fmt: skip
    """Writes the occupied intervals to starts, ends and counts per ray; returns their number."""
    kept, half = 0, np.float32(0.5 * cells)
    for ray in range(len(origins)):
        ox, oy, oz = origins[ray, 0], origins[ray, 1], origins[ray, 2]
        dx, dy, dz = directions[ray, 0], directions[ray, 1], directions[ray, 2]
        first, last = np.float32(0), np.float32(0)
        if kind == CONTRACTED:
            first, last = (
                _normalised_distance(lens[3], start[ray]),
                _normalised_distance(lens[3], stop[ray]),
            )
        slope = -min(dz, np.float32(-1e-6))
        before, began = start[ray], kept
        for step in range(num_steps + 1):
            s = min((np.float32(step) + offsets[ray]) * step_size[ray], np.float32(1))
            t = _distance(kind, lens, slope, start[ray], stop[ray], first, last, s)
            t = min(t, stop[ray])
            if t > before:
                m = np.float32(0.5) * (before + t)
                x, y, z = _contract(
                    kind, center, to_unit, lens, ox + m * dx, oy + m * dy, oz + m * dz
                )
                i = max(min(np.int32((x + np.float32(1)) * half), cells - 1), 0)
                j = max(min(np.int32((y + np.float32(1)) * half), cells - 1), 0)
                k = max(min(np.int32((z + np.float32(1)) * half), cells - 1), 0)
                if occupied[i + cells * (j + cells * k)]:
                    starts[kept], ends[kept] = before, t
                    kept += 1
                before = t
            if s >= np.float32(1):
                break
        counts[ray] = kept - began
    return kept
