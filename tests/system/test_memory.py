"""How much memory there is, and that what would take more is refused before it is begun."""

import sys

import numpy as np
import pytest

from fieldlr.data import open_source
from fieldlr.data.examples import example
from fieldlr.errors import FieldlrError
from fieldlr.runs.pipeline import check_memory
from fieldlr.system import memory
from tests.fuzz import seeds
from tests.fuzz.targets import write

BASE_GIB = memory.BASE_BYTES / 2**30
linux = pytest.mark.skipif(sys.platform != "linux", reason="control groups are Linux's")


@linux
@pytest.mark.parametrize("controllers", ["", "memory"])
def test_a_control_group_and_those_around_it_limit_the_machine(tmp_path, monkeypatch, controllers):
    (tmp_path / "groups").write_text(f"9:cpu:/elsewhere\n1:{controllers}:/outer/inner\n")
    inner = tmp_path / controllers / "outer/inner"
    inner.mkdir(parents=True)
    name = "memory.limit_in_bytes" if controllers else "memory.max"
    (inner / name).write_text("max\n")
    monkeypatch.setattr(memory, "GROUPS", tmp_path / "groups")
    monkeypatch.setattr(memory, "CGROUPS", tmp_path)
    whole = memory.machine_bytes()
    assert 2**28 < whole < 2**60
    (inner.parent / name).write_text(f"{2**27}\n")
    assert memory.machine_bytes() == 2**27


def test_the_sentence_says_who_limits():
    memory.require(2**20, None, "")
    with pytest.raises(FieldlrError, match=r"this machine has .* Buy more"):
        memory.require(2**60, None, "Buy more.")
    with pytest.raises(FieldlrError, match="`memory` allows 2 GiB"):
        memory.require(3 * 2**30, 2 * 2**30, "")


def test_photos_are_refused_before_decoding_with_advice(tmp_path):
    files = seeds.transforms()
    broken = {name: data[:-150] for name, data in files.items() if name.endswith(".jpg")}
    write(tmp_path, files | broken)
    with pytest.raises(FieldlrError, match="`downscale`"):
        open_source(tmp_path, memory=BASE_GIB + 1e-6)
    with pytest.raises(FieldlrError, match="not a readable photo"):
        open_source(tmp_path)


def test_the_suggested_downscale_is_enough():
    scene = example("windmill")
    tight = BASE_GIB + 0.005
    with pytest.raises(FieldlrError, match="`downscale`") as refusal:
        open_source(scene, memory=tight)
    factor = int(str(refusal.value).split("`downscale` ")[1].split(",")[0])
    source = open_source(scene, downscale=factor, memory=tight)
    check_memory(source, tight)
    with pytest.raises(FieldlrError):
        open_source(scene, downscale=factor - 1, memory=tight)


@pytest.mark.parametrize("suffix", [".npz", ".npy"])
def test_a_volume_is_refused_by_its_header(tmp_path, suffix):
    shape = (1200, 1200, 1200)
    if suffix == ".npz":
        np.savez_compressed(
            tmp_path / "v.npz", packed=np.zeros(1200**3 // 8, np.uint8), shape=shape
        )
    else:
        np.lib.format.open_memmap(tmp_path / "v.npy", "w+", bool, shape)  # a hole, no disk
    with pytest.raises(FieldlrError, match="coarser"):
        open_source(tmp_path / f"v{suffix}", memory=BASE_GIB + 1.0)


def test_a_mesh_is_refused_at_a_grid_that_is_too_fine():
    with pytest.raises(FieldlrError, match="`grid`"):
        open_source(example("rook"), grid=1024, memory=BASE_GIB + 0.2)
