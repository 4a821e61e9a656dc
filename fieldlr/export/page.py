"""Fields as one HTML page that opens offline: a decoder and a viewer, or pictures alone.

The same viewer as a page of a server, which reads its field from there: `served_page`.

The script is web/src, bundled by web/build.mjs into static/: viewer.js for shapes, scene-viewer.js
for pages with a scene made from photos. Inside a page it is deflated, and the browser inflates it;
nothing is ever requested.
"""

from __future__ import annotations

import base64
import html
import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fieldlr.export.image import Pixels, jpeg_bytes
from fieldlr.system.json import write_whole

VIEWER, SCENE_VIEWER = (
    Path(__file__).parent / "static" / name for name in ("viewer.js", "scene-viewer.js")
)
# Everything is in the page: a browser that honours this cannot be made to ask for more.
POLICY = (
    "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval' blob:; worker-src blob:; "
    "style-src 'unsafe-inline'; img-src data:"
)
SERVED_POLICY = POLICY.replace("img-src", "connect-src 'self'; img-src 'self'")
STILL_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
STILL_STYLE = (
    ":root{color-scheme:light dark}body{margin:0 auto;padding:16px;max-width:960px;"
    "font:15px/1.5 system-ui,sans-serif}img{width:100%;border-radius:8px}figure{margin:16px 0}"
)
PHOTO_QUALITY = 70
START = """(async()=>{try{
const bytes=Uint8Array.from(atob("%SCRIPT%"),c=>c.charCodeAt(0));
const stream=new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
const text=await new Response(stream).text(),script=document.createElement("script");
script.src=URL.createObjectURL(new Blob([text],{type:"text/javascript"}));
document.body.append(script)}catch{document.body.textContent=
"This browser is too old to show the field: it needs one of 2023 or newer."}})()"""


@dataclass(frozen=True)
class PagePhoto:
    """The photo of a camera; without a picture where it is gone."""

    name: str
    held_out: bool
    picture: Pixels | None = None


@dataclass(frozen=True)
class PageField:
    """A field on a page: its name, its .flr file and, where there is one, a picture."""

    name: str
    data: bytes
    picture: Pixels | None = None
    is_scene: bool = False  # made from photos
    photos: Sequence[PagePhoto] = ()  # of the cameras in the file, in their order


def write_page(path: Path | str, title: str, fields: Sequence[PageField]) -> int:
    """Writes a page that decodes and shows fields; its bytes.

    A field that the browser cannot draw is shown by its picture.
    """
    viewer = SCENE_VIEWER if any(field.is_scene for field in fields) else VIEWER
    entries = [
        {"name": field.name, "data": base64.b64encode(field.data).decode()}
        | ({} if field.picture is None else {"picture": _image_address(field.picture, 85)})
        | ({"photos": [_photo_entry(photo) for photo in field.photos]} if field.photos else {})
        for field in fields
    ]
    return _write(path, _page(title, _viewer_body(viewer, entries), POLICY))


def served_page(title: str, address: str, source: str) -> bytes:
    """A page for a frame of the app: it reads field.flr and the list `photos` under an address.

    A message of the app makes it read the field again; it sends one if it cannot show the field.
    The axis that stands upright is remembered for the name of a source.
    """
    entries = [{"name": title, "address": address, "source": source}]
    return _page(title, _viewer_body(SCENE_VIEWER, entries), SERVED_POLICY)


def _viewer_body(viewer: Path, entries: Sequence[dict[str, Any]]) -> str:
    data = json.dumps(entries, separators=(",", ":")).replace("<", "\\u003c")
    return (
        "<body><noscript>This page shows a neural field and needs JavaScript.</noscript>"
        f'<script type="application/json" id="fields">{data}</script>'
        f"<script>{START.replace('%SCRIPT%', _deflated(viewer.read_bytes()))}</script>"
    )


def write_still_page(path: Path | str, title: str, fields: Sequence[PageField]) -> int:
    """Writes a page without scripts that shows the pictures of fields; its bytes."""
    figures = "".join(
        f'<figure><img src="{_image_address(field.picture, 85)}" alt="{html.escape(field.name)}">'
        f"<figcaption>{html.escape(field.name)}: {len(field.data):,} bytes as .flr</figcaption>"
        "</figure>"
        for field in fields
        if field.picture is not None
    )
    body = f"<style>{STILL_STYLE}</style><body><h1>{html.escape(title)}</h1>{figures}"
    return _write(path, _page(title, body, STILL_POLICY))


def _page(title: str, body: str, policy: str) -> bytes:
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        f'<link rel="icon" href="data:,"><title>{html.escape(title)}</title>{body}</html>\n'
    ).encode()


def _write(path: Path | str, page: bytes) -> int:
    write_whole(Path(path), page)
    return len(page)


def _deflated(data: bytes) -> str:
    """Raw deflate, in base64."""
    stream = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return base64.b64encode(stream.compress(data) + stream.flush()).decode()


def _photo_entry(photo: PagePhoto) -> dict[str, Any]:
    entry = {"name": photo.name, "heldOut": photo.held_out}
    if photo.picture is None:
        return entry
    return entry | {"small": _image_address(photo.picture, PHOTO_QUALITY)}


def _image_address(picture: Pixels, quality: int) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg_bytes(picture, quality)).decode()}"
