"""Which way the surface through a cloud of points faces, and how much of it each point stands for.

A normal is the direction in which the nearest points spread least (PCA). Its sense travels along a
minimum spanning tree of neighbours (Hoppe et al. 1992); a neighbour's normal is expected to be the
own one mirrored in the plane between the two points, which also leads around sharp edges and does
not leap between the two sides of a plate. Parts that hang together by doubtful steps alone face the
side on which the space that is connected with the outside begins sooner.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from fieldlr.geometry.triangles import connected_parts, unit

NEIGHBOURS, TREE_NEIGHBOURS = 16, 10
# Of neighbours whose stored normals oppose each other: beyond it they were never oriented, which
# gives 0.5; thin walls that are sampled no finer than they are thick give 0.2.
MOST_OPPOSED = 0.3

# Free space in cells of so many spacings, at most so many along an edge; the crust around points is
# so many cells thick, lest it leaks between points that lie at random.
CELL, MOST_CELLS, CRUST = 1.5, 200, 2
STEPS = 16  # half cells that a normal is followed for
# A step of the tree is sure where the mirrored normal agrees so well; free space is clear about a
# part of n points where CLEAR n and sqrt(n) more of them oppose its sense than agree.
SURE, CLEAR = 0.96, 0.1

Points = Float[np.ndarray, "n 3"]


@dataclass(frozen=True)
class Neighbours:
    """The nearest other points of each point: index and distance, both (N, K)."""

    index: Int[np.ndarray, "n k"]
    distance: Float[np.ndarray, "n k"]

    @property
    def spacing(self) -> float:
        """How far the points lie apart: the median distance to the nearest other one."""
        return float(np.median(self.distance[:, 0]))


def neighbours(points: Points) -> Neighbours:
    from scipy.spatial import cKDTree  # pyright: ignore[reportAttributeAccessIssue]

    count = min(NEIGHBOURS, len(points) - 1)
    distance, index = cKDTree(points).query(points, count + 1)
    return Neighbours(index[:, 1:], distance[:, 1:])


def estimated(points: Points, near: Neighbours) -> Points:
    """Unit normals (N, 3) of either sense."""
    around = points[near.index] - points[:, None]
    around = around - around.mean(1, keepdims=True)
    covariance = np.einsum("nki,nkj->nij", around, around)
    return np.linalg.eigh(covariance)[1][:, :, 0]


def areas(points: Points, normals: Points, near: Neighbours) -> Float[np.ndarray, " n"]:
    """The area (N,) that each point stands for: a disc as far as its neighbours, shared by them.

    Neighbours that face the other way are those of another side, as of a thin wall.
    """
    cosine = np.einsum("nkj,nj->nk", normals[near.index], normals)
    sharing = np.maximum((cosine > -0.5).sum(1), 1)
    return np.pi * near.distance[:, -1] ** 2 / sharing


def opposed_share(points: Points, normals: Points, near: Neighbours) -> float:
    """The share of neighbours whose normals contradict each other."""
    one, other, agreement = _pairs(points, normals, near)
    return float((agreement < 0).mean()) if len(one) and len(other) else 0.0


def oriented(points: Points, normals: Points, near: Neighbours) -> Points:
    """Normals that face outward."""
    by_tree, parts = _along_tree(points, normals, near)
    seen = _free_side(points, by_tree, near.spacing)
    # A part that is joined to the others by doubtful steps alone takes the sense that free space
    # gives most of it, where that is clear.
    size = np.bincount(parts)
    told = np.bincount(parts, seen)
    sense = np.where(told < -np.maximum(CLEAR * size, np.sqrt(size)), -1.0, 1.0)[parts]
    return by_tree * sense[:, None]


def _free_side(points: Points, normals: Points, spacing: float) -> Float[np.ndarray, " n"]:
    """1 where space that is connected with the outside begins sooner along the normal.

    -1 where it does so against the normal, 0 where neither is sooner.
    """
    from scipy.ndimage import binary_dilation, label

    low, longest = points.min(0), float(np.ptp(points, axis=0).max())
    cell = max(CELL * spacing, longest / MOST_CELLS)
    low = low - (STEPS // 2 + 2) * cell
    counts = np.ceil((points.max(0) - low) / cell).astype(int) + STEPS // 2 + 2
    crust = np.zeros(counts, bool)
    crust[tuple(((points - low) / cell).astype(int).T)] = True
    crust = binary_dilation(crust, iterations=CRUST)
    spaces = np.asarray(label(np.logical_not(crust))[0])  # pyright: ignore[reportIndexIssue]
    outside = spaces == spaces[0, 0, 0]

    def begins(sense: float) -> np.ndarray:
        found = np.full(len(points), STEPS + 1)
        for step in range(STEPS, 0, -1):
            place = ((points + sense * 0.5 * step * cell * normals - low) / cell).astype(int)
            found[outside[tuple(place.T)]] = step
        return found

    return np.sign(begins(-1.0) - begins(1.0)).astype(float)


def _along_tree(
    points: Points, normals: Points, near: Neighbours
) -> tuple[Points, Int[np.ndarray, " n"]]:
    """(normals of one sense in each connected part, which faces outward; parts of sure steps)."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import breadth_first_order, minimum_spanning_tree

    count = len(points)
    one, other, agreement = _pairs(points, normals, near)
    parts = connected_parts(count, one, other)
    roots = np.unique(parts, return_index=True)[1]
    # One more node joins the parts, so that one walk reaches all; a weight of 0 would be no edge.
    start = np.concatenate([one, np.full(len(roots), count)])
    stop = np.concatenate([other, roots])
    cost = np.concatenate([1.001 - np.abs(agreement), np.full(len(roots), 1.0)])
    graph = coo_matrix((cost, (start, stop)), shape=(count + 1, count + 1)).tocsr()
    tree = minimum_spanning_tree(graph)
    parent = breadth_first_order(tree, count, directed=False)[1]
    parent[count] = count
    below = np.flatnonzero(parent[:count] < count)
    step = np.ones(count + 1)
    step[below] = _agreement(points, normals, parent[below], below)
    normals = normals * _along(np.where(step < 0, -1.0, 1.0), parent)[:, None]
    normals = normals * np.where(_inward(points, normals, parts, near), -1.0, 1.0)[:, None]
    sure = below[np.abs(step[below]) > SURE]
    return normals, connected_parts(count, sure, parent[sure])


def faces_inward(points: Points, normals: Points, near: Neighbours) -> bool:
    """Whether the cloud as a whole is inside out."""
    return bool(_inward(points, normals, np.zeros(len(points), np.int64), near)[0])


def _pairs(
    points: Points, normals: Points, near: Neighbours
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(one, other, cosine between the one's mirrored normal and the other's) of near points."""
    index = near.index[:, :TREE_NEIGHBOURS]
    one = np.repeat(np.arange(len(points)), index.shape[1])
    other = index.ravel()
    low, high = np.minimum(one, other), np.maximum(one, other)
    key = np.unique(low * len(points) + high)
    one, other = key // len(points), key % len(points)
    return one, other, _agreement(points, normals, one, other)


def _agreement(points: Points, normals: Points, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    between = unit(points[other] - points[one])
    n = normals[one]
    mirrored = n - 2.0 * (n * between).sum(1, keepdims=True) * between
    return (mirrored * normals[other]).sum(1)


def _along(step: np.ndarray, parent: np.ndarray) -> np.ndarray:
    """Signs (N,): the product of those of all steps up the tree, by doubling the steps."""
    root = len(parent) - 1
    while (parent != root).any():
        step, parent = step * step[parent], parent[parent]
    return step[:root]


def _inward(
    points: Points, normals: Points, parts: np.ndarray, near: Neighbours
) -> Bool[np.ndarray, " n"]:
    """Whether the part of each point has a negative volume about its middle."""
    number = int(parts.max()) + 1
    size = np.bincount(parts, minlength=number)
    middle = (
        np.stack([np.bincount(parts, column, number) for column in points.T], 1) / size[:, None]
    )
    height = ((points - middle[parts]) * normals).sum(1) * areas(points, normals, near)
    return (np.bincount(parts, height, number) < 0)[parts]
