"""Meshes of the bundled scenes against the ground-truth solids that were rendered.

    python -m benchmarks.surfaces [--only windmill] [--steps 500] [--resolution 192] [--largest]

A line for each scene and method: fused depth maps, and the level set of the density (`--threshold
25`). Distances are in the scene's units: accuracy from the mesh to the solids, completeness from
their points visible in a training view to the mesh, Chamfer L1 their mean, F-score at 1 % of the
longest edge of the visible points. Needs embreex.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from time import perf_counter

import numpy as np
import torch

import fieldlr
from benchmarks.measure import machine
from fieldlr.data import open_source
from fieldlr.data.examples import example
from fieldlr.geometry.triangles import TriangleMesh
from fieldlr.metrics.shape import distances_to, sample_surface
from fieldlr.runs import Run
from fieldlr.runs.mesh import mesh_run
from fieldlr.runs.options import MeshOptions
from fieldlr.system.script import run_script

SCENES = ("windmill", "courtyard", "shelf")
WAYS = {"depth maps": None, "level set": 25.0}
POINTS, NEAR, CLEAR = 100_000, 2e-3, 4e-3


class Truth:
    """The solids of a bundled scene, and their points visible in its training photos."""

    def __init__(self, name: str):
        sys.path.insert(0, str(example("windmill").parent))
        import raycast
        import worlds

        solids = getattr(worlds, name)()
        world, counts = raycast.World(solids), [len(s.mesh.vertices) for s in solids]
        starts = np.cumsum([0, *counts[:-1]])
        faces = [np.asarray(s.mesh.faces) + n for s, n in zip(solids, starts, strict=True)]
        vertices = np.concatenate([np.asarray(s.mesh.vertices, float) for s in solids])
        self.mesh = TriangleMesh(vertices, np.concatenate(faces).astype(np.int64))
        scene = open_source(example(name)).content
        cameras = scene.cameras.transformed(scene.frame)[list(scene.train)]
        points = sample_surface(self.mesh, 4 * POINTS, np.random.default_rng(0)).points
        seen = np.zeros(len(points), bool)
        for view in range(len(cameras)):
            pixels, depth = cameras.project(view, torch.from_numpy(points))
            inside = ((pixels > 0) & (pixels < cameras.sizes[view])).all(-1) & (depth > 0)
            some = np.flatnonzero(inside.numpy() & ~seen)
            toward = cameras.camera_to_world[view, :, 3].double().numpy() - points[some]
            away = np.linalg.norm(toward, axis=1)
            back = toward / away[:, None]
            seen[some] = world.free(points[some] + NEAR * back, back, away - CLEAR)
        self.points = points[seen][np.random.default_rng(1).permutation(seen.sum())[:POINTS]]

    def figures(self, mesh: TriangleMesh) -> str:
        """The metrics of a mesh against the solids, as text."""
        samples = sample_surface(mesh, POINTS, np.random.default_rng(0)).points
        accuracy = distances_to(self.mesh, samples)
        completeness = distances_to(mesh, self.points)
        limit = 0.01 * np.ptp(self.points, axis=0).max()
        precision, recall = (accuracy < limit).mean(), (completeness < limit).mean()
        chamfer = 0.5 * (accuracy.mean() + completeness.mean())
        return (
            f"Chamfer {chamfer:.4f}, F-score {2 * precision * recall / (precision + recall):.3f} "
            f"(accuracy {accuracy.mean():.4f}, completeness {completeness.mean():.4f}), "
            f"watertight {mesh.is_watertight}, {len(mesh.faces):,} faces"
        )


def lines(name: str, run: Run, resolution: int, largest: bool) -> None:
    """Prints the metrics of every method for a run."""
    truth = Truth(name)
    for way, threshold in WAYS.items():
        began = perf_counter()
        options = MeshOptions(resolution=resolution, threshold=threshold, largest=largest)
        mesh = mesh_run(run, options).mesh
        print(f"{name}, {way}: {truth.figures(mesh)}, {perf_counter() - began:.1f} s", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default=",".join(SCENES))
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--resolution", type=int, default=192)
    parser.add_argument("--largest", action="store_true")
    parser.add_argument("--runs", type=Path, help="where fits are cached")
    words = parser.parse_args()
    print(machine())
    with tempfile.TemporaryDirectory() as folder:
        for name in words.only.split(","):
            out = (words.runs or Path(folder)) / name
            run = fieldlr.reconstruct(example(name), out, resume=True, steps=words.steps)
            print(f"{name}: {run.results['fit']['quality']:.1f} dB")
            lines(name, run, words.resolution, words.largest)


if __name__ == "__main__":
    run_script(main)
