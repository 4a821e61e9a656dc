"""From where a run is shown, at what size, and what is said about it."""

import dataclasses

import pytest
import torch

from fieldlr.data.examples import example
from fieldlr.errors import FieldlrError
from fieldlr.geometry.cameras import Cameras
from fieldlr.runs import open_run
from fieldlr.runs.pipeline import Reconstruction
from fieldlr.runs.planning import LARGEST_FRAME, LARGEST_STILL, home_of, plan_views
from fieldlr.runs.views import Turn, beginning, turned
from fieldlr.training.options import FitOptions
from tests.rendering.test_paths import write_camera_path


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A field of the courtyard before its first step: it is all about where the cameras stand."""
    out = tmp_path_factory.mktemp("planning") / "run"
    options = FitOptions.of(steps=1, downscale=2, width=16, device="cpu")
    fit = Reconstruction(example("courtyard"), out, options)
    fit.run.save_field(fit.state.field)
    return open_run(out)


@pytest.fixture(scope="module")
def field(run):
    return run.load_field()


def resaved(run, tmp_path, cameras: Cameras, test=(0,)):
    """The run with other cameras."""
    (tmp_path / "run").mkdir()
    for file in run.folder.iterdir():
        if file.name != "cameras.safetensors":
            (tmp_path / "run" / file.name).write_bytes(file.read_bytes())
    other = open_run(tmp_path / "run")
    other.save_cameras(cameras, test)
    return other


def same(cameras: Cameras, others: Cameras) -> bool:
    return bool(
        torch.allclose(cameras.camera_to_world, others.camera_to_world, atol=1e-5)
        and torch.allclose(cameras.intrinsics, others.intrinsics, atol=1e-3)
        and torch.equal(cameras.sizes, others.sizes)
    )


def test_a_picture_is_the_view_of_a_training_camera(run, field):
    cameras, test = run.load_cameras()
    home = home_of(cameras, test)
    assert home not in test
    plan = plan_views(run, field, None, 1)
    assert plan.warnings == () and same(plan.cameras, cameras[home])
    width, height = cameras.sizes[home].tolist()
    twice = plan_views(run, field, None, 1, (2 * width, 2 * height)).cameras
    assert same(twice, cameras[home].resized(2.0))
    square = plan_views(run, field, None, 1, (30, 30)).cameras
    assert torch.equal(square.camera_to_world, cameras[home].camera_to_world)
    assert (
        square.sizes.tolist() == [[30, 30]] and square.intrinsics[0, 0] == square.intrinsics[0, 1]
    )


def test_paths_have_the_size_of_the_photos_and_videos_even_ones(run, field, tmp_path):
    cameras, _ = run.load_cameras()
    odd = resaved(run, tmp_path, cameras.resized(torch.tensor([[63, 47]])))
    for path in (None, "orbit", "spiral"):
        assert plan_views(odd, field, path, 3).cameras.sizes.tolist() == [[63, 47]] * 3
        video = plan_views(odd, field, path, 3, even=True)
        assert video.cameras.sizes.tolist() == [[62, 46]] * 3 and video.warnings == ()
    given = plan_views(odd, field, None, 3, (33, 21), even=True).cameras
    assert given.sizes.tolist() == [[33, 21]] * 3
    views = plan_views(odd, field, "test", 60).cameras
    assert views.sizes.tolist() == [[63, 47]] * len(views)


def test_a_height_alone_keeps_the_shape_of_the_photos(run, field, tmp_path):
    cameras, _ = run.load_cameras()
    wide = resaved(run, tmp_path, cameras.resized(torch.tensor([[66, 48]])))
    for path, frames in ((None, 1), (None, 3), ("orbit", 3), ("spiral", 3), ("test", 60)):
        plan = plan_views(wide, field, path, frames, 24)
        assert set(map(tuple, plan.cameras.sizes.tolist())) == {(33, 24)}, path
    assert plan_views(wide, field, "orbit", 3, 24, even=True).cameras.sizes.tolist() == (
        [[32, 24]] * 3
    )
    orbit = plan_views(wide, field, "orbit", 3, (66, 48)).cameras
    write_camera_path(orbit, tmp_path / "path.json", field.frame, 24)
    small = plan_views(wide, field, str(tmp_path / "path.json"), 3, 24)
    assert same(small.cameras, orbit.resized(0.5))


def test_slow_renders_are_reduced_and_reported(run, field, tmp_path):
    cameras, _ = run.load_cameras()
    large = resaved(run, tmp_path, cameras.resized(torch.tensor([[8000, 6000]])))
    for frames, most in ((1, LARGEST_STILL), (3, LARGEST_FRAME)):
        plan = plan_views(large, field, None, frames)
        assert plan.cameras.sizes[0].tolist() == [most, most * 3 // 4]
        assert "8000 x 6000" in plan.warnings[0] and "`size`" in plan.warnings[0]
        assert plan_views(large, field, None, frames, (8000, 6000)).warnings == ()


def test_an_orbit_where_no_camera_stood_is_warned_of(run, field, tmp_path):
    assert plan_views(run, field, "orbit", 4).warnings == ()
    cameras, _ = run.load_cameras()
    azimuth = torch.atan2(*cameras.camera_to_world[:, :2, 3].T.flip(0))
    half = resaved(run, tmp_path, cameras[azimuth > 0])
    (warning,) = plan_views(half, field, "orbit", 4).warnings
    assert "no photo saw" in warning
    assert plan_views(half, field, None, 4).warnings == ()


def test_a_path_far_from_the_cameras_is_warned_of(run, field, tmp_path):
    """As a path of nerfstudio's viewer is, in its own frame."""
    cameras, _ = run.load_cameras()
    here = plan_views(run, field, "orbit", 4, (32, 24)).cameras
    write_camera_path(here, tmp_path / "here.json", field.frame, 24)
    assert plan_views(run, field, str(tmp_path / "here.json"), 4).warnings == ()
    shift = torch.zeros(4, 3, 4)
    shift[:3, 0, 3] = 10.0 * float(cameras.camera_to_world[:, :, 3].norm(dim=-1).max())
    away = dataclasses.replace(here, camera_to_world=here.camera_to_world + shift)
    write_camera_path(away, tmp_path / "away.json", field.frame, 24)
    (warning,) = plan_views(run, field, str(tmp_path / "away.json"), 4).warnings
    assert warning.startswith("3 of the 4 views") and "`path_transforms`" in warning


def test_a_view_turned_by_hand_begins_at_any_camera(run, field):
    cameras, test = run.load_cameras()
    home = home_of(cameras, test)
    for camera in (None, 0, len(cameras) - 1):
        index = home if camera is None else camera
        view = turned(run, field, Turn(camera=camera), (64, 48))
        assert torch.allclose(view.camera_to_world[0], cameras.camera_to_world[index], atol=1e-5)
        begins = beginning(run, field, camera)
        assert begins.camera == index and list(begins.size) == cameras.sizes[index].tolist()
    near, far = (turned(run, field, Turn(up=up), (64, 48)) for up in (200.0, 1000.0))
    assert same(near, far)  # as far up as there are cameras, and a little more
    closer = turned(run, field, Turn(zoom=2.0), (64, 48))
    plain = turned(run, field, Turn(), (64, 48))
    assert torch.allclose(closer.intrinsics[:, :2], 2.0 * plain.intrinsics[:, :2])
    assert torch.equal(closer.camera_to_world, plain.camera_to_world)
    for camera in (-1, len(cameras)):
        with pytest.raises(FieldlrError, match="counted from 0"):
            turned(run, field, Turn(camera=camera), (64, 48))


def test_one_camera_alone_is_shown(run, field, tmp_path):
    cameras, _ = run.load_cameras()
    alone = resaved(run, tmp_path, cameras[3])
    assert same(plan_views(alone, field, None, 1).cameras, cameras[3])
    for path in (None, "spiral"):
        frames = plan_views(alone, field, path, 4).cameras.camera_to_world
        assert frames.isfinite().all()
