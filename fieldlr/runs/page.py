"""Runs and .flr files as one page that shows them offline."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fieldlr import codec
from fieldlr.errors import FieldlrError
from fieldlr.export.page import PageField, write_page, write_still_page
from fieldlr.runs.flr_file import FlrRun
from fieldlr.runs.photos import kept_photos
from fieldlr.runs.previews import picture
from fieldlr.runs.run import Run, open_run
from fieldlr.system.process import prepare_process

STILL_SIDE = 720
STILL_RESOLUTION = 192
PHOTO_SIDE = 80  # of the photos of the cameras: eight of them take about 20 KB of a page


def make_page(
    targets: Sequence[Path], out: Path, title: str | None = None, still: bool = False
) -> dict[str, Any]:
    """Writes a page of run folders and .flr files, with the viewer or, if `still`, as pictures."""
    prepare_process()
    if out.suffix.lower() not in (".html", ".htm"):
        raise FieldlrError(f"a page is written as .html; got {out.name}.")
    if not targets:
        raise FieldlrError("a page shows at least one run; got none. Name a run or a .flr file.")
    runs = [open_run(target) for target in targets]
    fields = [_page_field(run, still) for run in runs]
    write = write_still_page if still else write_page
    num_bytes = write(out, title or ", ".join(field.name for field in fields), fields)
    return {"out": str(out), "num_bytes": num_bytes, "fields": [field.name for field in fields]}


def _page_field(run: Run | FlrRun, still: bool) -> PageField:
    """The bytes of a run; a picture where the page may not be able to draw it itself."""
    if isinstance(run, FlrRun):
        name, data = run.folder.stem, run.folder.read_bytes()
    else:
        name, data = run.folder.resolve().name, codec.encode(run.load_field(), about=run.about())
    is_scene = run.kind == "photos"
    if is_scene:
        _require_cameras(run)
    elif not still:
        return PageField(name, data)
    still_picture = picture(run, run.load_field(), STILL_RESOLUTION, STILL_SIDE)
    photos = kept_photos(run, PHOTO_SIDE) if isinstance(run, Run) and is_scene and not still else ()
    return PageField(name, data, still_picture, is_scene, photos)


def _require_cameras(run: Run | FlrRun) -> None:
    try:
        run.load_cameras()
    except FieldlrError:
        raise FieldlrError(
            f"{run.folder} keeps no cameras from which the page could show it. Make the page from "
            "the run that it was compressed from."
        ) from None
