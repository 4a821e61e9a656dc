"""Reads a point cloud (.ply without faces, .xyz, .pts, .pcd) and makes it a solid.

The inside is where the winding number of the oriented points is above one half
(`cloud_winding`), or what a Poisson surface encloses (open3d). docs/pointclouds.md says what is
assumed.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from fieldlr.data import cloud_file, cloud_normals, ply_file, voxels
from fieldlr.data.cloud_file import Cloud
from fieldlr.data.cloud_winding import WindingNumber
from fieldlr.data.grids import at_faces
from fieldlr.data.mesh import BYTES_PER_FILE_BYTE
from fieldlr.data.scene import FARTHEST
from fieldlr.data.volume import Grid, OccupancyVolume, Shape, make_volume
from fieldlr.errors import FieldlrError
from fieldlr.geometry.boxes import Aabb
from fieldlr.geometry.triangles import TriangleMesh, unit
from fieldlr.system import memory

SUFFIXES = (".ply", ".xyz", ".pts", ".pcd")
FEWEST_POINTS, MOST_POINTS = 100, 100_000
# Voxels of 4 / 3 of the median distance to the nearest point, within these: as a point stands for
# an area twice as wide as that distance, finer ones show nothing more.
COARSEST, FINEST = 64, 192
BLOCK = 8
# The winding number of a closed surface is a whole number away from it; of an open one it is not,
# at more than this share of places.
UNSURE, OPEN_SHARE = 0.25, 0.03
PROBES, PROBE_SPACINGS = 16, 4.0
POISSON_DEPTH = 8


@dataclass(frozen=True)
class Oriented:
    """Points, their unit normals and the area each stands for; in words, where the normals are
    from."""

    points: Float[np.ndarray, "n 3"]
    normals: Float[np.ndarray, "n 3"]
    areas: Float[np.ndarray, " n"]
    spacing: float
    origin: str


def can_read(path: Path) -> bool:
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES or not path.is_file():
        return False
    if suffix != ".ply":
        return True
    try:
        return ply_file.read_header(path).is_cloud
    except (OSError, ValueError, LookupError):
        return False  # The reader of meshes says what is wrong with it.


def read(
    path: Path,
    grid: int | None = None,
    cloud: str | None = None,
    most_bytes: int | None = None,
) -> OccupancyVolume:
    """The solid inside a cloud, `grid` cubic voxels along its longest (padded) edge.

    `cloud` is the method: one of CLOUD_METHODS.
    """
    num_bytes = memory.BASE_BYTES + BYTES_PER_FILE_BYTE * path.stat().st_size
    memory.require(num_bytes, most_bytes, "Thin the cloud out.")
    stored = _parsed(path)
    points, notes = oriented(_cleaned(path, stored))
    around = TriangleMesh(points.points, np.zeros((0, 3), np.int64))
    resolution = grid or _resolution(points)
    aabb, shape = voxels.grid_around(around, resolution)
    needed = memory.BASE_BYTES + voxels.BYTES_PER_VOXEL[False] * np.prod(shape, dtype=float)
    memory.require(needed, most_bytes, "Give a coarser `grid`.")
    facts = {
        "points": len(stored.points),
        "spacing": points.spacing,
        "normals": points.origin,
        "closed": True,
    }
    if cloud == "poisson":
        cells, aabb, mesh, more = voxels.solid(_poisson(points), resolution, most_bytes)
        how = "the solid is what a Poisson surface (open3d) encloses"
    else:
        cells, facts["closed"] = _solid(points, aabb, shape)
        mesh, more = None, ()
        how = "it seems closed" if facts["closed"] else (
            "it seems open: holes are closed where the winding number is one half"
        )  # fmt: skip
    about = (
        f"A cloud of {len(stored.points):,} points, {points.spacing:.3g} apart, normals "
        f"{points.origin}: {100 * cells.mean():.3g} % of its box is inside, and {how}."
    )
    return make_volume(path.stem, cells, aabb, mesh, (about, *notes, *more), facts)


def _parsed(path: Path) -> Cloud:
    try:
        return cloud_file.parse(path)
    except (FieldlrError, MemoryError):
        raise
    except Exception as error:  # a damaged file can end in any error
        raise FieldlrError(
            f"{path.name} is not a readable point cloud ({type(error).__name__}: "
            f"{str(error)[:100]}). Save it as .ply, or as .xyz with lines of x y z nx ny nz."
        ) from error


def _cleaned(path: Path, cloud: Cloud) -> Cloud:
    """Finite, distinct points, thinned out where there are too many."""
    points, normals = cloud.points, cloud.normals
    if normals is not None and not np.isfinite(normals).all() | (normals != 0).any():
        normals = None
    kept = (np.abs(points) <= FARTHEST).all(1)
    if normals is not None:
        kept &= np.isfinite(normals).all(1) & (normals != 0).any(1)
    points, normals = points[kept], None if normals is None else normals[kept]
    low, longest = points.min(0, initial=0.0), 0.0
    if len(points):
        low, longest = points.min(0), float(np.ptp(points, axis=0).max())
    cells = 1 << 20
    while True:
        step = np.rint((points - low) / (longest or 1.0) * cells).astype(np.int64)
        key = (step[:, 0] << 42) + (step[:, 1] << 21) + step[:, 2]
        first = np.unique(key, return_index=True)[1]
        if len(first) <= MOST_POINTS:
            break
        cells = cells // 2
    if len(first) < FEWEST_POINTS or longest == 0.0:
        raise FieldlrError(
            f"A cloud needs at least {FEWEST_POINTS} distinct points; {path.name} has "
            f"{len(first)} points and no triangle. Scan it more densely, or export the surface "
            "itself."
        )
    return Cloud(points[first], None if normals is None else unit(normals[first]))


def oriented(cloud: Cloud) -> tuple[Oriented, list[str]]:
    """(points with normals that face outward, notes)."""
    points, notes = cloud.points, []
    near = cloud_normals.neighbours(points)
    normals, origin = cloud.normals, "read"
    if normals is not None:
        opposed = cloud_normals.opposed_share(points, normals, near)
        if opposed > cloud_normals.MOST_OPPOSED:
            notes.append(
                f"The normals of {100 * opposed:.0f} % of all neighbours oppose each other: they "
                "were oriented consistently."
            )
            normals, origin = cloud_normals.oriented(points, normals, near), "read and turned"
        elif cloud_normals.faces_inward(points, normals, near):
            notes.append("The normals faced inward: turned.")
            normals = -normals
    else:
        axes = cloud_normals.estimated(points, near)
        normals, origin = cloud_normals.oriented(points, axes, near), "estimated"
        notes.append(
            "Without normals in the file some may face the wrong way, and leave holes or lumps: "
            "look at the drawing (`html` of check), or save the cloud with its normals."
        )
    areas = cloud_normals.areas(points, normals, near)
    return Oriented(points, normals, areas, near.spacing, origin), notes


def _resolution(cloud: Oriented) -> int:
    longest = float(np.ptp(cloud.points, axis=0).max())
    return int(np.clip(0.75 * longest / max(cloud.spacing, 1e-300), COARSEST, FINEST))


def _solid(cloud: Oriented, aabb: Aabb, shape: Shape) -> tuple[Grid, bool]:
    """(booleans, whether the surface seems closed).

    The winding number is evaluated in the middle of every block of voxels, and at every voxel of
    blocks that hold points or have a neighbour of the other kind.
    """
    number = WindingNumber(cloud.points, cloud.normals, cloud.areas)
    voxel, low = np.array(aabb.size) / shape, np.array(aabb.minimum)
    blocks = tuple(-(-n // BLOCK) for n in shape)
    middles = low + (np.indices(blocks).reshape(3, -1).T + 0.5) * BLOCK * voxel
    coarse = number(middles, np.zeros((1, 3))).reshape(blocks)
    inside = coarse > 0.5
    mixed = _holding(cloud.points, low, BLOCK * voxel, blocks) | at_faces(inside)
    offsets = (np.indices((BLOCK,) * 3).reshape(3, -1).T + 0.5 - 0.5 * BLOCK) * voxel
    cells = np.broadcast_to(inside[..., None], (*blocks, BLOCK**3)).copy()
    cells[mixed] = number(middles[mixed.ravel()], offsets) > 0.5
    x, y, z = blocks
    grid = cells.reshape(x, y, z, BLOCK, BLOCK, BLOCK).transpose(0, 3, 1, 4, 2, 5)
    grid = grid.reshape(x * BLOCK, y * BLOCK, z * BLOCK)
    return grid[: shape[0], : shape[1], : shape[2]].copy(), _seems_closed(cloud, aabb, number)


def _seems_closed(cloud: Oriented, aabb: Aabb, number: WindingNumber) -> bool:
    """Whether the winding number is nearly whole wherever no point is near."""
    from scipy.spatial import cKDTree  # pyright: ignore[reportAttributeAccessIssue]

    steps = (np.indices((PROBES,) * 3).reshape(3, -1).T + 0.5) / PROBES
    places = np.array(aabb.minimum) + steps * aabb.size
    far = cKDTree(cloud.points).query(places)[0] > PROBE_SPACINGS * cloud.spacing
    if not far.any():
        return True
    found = number(places[far], np.zeros((1, 3)))
    return float((np.abs(found - np.rint(found)) > UNSURE).mean()) <= OPEN_SHARE


def _holding(
    points: np.ndarray, low: np.ndarray, size: np.ndarray, blocks: tuple[int, ...]
) -> np.ndarray:
    """Which blocks hold a point."""
    held = np.zeros(blocks, bool)
    held[tuple(((points - low) / size).astype(np.int64).T)] = True
    return held


def _poisson(cloud: Oriented) -> TriangleMesh:
    try:
        import open3d
    except (ImportError, OSError) as error:
        raise FieldlrError(
            f"`cloud` poisson needs open3d, which cannot be imported ({str(error)[:80]}). pip "
            "install open3d, or leave the option out."
        ) from None
    points = open3d.geometry.PointCloud(open3d.utility.Vector3dVector(cloud.points))
    points.normals = open3d.utility.Vector3dVector(cloud.normals)
    make = open3d.geometry.TriangleMesh.create_from_point_cloud_poisson
    surface = make(points, depth=POISSON_DEPTH, n_threads=1)[0]
    return TriangleMesh(
        np.asarray(surface.vertices, np.float64), np.asarray(surface.triangles, np.int64)
    )
