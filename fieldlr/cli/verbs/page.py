"""page: fields as one HTML page."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from fieldlr.cli.verbs.flags import Flag
from fieldlr.cli.verbs.verb import Out, Verb


@dataclass(frozen=True, kw_only=True)
class Page(Verb):
    """Writes one self-contained page that decodes and shows fields, without a server or a network.

    Several runs or files make a gallery. Shapes can be turned, cut, measured, cropped and saved as
    meshes; scenes made from photos are drawn by the GPU.

    Example: fieldlr page vase.flr rook-run --out scene.html --title "Two shapes"
    """

    targets: tyro.conf.Positional[
        Annotated[
            tuple[Path, ...],
            tyro.conf.arg(metavar="RUN [RUN ...]", help="Run folders or .flr files."),
        ]
    ]
    out: Out
    """The file to write: x.html."""
    title: Annotated[
        str | None,
        tyro.conf.arg(metavar="TEXT", help_behavior_hint="(default: the names of the runs)"),
    ] = None
    """Title of the page."""
    still: Flag[bool] = False
    """Pictures alone, without any script."""

    def run(self) -> dict[str, Any]:
        from fieldlr.runs.page import make_page

        return make_page(self.targets, self.out, self.title, self.still)
