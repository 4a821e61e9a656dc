"""Starts the app: access, address, and the folder of its files."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from fieldlr.app.workspace import Workspace
from fieldlr.errors import FieldlrError
from fieldlr.system.files import lock
from fieldlr.system.process import prepare_process

LOOPBACK = ("127.0.0.1", "localhost", "::1")
NEEDED = ("gradio", "psutil")


def check_address(host: str, auth: str | None) -> None:
    """FieldlrError where the app would be open to the network without a password."""
    if auth is not None and (":" not in auth or auth.startswith(":") or auth.endswith(":")):
        raise FieldlrError(
            "--auth must be a name and a password, joined by a colon, such as ada:secret."
        )
    if host not in LOOPBACK and auth is None:
        raise FieldlrError(
            f"on {host} everyone on the network could use this machine. Set a password with --auth "
            "name:password, or omit --host and connect through ssh -L 7860:localhost:7860."
        )


def check_installed() -> None:
    """FieldlrError where the app's extra is not installed."""
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise FieldlrError(f"the app requires {' and '.join(missing)}: pip install 'fieldlr[app]'.")


def serve(folder: Path, host: str, port: int, auth: str | None, say: Callable[[str], None]) -> None:
    """Serves a workspace until the process is stopped. Running jobs continue without it."""
    check_address(host, auth)
    check_installed()
    workspace = Workspace(folder)
    with lock(workspace.folder / ".server.lock") as held:
        if not held:
            raise FieldlrError(
                f"another fieldlr app has the workspace {workspace.folder} open. Use its page, or "
                "give this one another --workspace."
            )
        _serve(workspace, host, port, auth, say)


def _serve(
    workspace: Workspace, host: str, port: int, auth: str | None, say: Callable[[str], None]
) -> None:
    prepare_process()
    _check_port(host, port)
    # Read by Gradio: the folder of uploads, no telemetry, and no table of times after every event.
    os.environ["GRADIO_TEMP_DIR"] = str(workspace.folder / "uploads")
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["GRADIO_ANALYTICS_CACHE_FREQUENCY"] = str(1 << 30)
    # Gradio serves files of the working directory, so this one is empty.
    os.chdir(workspace.folder / "served")
    import uvicorn

    from fieldlr.app.server import make_server
    from fieldlr.app.timing import test_speed

    if host not in LOOPBACK:
        say(f"warning: everyone who can reach {host} and knows the password can use this machine.")
    shown = f"[{host}]" if ":" in host else host
    say(f"fieldlr is running at http://{shown}:{port}. Its files are in {workspace.folder}")
    test_speed(workspace)
    server = make_server(workspace, auth, LOOPBACK if host in LOOPBACK else None)
    uvicorn.run(server, host=host, port=port, log_level="warning")


def _check_port(host: str, port: int) -> None:
    """FieldlrError where the port is in use or not allowed."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind((host, port))
    except (OSError, OverflowError) as error:
        raise FieldlrError(
            f"the app cannot listen on {host}:{port} ({error}). Choose another --port."
        ) from None
