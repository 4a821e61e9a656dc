"""mesh: a surface in the frame of the source."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fieldlr.cli.verbs.verb import Out, RunFolder, Verb
from fieldlr.errors import FieldlrError


@dataclass(frozen=True, kw_only=True)
class Mesh(Verb):
    """Extracts the surface of a run in the frame of its source.

    Example: fieldlr mesh vase-run --out vase.glb --resolution 256
    """

    target: RunFolder
    out: Out
    """x.glb, x.ply, x.obj or x.stl."""
    resolution: int = 256
    """Samples along the longest edge."""
    threshold: float | None = None
    """Where the surface is: a probability for shapes (0.5), a density for photos."""
    largest: bool = False
    """Keeps the largest component alone."""
    faces: int | None = None
    """Simplifies the mesh to at most so many triangles."""
    dense: bool = False
    """Asks the field everywhere, not coarse to fine: the reference."""

    def run(self) -> dict[str, Any]:
        from fieldlr.export import EXPORTERS
        from fieldlr.runs.pipeline import load
        from fieldlr.runs.products import make_mesh
        from fieldlr.surface import decimate, is_watertight

        if self.faces is not None and self.faces < 4:
            raise FieldlrError(f"--faces is the number of triangles, 4 or more; got {self.faces}.")
        kind, write = EXPORTERS.get(self.out.suffix.lower(), (None, None))
        if kind != "mesh":
            known = " ".join(suffix for suffix, (kind, _) in EXPORTERS.items() if kind == "mesh")
            raise FieldlrError(f"a mesh is written as {known}; got {self.out.name}.")
        extraction = make_mesh(
            load(self.target), self.resolution, self.threshold, self.largest, self.dense
        )
        mesh = extraction.mesh
        if self.faces is not None and self.faces < len(mesh.faces):
            mesh = decimate(mesh, self.faces)
        write(mesh, self.out)
        return {
            "out": str(self.out),
            "vertices": len(mesh.vertices),
            "faces": len(mesh.faces),
            "watertight": is_watertight(mesh),
            "evaluations": extraction.evaluations,
            "seconds": round(extraction.seconds, 3),
            "marching_seconds": round(extraction.marching_seconds, 3),
        }
