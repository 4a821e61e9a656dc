"""The web server: Gradio's page, the few routes that it lacks, and who may come in."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import struct
from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fieldlr.app.layout import STATIC, mount
from fieldlr.app.live import Live
from fieldlr.app.studies import drawn, study_curves
from fieldlr.app.views import Viewer
from fieldlr.app.workspace import Workspace
from fieldlr.errors import FieldlrError
from fieldlr.jobs.store import LANES
from fieldlr.metrics.curve import Rate
from fieldlr.runs.views import Turn

PICTURES = ("preview.png", "photo.png")
# A page that was opened on an earlier server has to be opened again: Gradio's state is gone.
BOOT = secrets.token_hex(8)
HEADERS = [
    (b"fieldlr-boot", BOOT.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"SAMEORIGIN"),
    (b"content-security-policy", b"img-src 'self' data: blob:; frame-ancestors 'self'"),
]


class Gate:
    """Asks every request for a name and a password where there are any; and for our own address.

    On the loopback address a browser may be led here by a page of another site, whose name was made
    to point to this machine or which sends us its forms: what was asked for by another name, or by
    another site, is refused.
    """

    def __init__(self, app: ASGIApp, auth: str | None, own_names: tuple[str, ...] | None):
        self.app, self.own_names = app, own_names
        self.wanted = auth and b"Basic " + base64.b64encode(auth.encode())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        host = headers.get(b"host", b"").decode("latin-1")
        name = host.rsplit(":", 1)[0].strip("[]")
        if self.own_names is not None and name not in self.own_names:
            await Response("fieldlr answers to localhost alone.", 421)(scope, receive, send)
        elif _is_from_elsewhere(headers, host) or _leads_elsewhere(scope["path"]):
            await Response("fieldlr takes no orders from other sites.", 403)(scope, receive, send)
        elif self.wanted and not secrets.compare_digest(
            headers.get(b"authorization", b""), self.wanted
        ):
            ask = {"WWW-Authenticate": 'Basic realm="fieldlr", charset="UTF-8"'}
            await Response("fieldlr wants a name and a password.", 401, ask)(scope, receive, send)
        else:
            await self.app(scope, receive, _with_headers(send))


def _is_from_elsewhere(headers: dict[bytes, bytes], host: str) -> bool:
    """Whether another site's page asks, other than by a link that somebody follows."""
    origin = headers.get(b"origin", b"").decode("latin-1")
    crossing = headers.get(b"sec-fetch-site") == b"cross-site"
    followed = headers.get(b"sec-fetch-mode") == b"navigate"
    return (origin != "" and origin.partition("://")[2] != host) or (crossing and not followed)


def _leads_elsewhere(path: str) -> bool:
    """Whether a path asks Gradio to fetch something from another host."""
    return path.startswith(("/gradio_api/file=http", "/gradio_api/proxy="))


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", []), *HEADERS]
        await send(message)

    return sending


def routes(workspace: Workspace, viewer: Viewer) -> FastAPI:
    """What the page asks for beside Gradio: states, pictures, views."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    live = Live(workspace)
    app.mount("/fieldlr/static", StaticFiles(directory=STATIC), name="static")

    @app.exception_handler(FieldlrError)
    def mistake(request: Request, error: FieldlrError) -> Response:
        return JSONResponse({"error": str(error)}, 404)

    @app.get("/fieldlr/jobs")
    def jobs(request: Request) -> Response:
        return _unless_known(request, live.jobs())

    @app.get("/fieldlr/jobs/{job_id}")
    def job(request: Request, job_id: str) -> Response:
        return _unless_known(request, live.job(job_id))

    @app.get("/fieldlr/jobs/{job_id}/picture/{name}")
    def picture(job_id: str, name: str) -> Response:
        folder = workspace.run(job_id).folder
        if name not in PICTURES or not (folder / name).exists():
            raise FieldlrError("there is no such picture.")
        # The page asks for it by another address when it has changed, so it may be kept.
        return FileResponse(folder / name, headers={"Cache-Control": "max-age=86400"})

    @app.get("/fieldlr/sources/{source_id}/drawing")
    def drawing(source_id: str) -> Response:
        path = workspace.drawing(source_id)
        if not path.exists():
            raise FieldlrError("there is no such drawing.")
        return FileResponse(path)

    @app.get("/fieldlr/jobs/{job_id}/view")
    def view(
        job_id: str,
        width: int,
        height: int,
        right: float = 0.0,
        up: float = 0.0,
        zoom: float = 1.0,
        depth: bool = False,
        camera: int | None = None,
    ) -> Response:
        turn = Turn(right, up, min(max(zoom, 0.05), 20.0), camera)
        frames = viewer.frames(job_id, turn, (width, height), depth)
        try:
            first = next(frames)
        except FieldlrError as error:  # Often just too early: nothing that a browser should log.
            return JSONResponse({"error": str(error)})
        return StreamingResponse(_parcels(first, frames), media_type="application/octet-stream")

    @app.get("/fieldlr/jobs/{job_id}/curves")
    def curves(request: Request, job_id: str, rate: Rate = "bytes") -> Response:
        known = study_curves(workspace, workspace.store.get(job_id))
        return _unless_known(request, drawn(known, rate, job_id))

    return app


def make_server(
    workspace: Workspace, auth: str | None, own_names: tuple[str, ...] | None
) -> FastAPI:
    """The whole application: Gradio's page at / behind the gate."""
    viewer = Viewer(workspace)
    for lane in LANES:
        if workspace.store.next_queued(lane) is not None:
            workspace.store.wake(lane)
    app = mount(routes(workspace, viewer), workspace, viewer)
    app.add_middleware(Gate, auth=auth, own_names=own_names)
    return app


def _unless_known(request: Request, plain: Any) -> Response:
    """Plain values as JSON; nothing where the page has them already."""
    body = json.dumps(plain).encode()
    tag = f'"{hashlib.blake2b(body, digest_size=8).hexdigest()}"'
    headers = {"ETag": tag, "Cache-Control": "no-cache"}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(body, headers=headers, media_type="application/json")


def _parcels(first: bytes, later: Iterator[bytes]) -> Iterator[bytes]:
    """Each picture behind its length, in four bytes."""
    yield struct.pack(">I", len(first)) + first
    for picture in later:
        yield struct.pack(">I", len(picture)) + picture
