"""Broken, cut, altered and newer files end in a sentence, quickly and in little memory."""

import random
import zlib

import pytest
import torch

from fieldlr import codec
from fieldlr.codec import cells
from fieldlr.errors import FieldlrError
from fieldlr.nn.encodings import DenseGrid, Frequency
from fieldlr.nn.linears import SineLowRank
from tests.codec import fields

CASES = 400  # of each kind and file


def files() -> dict[str, bytes]:
    ball = fields.with_ball(fields.radiance(DenseGrid(2, 1, 3, 5), width=8))
    nerf = fields.radiance(linear=SineLowRank(1), width=8, network="nerf", skips=(2,))
    return {
        "shape": codec.encode(fields.shape(SineLowRank(1), Frequency(2), width=8, skips=(1,)), 4.0),
        "grid": codec.encode(ball, 4.0, fields.PHOTOS),
        "nerf": codec.encode(nerf, 4.0, fields.PHOTOS),
    }


FILES = files()


def sealed(body: bytes) -> bytes:
    """A file with the right checksum for whatever it says."""
    return body + zlib.crc32(body).to_bytes(4, "little")


def decodes(data: bytes) -> bool:
    """Whether bytes are a file; an exception that is not a FieldlrError passes through."""
    try:
        field = codec.decode(data)
    except FieldlrError as error:
        assert str(error).endswith(".")
        field = None
    return field is not None


@pytest.mark.parametrize("name", FILES)
def test_a_file_cut_anywhere_is_an_error(name):
    data = FILES[name]
    for length in range(0, len(data), 9):
        assert not decodes(data[:length])
        decodes(sealed(data[:length]))


@pytest.mark.parametrize("name", FILES)
def test_a_changed_byte_is_an_error(name):
    data, draw = FILES[name], random.Random(0)
    for _ in range(CASES):
        changed = bytearray(data)
        changed[draw.randrange(len(data))] ^= draw.randrange(1, 256)
        assert not decodes(bytes(changed))


@pytest.mark.parametrize("name", FILES)
def test_whatever_is_written_with_a_right_checksum_is_a_field_or_an_error(name):
    data, draw = FILES[name], random.Random(1)
    found = 0
    for number in range(CASES):
        changed = bytearray(data[:-4])
        # Mostly at the head, where sizes are; now and then bytes are also put in or taken out.
        far = 120 if number % 4 else len(changed)
        for _ in range(draw.choice((1, 1, 2, 6))):
            changed[draw.randrange(4, min(far, len(changed)))] = draw.choice(
                (draw.randrange(256), 0, 255, 128, 127)
            )
        if number % 5 == 0:
            del changed[draw.randrange(4, len(changed)) :]
        if number % 7 == 0:
            place = draw.randrange(4, len(changed) + 1)
            changed[place:place] = draw.randbytes(draw.randrange(1, 9))
        found += decodes(sealed(bytes(changed)))
    assert found < 0.5 * CASES


def test_noise_is_an_error():
    draw = random.Random(2)
    for _ in range(CASES):
        assert not decodes(draw.randbytes(draw.randrange(200)))
        decodes(sealed(b"FLR\1" + draw.randbytes(draw.randrange(12, 200))))


@pytest.mark.parametrize(
    "data, says",
    [
        (b"", "begins with FLR"),
        (b"PK\3\4" + bytes(60), "begins with FLR"),
        (sealed(b"FLR\3" + bytes(60)), "version 3"),
        (FILES["shape"][:-1], "checksum"),
    ],
)
def test_the_sentence_says_what_is_wrong(data, says):
    with pytest.raises(FieldlrError, match=says):
        codec.decode(data)


def test_a_small_file_cannot_ask_for_much_memory(monkeypatch):
    # A network of width 4096 and depth 60 in a file of some 60 bytes.
    body = b"FLR\1\1\0\0" + b"\x80\x20" + b"\x3c" + b"\1\1\1" + b"\0" + bytes(4) + bytes(40)
    built = []
    monkeypatch.setattr(torch, "rand", lambda *shape, **_: built.append(shape))
    with pytest.raises(FieldlrError, match="at most"):
        codec.decode(sealed(body))
    assert not built


def test_the_original_network_has_a_last_layer_of_half_its_width():
    with pytest.raises(FieldlrError, match="half its width"):
        fields.radiance(width=1, network="nerf")
    # The same as a file: the byte of the width is the fourth behind magic and version.
    data = bytearray(FILES["nerf"][:-4])
    assert data[7] == 8
    data[7] = 1
    with pytest.raises(FieldlrError, match="half its width"):
        codec.decode(sealed(bytes(data)))


def test_decoding_does_not_change_the_random_state():
    for data in FILES.values():
        state = torch.get_rng_state()
        codec.decode(data)
        assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.slow
def test_a_large_network_is_not_asked_for_its_cells(monkeypatch):
    field = fields.with_ball(fields.radiance(linear=SineLowRank(1), width=512, depth=4))
    data = codec.encode(field, 8.0, fields.PHOTOS)
    assert torch.equal(codec.decode(data).cell_occupied, field.cell_occupied)
    # A file that wants it all the same would take long.
    monkeypatch.setattr(cells, "MAX_EVALUATED_WEIGHTS", 1 << 40)
    data = codec.encode(field, 8.0, fields.PHOTOS)
    monkeypatch.undo()
    with pytest.raises(FieldlrError, match="too large a network"):
        codec.decode(data)
