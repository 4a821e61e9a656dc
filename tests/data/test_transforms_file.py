"""What is written as a transforms.json is read back as the same cameras."""

import json

import pytest
import torch
from PIL import Image

from fieldlr.data import transforms
from fieldlr.data.transforms_file import write_transforms
from fieldlr.geometry.cameras import Cameras


def scene(folder, model="perspective", lenses=1):
    """(names, cameras) of five photos that exist."""
    generator = torch.Generator().manual_seed(0)
    axes = torch.linalg.qr(torch.randn(5, 3, 3, generator=generator)).Q
    axes = axes * torch.linalg.det(axes)[:, None, None]
    poses = torch.cat([axes, torch.randn(5, 3, 1, generator=generator)], -1)
    lens = torch.arange(5) % lenses
    intrinsics = torch.tensor([30.0, 31.5, 11.7, 8.2]) + lens[:, None]
    distortion = torch.tensor([0.1, -0.02, 0.003, 0.0, 0.001, -0.002]) * (1 + lens[:, None])
    sizes = torch.tensor([24, 16]) + lens[:, None]
    names = [f"images/{number} ü.png" for number in range(5)]
    (folder / "images").mkdir()
    for name, size in zip(names, sizes.tolist(), strict=True):
        Image.new("RGB", tuple(size)).save(folder / name)
    return names, Cameras(poses, intrinsics, sizes, distortion, model)


@pytest.mark.parametrize("model", ["perspective", "fisheye"])
@pytest.mark.parametrize("lenses", [1, 3])
def test_the_same_cameras_come_back(tmp_path, model, lenses):
    names, cameras = scene(tmp_path, model, lenses)
    write_transforms(tmp_path / "transforms.json", names, cameras)
    capture = transforms.find(tmp_path)
    assert [photo.name for photo in capture.photos] == names
    assert capture.warnings == () and capture.cameras.model == model
    stored = cameras.camera_to_world.double()
    assert torch.allclose(capture.cameras.camera_to_world, stored, atol=1e-6)
    for name in ("intrinsics", "distortion", "sizes"):
        assert torch.equal(getattr(capture.cameras, name), getattr(cameras, name))


def test_values_common_to_all_views_are_written_once(tmp_path):
    names, cameras = scene(tmp_path)
    write_transforms(tmp_path / "transforms.json", names, cameras)
    meta = json.loads((tmp_path / "transforms.json").read_text())
    assert {"fl_x", "cx", "w", "k1", "camera_model"} <= meta.keys()
    assert all(frame.keys() == {"file_path", "transform_matrix"} for frame in meta["frames"])
