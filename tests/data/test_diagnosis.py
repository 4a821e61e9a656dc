"""What `check` says about scenes with a known mistake, and the drawing of the cameras."""

import dataclasses
import math

import numpy as np
import pytest
import torch

from fieldlr.data.diagnosis import camera_lines, diagnose, drawing
from fieldlr.data.scene import Scene
from fieldlr.geometry.boxes import Aabb
from fieldlr.geometry.cameras import Cameras
from fieldlr.geometry.frames import Similarity
from fieldlr.geometry.spaces import Space
from fieldlr.pictures.viewer import write_viewer

CUBE = Aabb((-1.0,) * 3, (1.0,) * 3)


def scene(num_views=8, radius=4.0, outward=False, kind="contracted", focal=100.0, points=None):
    poses = []
    for angle in np.linspace(0, 2 * math.pi, num_views, endpoint=False):
        backward = np.array([math.cos(angle), math.sin(angle), 0.0])
        position = radius * backward
        if outward:  # OpenCV axes: the second and third columns negated
            backward = -backward
        up = np.array([0, 0, -1.0 if outward else 1.0])
        poses.append(np.stack([np.cross(up, backward), up, backward, position], 1))
    cameras = Cameras(
        torch.tensor(np.array(poses)).float(),
        torch.tensor([[focal, focal, 50.0, 40.0]]).repeat(num_views, 1),
        torch.tensor([[100, 80]]).repeat(num_views, 1),
        torch.zeros(num_views, 6),
    )
    return Scene(
        name="ring",
        images=list(torch.randint(256, (num_views, 80, 100, 3), dtype=torch.uint8)),
        cameras=cameras,
        space=Space(kind, CUBE, near=0.1),
        frame=Similarity(scale=2.0, translation=(1.0, 0.0, 0.0)),
        train=tuple(range(1, num_views)),
        test=(0,),
        names=tuple(f"{i}.png" for i in range(num_views)),
        masks=None,
        points=points,
        missing=3,
        warnings=("three photos are missing",),
        content_hash="",
        split="by hand",
    )


def with_cameras(made, **changes):
    return dataclasses.replace(made, cameras=dataclasses.replace(made.cameras, **changes))


def test_a_good_scene_has_no_doubts_of_its_own():
    report = diagnose(scene())
    assert report.warnings == ("three photos are missing",)
    assert (report.views, report.train, report.test, report.missing) == (8, 7, 1, 3)
    assert report.axes_meet_ahead == 1.0
    assert report.aabb == Aabb((-1.0, -2.0, -2.0), (3.0, 2.0, 2.0))
    assert (report.near, report.far) == (pytest.approx(0.2), None)
    assert report.field_of_view == pytest.approx(2 * math.degrees(math.atan(0.5)), abs=1e-3)


def test_opencv_axes_are_recognised():
    assert any("OpenCV" in warning for warning in diagnose(scene(outward=True)).warnings)
    points = 0.3 * torch.randn(50, 3, generator=torch.Generator().manual_seed(0))
    report = diagnose(scene(outward=True, points=points))
    assert any("points lie behind" in warning for warning in report.warnings)
    assert len(diagnose(scene(points=points)).warnings) == 1


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (scene(radius=0.5, kind="box"), "inside the box"),
        (scene(focal=5.0), "unusual"),
        (
            with_cameras(
                scene(), intrinsics=torch.tensor([[100.0, 100, 50, 40]] * 7 + [[130.0] * 4])
            ),
            "focal lengths of the views differ",
        ),
        (
            with_cameras(scene(), intrinsics=torch.tensor([[100.0, 150, 50, 40]] * 8)),
            "oblong",
        ),
        (
            with_cameras(scene(), intrinsics=torch.tensor([[100.0, 100, 20, 40]] * 8)),
            "principal point",
        ),
        (
            with_cameras(
                scene(), camera_to_world=scene().cameras.camera_to_world[[0, 0, *range(6)]]
            ),
            "repeat the pose",
        ),
        (with_cameras(scene(), sizes=torch.tensor([[50, 40]] * 8)), "under 64 px"),
    ],
)
def test_every_mistake_has_its_sentence(made, words):
    assert any(words in warning for warning in diagnose(made).warnings)


def test_camera_pyramids_point_where_cameras_look():
    made = scene()
    segments = camera_lines(made.cameras, reach=0.5).reshape(8, 9, 2, 3)
    position = made.cameras.camera_to_world[:, :, 3]
    assert torch.allclose(segments[:, 0, 0], position)
    corners = segments[:, :4, 1]
    assert torch.allclose(corners.mean(1).norm(dim=-1), torch.full((8,), 3.5), atol=1e-5)
    # The corners of the pyramid are the corners of the picture.
    pixels, _ = made.cameras.project(2, corners[2])
    expected = torch.tensor([[0.0, 80], [100, 80], [100, 0], [0, 0]])
    assert torch.allclose(pixels, expected, atol=1e-3)
    assert (segments[:, 8, 1, 2] > corners[:, :, 2].max(1).values).all()


def test_the_drawing_is_one_file_that_asks_for_nothing(tmp_path):
    made = scene(points=torch.tensor([[0.0, 0, 0], [1, 1, 1], [float("nan"), 0, 0]]))
    lines, points = drawing(made)
    assert {name: len(segments) for name, segments in lines.items()} == {
        "train": 63, "test": 9, "box": 12,
    }  # fmt: skip
    file = tmp_path / "cameras.html"
    write_viewer(file, "<b>", lines, points, {"views": "8"}, ["a < b"])
    page = file.read_text()
    assert "http" not in page and "<b>" not in page
    assert "&lt;b&gt;" in page and "a &lt; b" in page
    assert [entry.name for entry in tmp_path.iterdir()] == ["cameras.html"]


def test_a_box_without_rays_is_reported():
    aside = dataclasses.replace(scene().space, kind="box", aabb=Aabb((9, 9, 9), (10, 10, 10)))
    found = diagnose(dataclasses.replace(scene(), space=aside)).warnings
    assert any("no ray meets the box. It is (19, 18, 18)" in text for text in found)
    assert not any("no ray" in text for text in diagnose(scene(kind="box")).warnings)
