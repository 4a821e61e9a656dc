"""Encoding and decoding of whole .flr files, as specified in docs/format.md."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import TypeVar

import numpy as np
import torch

from fieldlr.codec import cells
from fieldlr.codec.about import About, read_about, write_about
from fieldlr.codec.ans import Coded, FastDecoder, PlainDecoder, encode_symbols, symbol_decoder
from fieldlr.codec.bit_allocation import quantisation_steps
from fieldlr.codec.byte_io import Reader, Writer, corrupt
from fieldlr.codec.header import MAGIC, TABLE_VERSION, VERSION, read_header, write_header
from fieldlr.codec.levels import coded_levels, stepped, table_encodings
from fieldlr.codec.parameters import read_models, read_parameters, write_parameters
from fieldlr.codec.quantisation import STEPS
from fieldlr.codec.tensors import Model, fit_model, read_integers, read_model, write_model
from fieldlr.codec.units import Order
from fieldlr.errors import FieldlrError
from fieldlr.fields import field_for
from fieldlr.fields.config import FieldConfig
from fieldlr.fields.field import Field
from fieldlr.fields.networks import NETWORKS
from fieldlr.fields.radiance import RadianceField

F = TypeVar("F", bound=Field)

CHECKSUM_BYTES = 4
FEWEST_BITS, MOST_BITS = 0.25, 16.0
# Limits on parameters, in total and per byte of file: a tiny file must not allocate gigabytes.
MOST_PARAMETERS, PARAMETERS_PER_BYTE = 1 << 25, 1024
MOST_BYTES = 1 << 28
# Parameters that a file of any size may hold: 16 megabytes in memory.
SMALL = 1 << 22
# Octree bytes are stored minus this, so that they are centred on zero.
MIDDLE = 128


def encode(
    field: Field,
    bits: float | None = None,
    about: About | None = None,
    steps: Mapping[str, int] | None = None,
) -> bytes:
    """The bytes of a .flr file that spends `bits` bits per parameter on average.

    Without `bits`, as many as it takes for the field's output to stay nearly unchanged. `steps`,
    a step byte for each of `named_parameters` (`codec.bit_allocation`), overrides `bits`.
    """
    check_bits(bits)
    photos = isinstance(field, RadianceField)
    about = about or About("photos" if photos else "mesh")
    if photos != (about.kind == "photos"):
        raise FieldlrError(
            f"a {type(field).__name__} cannot come from a source of kind {about.kind}. Pass "
            "the `about` of its own source."
        )
    field = _copied(field)
    writer, coded = _preamble(field, about)
    steps = steps or quantisation_steps(field, bits)
    coded += write_parameters(writer, field, steps, coded_levels(field))
    writer.data += encode_symbols(coded)
    data = bytes(writer.data) + zlib.crc32(writer.data).to_bytes(CHECKSUM_BYTES, "little")
    _check_readable(data)
    return data


def bytes_left(field: Field, about: About, max_bytes: int) -> int:
    """What the parameters may take of a file of at most `max_bytes` bytes.

    FieldlrError if the rest of the file alone takes as many.
    """
    writer, coded = _preamble(_copied(field), about)
    rest = len(writer.data) + len(encode_symbols(coded)) + CHECKSUM_BYTES
    if rest >= max_bytes:
        raise FieldlrError(
            f"the header, the cameras and the occupied cells of this field take {rest:,} bytes; "
            f"`max_bytes` is {max_bytes:,}. Allow more."
        )
    return max_bytes - rest


def _preamble(field: Field, about: About) -> tuple[Writer, list[Coded]]:
    """What comes before the parameters, and its symbols; zeroes unused table rows."""
    if not all(bool(p.isfinite().all()) for p in field.parameters()):
        raise FieldlrError("a field with NaN or infinite parameters cannot be stored. Retrain it.")
    writer, coded = Writer(), []
    version = TABLE_VERSION if table_encodings(field) else VERSION
    write_header(writer, version, field.config, field.space, field.frame, about.kind)
    write_about(writer, about)
    if isinstance(field, RadianceField):
        coded += _write_cells(writer, field)
    return writer, coded


def check_bits(bits: float | None) -> None:
    """Raises FieldlrError for bits per parameter out of range; None means automatic."""
    if bits is not None and not FEWEST_BITS <= bits <= MOST_BITS:
        raise FieldlrError(
            f"a parameter takes {FEWEST_BITS:g} to {MOST_BITS:g} bits; got {bits:g}. Use `bits` 8."
        )


def _copied(field: F) -> F:
    """A copy of the field on the CPU that the encoder may modify."""
    copy = type(field)(field.config, field.space, field.frame, torch.Generator())
    copy.load_state_dict(field.state_dict())
    return copy.eval()


def decode(data: bytes) -> Field:
    """The field in the bytes of a .flr file; raises FieldlrError if they are not one."""
    return unpack(data)[0]


def unpack(data: bytes) -> tuple[Field, About]:
    """The field and the metadata about its source."""
    reader = _checked(data)
    field, about = _read_field(reader, len(data))
    photos = isinstance(field, RadianceField)
    coding, limit = _read_cell_coding(reader, field.config) if photos else (cells.ALL, None)
    octree = [read_model(reader, False) for _ in range(cells.LEVELS * (coding == cells.STORED))]
    order = Order(field)
    by_level = data[len(MAGIC)] == TABLE_VERSION
    tensors = stepped(field) if by_level else dict(field.named_parameters())
    models = read_models(reader, tensors, order)
    coder = symbol_decoder(reader.rest())
    if octree and isinstance(field, RadianceField):
        field.cell_occupied.copy_(torch.from_numpy(_read_octree(coder, octree)))
    levels = coded_levels(field) if by_level else {}
    read_parameters(coder, tensors, order, models, levels)
    coder.close()
    if limit is not None and isinstance(field, RadianceField):
        cells.mark_occupied(field, limit, coding == cells.NEAR_STORED_THRESHOLD)
    return field.eval(), about


def _write_cells(writer: Writer, field: RadianceField) -> list[Coded]:
    """Writes how the occupied cells are coded, and zeroes table rows that are then unused."""
    coding, coded = cells.cell_coding(field), []
    writer.byte(coding)
    if coding in (cells.STORED, cells.NEAR_STORED_THRESHOLD):
        cells.zero_unused_rows(field)
    if coding == cells.BY_STORED_THRESHOLD:
        writer.byte(cells.best_threshold(field))
    if coding == cells.NEAR_STORED_THRESHOLD:
        writer.byte(cells.largest_threshold(field))
    if coding == cells.STORED:
        for children in cells.to_octree(field.cell_occupied.cpu().numpy()):
            model, own = fit_model(children.astype(np.int64) - MIDDLE)
            write_model(writer, model)
            coded += own
    return coded


def _read_cell_coding(reader: Reader, config: FieldConfig) -> tuple[int, float | None]:
    """(how the occupied cells are coded, the density threshold if they are evaluated)."""
    coding = reader.byte()
    if coding > cells.NEAR_STORED_THRESHOLD:
        raise corrupt("unknown coding of the occupied cells")
    if coding in (cells.ALL, cells.STORED):
        return coding, None
    if not cells.cheap_to_evaluate(config):
        raise corrupt("the occupied cells must be evaluated, with too large a network")
    return coding, cells.EMPTY_DENSITY if coding == cells.BY_THRESHOLD else float(
        STEPS[reader.byte()]
    )


def _read_octree(coder: FastDecoder | PlainDecoder, models: list[Model]) -> np.ndarray:
    occupied = np.ones((1, 1, 1), bool)
    for model in models:
        children = read_integers(coder, model, int(occupied.sum())) + MIDDLE
        if children.min(initial=1) < 1 or children.max(initial=1) > 255:
            raise corrupt("invalid octree byte")
        occupied = cells.refine(occupied, children.astype(np.uint8))
    return occupied


def _read_field(reader: Reader, num_bytes: int) -> tuple[Field, About]:
    """The field with untrained parameters, after checks that its size is within the limits."""
    config, space, frame, kind = read_header(reader)
    about = read_about(reader, kind)
    limit = min(MOST_PARAMETERS, max(SMALL, PARAMETERS_PER_BYTE * num_bytes))
    if config.encoding.num_parameters(3) > limit or _max_parameters(config) > limit:
        raise FieldlrError(
            f"a .flr file holds at most {MOST_PARAMETERS:,} parameters and {PARAMETERS_PER_BYTE:,} "
            f"per byte; this file of {num_bytes:,} bytes exceeds that. Use a smaller network."
        )
    make = field_for(kind)
    # A generator of its own: decoding must not advance the caller's random state.
    return make(config, space, frame, torch.Generator()), about


def _max_parameters(config: FieldConfig) -> int:
    """An upper bound on a field's parameters, computed without allocating them."""
    with torch.device("meta"):
        inputs = config.encoding.build(3).out_features
    wide = config.width + inputs + 64
    layer = max(config.linear.num_weights(wide, wide), 64 * wide) + wide
    stages = NETWORKS[config.network].stages
    network = (config.depth + 6) * layer + (inputs + 64) * wide
    return config.encoding.num_parameters(3) + stages * network


def _checked(data: bytes) -> Reader:
    """A reader positioned behind the version, after magic, version and checksum are verified."""
    if data[: len(MAGIC)] != MAGIC:
        raise FieldlrError("a .flr file begins with FLR; this one does not. Check the path.")
    if len(data) > len(MAGIC) and data[len(MAGIC)] not in (VERSION, TABLE_VERSION):
        raise FieldlrError(
            f"this .flr file has version {data[len(MAGIC)]}, but this fieldlr reads versions "
            f"{VERSION} and {TABLE_VERSION}. Update fieldlr."
        )
    if len(data) > MOST_BYTES:
        raise FieldlrError(f"a .flr file has at most {MOST_BYTES:,} bytes; this one has more.")
    body, checksum = data[:-CHECKSUM_BYTES], data[-CHECKSUM_BYTES:]
    if len(data) < 16 or zlib.crc32(body).to_bytes(CHECKSUM_BYTES, "little") != checksum:
        raise corrupt("the checksum does not match the content")
    reader = Reader(body)
    reader.take(len(MAGIC) + 1)
    return reader


def _check_readable(data: bytes) -> None:
    """Raises FieldlrError unless the header is within the limits of the format."""
    try:
        _read_field(_checked(data), len(data))
    except FieldlrError as error:
        raise FieldlrError(f"this field does not fit a .flr file: {error}") from None
