"""Reads files of points: .ply without faces, .xyz, .pts and .pcd."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from fieldlr.data import ply_file
from fieldlr.errors import FieldlrError

TEXT_SUFFIXES = (".xyz", ".pts")
PCD_TYPES = {("F", 4): "<f4", ("F", 8): "<f8"} | {
    (kind, size): f"<{kind.lower()}{size}" for kind in "IU" for size in (1, 2, 4, 8)
}
PCD_NORMALS = ("normal_x", "normal_y", "normal_z")
MOST_PCD_BYTES = 1 << 32
# Normals are of unit length, but for those of a few points that a program could not tell.
UNIT_SHARE, UNIT_TOLERANCE = 0.98, 0.02

Table = Float[np.ndarray, "n c"]


@dataclass(frozen=True)
class Cloud:
    """points (N, 3) float64 in the user's frame; normals (N, 3) as stored, None without."""

    points: Float[np.ndarray, "n 3"]
    normals: Float[np.ndarray, "n 3"] | None


def parse(path: Path) -> Cloud:
    """The points of a file; any error where it is damaged."""
    data, suffix = path.read_bytes(), path.suffix.lower()
    if suffix == ".ply":
        return _from_ply(path, data)
    if suffix == ".pcd":
        return _from_pcd(path, data)
    return _from_text(data)


def _from_ply(path: Path, data: bytes) -> Cloud:
    if ply_file.parse_header(data).is_splat:
        raise FieldlrError(
            f"{path.name} holds Gaussian splats, which are blobs of colour and no surface. Give "
            "the photos that they were trained on (transforms.json or COLMAP), or export a mesh "
            "from the program that made them."
        )
    ply = ply_file.parse(data)
    points = ply.columns(("x", "y", "z"))
    assert points is not None  # The parser has read them.
    return Cloud(points, ply.columns(ply_file.NORMALS))


def _from_text(data: bytes) -> Cloud:
    """Lines of x y z, and what else a program writes: intensity, colours, normals."""
    text = data.removeprefix(b"\xef\xbb\xbf").replace(b",", b" ").replace(b";", b" ")
    rows = [words for line in text.splitlines() if len(words := line.split()) >= 3]
    rows = [words for words in rows if _is_number(words[0])]  # no header, no comment
    widths = {len(words) for words in rows}
    if len(widths) > 1:
        raise ValueError(f"its lines have {' and '.join(map(str, sorted(widths)[:3]))} numbers")
    if not rows:
        return Cloud(np.zeros((0, 3)), None)
    table = np.array(rows).astype(np.float64)
    places = [place for place in (table.shape[1] - 3, 3) if place >= 3]
    found = (table[:, place : place + 3] for place in places)
    return Cloud(table[:, :3], next((part for part in found if _are_normals(part)), None))


def _is_number(word: bytes) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _are_normals(values: Table) -> bool:
    lengths = np.linalg.norm(values, axis=1)
    return bool((np.abs(lengths - 1.0) < UNIT_TOLERANCE).mean() > UNIT_SHARE)


def _from_pcd(path: Path, data: bytes) -> Cloud:
    head, begin = _pcd_header(data)
    sizes, counts = (list(map(int, head[key])) for key in ("SIZE", "COUNT"))
    kinds = [PCD_TYPES[kind, size] for kind, size in zip(head["TYPE"], sizes, strict=True)]
    fields = list(zip(head["FIELDS"], kinds, counts, strict=True))
    number = int(head["POINTS"][0])
    layout = np.dtype(
        [(f"{i} {name}", kind, count) for i, (name, kind, count) in enumerate(fields)]
    )
    if number < 0 or number * layout.itemsize > MOST_PCD_BYTES:
        raise ValueError(f"it says {number:,} points")
    how, body = head["DATA"][0], data[begin:]
    columns: dict[str, np.ndarray] = {}
    if how == "ascii":
        table = np.array(body.split()[: number * sum(counts)], np.float64).reshape(number, -1)
        starts = np.cumsum([0, *counts])
        columns = {name: table[:, at] for (name, *_), at in zip(fields, starts, strict=False)}
    elif how == "binary":
        rows = np.frombuffer(body, layout, number)
        columns = {name: rows[f"{i} {name}"].reshape(number, -1)[:, 0]
                   for i, (name, *_) in enumerate(fields)}  # fmt: skip
    elif how == "binary_compressed":
        body, at = _unpacked(body, number * layout.itemsize), 0
        for name, kind, count in fields:  # one field after the other
            columns[name] = np.frombuffer(body, kind, number * count, at)[::count]
            at += np.dtype(kind).itemsize * number * count
    else:
        raise ValueError(f"its DATA is {how[:40]}")

    def stacked(names: tuple[str, ...]) -> np.ndarray | None:
        if not all(name in columns for name in names):
            return None
        return np.stack([columns[name].astype(np.float64) for name in names], 1)

    points = stacked(("x", "y", "z"))
    if points is None:
        raise ValueError("it has no fields x, y, z")
    return Cloud(points, stacked(PCD_NORMALS))


def _pcd_header(data: bytes) -> tuple[dict[str, list[str]], int]:
    """(words behind each key, where the points begin)."""
    head, begin = {}, 0
    while "DATA" not in head:
        end = data.index(b"\n", begin)
        words = data[begin:end].decode("ascii").split()
        if words and not words[0].startswith("#"):
            head[words[0].upper()] = words[1:]
        begin = end + 1
    head.setdefault("COUNT", ["1"] * len(head["FIELDS"]))
    if "POINTS" not in head:
        head["POINTS"] = [str(math.prod(int(head[key][0]) for key in ("WIDTH", "HEIGHT")))]
    return head, begin


def _unpacked(body: bytes, expected: int) -> bytes:
    """LZF, as PCL compresses: literals, and copies of what came before."""
    packed, unpacked = np.frombuffer(body, "<u4", 2).tolist()
    if unpacked != expected or packed > len(body) - 8:
        raise ValueError("its compressed size is not that of its points")
    stream, at, out = body[8 : 8 + packed], 0, bytearray()
    while at < packed:
        control, at = stream[at], at + 1
        if control < 32:
            out += stream[at : at + control + 1]
            at += control + 1
            continue
        length = control >> 5
        if length == 7:
            length, at = length + stream[at], at + 1
        start = len(out) - ((control & 31) << 8) - stream[at] - 1
        at += 1
        if start < 0 or len(out) > expected:
            raise ValueError("its compressed points are damaged")
        for place in range(start, start + length + 2):  # it may copy what it has just written
            out.append(out[place])
    if len(out) != expected:
        raise ValueError("its compressed points are damaged")
    return bytes(out)
