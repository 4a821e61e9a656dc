"""The head of a file: the network, the space and the frame, in a few dozen bytes."""

from __future__ import annotations

import dataclasses
import math
import struct
from typing import Any

from fieldlr.codec.octets import Reader, Writer, broken
from fieldlr.data import Kind
from fieldlr.errors import FieldlrError
from fieldlr.fields.config import FieldConfig, name_of
from fieldlr.geometry.boxes import Aabb
from fieldlr.geometry.frames import Similarity
from fieldlr.geometry.spaces import Space
from fieldlr.nn.activations import ACTIVATIONS
from fieldlr.nn.encodings import ENCODINGS
from fieldlr.nn.linears import LINEARS, SineLowRank
from fieldlr.nn.linears.sine_low_rank import RADIANS, first_omega, in_radians

MAGIC, VERSION = b"FLR", 1
# Places in these tables are what a file says; they never change, new names come behind.
KINDS = ("photos", "mesh", "volume")
SPACES = ("box", "ndc", "contracted")
NETWORKS = ("mlp", "nerf")
# How places are stored: a box of whole numbers from 0, or all in float32, or all in float64.
WHOLE, SINGLE, DOUBLE = 0, 1, 2
CODES = {WHOLE: "single", SINGLE: "single", DOUBLE: "double"}
# What float32 may move a place by, as a part of the box's shortest edge.
TOLERANCE = 1e-6
MOST_WIDTH, MOST_DEPTH, MOST_SKIPS, MOST_OPTION = 4096, 64, 15, 4096

Option = int | float | bool | str


def write_header(
    writer: Writer, config: FieldConfig, space: Space, frame: Similarity, kind: Kind
) -> None:
    """Everything that is needed to build the field anew, but its numbers."""
    form, framed = _form(space.aabb, frame), frame != Similarity()
    writer.data += MAGIC + bytes([VERSION])
    writer.byte(
        KINDS.index(kind)
        | SPACES.index(space.kind) << 2
        | form << 4
        | framed << 6
        | NETWORKS.index(config.network) << 7
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
        raise broken("its first byte makes no sense")
    config = _read_config(reader, NETWORKS[first >> 7])
    if form == WHOLE:
        box = (0.0,) * 3 + tuple(float(reader.varint()) for _ in range(3))
    else:
        box = reader.finite(6, CODES[form])
    if not all(0.0 < high - low < math.inf for low, high in zip(box[:3], box[3:], strict=True)):
        raise broken("its box has no inside")
    pace = {}
    if KINDS[kind] == "photos":
        near, far, *focal = reader.numbers(4, "single")
        if not 0.0 <= near < far or not all(0.0 < f < math.inf for f in focal):
            raise broken("it ends before it begins")
        pace = {"near": near, "far": far, "ndc_focal": tuple(focal)}
    space = Space(SPACES[shape], Aabb(box[:3], box[3:]), **pace)
    frame = _read_frame(reader, CODES[form]) if first >> 6 & 1 else Similarity()
    return config, space, frame, KINDS[kind]


def _read_frame(reader: Reader, code: str) -> Similarity:
    numbers = reader.finite(13, code)
    rows, (scale, *translation) = [numbers[i : i + 3] for i in (0, 3, 6)], numbers[9:]
    for i, row in enumerate(rows):
        for j, other in enumerate(rows):
            if abs(sum(a * b for a, b in zip(row, other, strict=True)) - (i == j)) > 1e-3:
                raise broken("its frame is not a rotation")
    if not 1e-30 < scale < 1e30:
        raise broken("its frame has no scale")
    return Similarity(tuple(rows), scale, tuple(translation))


def _form(aabb: Aabb, frame: Similarity) -> int:
    """The shortest form that moves neither the box nor what leaves its frame noticeably."""
    edge = min(aabb.size)
    places = [(number, edge) for number in (*aabb.minimum, *aabb.maximum)]
    places += [(number, edge * frame.scale) for number in frame.translation]
    if any(abs(_single(number) - number) > TOLERANCE * edge for number, edge in places):
        return DOUBLE
    whole = all(edge == int(edge) and 0 < edge < 2**28 for edge in aabb.maximum)
    return WHOLE if whole and not any(aabb.minimum) else SINGLE


def _single(number: float) -> float:
    """The float32 nearest to a number, as a float64."""
    try:
        return struct.unpack("<f", struct.pack("<f", number))[0]
    except OverflowError:
        return math.inf


def _write_config(writer: Writer, config: FieldConfig) -> None:
    places = (
        list(LINEARS).index(name_of(config.linear, LINEARS)),
        list(ENCODINGS).index(name_of(config.encoding, ENCODINGS)),
        list(ACTIVATIONS).index(name_of(config.activation, ACTIVATIONS)),
    )
    writer.byte(places[0] | places[1] << 4)
    _check_size(config.width, config.depth, config.skips)
    writer.byte(places[2] | len(config.skips) << 4)
    writer.varint(config.width)
    writer.varint(config.depth)
    for skip in config.skips:
        writer.varint(skip)
    for entry in (config.linear, config.encoding, config.activation):
        for option in dataclasses.fields(entry):
            _write_option(writer, getattr(entry, option.name), option.default)


def _check_size(width: int, depth: int, skips: tuple[int, ...]) -> None:
    """FieldlrError where a network is beyond the limits of the format."""
    few = len(skips) <= MOST_SKIPS and max(skips, default=0) <= MOST_DEPTH
    if not (0 < width <= MOST_WIDTH and depth <= MOST_DEPTH and few):
        raise FieldlrError(
            f"a .flr file holds networks of width 1 to {MOST_WIDTH} and depth 0 to {MOST_DEPTH} "
            f"with at most {MOST_SKIPS} skips; got width {width}, depth {depth} and {len(skips)} "
            "skips. Use a smaller network."
        )


def _check_option(value: int) -> int:
    if not 0 <= value <= MOST_OPTION:
        raise FieldlrError(
            f"an option of a network in a .flr file is a number from 0 to {MOST_OPTION}; got "
            f"{value}. Use a smaller rank or encoding."
        )
    return value


def _read_config(reader: Reader, network: str) -> FieldConfig:
    tables, last = reader.byte(), reader.byte()
    width, depth = reader.varint(), reader.varint()
    skips = tuple(reader.varint() for _ in range(last >> 4))
    _check_size(width, depth, skips)
    return FieldConfig(
        linear=_read_entry(reader, LINEARS, tables & 15),
        encoding=_read_entry(reader, ENCODINGS, tables >> 4),
        activation=_read_entry(reader, ACTIVATIONS, last & 15),
        width=width,
        depth=depth,
        skips=skips,
        network=network,
    )


def _read_entry(reader: Reader, table: dict[str, type], place: int) -> Any:
    """An entry of a table with its options in the order of their definition."""
    if place >= len(table):
        raise FieldlrError(
            f"this .flr file names entry {place} of {', '.join(table)}, which this version does "
            "not have. A newer fieldlr made it: update yours."
        )
    kind = list(table.values())[place]
    options = [_read_option(reader, option.default) for option in dataclasses.fields(kind)]
    if kind is SineLowRank:
        options[1] = _omega(*options)
    return kind(*options)


def _omega(rank: int, number: float) -> float | str:
    """omega, from what a file says: below 0 it is a spread, and 0 is the spread of the first."""
    if number > 0.0:
        return number
    if rank == 0:
        raise broken("its rank is 0")
    return in_radians(-number) if number else first_omega(rank)


def _write_option(writer: Writer, value: Option, default: Option) -> None:
    """A whole number where the default is one, else a decimal, below 0 for radians."""
    if isinstance(default, int):
        writer.varint(_check_option(int(value)))
    else:
        radians = isinstance(value, str)
        writer.decimal(-float(value.removesuffix(RADIANS)) if radians else value)


def _read_option(reader: Reader, default: Option) -> int | float | bool:
    """An option of the type of its default, else a decimal."""
    if isinstance(default, int):
        return type(default)(_check_option(reader.varint()))
    value = reader.decimal()
    if value == 0.0 and default != "auto":
        raise broken("an option of its network is 0")
    return value
