"""The web server: Gradio's page, additional routes, and access control."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import struct
from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import (
    FileResponse,
    HTMLResponse,
    JSONResponse,
    Response,
    StreamingResponse,
)
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fieldlr.app.layout import STATIC, mount
from fieldlr.app.live import Live
from fieldlr.app.photos import Photos
from fieldlr.app.studies import chart_data, curves_of_study
from fieldlr.app.views import Viewer
from fieldlr.app.workspace import Workspace
from fieldlr.errors import FieldlrError
from fieldlr.export.page import served_page
from fieldlr.jobs.store import LANES
from fieldlr.metrics.curve import Rate
from fieldlr.runs.views import Turn

PICTURES = ("preview.png", "photo.png")
CACHED = {"Cache-Control": "max-age=86400"}
# A page of an earlier server process reloads itself: Gradio's session state is gone.
BOOT = secrets.token_hex(8)
HEADERS = [
    (b"fieldlr-boot", BOOT.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"SAMEORIGIN"),
    (b"content-security-policy", b"img-src 'self' data: blob:; frame-ancestors 'self'"),
]


class AccessGate:
    """Checks the password where one is set, the host name, and the origin of every request.

    On the loopback address a page of another site could reach the app through the user's browser,
    by DNS rebinding or by a cross-site request: requests for another host name or from another
    origin are refused.
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
            await Response("unknown host name: open the app as localhost.", 421)(
                scope, receive, send
            )
        elif _is_cross_site(headers, host) or _is_proxy_request(scope["path"]):
            await Response("cross-site request refused.", 403)(scope, receive, send)
        elif self.wanted and not secrets.compare_digest(
            headers.get(b"authorization", b""), self.wanted
        ):
            ask = {"WWW-Authenticate": 'Basic realm="fieldlr", charset="UTF-8"'}
            await Response("authentication required.", 401, ask)(scope, receive, send)
        else:
            await self.app(scope, receive, _with_headers(send))


def _is_cross_site(headers: dict[bytes, bytes], host: str) -> bool:
    """Whether a request comes from another site, other than by following a link."""
    origin = headers.get(b"origin", b"").decode("latin-1")
    cross_site = headers.get(b"sec-fetch-site") == b"cross-site"
    followed = headers.get(b"sec-fetch-mode") == b"navigate"
    return (origin != "" and origin.partition("://")[2] != host) or (cross_site and not followed)


def _is_proxy_request(path: str) -> bool:
    """Whether a path makes Gradio fetch a URL of another host."""
    return path.startswith(("/gradio_api/file=http", "/gradio_api/proxy="))


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", []), *HEADERS]
        await send(message)

    return sending


def routes(workspace: Workspace, viewer: Viewer) -> FastAPI:
    """The routes beside Gradio's: job status, images, views."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    live, photos = Live(workspace), Photos(workspace)
    app.mount("/fieldlr/static", StaticFiles(directory=STATIC), name="static")

    @app.exception_handler(FieldlrError)
    def error_response(request: Request, error: FieldlrError) -> Response:
        return JSONResponse({"error": str(error)}, 404)

    @app.get("/fieldlr/jobs")
    def jobs(request: Request) -> Response:
        return _json_unless_cached(request, live.jobs())

    @app.get("/fieldlr/jobs/{job_id}")
    def job(request: Request, job_id: str) -> Response:
        return _json_unless_cached(request, live.job(job_id))

    @app.get("/fieldlr/jobs/{job_id}/picture/{name}")
    def picture(job_id: str, name: str) -> Response:
        folder = workspace.run(job_id).folder
        if name not in PICTURES or not (folder / name).exists():
            raise FieldlrError("this image does not exist.")
        # Its URL changes with the file, so it may be cached.
        return FileResponse(folder / name, headers=CACHED)

    @app.get("/fieldlr/jobs/{job_id}/photos")
    def cameras(job_id: str) -> Response:
        return JSONResponse(photos.listed(job_id))

    @app.get("/fieldlr/jobs/{job_id}/photos/{index}/{size}.jpg")
    def photo(job_id: str, index: int, size: str) -> Response:
        return FileResponse(photos.file(job_id, index, size), headers=CACHED)

    @app.get("/fieldlr/sources/{source_id}/drawing")
    def drawing(source_id: str) -> Response:
        path = workspace.drawing(source_id)
        if not path.exists():
            raise FieldlrError("this source has no preview.")
        return FileResponse(path)

    @app.get("/fieldlr/jobs/{job_id}/viewer")
    def viewer_page(job_id: str) -> Response:
        job = workspace.store.get(job_id)
        source = job.about.get("source", "")
        return HTMLResponse(served_page(job.title, f"/fieldlr/jobs/{job_id}", source))

    @app.get("/fieldlr/jobs/{job_id}/field.flr")
    def field_file(job_id: str) -> Response:
        return Response(viewer.flr(job_id), media_type="application/octet-stream")

    @app.get("/fieldlr/jobs/{job_id}/start")
    def start(job_id: str, camera: int | None = None) -> Response:
        return JSONResponse(viewer.start(job_id, camera))

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
        except (
            FieldlrError
        ) as error:  # Often just too early; status 200, so that browsers log no error.
            return JSONResponse({"error": str(error)})
        return StreamingResponse(
            _length_prefixed(first, frames), media_type="application/octet-stream"
        )

    @app.get("/fieldlr/jobs/{job_id}/curves")
    def curves(request: Request, job_id: str, rate: Rate = "bytes") -> Response:
        known = curves_of_study(workspace, workspace.store.get(job_id))
        return _json_unless_cached(request, chart_data(known, rate, job_id))

    return app


def make_server(
    workspace: Workspace, auth: str | None, own_names: tuple[str, ...] | None
) -> FastAPI:
    """The whole application: routes and Gradio's page at /, behind access control."""
    viewer = Viewer(workspace)
    for lane in LANES:
        if workspace.store.next_queued(lane) is not None:
            workspace.store.wake(lane)
    app = mount(routes(workspace, viewer), workspace, viewer)
    app.add_middleware(AccessGate, auth=auth, own_names=own_names)
    return app


def _json_unless_cached(request: Request, plain: Any) -> Response:
    """Plain values as JSON, or status 304 where the page has them already."""
    body = json.dumps(plain).encode()
    tag = f'"{hashlib.blake2b(body, digest_size=8).hexdigest()}"'
    headers = {"ETag": tag, "Cache-Control": "no-cache"}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(body, headers=headers, media_type="application/json")


def _length_prefixed(first: bytes, later: Iterator[bytes]) -> Iterator[bytes]:
    """Each image, preceded by its length in four bytes."""
    yield struct.pack(">I", len(first)) + first
    for picture in later:
        yield struct.pack(">I", len(picture)) + picture
