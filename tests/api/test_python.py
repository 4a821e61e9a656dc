"""The Python API: arrays in, coordinates and units of the arrays out, nothing changed behind."""

import gc
import inspect
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh

import fieldlr
from fieldlr import FieldlrError
from fieldlr.training.options import FitOptions
from fieldlr.training.presets import field_config, preset_of

# A ball of radius 2 about (100, -50, 7): nothing of it is near the origin or of unit size.
CENTER, RADIUS = np.array([100.0, -50.0, 7.0]), 2.0
QUICK = {"backbone": "sine-low-rank", "rank": 3, "width": 48, "progress": False}


def ball_mesh():
    surface = trimesh.creation.icosphere(3, RADIUS)
    surface.apply_translation(CENTER)
    return surface


def cameras(count=10, size=(24, 16)):
    return fieldlr.Cameras.orbit(CENTER, 8.0, count, elevation=25.0, size=size, field_of_view=45.0)


def colored_ball(points, directions):
    """A dense ball, red to one side and green to the other."""
    offset = points - torch.tensor(CENTER, dtype=points.dtype)
    share = (offset[:, 0] / RADIUS).clamp(-1, 1) * 0.5 + 0.5
    return 20.0 * (offset.norm(dim=-1) < RADIUS), torch.stack([share, 1 - share, 0 * share], -1)


def photographed(count=10, size=(24, 16)):
    """(images with alpha, cameras) of the ball."""
    images = []
    for camera in cameras(count, size):
        seen = fieldlr.render(colored_ball, camera, 5.0, 11.0, 64)
        straight = seen.rgb / seen.opacity[..., None].clamp_min(1e-6)
        images.append(torch.cat([straight.clamp(0, 1), seen.opacity[..., None]], -1).numpy())
    return images, cameras(count, size)


@pytest.fixture(scope="module")
def shape():
    return fieldlr.fit(fieldlr.mesh(ball_mesh(), grid=32), steps=120, **QUICK)


@pytest.fixture(scope="module")
def scene():
    images, views = photographed()
    return fieldlr.fit(fieldlr.photos(images, views, test=[0, 5]), steps=90, progress=False)


def test_the_names_are_few_and_all_there():
    assert dir(fieldlr) == fieldlr.__all__ and len(fieldlr.__all__) < 25
    assert all(getattr(fieldlr, name) is not None for name in fieldlr.__all__)
    with pytest.raises(AttributeError, match="fitt"):
        _ = fieldlr.fitt
    exec("from fieldlr import *", scope := {})
    assert {"fit", "nn", "Cameras"} < set(fieldlr.__all__) <= scope.keys()


def test_a_fit_shows_its_options():
    parameters = inspect.signature(fieldlr.fit).parameters
    assert {"backbone", "rank", "seconds", "grid", "out", "resume"} <= set(parameters)
    assert "options" not in parameters
    assert "rank: " in fieldlr.fit.__doc__ and "Ctrl-C" in fieldlr.fit.__doc__


@pytest.mark.parametrize("kind, which", [("mesh", "shapes"), ("photos", "photos")])
def test_stated_defaults_are_those_of_the_preset(kind, which):
    from fieldlr.system.options import leaves

    config, stated = field_config(FitOptions(), kind), leaves(FitOptions)
    real = {
        "width": config.width,
        "depth": config.depth,
        "activation": config.activation.name,
        "encoding": config.encoding.name,
        "seconds": f"{preset_of(FitOptions(), kind).seconds:g}",
    }
    for name, value in real.items():
        assert f"{which} {value}" in stated[name].shown


@pytest.mark.parametrize(
    "options, says",
    [
        ({"rnk": 3}, "rank"),
        ({"backbone": "sinelowrank"}, "Did you mean sine-low-rank"),
        ({"encoding": "hash_grid"}, "Did you mean hash-grid"),
        ({"resume": True}, "Give `out`"),
        ({"grid": 64}, "made of arrays"),
    ],
)
def test_a_mistyped_option_names_the_nearest(options, says):
    grid = np.zeros((8, 8, 8), bool)
    grid[2:6, 2:6, 2:6] = True
    with pytest.raises(FieldlrError, match=says):
        fieldlr.fit(fieldlr.volume(grid), **options)


def test_a_field_takes_the_users_coordinates_in_any_shape(shape):
    field = shape.field
    assert field(CENTER).shape == () and field(CENTER) > 0.5
    points = CENTER + RADIUS * np.array([[[0.5, 0, 0], [0, 1.04, 0]], [[0, 0, 0.9], [5, 0, 0]]])
    assert field(points).shape == (2, 2)
    assert field.inside(points).tolist() == [[True, False], [True, False]]
    assert (field(points) > 0.5).tolist() == field.inside(points).tolist()
    assert field(points.tolist()).tolist() == field(points.reshape(4, 3)).view(2, 2).tolist()
    assert field(torch.tensor(points).float()).shape == (2, 2)
    assert np.asarray(field(points)).shape == (2, 2)  # No graph stands in numpy's way.


def test_gradients_of_a_field_point_inwards(shape):
    surface = torch.tensor(CENTER + np.array([RADIUS, 0, 0]), requires_grad=True)
    shape.field(surface).backward()
    assert surface.grad[0] < 0.0 and surface.grad[0].abs() > 2 * surface.grad[1:].abs().max()


@pytest.mark.parametrize("points", [[1.0, 2.0], np.zeros((3, 5)), 7.0, np.zeros((3, 0))])
def test_another_shape_is_named(shape, points):
    for ask in (shape.field, shape.field.inside):
        with pytest.raises(FieldlrError, match=r"\(3,\) or \(\.\.\., 3\).*got \("):
            ask(points)
    with pytest.raises(FieldlrError, match="numbers"):
        shape.field("here")


def test_a_shape_has_no_colours(shape):
    with pytest.raises(FieldlrError, match="query"):
        shape.field.query(CENTER, [0, 0, 1])


def test_a_run_without_a_folder_is_complete(shape, tmp_path):
    figures = shape.evaluate(resolution=48)
    assert figures["iou"] > 0.9 and "iou" in repr(figures)
    mesh = shape.mesh(resolution=48)
    np.testing.assert_allclose(mesh.vertices.mean(0), CENTER, atol=0.1)
    mesh.save(tmp_path / "ball.ply")
    assert len(trimesh.load(tmp_path / "ball.ply").faces) == len(mesh.faces)
    packed = shape.compress(bits=8.0)
    assert packed.num_bytes == len(packed.data) and packed.quality_after > 0.85
    packed.save(tmp_path / "ball.flr")
    assert fieldlr.load(tmp_path / "ball.flr").inside(CENTER)
    assert not fieldlr.open_run(tmp_path / "ball.flr").field.inside(CENTER + 3 * RADIUS)
    view = shape.render(
        fieldlr.Cameras.looking_at(CENTER + np.array([8, 0, 2]), CENTER, size=(40, 30))
    )
    assert view.rgb.shape == (30, 40, 3) and view._repr_png_().startswith(b"\x89PNG")
    assert (view.rgb[15, 20] < 250).any() and (view.rgb[0, 0] == 255).all()
    saved = shape.save(tmp_path / "run")
    assert saved.source is None and saved.evaluate(resolution=48)["iou"] == figures["iou"]
    assert fieldlr.open_run(tmp_path / "run").field.inside(CENTER)
    with pytest.raises(FieldlrError, match="source"):
        fieldlr.open_run(tmp_path / "run").evaluate()


def test_a_notebook_shows_pictures(shape, scene):
    pytest.importorskip("matplotlib")
    for run in (shape, scene):
        assert run._repr_html_().count("data:image/png") == 1
        assert run.plot()._repr_png_().startswith(b"\x89PNG")
    assert "mesh" in repr(shape) and "iou" in repr(shape) and "psnr_db" in repr(scene)
    assert "<img" in shape.mesh(resolution=32)._repr_html_()


def test_a_run_without_a_folder_leaves_no_folder(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    grid = np.zeros((16, 16, 16), bool)
    grid[4:12, 4:12, 4:12] = True
    run = fieldlr.fit(fieldlr.volume(grid), steps=2, **QUICK)
    assert list(tmp_path.iterdir()) == [run.folder]
    del run
    gc.collect()
    assert not list(tmp_path.iterdir())
    with pytest.raises(FieldlrError):
        fieldlr.fit(fieldlr.volume(grid), steps=2, width=4, backbone="low-rank", rank=9)
    assert not list(tmp_path.iterdir())


def test_an_interrupt_keeps_what_is_trained(tmp_path):
    grid = np.zeros((24, 24, 24), bool)
    grid[6:18, 6:18, 6:18] = True
    before = signal.getsignal(signal.SIGINT)

    def interrupt():
        while not (tmp_path / "run" / "history.jsonl").exists():  # the first steps are done
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    run = fieldlr.fit(fieldlr.volume(grid), tmp_path / "run", seconds=600.0, **QUICK)
    assert run.results == {} and run.field([12.0, 12.0, 12.0]) > 0.0
    assert run.evaluate(resolution=32)["iou"] >= 0.0
    assert signal.getsignal(signal.SIGINT) is before


def test_a_process_is_left_as_it_was(tmp_path):
    script = (
        "import os, torch\n"
        "torch.set_num_threads(3)\n"
        "def state():\n"
        "    tiny = (torch.tensor([1e-40]) * 1.0).item()\n"
        "    tf32 = torch.backends.cuda.matmul.allow_tf32\n"
        "    return dict(os.environ), torch.get_num_threads(), tiny, tf32, torch.initial_seed()\n"
        "before = state()\n"
        "import fieldlr, numpy as np\n"
        "grid = np.zeros((16, 16, 16), bool); grid[4:12, 4:12, 4:12] = True\n"
        "run = fieldlr.fit(fieldlr.volume(grid), steps=3, width=16, progress=False)\n"
        "run.evaluate(resolution=24), run.compress()\n"
        "assert state() == before, (state(), before)\n"
        "from fieldlr.training.presets import FitOptions, count_parameters\n"
        "for preset in ('quick', 'compact'):\n"
        "    count_parameters(FitOptions.of(preset=preset), 'photos')\n"
        # Torch's compiler, which takes seconds to load and is not used.
        "import sys; assert 'torch._dynamo' not in sys.modules\n"
    )
    environment = {k: v for k, v in os.environ.items() if k != "OMP_NUM_THREADS"}
    environment["OMP_WAIT_POLICY"] = "PASSIVE"  # Others may use these cores.
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stderr


def test_photos_from_arrays(scene):
    assert scene.held_out == (0, 5) and len(scene.cameras) == 10
    assert scene.evaluate()["psnr_db"] > 16.0
    given = cameras().camera_to_world
    torch.testing.assert_close(scene.cameras.camera_to_world, given, atol=1e-3, rtol=0)
    view = scene.render(cameras()[3])
    assert view.rgb.shape == (16, 24, 3)
    assert abs(view.depth[8, 12] - 6.0) < 1.0  # 8 to the middle, less the radius


def test_query_and_a_renderer_of_functions_give_the_fields_own_view(scene):
    camera = scene.cameras[3]
    density, color = scene.field.query(CENTER, [[1.0, 0, 0], [0, 0, 5.0]])
    assert density.shape == (2,) and color.shape == (2, 3)
    assert not scene.field.query(CENTER + 50.0, [1.0, 0, 0])[0].any()
    own = scene.render(camera).rgb
    seen = fieldlr.render(scene.field.query, camera, 4.0, 12.0, 256, (1.0, 1.0, 1.0)).rgb.numpy()
    assert np.abs(seen - own).mean() < 0.02
    with pytest.raises(FieldlrError, match="broadcast"):
        scene.field.query(np.zeros((2, 3)), np.zeros((5, 3)))


def test_invalid_arrays_of_photos_are_refused():
    images, views = photographed(4)
    cases = [
        ((images[:3], views), {}, "3 `images` and 4 `cameras`"),
        (([image * 255 for image in images], views), {}, r"belong into \[0, 1\]"),
        (([image[..., :2] for image in images], views), {}, "height, width, 3"),
        ((images, views), {"test": [9]}, "`test`"),
        ((images, views), {"masks": [np.ones((3, 3), bool)] * 4}, r"masks\[0\]"),
        ((images[:2], views[:2]), {}, "at least 3 views"),
    ]
    for arguments, more, says in cases:
        with pytest.raises(FieldlrError, match=says):
            fieldlr.photos(*arguments, **more)


@pytest.mark.parametrize(
    "make, says",
    [
        (lambda: fieldlr.volume(np.zeros((4, 4, 4))), "array > level"),
        (lambda: fieldlr.volume(np.zeros((4, 4), bool)), "nx, ny, nz"),
        (lambda: fieldlr.volume(np.ones((4, 4, 4), bool)), "inside and an outside"),
        (lambda: fieldlr.volume(np.eye(4, dtype=bool)[None], bounds=[[0, 0], [1, 1]]), "bounds"),
        (lambda: fieldlr.mesh(np.zeros((3, 3))), "`faces`"),
        (lambda: fieldlr.mesh(np.zeros((3, 2)), np.zeros((1, 3), int)), "vertices"),
        (lambda: fieldlr.mesh(np.zeros((4, 3)), np.zeros((1, 4), int)), "triangles"),
        (lambda: fieldlr.mesh(ball_mesh(), grid=3), "`grid`"),
        (lambda: fieldlr.Cameras.of(np.eye(3), 10.0, (4, 4)), "camera_to_world"),
        (lambda: fieldlr.Cameras.of(np.diag([1, 1, -1, 1]), 10.0, (4, 4)), "mirrored"),
        (lambda: fieldlr.Cameras.of(np.eye(4), -1.0, (4, 4)), "focal"),
        (lambda: fieldlr.Cameras.of(np.eye(4), 9.0, (4, 4), convention="blender"), "opencv"),
        (lambda: fieldlr.Cameras.looking_at((0, 0, 1), (0, 0, 0)), "along `up`"),
        (lambda: fieldlr.render(lambda p, d: p, cameras()[0], 1.0, 2.0), "gives"),
        (lambda: fieldlr.render(lambda p, d: (p, p[:, 0]), cameras()[0], 1.0, 2.0), "gives"),
        (lambda: fieldlr.render(colored_ball, cameras()[0], 2.0, 1.0), "near < far"),
        (lambda: fieldlr.render(colored_ball, cameras(), 1.0, 2.0), "one camera"),
    ],
)
def test_a_mistake_is_named(make, says):
    with pytest.raises(FieldlrError, match=says):
        make()


def test_opencv_poses_are_those_of_opengl_with_two_axes_turned():
    pose = cameras(1).camera_to_world[0].double().numpy()
    turned = pose @ np.diag([1.0, -1.0, -1.0, 1.0])
    one = fieldlr.Cameras.of(pose, 30.0, (24, 16))
    other = fieldlr.Cameras.of(turned, 30.0, (24, 16), convention="opencv")
    torch.testing.assert_close(one.camera_to_world, other.camera_to_world)


def test_a_function_is_rendered_as_the_integral_says():
    """A slab of density 0.7 and thickness 2 seen straight on stops 1 - exp(-1.4) of the light."""
    camera = fieldlr.Cameras.looking_at((10, 0, 0), (0, 0, 0), size=(3, 3), field_of_view=1e-3)

    def slab(points, directions):
        return 0.7 * (points[:, 0].abs() < 1.0), torch.ones_like(points) * 0.25

    seen = fieldlr.render(slab, camera, 5.0, 15.0, 1000, background=(1.0, 1.0, 1.0))
    opacity = 1.0 - np.exp(-1.4)
    assert seen.opacity.numpy() == pytest.approx(opacity, abs=1e-3)
    assert seen.rgb.numpy() == pytest.approx(0.25 * opacity + np.exp(-1.4), abs=1e-3)
    # Where the light has fallen by half of that: depth is a median.
    inside = -np.log(1.0 - 0.5 * opacity) / 0.7
    assert seen.depth.numpy() == pytest.approx(9.0 + inside, abs=0.02)
    fewer = fieldlr.render(
        slab, camera, 5.0, 15.0, 1000, (1.0, 1.0, 1.0), skip=lambda p: p[:, 0].abs() > 1.5
    )
    torch.testing.assert_close(fewer.rgb, seen.rgb)


def test_gradients_reach_the_parameters_of_a_function(generator):
    strength = torch.tensor(0.3, requires_grad=True)
    rays = cameras(1).image_rays(0)

    def fog(points, directions):
        return strength * torch.ones_like(points[:, 0]), torch.full_like(points, 0.5)

    seen = fieldlr.render_rays(fog, rays, 1.0, 3.0, 16, generator=generator)
    seen.opacity.mean().backward()
    assert strength.grad.item() == pytest.approx(2.0 * np.exp(-0.6), rel=1e-4)


def test_the_examples_of_the_guide_are_there():
    guide = Path(fieldlr.__file__).parents[1] / "docs" / "python.md"
    assert all(f"fieldlr.{name}" in guide.read_text() for name in fieldlr.__all__)
