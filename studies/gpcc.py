"""Rate-distortion curves of MPEG's G-PCC (octree and trisoup) for a shape.

    python -m studies.gpcc SOURCE --tmc3 PROGRAM --out paper/results/classics-NAME [--tries FOLDER]

PROGRAM is the test model TMC13, which fieldlr does not contain:

    git clone --branch release-v23.0-rc2 https://github.com/MPEGGroup/mpeg-pcc-tmc13
    cmake -S mpeg-pcc-tmc13 -B tmc13 -DCMAKE_BUILD_TYPE=Release && cmake --build tmc13

It stores the surface voxels of the solid as points. The solid is what the decoded points enclose:
cells outside count 0, cells with points half, and enclosed ones 1, interpolated linearly; of a few
thresholds and closings the best counts. Results of all settings are cached in FOLDER; rerun the
same command to resume.
"""

from __future__ import annotations

import argparse
import struct
import subprocess
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import trimesh
from jaxtyping import Bool, Float
from scipy.ndimage import binary_erosion, binary_fill_holes, maximum_filter, minimum_filter

from fieldlr.data import open_source
from fieldlr.data.volume import OccupancyVolume
from fieldlr.errors import FieldlrError
from fieldlr.metrics.curve_file import write_curve
from fieldlr.study.baselines import Search
from fieldlr.study.baselines.cells import interpolated, weights_at
from fieldlr.study.baselines.search import Tries
from fieldlr.system.script import run_script

SPACINGS = (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 13.0)  # of octree points, in voxels
NODES = (2, 3, 4, 5)  # log2 of the edge of a trisoup node, in points
NODE_SPACINGS = (1.0, 1.2, 1.35, 1.5, 1.75, 2.0, 2.5, 3.0, 4.0, 6.0)
THRESHOLDS = (0.3, 0.4, 0.5, 0.6, 0.7)
MARGIN = 4  # empty cells around
MIN_IOU = 0.7
CLOSINGS = (0, 1, 2, 4)  # cells: triangles of different nodes do not always meet
# Shape; spacing and node; threshold and closing. The stream's parameter sets follow from these.
HEAD = struct.Struct("<3HBB")
GEOMETRY_BRICK = 2  # the type of payload that is not a parameter set
COMMON = {
    "neighbourAvailBoundaryLog2": 8,
    "intra_pred_max_node_size_log2": 6,
    "planarEnabled": 1,
    "planarModeIdcmUse": 0,
    "mergeDuplicatedPoints": 1,
    "disableAttributeCoding": 1,
}
OCTREE = {"trisoupNodeSizeLog2": 0}
TRISOUP = {
    "inferredDirectCodingMode": 0,
    "trisoupQuantizationBits": 2,
    "trisoupCentroidResidualEnabled": 1,
    "trisoupFaceVertexEnabled": 1,
    "trisoupImprovedEncoderEnabled": 1,
}


@dataclass(frozen=True)
class GpccSetting:
    spacing: float
    node: int  # 0 for the octree

    @property
    def label(self) -> str:
        node = f"trisoup nodes of {2**self.node}³" if self.node else "octree"
        return f"points {self.spacing:g} voxels apart, {node}"


class Gpcc:
    """A header of 8 bytes and the geometry of a G-PCC stream, without its parameter sets."""

    measure, is_context = "iou", False

    def __init__(self, volume: OccupancyVolume, program: Path, is_trisoup: bool):
        self.volume, self.program, self.is_trisoup = volume, program, is_trisoup
        self.name = f"G-PCC {'trisoup' if is_trisoup else 'octree'}"
        self.words = "the surface voxels as points, by MPEG's test model TMC13 v23.0-rc2."

    def settings(self, known: Tries) -> list[GpccSetting]:
        if self.is_trisoup:
            return [GpccSetting(spacing, node) for spacing in NODE_SPACINGS for node in NODES]
        return [GpccSetting(spacing, 0) for spacing in SPACINGS]

    def measured(self, setting: GpccSetting) -> tuple[int, float] | None:
        """Of the best threshold and closing; None where the points enclose no such solid."""
        solid = self.volume.dense()
        with tempfile.TemporaryDirectory() as folder:
            stream, points = self._coded(surface_points(solid), setting, Path(folder))
        shell = cells_of(points / setting.spacing, solid.shape, setting.spacing)
        weights = [
            weights_at(np.arange(n) / setting.spacing + MARGIN, count)
            for n, count in zip(solid.shape, shell.shape, strict=True)
        ]
        best = 0.0
        for closing in CLOSINGS if setting.node else (0,):
            levels = np.where(shell, 0.5, enclosed(shell, closing)).astype(np.float32)
            best = max(best, best_iou(solid, interpolated(levels, weights)))
        return (HEAD.size + num_geometry_bytes(stream), best) if best > MIN_IOU else None

    def _coded(
        self, points: Float[np.ndarray, "n 3"], setting: GpccSetting, folder: Path
    ) -> tuple[bytes, Float[np.ndarray, "m 3"]]:
        """(the stream, the points that are decoded from it)."""
        given, stream, decoded = (folder / name for name in ("in.ply", "x.bin", "out.ply"))
        write_points(given, points)
        options = COMMON | (
            TRISOUP | {"trisoupNodeSizeLog2": setting.node} if setting.node else OCTREE
        )
        options |= {"positionQuantizationScale": 1.0 / setting.spacing}
        self._run(mode=0, uncompressedDataPath=given, compressedStreamPath=stream, **options)
        paths = {"compressedStreamPath": stream, "reconstructedDataPath": decoded}
        self._run(mode=1, outputBinaryPly=1, **paths)
        cloud = trimesh.load(decoded)
        return stream.read_bytes(), np.asarray(cloud.vertices, np.float32)

    def _run(self, **options) -> None:
        words = [f"--{name}={value}" for name, value in options.items()]
        done = subprocess.run([self.program, *words], capture_output=True, text=True)
        if done.returncode != 0:
            said = (done.stderr or done.stdout).strip().splitlines()
            raise FieldlrError(f"{self.program} failed: {said[-1] if said else done.returncode}.")


def surface_points(solid: Bool[np.ndarray, "nx ny nz"]) -> Float[np.ndarray, "n 3"]:
    """The voxels of a solid with an empty voxel at one of their faces, as points."""
    inner = binary_erosion(np.pad(solid, 1))[1:-1, 1:-1, 1:-1]
    return np.argwhere(solid & ~inner).astype(np.float32)


def cells_of(
    places: Float[np.ndarray, "m 3"], shape: tuple[int, ...], spacing: float
) -> Bool[np.ndarray, "bx by bz"]:
    """The cells with a point, with MARGIN empty ones all around."""
    counts = [int(np.ceil(n / spacing)) + 1 + 2 * MARGIN for n in shape]
    shell = np.zeros(counts, bool)
    at = np.clip(np.rint(places).astype(int) + MARGIN, 0, np.array(counts) - 1)
    shell[tuple(at.T)] = True
    return shell


def enclosed(shell: Bool[np.ndarray, "bx by bz"], closing: int) -> Bool[np.ndarray, "bx by bz"]:
    """What a shell encloses, with gaps of up to 2 `closing` cells closed."""
    if closing == 0:
        return binary_fill_holes(shell)
    size = 2 * closing + 1
    filled = binary_fill_holes(maximum_filter(shell, size))
    return minimum_filter(filled, size)


def best_iou(
    solid: Bool[np.ndarray, "nx ny nz"], slabs: Iterable[Float[np.ndarray, "n ny nz"]]
) -> float:
    """The highest IoU of the voxels whose levels exceed one of the thresholds."""
    both, either, start = np.zeros(len(THRESHOLDS)), np.zeros(len(THRESHOLDS)), 0
    for levels in slabs:
        truth = solid[start : start + len(levels)]
        for i, threshold in enumerate(THRESHOLDS):
            inside = levels > threshold
            both[i] += np.count_nonzero(inside & truth)
            either[i] += np.count_nonzero(inside | truth)
        start += len(levels)
    return float((both / either).max())


def num_geometry_bytes(stream: bytes) -> int:
    """The bytes of the geometry in a stream: each payload has its type and its length before it."""
    total = place = 0
    while place < len(stream):
        kind, size = struct.unpack_from(">BI", stream, place)
        total += size if kind == GEOMETRY_BRICK else 0
        place += 5 + size
    return total


def write_points(path: Path, points: Float[np.ndarray, "n 3"]) -> None:
    lines = ["ply", "format binary_little_endian 1.0", f"element vertex {len(points)}"]
    lines += [f"property float {axis}" for axis in "xyz"]
    header = "\n".join([*lines, "end_header", ""])
    path.write_bytes(header.encode() + points.astype("<f4").tobytes())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("--tmc3", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--tries", type=Path, default=Path("classics-tries"))
    words = parser.parse_args()
    if not words.tmc3.is_file():
        raise FieldlrError(f"--tmc3 is a program; there is none at {words.tmc3}. Build it first.")
    volume = open_source(words.source).content
    if not isinstance(volume, OccupancyVolume):
        raise FieldlrError(f"G-PCC stores shapes; {words.source} is none. Name a mesh or a volume.")
    about = {"content_hash": volume.content_hash}
    for is_trisoup in (False, True):
        baseline = Gpcc(volume, words.tmc3, is_trisoup)
        search = Search(baseline, words.tries / volume.name, about)
        for label in search.reports():
            print(baseline.name, label, search.tries[label], flush=True)
        curve = search.curve()
        if curve is not None:
            write_curve(curve, words.out.with_name(f"{words.out.name}-{curve.file_name}"))


if __name__ == "__main__":
    run_script(main)
