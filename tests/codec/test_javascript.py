"""The decoder of the web viewer (web/src) against this one: registries, numbers, values, damage."""

import dataclasses
import hashlib
import json
import random

import numpy as np
import pytest
import torch

from fieldlr import codec
from fieldlr.codec.levels import stepped
from fieldlr.codec.quantisation import nearest_step
from fieldlr.errors import FieldlrError
from fieldlr.fields.networks import NETWORKS
from fieldlr.fields.radiance import RadianceField
from fieldlr.nn.activations import ACTIVATIONS
from fieldlr.nn.encodings import ENCODINGS
from fieldlr.nn.linears import LINEARS, Full
from tests import node
from tests.codec import fields
from tests.codec.test_hostile import FILES, sealed
from tests.fuzz.damage import damaged, random_edits

NUM_POINTS = 40
NUM_DAMAGED = 150  # of each file
REGISTRIES = {
    "linears": ("LINEARS", LINEARS),
    "encodings": ("ENCODINGS", ENCODINGS),
    "activations": ("ACTIVATIONS", ACTIVATIONS),
}


def option_type(option: dataclasses.Field) -> str:
    """As `codec.header` reads it."""
    if isinstance(option.default, bool):
        return "switch"
    return "whole" if isinstance(option.default, int) else "decimal"


@pytest.mark.parametrize("module", REGISTRIES)
def test_every_entry_has_its_counterpart_in_javascript(module):
    name, registry = REGISTRIES[module]
    script = f"import {{ {name} as r }} from './src/{module}.js'; give(r.entries);"
    found = {e["name"]: (e["number"], e["options"]) for e in node.evaluate(script)}
    for entry in registry.values():
        options = [[option.name, option_type(option)] for option in dataclasses.fields(entry)]
        assert found.get(entry.name) == (entry.number, options), (
            f"{entry.name} needs the same entry in web/src/{module}.js"
        )
    assert len(found) == len(registry)


def test_every_network_has_its_counterpart_in_javascript():
    script = "import { NETWORKS as r } from './src/networks.js'; give(r.entries);"
    found = {e["name"]: (e["number"], e["stages"]) for e in node.evaluate(script)}
    assert found == {one.name: (one.number, one.stages) for one in NETWORKS.values()}


def random_field(draw: random.Random, seed: int):
    """A field of any kind."""
    how = {
        "linear": draw.choice(fields.LINEARS + fields.NEWER),
        "encoding": draw.choice(fields.ENCODINGS),
        "seed": seed,
        "width": draw.choice((9, 12, 20)),
        "depth": draw.choice((1, 2, 3)),
        "skips": draw.choice(((), (), (1,))),
    }
    if draw.random() < 0.6:
        return fields.shape(activation=draw.choice(fields.ACTIVATIONS), **how)
    if draw.random() < 0.5:
        return fields.radiance(space=draw.choice(("box", "ndc", "contracted")), **how)
    return fields.radiance(network="nerf", **how)


def random_steps(field, draw: random.Random) -> dict[str, int]:
    """From a few to some hundred steps in the spread of a tensor."""
    return {
        name: nearest_step(float(p.detach().abs().mean()) * 2.0 ** -draw.uniform(0, 8))
        for name, p in stepped(field).items()
    }


def values(field, generator: torch.Generator) -> list[np.ndarray]:
    """Points and unit directions (M, 3), and what the field says there."""
    low, high = field.aabb.bounds(torch.zeros(3))
    points = low + (high - low) * torch.rand(NUM_POINTS, 3, generator=generator)
    towards = torch.nn.functional.normalize(torch.randn(NUM_POINTS, 3, generator=generator), dim=1)
    with torch.no_grad():
        said = [field.level(points)]
        if isinstance(field, RadianceField):
            colors, densities = field.radiance(points, towards)
            said += [densities, colors]
    return [tensor.numpy() for tensor in (points, towards, *said)]


def made_cases(folder, count: int):
    """A folder of files, what they decode to, and what they say at some points."""
    index = []
    for seed in range(count):
        draw = random.Random(seed)
        try:
            field = random_field(draw, seed)
        except FieldlrError:  # factors that would store as much as dense layers
            field = fields.shape(Full(), seed=seed)
        photos = isinstance(field, RadianceField)
        if photos and seed % 3 == 0 and field.config.encoding.learns:
            fields.with_ball(field)
        about = fields.PHOTOS if photos else None
        data = codec.encode(field, about=about, steps=random_steps(field, draw))
        decoded = codec.decode(data)
        tensors = b"".join(p.detach().numpy().tobytes() for p in decoded.parameters())
        (folder / f"{seed}.flr").write_bytes(data)
        said = values(decoded, torch.Generator().manual_seed(seed))
        (folder / f"{seed}.f32").write_bytes(b"".join(a.astype("<f4").tobytes() for a in said))
        index.append(hashlib.sha256(tensors).hexdigest())
    (folder / "index.json").write_text(json.dumps({"points": NUM_POINTS, "sha256": index}))
    return folder


@pytest.mark.parametrize("count", [30, pytest.param(200, marks=pytest.mark.slow)])
def test_golden_and_random_files_decode_to_the_same_bits_and_values(tmp_path, count):
    cases = made_cases(tmp_path, count)
    said = node.run("--test", "tests/decode.test.mjs", FIELDLR_CASES=str(cases))
    assert "# fail 0" in said and "# skipped 0" in said


def verdict(data: bytes) -> bool:
    try:
        codec.decode(data)
    except FieldlrError:
        return False
    return True


def test_damaged_files_end_in_a_sentence_where_they_do_here(tmp_path):
    """Bits, cuts, splices, and other content under a right checksum; node says the same of all."""
    draw = random.Random(0)
    corpus = [b"", b"FLR", b"FLR\3" + bytes(60)]
    corpus += [draw.randbytes(draw.randrange(200)) for _ in range(NUM_DAMAGED // 4)]
    corpus += [
        sealed(b"FLR" + bytes([1 + i % 2]) + draw.randbytes(draw.randrange(12, 200)))
        for i in range(NUM_DAMAGED)
    ]
    # A network of width 4096 and depth 60 in a file of some 60 bytes.
    corpus.append(sealed(b"FLR\1\1\0\0" + b"\x80\x20\x3c\1\1\1\0" + bytes(44)))
    for data in FILES.values():
        for number in range(NUM_DAMAGED):
            changed = damaged(data[:-4], random_edits(draw))
            corpus.append(sealed(changed) if number % 4 else changed + data[-4:])
    lengths = [[len(data), verdict(data)] for data in corpus]
    (tmp_path / "corpus.bin").write_bytes(b"".join(corpus))
    (tmp_path / "corpus.json").write_text(json.dumps(lengths))
    said = node.run("--test", "tests/damage.test.mjs", FIELDLR_CASES=str(tmp_path))
    assert "# fail 0" in said and "# skipped 0" in said
