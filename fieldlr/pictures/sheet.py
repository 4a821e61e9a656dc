"""A contact sheet: a grid of images of any size with title, headings, labels and captions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Num

from fieldlr.errors import FieldlrError
from fieldlr.system.files import replacing

PAPER, FRAME = (251, 250, 247), (225, 222, 214)
INK, FAINT = (34, 36, 42), (122, 120, 114)
MARGIN, GAP, TITLE, HEADING, CAPTION, SMALL = 36, 14, 30, 17, 16, 14  # pixels


@dataclass(frozen=True)
class Picture:
    """A uint8 image (H, W), (H, W, 3) or (H, W, 4), and a caption."""

    image: Num[np.ndarray, "h w *c"]
    caption: str = ""


@dataclass(frozen=True)
class Row:
    """Pictures side by side, with a label on the left and a note in small print below it."""

    label: str
    pictures: Sequence[Picture] = field(default=())
    note: str = ""


def sheet(
    rows: Sequence[Row],
    path: str | Path,
    title: str = "",
    columns: Sequence[str] = (),
    cell: int = 240,
) -> Path:
    """Writes the sheet as a PNG and returns its path.

    `columns` are headings such as ("photo", "render", "depth", "mesh"). Every image is scaled to
    fit a square of `cell` pixels; a small one is enlarged by integer factors to keep pixels crisp.
    """
    if not rows or not any(row.pictures for row in rows):
        raise FieldlrError("a picture sheet needs at least one picture; got none.")
    layout = _Layout.of(rows, columns, title, cell)
    from PIL import Image, ImageDraw

    page = Image.new("RGB", (layout.width, layout.height), PAPER)
    draw = ImageDraw.Draw(page)
    draw.text((MARGIN, MARGIN), title, INK, _font(TITLE))
    for index, heading in enumerate(columns):
        middle = layout.left(index) + cell // 2
        draw.text((middle, layout.top - GAP), heading, FAINT, _font(HEADING), anchor="ms")
    for index, row in enumerate(rows):
        _draw_row(page, draw, row, layout, layout.row_top(index))
    return _write(page, Path(path))


@dataclass(frozen=True)
class _Layout:
    """The geometry of the sheet, in pixels."""

    cell: int
    label: int  # width of the column of labels
    top: int  # upper edge of the first row
    step: int  # from one row to the next
    width: int
    height: int

    @staticmethod
    def of(rows: Sequence[Row], columns: Sequence[str], title: str, cell: int) -> _Layout:
        count = max(len(columns), *(len(row.pictures) for row in rows))
        words = [(row.label, HEADING) for row in rows] + [
            (line, SMALL) for row in rows for line in row.note.splitlines()
        ]
        widest = max(_font(size).getlength(text) for text, size in words)
        label = int(widest) + 2 * GAP if widest else 0
        captioned = any(picture.caption for row in rows for picture in row.pictures)
        top = MARGIN + (TITLE + 2 * GAP) * bool(title) + (HEADING + GAP) * bool(columns)
        step = cell + GAP + (CAPTION + GAP) * captioned
        body = label + count * (cell + GAP) - GAP
        width = max(body, int(_font(TITLE).getlength(title))) + 2 * MARGIN
        return _Layout(cell, label, top, step, width, top + step * len(rows) - GAP + MARGIN)

    def left(self, column: int) -> int:
        return MARGIN + self.label + column * (self.cell + GAP)

    def row_top(self, row: int) -> int:
        return self.top + row * self.step


def _draw_row(page: Any, draw: Any, row: Row, layout: _Layout, top: int) -> None:
    middle = top + layout.cell // 2
    draw.text((MARGIN, middle), row.label, INK, _font(HEADING), anchor="ls")
    draw.multiline_text((MARGIN, middle + GAP), row.note, FAINT, _font(SMALL), spacing=6)
    for index, picture in enumerate(row.pictures):
        left = layout.left(index)
        square = (left, top, left + layout.cell - 1, top + layout.cell - 1)
        draw.rectangle(square, fill=(255, 255, 255), outline=FRAME)
        image = _fitted(picture.image, layout.cell - 2)
        x = left + (layout.cell - image.width) // 2
        y = top + (layout.cell - image.height) // 2
        page.paste(image, (x, y), image)
        below = (left + layout.cell // 2, top + layout.cell + GAP // 2)
        draw.text(below, picture.caption, INK, _font(CAPTION), anchor="ma")


def _fitted(image: np.ndarray, size: int) -> Any:
    """The image as RGBA, scaled to fit size x size."""
    from PIL import Image

    array = np.asarray(image)
    channels = array.shape[2] if array.ndim == 3 else 1
    if array.dtype != np.uint8 or array.ndim not in (2, 3) or channels not in (1, 3, 4):
        raise FieldlrError(
            "a picture needs uint8 values of shape (H, W), (H, W, 3) or (H, W, 4); "
            f"got {array.dtype} {array.shape}. Convert it."
        )
    if channels == 1:
        array = array.reshape(array.shape[:2])
    picture = Image.fromarray(array).convert("RGBA")
    scale = size / max(picture.size)
    if scale >= 2:
        whole = int(np.ceil(scale))
        picture = picture.resize(
            (picture.width * whole, picture.height * whole), Image.Resampling.NEAREST
        )
        scale = size / max(picture.size)
    fitted = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    return picture.resize(fitted, Image.Resampling.LANCZOS)


def _font(size: int) -> Any:
    from PIL import ImageFont

    return ImageFont.load_default(size)


def _write(page: Any, path: Path) -> Path:
    with replacing(path) as temporary:
        page.save(temporary, format="PNG", optimize=True)
    return path
