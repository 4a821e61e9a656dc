"""LLFF: axes, sizes and bounds read back; the NDC frame; mistakes named."""

import numpy as np
import pytest
import torch
from PIL import Image

from fieldlr.data import llff
from fieldlr.errors import FieldlrError

NUM_VIEWS, FULL = 10, (80, 60)


def rows() -> np.ndarray:
    """Cameras on a line, looking along -Z, in the file's columns: down, right, backward."""
    made = np.zeros((NUM_VIEWS, 17))
    for i, row in enumerate(made):
        turn = 0.1 * (i / NUM_VIEWS - 0.5)
        right = np.array([np.cos(turn), 0, -np.sin(turn)])
        backward = np.array([np.sin(turn), 0, np.cos(turn)])
        position = np.array([0.3 * i, 5.0, 2.0])
        shape = np.array([FULL[1], FULL[0], 70.0])
        columns = [np.array([0, -1.0, 0]), right, backward, position, shape]
        row[:15] = np.stack(columns, 1).ravel()
        row[15:] = 4.0 + 0.01 * i, 20.0
    return made


def write(folder, made=None, sizes=((40, 30),), count=NUM_VIEWS):
    folder.mkdir(exist_ok=True)
    np.save(folder / "poses_bounds.npy", rows() if made is None else made)
    for size in sizes:
        place = folder / ("images" if size == FULL else f"images_{FULL[0] // size[0]}")
        place.mkdir(exist_ok=True)
        for i in range(count):
            Image.new("RGB", size, (i, 0, 0)).save(place / f"photo{i:03d}.png")
    return folder


def test_the_same_cameras_come_back(tmp_path):
    scene = llff.read(write(tmp_path))
    made = torch.from_numpy(rows()[:, :15]).reshape(-1, 3, 5).float()
    expected = torch.stack([made[..., 1], -made[..., 0], made[..., 2], made[..., 3]], -1)
    back = scene.cameras.transformed(scene.frame).camera_to_world
    assert torch.allclose(back, expected, atol=1e-5)
    assert scene.cameras.intrinsics[0].tolist() == [35.0, 35.0, 20.0, 15.0]
    assert (scene.test, len(scene.train)) == ((0, 8), 8)


def test_forward_facing_captures_end_in_ndc(tmp_path):
    scene = llff.read(write(tmp_path))
    poses = scene.cameras.camera_to_world
    assert scene.space.kind == "ndc"
    # What any camera sees, from some way off to infinity, is in the cube, and fills it.
    reach = 0.0
    for view in range(len(poses)):
        rays = scene.cameras.image_rays(view)
        for depth in (4.0, 20.0, 1e4):
            way = (depth + rays.origins[:, 2]) / -rays.directions[:, 2]
            unit = scene.space.contract(rays.at(way))[:, :2].abs().amax(0)
            reach = torch.maximum(torch.as_tensor(reach), unit)
    assert (reach <= 1.0).all() and (reach > 0.95).all()
    assert poses[:, :, 3].mean(0).abs().max() < 1e-5
    backward = poses[:, :, 2].mean(0)
    assert torch.allclose(backward / backward.norm(), torch.tensor([0.0, 0, 1]), atol=1e-5)
    # As the reference: the nearest depth, 4, becomes 1 / 0.75.
    assert scene.frame.scale == pytest.approx(3.0)
    rays = scene.cameras.image_rays(4)
    start, _ = scene.space.span(rays)
    cube = scene.space.contract(rays.at(start))
    assert torch.allclose(cube[:, 2], torch.full((len(rays),), -1.0), atol=1e-4)


def test_captures_from_all_around_do_not(tmp_path):
    made = rows()
    for i, row in enumerate(made):
        angle = 2 * np.pi * i / NUM_VIEWS
        backward = np.array([np.cos(angle), np.sin(angle), 0])
        right = np.array([-np.sin(angle), np.cos(angle), 0])
        pose = np.stack([np.array([0, 0, -1.0]), right, backward, 4 * backward], 1)
        row[:15] = np.concatenate([pose, [[60], [80], [70]]], 1).ravel()
    assert llff.read(write(tmp_path, made)).space.kind == "contracted"


def test_the_largest_comfortable_folder_is_read(tmp_path):
    scene = llff.read(write(tmp_path, sizes=((20, 15), (40, 30))))
    assert scene.names[0] == "images_2/photo000.png"
    assert any("images_4" in warning for warning in scene.warnings)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda made: made[:, :15], "17 numbers"),
        (lambda made: made[0], "17 numbers"),
        (lambda made: made[:-1], "counts must be equal"),
        (lambda made: made.astype(complex), "real numbers"),
        (lambda made: np.where(np.arange(17) == 14, 0, made), "focal length"),
        (lambda made: np.where(np.arange(17) == 15, -1, made), "near depth"),
        (lambda made: np.where(np.arange(17) == 3, np.nan, made), "NaN"),
        (lambda made: np.where(np.arange(17) == 9, 60, made), "aspect ratio"),
    ],
)
def test_mistakes_are_named(tmp_path, change, message):
    with pytest.raises(FieldlrError, match=message) as caught:
        llff.read(write(tmp_path, change(rows())))
    assert "poses_bounds.npy" in str(caught.value) or "photo000.png" in str(caught.value)


def test_objects_in_the_array_are_refused(tmp_path):
    folder = write(tmp_path)
    np.save(folder / "poses_bounds.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(FieldlrError, match=r"poses_bounds\.npy"):
        llff.read(folder)
    (folder / "poses_bounds.npy").write_bytes(b"\x93NUMPY\x01\x00")
    with pytest.raises(FieldlrError, match=r"poses_bounds\.npy"):
        llff.read(folder)


@pytest.mark.parametrize(
    ("name", "views", "focal", "kind"),
    [("fern", 20, 407.566, "ndc"), ("room", 41, 400.758, "contracted")],
)
def test_real_captures(data_dir, name, views, focal, kind):
    scene = llff.read(data_dir / "scenes" / name, downscale=2)
    assert (len(scene.images), scene.space.kind) == (views, kind)
    assert scene.images[0].shape == (189, 252, 3)
    assert float(scene.cameras.intrinsics[0, 0]) == pytest.approx(focal / 2, rel=1e-5)
    assert len(scene.test) == len(range(0, views, 8))
