"""app: everything in the browser."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from fieldlr.cli.verbs.verb import Verb
from fieldlr.system.kinds import Text, Whole
from fieldlr.system.options import Options, option


@dataclass(frozen=True, kw_only=True)
class Listening(Options):
    """Where the app listens, and who has access."""

    host: str = option(
        Text("ADDRESS"),
        "The address to listen on; any but this machine's own needs `auth`",
        "127.0.0.1",
    )
    port: int = option(Whole(0, 65535, "PORT"), "The port to listen on", 7860)
    auth: str | None = option(
        Text("USER:PASSWORD"), "The name and password that are required", shown_default="nothing"
    )


@dataclass(frozen=True, kw_only=True)
class App(Verb):
    """Opens the web app: add photos or a mesh, train, view, compare, export.

    Example: fieldlr app --port 7860 --workspace my-fields
    """

    listen: Listening
    workspace: Annotated[Path, tyro.conf.arg(metavar="DIR")] = Path("fieldlr-workspace")
    """The folder that keeps sources and runs: empty at first, and the app's own."""

    def run(self) -> dict[str, Any]:
        from fieldlr.app.serving import serve

        workspace = self.workspace.resolve()  # before the server leaves this folder
        serve(workspace, self.listen.host, self.listen.port, self.listen.auth, self.say)
        return {"workspace": str(workspace)}
