"""app: the same in the browser."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fieldlr.cli.verbs.verb import Verb


@dataclass(frozen=True, kw_only=True)
class App(Verb):
    """Opens the web app: bring photos or a mesh, train, look, compare, take away.

    Example: fieldlr app --port 7860 --workspace my-fields
    """

    host: str = "127.0.0.1"
    """The address to listen on; any but this machine's own needs --auth."""
    port: int = 7860
    auth: str | None = None
    """USER:PASSWORD that a browser must give."""
    workspace: Path = Path("fieldlr-workspace")
    """The folder that keeps sources and runs: empty at first, and the app's own."""

    def run(self) -> dict[str, Any]:
        from fieldlr.app.serving import serve

        workspace = self.workspace.resolve()  # before the server leaves this folder
        serve(workspace, self.host, self.port, self.auth, self.say)
        return {"workspace": str(workspace)}
