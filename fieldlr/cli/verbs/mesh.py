"""mesh: a surface in the frame of the source."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fieldlr.cli.verbs.verb import Out, RunFolder, Verb
from fieldlr.runs.options import MeshOptions


@dataclass(frozen=True, kw_only=True)
class Mesh(Verb):
    """Extracts the surface of a run in the frame of its source.

    Example: fieldlr mesh vase-run --out vase.glb --resolution 256
    """

    target: RunFolder
    out: Out
    """x.glb, x.ply, x.obj or x.stl."""
    surface: MeshOptions

    def run(self) -> dict[str, Any]:
        from fieldlr.export import exporter
        from fieldlr.runs.mesh import make_mesh
        from fieldlr.runs.pipeline import load

        write = exporter(self.out, "mesh").write
        extraction = make_mesh(load(self.target), **self.surface.flat())
        mesh = extraction.mesh
        write(mesh, self.out)
        return {
            "out": str(self.out),
            "vertices": len(mesh.vertices),
            "faces": len(mesh.faces),
            "watertight": mesh.is_watertight,
            "evaluations": extraction.evaluations,
            "seconds": round(extraction.seconds, 3),
            "marching_seconds": round(extraction.marching_seconds, 3),
        }
