"""A solid as its surface: marching cubes, decimated, coded by Draco."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec

import numpy as np

from fieldlr.data.volume import OccupancyVolume, Shape
from fieldlr.errors import FieldlrError
from fieldlr.geometry import Aabb
from fieldlr.metrics.shape import iou
from fieldlr.surface.cleaning import decimate
from fieldlr.surface.marching import march
from fieldlr.tasks import OccupancyTask
from fieldlr.triangles import TriangleMesh, voxelise

FEWEST_FACES, FACES_RATIO, MOST_FACES = 250, 2.0**0.5, 100_000
BITS = (6, 7, 8, 9, 10, 11)
SLAB_LAYERS = 64
# Draco's slowest level, which gives the smallest files.
LEVEL = 10


@dataclass(frozen=True)
class DracoSetting:
    num_faces: int  # of the decimated mesh
    bits: int  # of a coordinate

    @property
    def label(self) -> str:
        return f"{self.num_faces:,} faces, {self.bits} bits"


class DracoMesh:
    """Bytes are those of a Draco file, which holds the mesh alone, in units of voxels."""

    name = "Draco mesh"
    words = "the surface of the voxels as a mesh of fewer triangles, coded by Draco."
    measure, is_context = "iou", False

    def __init__(self, task: OccupancyTask):
        missing = [n for n in ("DracoPy", "fast_simplification") if find_spec(n) is None]
        if missing:
            raise FieldlrError(
                f"no Draco meshes among the classics: {' and '.join(missing)} not installed. Get "
                "what they need: pip install 'fieldlr[study,mesh]'."
            )
        self.volume = task.volume
        self.decimated: tuple[int, TriangleMesh] | None = None  # the last one, for all its bits

    def settings(self) -> list[DracoSetting]:
        """Half powers of two of faces, and the bits that are worth a try at each."""
        count = 1 + int(math.log(MOST_FACES / FEWEST_FACES, FACES_RATIO))
        faces = [int(float(f"{FEWEST_FACES * FACES_RATIO**i:.2g}")) for i in range(count)]
        return [DracoSetting(n, bits) for n in faces for bits in BITS]

    def measured(self, setting: DracoSetting) -> tuple[int, float]:
        if self.decimated is None or self.decimated[0] != setting.num_faces:
            self.decimated = setting.num_faces, decimate(self.surface, setting.num_faces)
        data = encode(self.decimated[1], setting.bits)
        return len(data), iou(self.truth, decode(data, self.volume.shape))

    @cached_property
    def surface(self) -> TriangleMesh:
        return voxel_surface(self.volume)

    @cached_property
    def truth(self) -> np.ndarray:
        return self.volume.dense()


def voxel_surface(volume: OccupancyVolume) -> TriangleMesh:
    """Marching cubes between the centres of voxels, in units of voxels; closed by a layer of 0."""
    solid, depth = volume.dense(), volume.shape[0] + 2
    nothing = np.full((1, *(n + 2 for n in volume.shape[1:])), -1.0, np.float32)

    def slabs() -> Iterator[tuple[int, np.ndarray]]:
        for start in range(0, depth - 1, SLAB_LAYERS):
            stop = min(start + SLAB_LAYERS + 1, depth)
            layers = solid[max(start - 1, 0) : stop - 1].astype(np.float32)
            inside = np.pad(2.0 * layers - 1.0, ((0, 0), (1, 1), (1, 1)), constant_values=-1.0)
            first, last = nothing[: start == 0], nothing[: stop == depth]
            yield start, np.concatenate([first, inside, last])

    nodes, faces, _ = march(slabs())
    return TriangleMesh(nodes - 0.5, faces)


def encode(mesh: TriangleMesh, bits: int) -> bytes:
    """A Draco file of a mesh, each coordinate rounded to `bits` bits of its longest edge."""
    import DracoPy

    return DracoPy.encode(
        mesh.vertices.astype(np.float32),
        mesh.faces.astype(np.uint32),
        quantization_bits=bits,
        compression_level=LEVEL,
    )


def decode(data: bytes, shape: Shape) -> np.ndarray:
    """Booleans `shape`: the voxels whose centres lie inside the mesh of a Draco file."""
    import DracoPy

    mesh = DracoPy.decode(data)
    triangles = TriangleMesh(mesh.points.astype(np.float64), mesh.faces.astype(np.int64))
    whole = Aabb((0.0, 0.0, 0.0), tuple(float(n) for n in shape))
    return voxelise(triangles, whole, shape)
