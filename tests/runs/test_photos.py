"""Small photos of a run: those it was fitted to, without the distortion of their lens."""

import json
import math
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image

from fieldlr.data import open_source
from fieldlr.errors import FieldlrError
from fieldlr.runs.photos import kept_photos, photo_of, standpoints_of
from fieldlr.runs.pipeline import Reconstruction
from fieldlr.training.options import FitOptions

WIDTH, HEIGHT, FOCAL = 97, 64, 80.0
DISTORTION = {"k1": 0.3, "p1": 0.01}


def colors(directions):
    """A picture of the world that is smooth, and different in every direction: (..., 3) in 0..1."""
    return 0.5 + 0.4 * torch.sin(4.0 * directions + torch.tensor([0.0, 1.0, 2.0]))


def captured(folder, suffix, **camera):
    """A run of five photos of `colors` from a circle, with a lens; hardly fitted."""
    frames = []
    for i in range(5):
        angle = 2 * math.pi * i / 5
        c, s = math.cos(angle), math.sin(angle)
        pose = [[-s, 0, c, 3 * c], [c, 0, s, 3 * s], [0, 1, 0, 0.5], [0, 0, 0, 1]]
        frames.append({"file_path": f"{i}{suffix}", "transform_matrix": pose})
        Image.new("RGB", (WIDTH, HEIGHT)).save(folder / f"{i}{suffix}")
    lens = {"fl_x": FOCAL, "fl_y": FOCAL, "w": WIDTH, "h": HEIGHT, **DISTORTION, **camera}
    (folder / "transforms.json").write_text(json.dumps({**lens, "frames": frames}))
    cameras = open_source(folder).content.cameras
    for i in range(5):
        photo = colors(cameras.image_rays(i).directions).view(HEIGHT, WIDTH, 3)
        Image.fromarray((255 * photo).round().byte().numpy()).save(
            folder / f"{i}{suffix}", quality=95
        )
    options = FitOptions.of(steps=1, width=16, downscale=2)
    fit = Reconstruction(folder, folder / "run", options)
    list(fit.reports())
    fit.checkpoint()
    return fit.run


@pytest.mark.parametrize(
    "suffix, camera", [(".png", {}), (".jpg", {"camera_model": "OPENCV_FISHEYE", "p1": 0.0})]
)
def test_a_photo_is_undistorted_to_a_pinhole_camera(tmp_path, suffix, camera):
    run = captured(tmp_path, suffix, **camera)
    cameras, test = run.load_cameras()
    photo = photo_of(run, 3, 1000)
    # The fit's size: with a `downscale` of 2 the odd column is cut.
    assert photo.shape == (HEIGHT // 2, WIDTH // 2, 3)
    fx, fy, cx, cy = cameras.intrinsics[3].tolist()
    rows, columns = np.mgrid[: HEIGHT // 2, : WIDTH // 2] + 0.5
    local = np.stack([(columns - cx) / fx, -(rows - cy) / fy, -np.ones_like(rows)], -1)
    world = torch.tensor(local).float() @ cameras.camera_to_world[3, :, :3].T
    known = 255 * colors(torch.nn.functional.normalize(world, dim=-1)).numpy()
    inside = np.s_[6:-6, 8:-8]  # at the edges the lens saw less
    assert np.abs(photo[inside] - known[inside]).mean() < 2.5
    small = photo_of(run, 3, 24)
    assert small.shape == (16, 24, 3)
    listed = standpoints_of(run)
    assert [one["heldOut"] for one in listed] == [i in test for i in range(5)]
    kept = kept_photos(run, 24)
    assert [one.name for one in kept] == [f"photo {i + 1}" for i in test]
    with pytest.raises(FieldlrError, match="counted from 0"):
        photo_of(run, 5, 24)


def test_a_run_without_its_photos_says_so(tmp_path):
    run = captured(tmp_path, ".png")
    run = run.save(tmp_path / "elsewhere" / "run")
    for file in tmp_path.glob("*.png"):
        file.unlink()
    (tmp_path / "transforms.json").rename(tmp_path / "gone.json")
    with pytest.raises(FieldlrError, match="no longer where they were"):
        photo_of(run, 0, 24)
    assert all(photo.picture is None and photo.held_out for photo in kept_photos(run, 24))


def test_photos_of_an_archive_are_on_a_page(tmp_path):
    (tmp_path / "scene").mkdir()
    run = captured(tmp_path / "scene", ".png")
    known = kept_photos(run, 24)
    packed = tmp_path / "scene.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        for file in (tmp_path / "scene").glob("*.*"):
            archive.write(file, file.name)
    fit = Reconstruction(packed, tmp_path / "run", FitOptions.of(steps=1, width=16, downscale=2))
    list(fit.reports())
    fit.checkpoint()
    for photo, one in zip(kept_photos(fit.run, 24), known, strict=True):
        assert (photo.picture == one.picture).all()
    packed.write_bytes(b"PK")
    assert all(photo.picture is None for photo in kept_photos(fit.run, 24))
