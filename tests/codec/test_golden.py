"""Files that were written once decode for ever, by the package and by the reader in docs/.

Nothing here is ever made anew: a change that one of these files does not survive needs a new
version of the format, beside the old one.
"""

import hashlib
import importlib.util
import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from fieldlr import codec
from fieldlr.codec.levels import stepped
from fieldlr.nn.activations import Finer, Sine
from fieldlr.nn.encodings import Cp, DenseGrid, RandomFourier, Tucker, Vm
from tests.codec import fields

REPOSITORY = Path(__file__).resolve().parent.parent.parent
GOLDEN = REPOSITORY / "tests" / "golden"
EXPECTED = json.loads((GOLDEN / "expected.json").read_text())
# Where the levels were taken, in parts of the box.
UNIT = torch.tensor([[-0.5, -0.25, 0.125], [0.0, 0.0, 0.0], [0.75, 0.5, -0.375]])
PLAIN = ("tiny", "rook", "whole", "radians", "lines", *(linear.name for linear in fields.NEWER))
TABLES = (DenseGrid(2, 3, 3, 5), Cp(2, 3, 4, 9), Vm(2, 3, 3, 6), Tucker(2, 3, 3, 6))


@pytest.fixture(scope="module")
def read_flr():
    path = REPOSITORY / "docs" / "examples" / "read_flr.py"
    spec = importlib.util.spec_from_file_location("read_flr", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def digest(tensors) -> str:
    """Of float32 tensors, one after the other."""
    return hashlib.sha256(b"".join(t.astype("<f4").tobytes() for t in tensors)).hexdigest()


@pytest.mark.parametrize("name", EXPECTED)
def test_a_golden_file_decodes_as_ever(name):
    expected, data = EXPECTED[name], (GOLDEN / f"{name}.flr").read_bytes()
    field, about = codec.unpack(data)
    assert len(data) == expected["bytes"]
    assert field.config.to_json() == expected["config"] | {
        "skips": tuple(expected["config"]["skips"])
    }
    assert digest(p.detach().numpy() for p in field.parameters()) == expected["sha256"]
    assert [*field.aabb.minimum, *field.aabb.maximum] == expected["box"]
    assert (field.space.kind, field.frame.scale) == (expected["space"], expected["scale"])
    found = about.kind, about.reading, about.content_hash, len(about.cameras or ())
    assert found == tuple(expected[k] for k in ("kind", "reading", "content_hash", "cameras"))
    if expected["occupied"] is not None:
        # A cell at the limit may be seen either way where the field is asked; so may the cells
        # beside it.
        tolerance = {"asked": 5, "limit": 5, "planes": 100}.get(name, 0)
        assert abs(int(field.cell_occupied.sum()) - expected["occupied"]) <= tolerance
    with torch.no_grad():
        levels = field.level(field.aabb.from_unit(UNIT))
    np.testing.assert_allclose(levels, expected["levels"], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("name", PLAIN)
def test_the_reader_of_the_docs_reads_the_same_numbers(name, read_flr):
    expected = EXPECTED[name]
    shape = read_flr.Shape((GOLDEN / f"{name}.flr").read_bytes())
    layers = [t for stored, bias in shape.layers for t in (*stored, bias)]
    assert digest([*shape.tables, *layers]) == expected["sha256"]
    low, high = np.split(np.array(expected["box"]), 2)
    points = low + (UNIT.double().numpy() + 1.0) / 2.0 * (high - low)
    np.testing.assert_allclose(shape.logits(points), expected["levels"], rtol=1e-3, atol=1e-3)
    assert shape.inside(points).tolist() == [level > 0 for level in expected["levels"]]


@pytest.mark.parametrize("linear", fields.NEWER, ids=str)
@pytest.mark.parametrize("activation", [Sine(), Finer()], ids=str)
def test_the_reader_of_the_docs_reads_every_backbone(linear, activation, read_flr):
    waves = RandomFourier(4, 2.0)
    field = fields.shape(linear, waves, activation, skips=(1,))
    data = codec.encode(field, steps={name: 120 for name, _ in field.named_parameters()})
    shape, again = read_flr.Shape(data), codec.decode(data)
    assert not again.mlp.linears[2].is_dense
    stored = digest(t for stored, bias in shape.layers for t in (*stored, bias))
    assert stored == digest(p.detach().numpy() for p in again.parameters())
    points = again.aabb.from_unit(UNIT)
    with torch.no_grad():
        levels = again.level(points)
    np.testing.assert_allclose(shape.logits(points.numpy()), levels, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("encoding", TABLES, ids=lambda own: own.name)
def test_the_reader_of_the_docs_reads_tables(encoding, read_flr):
    field = fields.shape(encoding=encoding)
    data = codec.encode(field, steps=dict.fromkeys(stepped(field), 130))
    shape, again = read_flr.Shape(data), codec.decode(data)
    table = digest(t.reshape(-1, encoding.num_channels) for t in shape.tables)
    assert table == digest([again.encoding.table.detach().numpy()])
    points = again.aabb.from_unit(UNIT)
    with torch.no_grad():
        levels = again.level(points)
    np.testing.assert_allclose(shape.logits(points.numpy()), levels, rtol=1e-4, atol=1e-4)


def test_the_reader_of_the_docs_refuses_what_it_does_not_read(read_flr):
    field = fields.shape()
    field.frame = fields.FRAME
    for data in (codec.encode(field, 8.0), codec.encode(fields.radiance(), 8.0, fields.PHOTOS)):
        with pytest.raises(SystemExit, match="without a frame"):
            read_flr.Shape(data)


def test_the_reader_of_the_docs_is_a_command(read_flr, monkeypatch, capsys):
    words = ["read_flr.py", str(GOLDEN / "rook.flr"), "0", "0", "0.1"]
    monkeypatch.setattr("sys.argv", words)
    read_flr.main()
    assert "inside: " in capsys.readouterr().out


def test_the_file_that_the_document_takes_apart_is_the_golden_one():
    text = (REPOSITORY / "docs" / "format.md").read_text()
    rows = re.findall(r"^\| \d+ \| `([0-9a-f ]+)` \|", text, flags=re.MULTILINE)
    assert bytes.fromhex("".join(rows)) == (GOLDEN / "tiny.flr").read_bytes()
