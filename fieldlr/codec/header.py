"""The file header: network, space and frame, in a few dozen bytes."""

from __future__ import annotations

import dataclasses
import math
import struct
from typing import Any

from fieldlr.codec.byte_io import Reader, Writer, corrupt
from fieldlr.data import Kind
from fieldlr.errors import FieldlrError
from fieldlr.fields.config import FieldConfig
from fieldlr.fields.networks import NETWORKS
from fieldlr.geometry.boxes import Aabb, vector
from fieldlr.geometry.frames import Similarity
from fieldlr.geometry.spaces import Space
from fieldlr.nn.activations import ACTIVATIONS
from fieldlr.nn.encodings import ENCODINGS
from fieldlr.nn.linears import LINEARS
from fieldlr.system.entries import Entry, Stored
from fieldlr.system.registry import Registry

MAGIC = b"FLR"
# Fields with feature tables have a version of their own: there a table is coded level by level.
VERSION, TABLE_VERSION = 1, 2
# Files store indices into these; the order never changes.
KINDS = ("photos", "mesh", "volume")
SPACES = ("box", "ndc", "contracted")
# How coordinates are stored: a box of integers from 0, or all in float32, or all in float64.
WHOLE, SINGLE, DOUBLE = 0, 1, 2
CODES = {WHOLE: "single", SINGLE: "single", DOUBLE: "double"}
# The rounding error allowed to float32, as a fraction of the box's shortest edge.
TOLERANCE = 1e-6
MOST_WIDTH, MOST_DEPTH, MOST_SKIPS, MOST_OPTION = 4096, 64, 15, 4096
# Four bits name an entry of a registry; this value means that a varint follows instead.
ESCAPE = 15
# The registries that those bits refer to, in order.
REGISTRIES: tuple[Registry, ...] = (LINEARS, ENCODINGS, ACTIVATIONS)


def write_header(
    writer: Writer,
    version: int,
    config: FieldConfig,
    space: Space,
    frame: Similarity,
    kind: Kind,
) -> None:
    """Writes all that is needed to rebuild the field except its parameters."""
    form, framed = _form(space.aabb, frame), frame != Similarity()
    writer.data += MAGIC + bytes([version])
    writer.byte(
        KINDS.index(kind)
        | SPACES.index(space.kind) << 2
        | form << 4
        | framed << 6
        | NETWORKS[config.network].number << 7
    )
    _write_config(writer, config)
    if form == WHOLE:
        for edge in space.aabb.maximum:
            writer.varint(int(edge))
    else:
        writer.numbers((*space.aabb.minimum, *space.aabb.maximum), CODES[form])
    if kind == "photos":
        writer.numbers((space.near, space.far, *space.ndc_focal), "single")
    if framed:
        rotation = [number for row in frame.rotation for number in row]
        writer.numbers((*rotation, frame.scale, *frame.translation), CODES[form])


def read_header(reader: Reader) -> tuple[FieldConfig, Space, Similarity, Kind]:
    """The inverse of `write_header`."""
    first = reader.byte()
    kind, shape, form = first & 3, first >> 2 & 3, first >> 4 & 3
    if max(kind, shape, form) > 2:
        raise corrupt("invalid first header byte")
    config = _read_config(reader, NETWORKS.numbered(first >> 7).name)
    if form == WHOLE:
        low, high = (0.0, 0.0, 0.0), vector([float(reader.varint()) for _ in range(3)])
    else:
        box = reader.finite(6, CODES[form])
        low, high = vector(box[:3]), vector(box[3:])
    if not all(0.0 < b - a < math.inf for a, b in zip(low, high, strict=True)):
        raise corrupt("empty bounding box")
    ray_range = {}
    if KINDS[kind] == "photos":
        near, far, *focal = reader.numbers(4, "single")
        if not 0.0 <= near < far or not all(0.0 < f < math.inf for f in focal):
            raise corrupt("invalid near plane, far plane or focal length")
        ray_range = {"near": near, "far": far, "ndc_focal": tuple(focal)}
    space = Space(SPACES[shape], Aabb(low, high), **ray_range)
    frame = _read_frame(reader, CODES[form]) if first >> 6 & 1 else Similarity()
    return config, space, frame, KINDS[kind]


def _read_frame(reader: Reader, code: str) -> Similarity:
    numbers = reader.finite(13, code)
    rows = a, b, c = [vector(numbers[i : i + 3]) for i in (0, 3, 6)]
    scale, translation = numbers[9], vector(numbers[10:])
    for i, row in enumerate(rows):
        for j, other in enumerate(rows):
            if abs(sum(x * y for x, y in zip(row, other, strict=True)) - (i == j)) > 1e-3:
                raise corrupt("the rotation of its frame is not orthogonal")
    if not 1e-30 < scale < 1e30:
        raise corrupt("the scale of its frame is out of range")
    return Similarity((a, b, c), scale, translation)


def _form(aabb: Aabb, frame: Similarity) -> int:
    """The shortest form whose rounding is negligible for the box and for exported coordinates."""
    edge = min(aabb.size)
    places = [(number, edge) for number in (*aabb.minimum, *aabb.maximum)]
    places += [(number, edge * frame.scale) for number in frame.translation]
    if any(abs(_single(number) - number) > TOLERANCE * edge for number, edge in places):
        return DOUBLE
    whole = all(edge == int(edge) and 0 < edge < 2**28 for edge in aabb.maximum)
    return WHOLE if whole and not any(aabb.minimum) else SINGLE


def _single(number: float) -> float:
    """A number rounded to float32, as a float64."""
    try:
        return struct.unpack("<f", struct.pack("<f", number))[0]
    except OverflowError:
        return math.inf


def _write_config(writer: Writer, config: FieldConfig) -> None:
    entries = (config.linear, config.encoding, config.activation)
    linear, encoding, activation = (min(entry.number, ESCAPE) for entry in entries)
    _check_size(config.width, config.depth, config.skips)
    writer.byte(linear | encoding << 4)
    writer.byte(activation | len(config.skips) << 4)
    for entry in entries:
        if entry.number >= ESCAPE:
            writer.varint(entry.number)
    writer.varint(config.width)
    writer.varint(config.depth)
    for skip in config.skips:
        writer.varint(skip)
    for entry in entries:
        _write_options(writer, entry)


def _check_size(width: int, depth: int, skips: tuple[int, ...]) -> None:
    """Raises FieldlrError where a network exceeds the limits of the format."""
    valid_skips = len(skips) <= MOST_SKIPS and max(skips, default=0) <= MOST_DEPTH
    if not (0 < width <= MOST_WIDTH and depth <= MOST_DEPTH and valid_skips):
        raise FieldlrError(
            f"a .flr file holds networks of width 1 to {MOST_WIDTH} and depth 0 to {MOST_DEPTH} "
            f"with at most {MOST_SKIPS} skips; got width {width}, depth {depth} and {len(skips)} "
            "skips. Use a smaller network."
        )


def _check_option(value: int) -> int:
    if not 0 <= value <= MOST_OPTION:
        raise FieldlrError(
            f"a network option in a .flr file is an integer from 0 to {MOST_OPTION}; got "
            f"{value}. Use a smaller rank or encoding."
        )
    return value


def _read_config(reader: Reader, network: str) -> FieldConfig:
    tables, last = reader.byte(), reader.byte()
    numbers = [tables & 15, tables >> 4, last & 15]
    numbers = [reader.varint() if number == ESCAPE else number for number in numbers]
    kinds = [r.numbered(n) for r, n in zip(REGISTRIES, numbers, strict=True)]
    width, depth = reader.varint(), reader.varint()
    skips = tuple(reader.varint() for _ in range(last >> 4))
    _check_size(width, depth, skips)
    linear, encoding, activation = (_read_options(reader, kind) for kind in kinds)
    return FieldConfig(linear, encoding, activation, width, depth, skips, network)


def _write_options(writer: Writer, entry: Entry) -> None:
    """Writes an integer for each option whose default is one, else a decimal."""
    for option, value in zip(dataclasses.fields(entry), entry.stored(), strict=True):
        if isinstance(option.default, int):
            writer.varint(_check_option(int(value)))
        else:
            writer.decimal(value)


def _read_options(reader: Reader, kind: type[Entry]) -> Any:
    """Reads the options of an entry of this kind and builds it."""
    options: list[Stored] = []
    for option in dataclasses.fields(kind):
        if isinstance(option.default, int):
            options.append(type(option.default)(_check_option(reader.varint())))
        else:
            options.append(reader.decimal())
    try:
        return kind.from_stored(options)
    except ValueError as error:
        raise corrupt(str(error)) from None
