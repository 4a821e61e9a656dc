"""A field as bytes, and back: docs/format.md, byte by byte."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import TypeVar

import numpy as np
import torch

from fieldlr.codec import cells
from fieldlr.codec.about import About, read_about, write_about
from fieldlr.codec.ans import Coded, FastUnpacker, PlainUnpacker, pack, unpacker
from fieldlr.codec.choice import steps_for
from fieldlr.codec.header import MAGIC, VERSION, read_header, write_header
from fieldlr.codec.numbers import read_models, read_numbers, write_numbers
from fieldlr.codec.octets import Reader, Writer, broken
from fieldlr.codec.steps import STEPS
from fieldlr.codec.tensors import Model, modelled, read_model, read_whole, write_model
from fieldlr.codec.units import Order
from fieldlr.errors import FieldlrError
from fieldlr.fields import field_for
from fieldlr.fields.config import FieldConfig
from fieldlr.fields.field import Field
from fieldlr.fields.networks import NETWORKS
from fieldlr.fields.radiance import RadianceField

F = TypeVar("F", bound=Field)

CHECKSUM_BYTES = 4
FEWEST_BITS, MOST_BITS = 2.0, 16.0
# A file holds at most so many numbers, and so many a byte: a few bytes cannot ask for gigabytes.
MOST_NUMBERS, NUMBERS_PER_BYTE = 1 << 25, 1024
MOST_BYTES = 1 << 28
# So many it may always hold: 16 megabytes in memory.
SMALL = 1 << 22
# Bytes of an octree are stored about their middle.
MIDDLE = 128


def encode(
    field: Field,
    bits: float | None = None,
    about: About | None = None,
    steps: Mapping[str, int] | None = None,
) -> bytes:
    """The bytes of a .flr file: the field with numbers that take `bits` bits of it on average.

    Without `bits` they are as many as it takes for the field to say the same. `steps`, a byte for
    each of `named_parameters` (`codec.choice`), replaces the choice that `bits` asks for.
    """
    check_bits(bits)
    photos = isinstance(field, RadianceField)
    about = about or About("photos" if photos else "mesh")
    if photos != (about.kind == "photos"):
        raise FieldlrError(
            f"a {type(field).__name__} is not made from a source of kind {about.kind}. Say what "
            "it was made from."
        )
    field = _copied(field)
    if not all(bool(p.isfinite().all()) for p in field.parameters()):
        raise FieldlrError("a field with infinite numbers cannot be stored. Train it anew.")
    writer, coded = Writer(), []
    write_header(writer, field.config, field.space, field.frame, about.kind)
    write_about(writer, about)
    if isinstance(field, RadianceField):
        coded += _write_cells(writer, field)
    steps = steps or steps_for(field, bits)
    coded += write_numbers(writer, field, steps)
    writer.data += pack(coded)
    data = bytes(writer.data) + zlib.crc32(writer.data).to_bytes(CHECKSUM_BYTES, "little")
    _check_readable(data)
    return data


def check_bits(bits: float | None) -> None:
    """FieldlrError where numbers cannot take so many bits each; None is the codec's own choice."""
    if bits is not None and not FEWEST_BITS <= bits <= MOST_BITS:
        raise FieldlrError(
            f"a number takes {FEWEST_BITS:g} to {MOST_BITS:g} bits; got {bits:g}. Use `bits` 8."
        )


def _copied(field: F) -> F:
    """The same field on the processor, for the encoder to change."""
    copy = type(field)(field.config, field.space, field.frame, torch.Generator())
    copy.load_state_dict(field.state_dict())
    return copy.eval()


def decode(data: bytes) -> Field:
    """The field in the bytes of a .flr file; FieldlrError where there is none."""
    return unpack(data)[0]


def unpack(data: bytes) -> tuple[Field, About]:
    """The field, and what the file tells of its source."""
    reader = _checked(data)
    field, about = _read_field(reader, len(data))
    photos = isinstance(field, RadianceField)
    way, limit = _read_way(reader, field.config) if photos else (cells.ALL, None)
    octree = [read_model(reader, False) for _ in range(cells.LEVELS * (way == cells.STORED))]
    order = Order(field)
    models = read_models(reader, field, order)
    coder = unpacker(reader.rest())
    if octree and isinstance(field, RadianceField):
        field.cell_occupied.copy_(torch.from_numpy(_read_octree(coder, octree)))
    read_numbers(coder, field, order, models)
    coder.close()
    if limit is not None and isinstance(field, RadianceField):
        cells.ask(field, limit)
    return field.eval(), about


def _write_cells(writer: Writer, field: RadianceField) -> list[Coded]:
    """Writes how the occupied cells are kept; makes the field ready for it."""
    way, coded = cells.way_of(field), []
    writer.byte(way)
    if way == cells.ASKED_AT:
        writer.byte(cells.best_limit(field))
    if way == cells.STORED:
        cells.clear_unread(field)
        for octets in cells.to_octree(field.cell_occupied.cpu().numpy()):
            model, own = modelled(octets.astype(np.int64) - MIDDLE)
            write_model(writer, model)
            coded += own
    return coded


def _read_way(reader: Reader, config: FieldConfig) -> tuple[int, float | None]:
    """(how the occupied cells are kept, the density of a cell if the field is to be asked)."""
    way = reader.byte()
    if way not in (cells.ALL, cells.ASKED, cells.STORED, cells.ASKED_AT):
        raise broken("its cells are kept in a way that there is not")
    if way not in (cells.ASKED, cells.ASKED_AT):
        return way, None
    if not cells.may_be_asked(config):
        raise broken("its cells are to be asked for, of too large a network")
    return way, cells.EMPTY_DENSITY if way == cells.ASKED else float(STEPS[reader.byte()])


def _read_octree(coder: FastUnpacker | PlainUnpacker, models: list[Model]) -> np.ndarray:
    occupied = np.ones((1, 1, 1), bool)
    for model in models:
        octets = read_whole(coder, model, int(occupied.sum())) + MIDDLE
        if octets.min(initial=1) < 1 or octets.max(initial=1) > 255:
            raise broken("its cells make no sense")
        occupied = cells.grown(occupied, octets.astype(np.uint8))
    return occupied


def _read_field(reader: Reader, num_bytes: int) -> tuple[Field, About]:
    """The field before its numbers are known, once it is certain that they can be."""
    config, space, frame, kind = read_header(reader)
    about = read_about(reader, kind)
    limit = min(MOST_NUMBERS, max(SMALL, NUMBERS_PER_BYTE * num_bytes))
    if config.encoding.num_parameters(3) > limit or _most_numbers(config) > limit:
        raise FieldlrError(
            f"a .flr file holds at most {MOST_NUMBERS:,} numbers and {NUMBERS_PER_BYTE:,} a byte; "
            f"this one of {num_bytes:,} bytes speaks of more. Use a smaller network."
        )
    make = field_for(kind)
    # A generator of its own: who decodes a file does not want other random numbers after it.
    return make(config, space, frame, torch.Generator()), about


def _most_numbers(config: FieldConfig) -> int:
    """A bound of a field's numbers that takes no memory to know."""
    with torch.device("meta"):
        inputs = config.encoding.build(3).out_features
    wide = config.width + inputs + 64
    layer = max(config.linear.num_weights(wide, wide), 64 * wide) + wide
    stages = NETWORKS[config.network].stages
    network = (config.depth + 6) * layer + (inputs + 64) * wide
    return config.encoding.num_parameters(3) + stages * network


def _checked(data: bytes) -> Reader:
    """A reader behind the version of a file that is whole and of this version."""
    if data[: len(MAGIC)] != MAGIC:
        raise FieldlrError("a .flr file begins with FLR; this one does not. Check the path.")
    if len(data) > len(MAGIC) and data[len(MAGIC)] != VERSION:
        raise FieldlrError(
            f"this .flr file has version {data[len(MAGIC)]}, and {VERSION} is what this fieldlr "
            "reads. Update fieldlr."
        )
    if len(data) > MOST_BYTES:
        raise FieldlrError(f"a .flr file has at most {MOST_BYTES:,} bytes; this one has more.")
    body, checksum = data[:-CHECKSUM_BYTES], data[-CHECKSUM_BYTES:]
    if len(data) < 16 or zlib.crc32(body).to_bytes(CHECKSUM_BYTES, "little") != checksum:
        raise broken("its checksum is not that of its content")
    reader = Reader(body)
    reader.take(len(MAGIC) + 1)
    return reader


def _check_readable(data: bytes) -> None:
    """FieldlrError unless the file's head is within the limits of the format."""
    try:
        _read_field(_checked(data), len(data))
    except FieldlrError as error:
        raise FieldlrError(f"this field does not fit a .flr file: {error}") from None
