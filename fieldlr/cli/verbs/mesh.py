"""mesh: a surface in the frame of the source."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fieldlr.cli.verbs.verb import Out, RunFolder, Verb
from fieldlr.runs.options import MeshOptions


@dataclass(frozen=True, kw_only=True)
class Mesh(Verb):
    """Extracts the surface of a run in the frame of its source.

    Example: fieldlr mesh garden-run --out vase.glb --crop "-1 -1 0 1 1 2" --remove-floor
    """

    target: RunFolder
    out: Out
    """x.glb, x.ply, x.obj or x.stl."""
    surface: MeshOptions

    def run(self) -> dict[str, Any]:
        from fieldlr.export import exporter
        from fieldlr.export.mesh import require_textured
        from fieldlr.runs.mesh import mesh_run
        from fieldlr.runs.run import open_run

        write = exporter(self.out, "mesh").write
        if self.surface.texture is not None:
            require_textured(self.out)  # Before the work, not after it.
        extraction = mesh_run(open_run(self.target), self.surface)
        mesh, floor = extraction.mesh, extraction.floor
        if note := write(mesh, self.out):
            self.say(f"note: {note}")
        return {
            "out": str(self.out),
            "vertices": len(mesh.vertices),
            "faces": len(mesh.faces),
            "watertight": mesh.is_watertight,
            "evaluations": extraction.evaluations,
            "seconds": round(extraction.seconds, 3),
            "marching_seconds": round(extraction.marching_seconds, 3),
            "floor": floor and {"normal": floor.normal, "offset": floor.offset},
        }
