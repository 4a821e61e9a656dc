"""Reads .ply files: vertices with all their properties, and faces or strips of triangles.

The format is a text header that declares elements, then one row for each of them, as text or in
binary. Nothing is allocated that the file cannot hold.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int, Shaped, UInt8

MOST_HEADER_BYTES = 1 << 20
TYPES = {
    "char": "i1", "int8": "i1", "uchar": "u1", "uint8": "u1", "short": "i2", "int16": "i2",
    "ushort": "u2", "uint16": "u2", "int": "i4", "int32": "i4", "uint": "u4", "uint32": "u4",
    "float": "f4", "float32": "f4", "double": "f8", "float64": "f8",
}  # fmt: skip
ORDERS = {"ascii": "", "binary_little_endian": "<", "binary_big_endian": ">"}
FACES, STRIPS = "face", "tristrips"
NORMALS = ("nx", "ny", "nz")
# What the tools that train Gaussian splats write of every splat.
SPLAT = {"f_dc_0", "opacity", "scale_0", "rot_0"}


@dataclass(frozen=True)
class Property:
    name: str
    kind: str  # a numpy type
    count_kind: str | None = None  # of a list: the type of its length


@dataclass(frozen=True)
class Element:
    name: str
    count: int
    properties: tuple[Property, ...]

    @property
    def names(self) -> set[str]:
        return {one.name for one in self.properties}


@dataclass(frozen=True)
class Header:
    order: str  # "" for text, else the byte order
    elements: tuple[Element, ...]
    num_bytes: int

    @property
    def vertices(self) -> Element | None:
        return next((one for one in self.elements if one.name == "vertex"), None)

    @property
    def is_splat(self) -> bool:
        return self.vertices is not None and self.vertices.names >= SPLAT

    @property
    def is_cloud(self) -> bool:
        """Whether it has points and no surface between them."""
        surfaces = [one for one in self.elements if one.name in (FACES, STRIPS)]
        has_points = self.vertices is not None and self.vertices.count > 0
        return has_points and not any(one.count for one in surfaces)


@dataclass(frozen=True)
class Ply:
    """What a file holds: vertex properties by name, and triangles."""

    vertices: dict[str, Shaped[np.ndarray, " v"]]
    faces: Int[np.ndarray, "f 3"]

    def columns(self, names: tuple[str, ...]) -> Float[np.ndarray, "v c"] | None:
        """Properties side by side in float64; None where one is missing."""
        if not all(name in self.vertices for name in names):
            return None
        return np.stack([self.vertices[name].astype(np.float64) for name in names], 1)

    @property
    def colors(self) -> UInt8[np.ndarray, "v 3"] | None:
        """Colours; fractions become 0 to 255."""
        for prefix in ("", "diffuse_"):
            stored = self.columns((f"{prefix}red", f"{prefix}green", f"{prefix}blue"))
            if stored is not None:
                whole = self.vertices[f"{prefix}red"].dtype.kind in "iu"
                values = np.nan_to_num(stored) * (1.0 if whole else 255.0)
                return values.clip(0, 255).round().astype(np.uint8)
        return None


def read_header(path: Path) -> Header:
    """The header of a file; ValueError where there is none."""
    with open(path, "rb") as file:
        return parse_header(file.read(MOST_HEADER_BYTES))


def parse_header(data: bytes) -> Header:
    begin = 3 if data.startswith(b"\xef\xbb\xbf") else 0
    if not data[begin:].startswith(b"ply"):
        raise ValueError("it does not begin with the word ply")
    end = data.find(b"end_header")
    if end < 0:
        raise ValueError("its header has no end_header")
    order, elements = None, []
    for line in data[begin:end].decode("latin-1").splitlines():
        words = line.split()
        if words[:1] == ["format"]:
            order = ORDERS[words[1]]
        elif words[:1] == ["element"]:
            elements.append((words[1], int(words[2]), []))
        elif words[:1] == ["property"]:
            elements[-1][2].append(_property(words))
    if order is None or any(count < 0 for _, count, _ in elements):
        raise ValueError("its header lacks a format, or has a negative count")
    stop = end + len(b"end_header")
    # Spaces may follow; a line ends with CR, LF or both. In binary only one such end is not data.
    while data[stop : stop + 1] in (b" ", b"\t"):
        stop += 1
    stop += 2 if data[stop : stop + 2] == b"\r\n" else 1
    return Header(order, tuple(Element(n, c, tuple(p)) for n, c, p in elements), stop)


def parse(data: bytes) -> Ply:
    """Vertices and triangles of a file; any error where it is damaged."""
    header = parse_header(data)
    body = data[header.num_bytes :]
    rows = _text_rows(header, body) if header.order == "" else _binary_rows(header, body)
    vertices: dict[str, np.ndarray] = {}
    faces = [np.zeros((0, 3), np.int64)]
    for element, columns in rows:
        if element.name == "vertex":
            vertices = {n: c for n, c in columns.items() if isinstance(c, np.ndarray)}
        elif element.name in (FACES, STRIPS) and element.count:
            lists = next((columns[n] for n in columns if n.startswith("vertex_ind")), None)
            if lists is None:
                raise ValueError(f"its element {element.name} has no vertex_indices")
            faces.append(_fans(lists) if element.name == FACES else _strips(lists))
    if not {"x", "y", "z"} <= set(vertices):
        raise ValueError("its vertices have no x, y, z")
    return Ply(vertices, np.concatenate(faces))


# A column of numbers, or of lists: (length of each, all entries one after the other).
Lists = tuple[np.ndarray, np.ndarray]
Columns = dict[str, "np.ndarray | Lists"]


def _property(words: list[str]) -> Property:
    if words[1] == "list":
        return Property(words[4], TYPES[words[3]], TYPES[words[2]])
    return Property(words[2], TYPES[words[1]])


def _text_rows(header: Header, body: bytes) -> Iterator[tuple[Element, Columns]]:
    numbers = np.array(body.split(), np.float64)
    place = 0
    for element in header.elements:
        columns, used = _table(element, numbers[place:], None)
        place += used
        yield element, columns


def _binary_rows(header: Header, body: bytes) -> Iterator[tuple[Element, Columns]]:
    stored, place = np.frombuffer(body, np.uint8), 0
    for element in header.elements:
        columns, used = _table(element, stored[place:], header.order)
        place += used
        yield element, columns


def _table(element: Element, stored: np.ndarray, order: str | None) -> tuple[Columns, int]:
    """(columns of an element, numbers or bytes that its rows take).

    Rows are of one length where all lists of a property are as long as the first: nearly always,
    and fast. Otherwise they are walked one by one.
    """
    if element.count == 0:
        return {one.name: np.zeros(0) for one in element.properties if not one.count_kind}, 0
    if element.count > len(stored):
        raise ValueError(f"it ends before its {element.count:,} rows of {element.name} do")
    first, width = _row(element, stored, 0, order)
    lengths = {name: len(value) for name, value in first.items()}
    if element.count * width <= len(stored):
        table = _even_table(element, stored[: element.count * width], lengths, order)
        if table is not None:
            return table, element.count * width
    rows, place = [], 0
    for _ in range(element.count):
        row, used = _row(element, stored, place, order)
        rows.append(row)
        place += used
    return {one.name: _gathered(one, rows) for one in element.properties}, place


def _even_table(
    element: Element, stored: np.ndarray, lengths: dict[str, int], order: str | None
) -> Columns | None:
    """The columns if all rows have lists of these lengths, else None."""
    count = element.count
    if order is None:
        table, at = stored.reshape(count, -1), 0
    else:
        layout = []
        for one in element.properties:
            if one.count_kind:
                layout.append((f"length of {one.name}", order + one.count_kind))
            layout.append((one.name, order + one.kind, (lengths[one.name],)))
        table, at = stored.view(np.dtype(layout)), 0
    columns: Columns = {}
    for one in element.properties:
        if one.count_kind:
            found = table[:, at] if order is None else table[f"length of {one.name}"]
            if (found != lengths[one.name]).any():
                return None
            at += 1
        values = table[:, at : at + lengths[one.name]] if order is None else table[one.name]
        at += lengths[one.name]
        if one.count_kind:
            columns[one.name] = (np.full(count, lengths[one.name]), values.reshape(-1))
        else:
            columns[one.name] = values[:, 0]
    return columns


def _row(
    element: Element, stored: np.ndarray, place: int, order: str | None
) -> tuple[dict[str, np.ndarray], int]:
    """(values of each property in the row that begins at `place`, what the row takes)."""
    at, row = place, {}

    def take(kind: str, count: int) -> np.ndarray:
        nonlocal at
        size = count * (1 if order is None else np.dtype(kind).itemsize)
        if count < 0 or at + size > len(stored):
            raise ValueError(f"it ends within its rows of {element.name}")
        part, at = stored[at : at + size], at + size
        return part if order is None else part.view(order + kind)

    for one in element.properties:
        count = int(take(one.count_kind, 1)[0]) if one.count_kind else 1
        row[one.name] = take(one.kind, count)
    return row, at - place


def _gathered(one: Property, rows: list[dict[str, np.ndarray]]) -> np.ndarray | Lists:
    values = np.concatenate([row[one.name] for row in rows])
    return (np.array([len(row[one.name]) for row in rows]), values) if one.count_kind else values


def _fans(lists: np.ndarray | Lists) -> np.ndarray:
    """Polygons as triangles (F, 3) that share their first corner."""
    lengths, entries = lists
    entries = entries.astype(np.int64)
    starts = np.cumsum(lengths) - lengths
    sides = np.maximum(lengths - 2, 0)
    start = np.repeat(starts, sides)
    step = np.arange(len(start)) - np.repeat(np.cumsum(sides) - sides, sides)
    return np.stack([entries[start], entries[start + step + 1], entries[start + step + 2]], 1)


def _strips(lists: np.ndarray | Lists) -> np.ndarray:
    """Strips as triangles (F, 3): every second one is turned, and -1 begins a new strip."""
    lengths, entries = lists
    entries = entries.astype(np.int64)
    ends = np.cumsum(lengths)
    new = np.zeros(len(entries) + 1, bool)
    new[ends - lengths] = True
    new[1:] |= entries == -1
    begin = np.maximum.accumulate(np.where(new[:-1], np.arange(len(entries)), 0))
    index = np.arange(max(len(entries) - 2, 0))
    whole = (begin[index + 2] <= index) & (entries[index] >= 0)
    whole &= (entries[index + 1] >= 0) & (entries[index + 2] >= 0)
    index = index[whole]
    odd = (index - begin[index]) % 2 == 1
    faces = np.stack([entries[index], entries[index + 1], entries[index + 2]], 1)
    faces[odd] = faces[odd][:, [1, 0, 2]]
    return faces
