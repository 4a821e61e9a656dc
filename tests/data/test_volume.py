"""Volumes: bits, places, the surface layer, and files that are not what they say."""

import io
import zipfile

import numpy as np
import pytest
import torch

from fieldlr.data.volume import make_volume
from fieldlr.data.volume_file import can_read, read
from fieldlr.errors import FieldlrError
from fieldlr.geometry.boxes import Aabb


@pytest.fixture
def grid() -> np.ndarray:
    return np.random.default_rng(0).random((5, 7, 11)) > 0.7


def test_bits_and_centres(grid):
    volume = make_volume("v", grid, Aabb((1.0, 2.0, 3.0), (6.0, 16.0, 14.0)))
    every = torch.arange(volume.num_voxels)
    assert (volume.occupied(every).numpy() == grid.reshape(-1)).all()
    assert (volume.dense() == grid).all()
    assert volume.fraction == grid.mean()
    assert volume.memory_bytes == 49
    full = f"{100 * grid.mean():.3g} % full"
    assert repr(volume) == f"OccupancyVolume v: 5 x 7 x 11 voxels, {full}"
    flat = torch.tensor([0, volume.num_voxels - 1, 11 * 7 * 2 + 11 * 3 + 4])
    assert volume.centers(flat).tolist() == [[1.5, 3.0, 3.5], [5.5, 15.0, 13.5], [3.5, 9.0, 7.5]]


@pytest.mark.parametrize("voxels", [1, 2, 3])
def test_near_the_surface_is_where_both_kinds_are_in_reach(voxels, monkeypatch):
    from scipy.ndimage import maximum_filter, minimum_filter

    monkeypatch.setattr("fieldlr.data.volume._SLAB_VOXELS", 1500)  # several slabs
    grid = np.zeros((30, 20, 25), bool)
    grid[5:9, 4:15, 8:9] = True
    grid[20, 10, 20] = True
    size = 2 * voxels + 1
    expected = maximum_filter(grid, size, mode="nearest") != minimum_filter(
        grid, size, mode="nearest"
    )
    found = make_volume("v", grid).near_surface(voxels)
    assert found.tolist() == np.flatnonzero(expected).tolist()


def test_files_come_back_the_same(tmp_path, grid):
    box = [[-1.0, 0.0, 1.0], [1.0, 2.0, 9.0]]
    np.savez(tmp_path / "a.npz", packed=np.packbits(grid), shape=grid.shape)
    np.savez_compressed(tmp_path / "b.npz", packed=np.packbits(grid), shape=grid.shape, aabb=box)
    np.save(tmp_path / "c.npy", np.asfortranarray(grid))
    a, b, c = (read(tmp_path / name) for name in ("a.npz", "b.npz", "c.npy"))
    assert all((v.dense() == grid).all() and can_read(tmp_path / "a.npz") for v in (a, b, c))
    assert a.aabb == Aabb((0.0, 0.0, 0.0), (5.0, 7.0, 11.0))
    assert b.aabb == Aabb((-1.0, 0.0, 1.0), (1.0, 2.0, 9.0))
    assert a.content_hash == c.content_hash != b.content_hash


def test_spare_bits_do_not_change_the_hash(tmp_path, grid):
    packed = np.packbits(grid)
    np.savez(tmp_path / "a.npz", packed=packed, shape=grid.shape)
    packed[-1] |= 1
    np.savez(tmp_path / "b.npz", packed=packed, shape=grid.shape)
    assert read(tmp_path / "a.npz").content_hash == read(tmp_path / "b.npz").content_hash


def test_the_thai_statue(data_dir):
    volume = read(data_dir / "volumes" / "thai_statue.npz")
    assert volume.shape == (303, 511, 261)
    assert volume.fraction == pytest.approx(0.1206, abs=1e-4)
    assert len(volume.near_surface(1)) < 0.03 * volume.num_voxels


def npy(array: np.ndarray, **changes) -> bytes:
    """An .npy whose header says something else than its body."""
    stream = io.BytesIO()
    header = {**np.lib.format.header_data_from_array_1_0(array), **changes}
    np.lib.format.write_array_header_1_0(stream, header)
    return stream.getvalue() + array.tobytes()


BITS, SHAPE = np.zeros(2, np.uint8), np.array([2, 2, 4])
HOSTILE = {
    "objects": ({"packed": npy(BITS, descr="|O"), "shape": npy(SHAPE)}, "objects"),
    "too few bytes": ({"packed": npy(BITS[:1]), "shape": npy(SHAPE)}, "must be 2 numbers"),
    "header too long": ({"packed": npy(BITS, shape=(10**12,)), "shape": npy(SHAPE)}, "2 numbers"),
    "huge": (
        {"packed": npy(BITS), "shape": npy(np.array([2**40, 2**40, 1]))},
        "1 to 2,147,483,648",
    ),
    "negative": ({"packed": npy(BITS), "shape": npy(np.array([-2, -2, 4]))}, "1 to 2,147,483,648"),
    "cut off": ({"packed": npy(BITS)[:-1], "shape": npy(SHAPE)}, "not a readable volume"),
    "no shape": ({"packed": npy(BITS)}, "holds `packed` and `shape`"),
    "empty": ({"packed": npy(BITS), "shape": npy(SHAPE)}, "are empty"),
    "full": ({"packed": npy(~BITS), "shape": npy(SHAPE)}, "are full"),
    "wrong type": ({"packed": npy(BITS.astype(np.uint16)), "shape": npy(SHAPE)}, "uint8"),
    "box inside out": (
        {
            "packed": npy(BITS + 1),
            "shape": npy(SHAPE),
            "aabb": npy(np.array([[1.0] * 3, [0.0] * 3])),
        },
        "minimum below its maximum",
    ),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_archives_are_refused(tmp_path, case):
    members, message = HOSTILE[case]
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        for name, data in members.items():
            archive.writestr(f"{name}.npy", data)
    with pytest.raises(FieldlrError, match=message):
        read(tmp_path / "x.npz")


@pytest.mark.parametrize(
    "array",
    [np.zeros((3, 17)), np.zeros((2, 2, 2)), np.array([{}], object), np.zeros((2, 2), bool)],
)
def test_arrays_of_other_shapes_than_a_volume_are_refused(tmp_path, array):
    np.save(tmp_path / "x.npy", array, allow_pickle=True)
    with pytest.raises(FieldlrError, match=r"x\.npy"):
        read(tmp_path / "x.npy")


def test_text_is_not_taken_for_a_volume(tmp_path):
    for name in ("x.npz", "x.npy"):
        (tmp_path / name).write_text("hello")
        with pytest.raises(FieldlrError, match="not a readable volume"):
            read(tmp_path / name)
