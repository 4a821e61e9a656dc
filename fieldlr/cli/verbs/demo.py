"""demo: end to end on bundled data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fieldlr.cli.verbs.verb import Out, Verb


@dataclass(frozen=True, kw_only=True)
class Demo(Verb):
    """The end-to-end demo on a bundled scene and mesh, in under two minutes.

    Example: fieldlr demo --out my-demo
    """

    out: Out = Path("fieldlr-demo")
    """The folder for sheet.png, view.mp4, mesh.glb and shape.flr."""

    def run(self) -> dict[str, Any]:
        from fieldlr.cli.demo import demo

        return demo(self.out, self.say, self.quiet)
