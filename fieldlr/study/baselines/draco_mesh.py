"""A baseline for solids: marching cubes, decimation and Draco compression."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np
from jaxtyping import Bool
from scipy.ndimage import gaussian_filter

from fieldlr.data.volume import OccupancyVolume, Shape
from fieldlr.errors import FieldlrError
from fieldlr.geometry.boxes import Aabb, vector
from fieldlr.geometry.triangles import TriangleMesh, voxelise
from fieldlr.metrics.shape import iou
from fieldlr.study.baselines.search import Tries
from fieldlr.surface.cleaning import decimate
from fieldlr.surface.marching import march
from fieldlr.training.tasks import OccupancyTask

FACES = tuple(int(float(f"{250 * 2 ** (i / 2):.2g}")) for i in range(17))  # 250 to 64,000
# The best bits per coordinate for n faces are about log2(n) / 2 plus this, up to this many below
# voxel size.
BITS_BEYOND, BITS_BELOW_VOXELS = 2.6, 1.5
# Standard deviations, in voxels, of a Gaussian: decimation to few triangles is better without voxel
# staircases, unless the shape has thin walls.
SMOOTHINGS = (0.0, 0.7, 1.0)
SLAB_LAYERS, HALO_LAYERS = 64, 4
SMALLEST = 1e-6  # of a level's magnitude, so that vertices lie inside edges
# Draco's slowest level, with the smallest files.
LEVEL = 10


@dataclass(frozen=True)
class DracoSetting:
    num_faces: int  # of the decimated mesh
    bits: int  # of a coordinate
    smoothing: float = 0.0

    @property
    def label(self) -> str:
        smoothed = f", smoothed {self.smoothing:g}" if self.smoothing else ""
        return f"{self.num_faces:,} faces, {self.bits} bits{smoothed}"


class DracoMesh:
    """A Draco file of the mesh, in units of voxels."""

    name = "Draco mesh"
    words = "the surface of the voxels as a decimated mesh, compressed by Draco."
    measure, is_context = "iou", False

    def __init__(self, task: OccupancyTask):
        missing = [n for n in ("DracoPy", "fast_simplification") if find_spec(n) is None]
        if missing:
            raise FieldlrError(
                f"the baseline Draco is unavailable: {' and '.join(missing)} not installed. "
                "Install with pip install 'fieldlr[study,mesh]'."
            )
        self.volume = task.volume
        self.surfaces: dict[float, TriangleMesh] = {}
        self.decimated: dict[tuple[int, float], TriangleMesh] = {}  # of the latest number of faces

    def settings(self, known: Tries) -> list[DracoSetting]:
        """Per number of faces: every smoothing at the usual bits, and the best one at others."""
        finest = math.log2(max(self.volume.shape)) + BITS_BELOW_VOXELS
        settings = []
        for faces in FACES:
            usual = round(min(0.5 * math.log2(faces) + BITS_BEYOND, finest))
            tried = [DracoSetting(faces, usual, smoothing) for smoothing in SMOOTHINGS]
            settings += tried
            if all(setting.label in known for setting in tried):
                found = [(known[setting.label], setting) for setting in tried]
                stored = [(figures[1], setting) for figures, setting in found if figures]
                if stored:
                    _, best = max(stored, key=lambda one: one[0])
                    settings += [dataclasses.replace(best, bits=usual + more) for more in (-1, 1)]
        return settings

    def measured(self, setting: DracoSetting) -> tuple[int, float] | None:
        mesh = self._mesh(setting.num_faces, setting.smoothing)
        if not len(mesh.faces):  # Smoothing may remove a thin solid.
            return None
        data = encode(mesh, setting.bits)
        return len(data), iou(self.volume.dense(), decode(data, self.volume.shape))

    def _mesh(self, num_faces: int, smoothing: float) -> TriangleMesh:
        if smoothing not in self.surfaces:
            self.surfaces[smoothing] = voxel_surface(self.volume, smoothing)
        wanted = num_faces, smoothing
        if wanted not in self.decimated:
            kept = {key: mesh for key, mesh in self.decimated.items() if key[0] == num_faces}
            self.decimated = kept | {wanted: decimate(self.surfaces[smoothing], num_faces)}
        return self.decimated[wanted]


def voxel_surface(volume: OccupancyVolume, smoothing: float = 0.0) -> TriangleMesh:
    """Marching cubes between voxel centres, in units of voxels, closed by an empty layer.

    `smoothing` is the standard deviation, in voxels, of a Gaussian blur of the solid.
    """
    solid, depth = volume.dense(), volume.shape[0]
    nothing = np.full((1, *(n + 2 for n in volume.shape[1:])), -0.5, np.float32)

    def slabs() -> Iterator[tuple[int, np.ndarray]]:
        # Layer 0 of the nodes is the empty layer before the first layer of voxels.
        for start in range(0, depth + 1, SLAB_LAYERS):
            stop = min(start + SLAB_LAYERS + 1, depth + 2)
            levels = _levels(solid, max(start - 1, 0), min(stop - 1, depth), smoothing)
            inside = np.pad(levels, ((0, 0), (1, 1), (1, 1)), constant_values=-0.5)
            first, last = nothing[: start == 0], nothing[: stop == depth + 2]
            yield start, np.concatenate([first, inside, last])

    nodes, faces, _ = march(slabs())
    return TriangleMesh(nodes - 0.5, faces)


def _levels(solid: np.ndarray, start: int, stop: int, smoothing: float) -> np.ndarray:
    """Layers start to stop of the blurred solid, minus one half."""
    before = min(start, HALO_LAYERS)
    layers = solid[start - before : stop + HALO_LAYERS].astype(np.float32)
    if smoothing > 0.0:
        layers = gaussian_filter(layers, smoothing, mode="constant", truncate=3.0)
    levels = layers[before : before + stop - start] - 0.5
    return np.where(levels > 0.0, np.maximum(levels, SMALLEST), np.minimum(levels, -SMALLEST))


def encode(mesh: TriangleMesh, bits: int) -> bytes:
    """A Draco file of a mesh, with `bits` bits per coordinate over its longest edge."""
    import DracoPy

    return DracoPy.encode(
        mesh.vertices.astype(np.float32),
        mesh.faces.astype(np.uint32),
        quantization_bits=bits,
        compression_level=LEVEL,
    )


def decode(data: bytes, shape: Shape) -> Bool[np.ndarray, "nx ny nz"]:
    """The solid: voxels whose centres are inside the mesh of a Draco file."""
    import DracoPy

    mesh = DracoPy.decode(data)
    triangles = TriangleMesh(mesh.points.astype(np.float64), mesh.faces.astype(np.int64))
    box = Aabb((0.0, 0.0, 0.0), vector(map(float, shape)))
    return voxelise(triangles, box, shape)
