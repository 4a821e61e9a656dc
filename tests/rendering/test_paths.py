import json

import pytest
import torch

from fieldlr.data.framing import focus_point
from fieldlr.errors import FieldlrError
from fieldlr.geometry.frames import Similarity
from fieldlr.geometry.rotations import rotation_about
from fieldlr.rendering.flights import orbit_of
from fieldlr.rendering.nerfstudio_frames import normalised_frame, transforms_beside
from fieldlr.rendering.paths import orbit, read_camera_path, spiral

CENTER = (1.0, 2.0, 0.5)
FRAME = Similarity(((0.0, -1.0, 0.0), (1.0, 0.0, 0.0), (0.0, 0.0, 1.0)), 2.5, (3.0, -1.0, 4.0))


@pytest.fixture
def circle():
    return orbit(CENTER, 4.0, 30.0, 12, 100.0, (64, 48))


def write_camera_path(cameras, file, frame, fps):
    """As nerfstudio's viewer writes it."""
    poses = frame.apply_poses(cameras.camera_to_world.double())
    bottom = poses.new_tensor([0.0, 0.0, 0.0, 1.0]).expand(len(poses), 1, 4)
    matrices = torch.cat([poses, bottom], 1).reshape(-1, 16).tolist()
    width, height = cameras.sizes[0].tolist()
    angles = torch.rad2deg(2 * torch.atan(0.5 * height / cameras.intrinsics[:, 1].double()))
    views = [
        {"camera_to_world": matrix, "fov": angle, "aspect": width / height}
        for matrix, angle in zip(matrices, angles.tolist(), strict=True)
    ]
    content = {
        "camera_type": "perspective",
        "render_width": width,
        "render_height": height,
        "fps": fps,
        "seconds": len(views) / fps,
        "camera_path": views,
    }
    file.write_text(json.dumps(content))


def assert_rotations(cameras):
    rotation = cameras.camera_to_world[:, :, :3]
    identity = torch.eye(3).expand_as(rotation)
    assert torch.allclose(rotation.transpose(1, 2) @ rotation, identity, atol=1e-5)
    assert torch.allclose(torch.linalg.det(rotation), torch.ones(len(rotation)), atol=1e-5)


def test_an_orbit_sees_its_centre_in_the_middle_and_stands_upright(circle):
    assert_rotations(circle)
    assert len(circle) == 12
    offsets = circle.camera_to_world[:, :, 3] - torch.tensor(CENTER)
    assert torch.allclose(offsets.norm(dim=-1), torch.full((12,), 4.0), atol=1e-5)
    assert torch.allclose(offsets[:, 2], torch.full((12,), 2.0), atol=1e-5)
    above = torch.tensor([CENTER, (1.0, 2.0, 1.5)])
    for index in range(12):
        pixels, depth = circle.project(index, above)
        assert torch.allclose(pixels[0], torch.tensor([32.0, 24.0]), atol=1e-3)
        assert depth[0] == pytest.approx(4.0, abs=1e-4)
        assert pixels[1, 0] == pytest.approx(32.0, abs=1e-3) and pixels[1, 1] < 10
    steps = offsets.roll(-1, 0) - offsets
    assert torch.allclose(steps.norm(dim=-1), steps[0].norm().expand(12), atol=1e-5)


def test_the_orbit_of_an_orbit_is_itself(circle):
    assert torch.allclose(focus_point(circle)[0], torch.tensor(CENTER), atol=1e-3)
    again = orbit_of(circle, 12, (64, 48))
    assert torch.allclose(again.camera_to_world, circle.camera_to_world, atol=1e-3)
    assert torch.allclose(again.intrinsics, circle.intrinsics, atol=1e-3)
    assert torch.allclose(orbit_of(circle, 5, (128, 96)).intrinsics[:, 0], torch.full((5,), 200.0))


def test_a_spiral_stays_among_forward_facing_cameras_and_looks_ahead():
    """Cameras on a plane that look along -Z at a point three units away."""
    places = torch.tensor([[x, y, 0.0] for x in (-1.0, 0.0, 1.0) for y in (-0.5, 0.0, 0.5)])
    target = torch.tensor([0.0, 0.0, -3.0])
    source = orbit((0.0, 0.0, 0.0), 1.0, 0.0, 9, 50.0, (40, 40))
    backward = torch.nn.functional.normalize(places - target, dim=-1)
    right = torch.linalg.cross(torch.tensor([[0.0, 1.0, 0.0]]).expand(9, 3), backward)
    right = torch.nn.functional.normalize(right, dim=-1)
    up = torch.linalg.cross(backward, right)
    source.camera_to_world.copy_(torch.stack([right, up, backward, places], -1))
    path = spiral(source, 60, (40, 40))
    assert_rotations(path)
    positions = path.camera_to_world[:, :, 3]
    assert positions[:, 0].abs().max() == pytest.approx(1.0, abs=0.02)
    assert positions[:, 1].abs().max() == pytest.approx(0.5, abs=0.02)
    for index in range(0, 60, 7):
        pixel, depth = path.project(index, target[None])
        assert depth > 0 and (pixel - 20).abs().max() < 1.5


def test_a_camera_path_comes_back(circle, tmp_path):
    file = tmp_path / "path.json"
    write_camera_path(circle, file, FRAME, 24)
    back = read_camera_path(file, FRAME)
    assert torch.allclose(back.camera_to_world, circle.camera_to_world, atol=1e-5)
    assert torch.allclose(back.intrinsics, circle.intrinsics, atol=1e-3)
    assert torch.equal(back.sizes, circle.sizes)
    larger = read_camera_path(file, FRAME, (128, 96))
    assert torch.allclose(larger.intrinsics, 2 * circle.intrinsics, atol=1e-3)


@pytest.mark.parametrize(
    ("key", "change"),
    [
        ("camera_type", lambda content: content.update(camera_type="fisheye")),
        ("camera_path must", lambda content: content.update(camera_path=[])),
        ("render_width", lambda content: content.pop("render_width")),
        ("render_height", lambda content: content.update(render_height=10.5)),
        (r"camera_path\[3\].fov", lambda content: content["camera_path"][3].update(fov=180)),
        (r"camera_path\[3\].fov", lambda content: content["camera_path"][3].update(fov="wide")),
        (r"camera_path\[0\].camera_to_world", lambda c: c["camera_path"][0].pop("camera_to_world")),
        ("16 numbers", lambda c: c["camera_path"][2]["camera_to_world"].pop()),
        (r"camera_path\[1\]", lambda c: c["camera_path"].__setitem__(1, 7)),
    ],
)
def test_errors_name_file_and_key(circle, tmp_path, key, change):
    file = tmp_path / "path.json"
    write_camera_path(circle, file, FRAME, 24)
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))
    with pytest.raises(FieldlrError, match=rf"path\.json.*{key}"):
        read_camera_path(file, FRAME)


def test_an_invalid_path_file_is_refused(tmp_path, circle):
    with pytest.raises(FieldlrError, match=r"none\.json"):
        read_camera_path(tmp_path / "none.json", FRAME)
    (tmp_path / "bad.json").write_text("{")
    with pytest.raises(FieldlrError, match=r"bad\.json"):
        read_camera_path(tmp_path / "bad.json", FRAME)
    with pytest.raises(FieldlrError, match="at least 1 frame"):
        orbit_of(circle, 0, (64, 48))


def test_a_path_in_nerfstudios_frame_comes_back_through_its_transforms(circle, tmp_path):
    """nerfstudio trains in x_ns = scale (R x + t)."""
    turn = rotation_about(torch.tensor([0.0, 0.6, 0.8]), 70.0)
    shift, scale = torch.tensor([[3.0], [-1.0], [2.0]], dtype=torch.float64), 0.25
    rows = torch.cat([turn, shift], 1)
    stated = json.dumps({"transform": rows.tolist(), "scale": scale})
    run, file = tmp_path / "run", tmp_path / "run" / "paths" / "path.json"
    file.parent.mkdir(parents=True)
    write_camera_path(circle, file, FRAME, 24)
    content = json.loads(file.read_text())
    for view in content["camera_path"]:
        pose = torch.tensor(view["camera_to_world"], dtype=torch.float64).reshape(4, 4)
        pose[:3, :3] = turn @ pose[:3, :3]
        pose[:3, 3:] = scale * (turn @ pose[:3, 3:] + shift)
        view["camera_to_world"] = pose.flatten().tolist()
    file.write_text(json.dumps(content))
    assert transforms_beside(file) is None
    (run / "dataparser_transforms.json").write_text(stated)
    normalised = normalised_frame(transforms_beside(file))
    back = read_camera_path(file, FRAME, None, normalised)
    assert torch.allclose(back.camera_to_world, circle.camera_to_world, atol=1e-5)


@pytest.mark.parametrize("text", ["{", "[]", '{"scale": 1}', '{"transform": [[1]], "scale": 1}',
    '{"transform": [[1,0,0,0],[0,1,0,0],[0,0,1,0]], "scale": 0}'])  # fmt: skip
def test_invalid_transforms_are_refused(tmp_path, text):
    file = tmp_path / "dataparser_transforms.json"
    file.write_text(text)
    with pytest.raises(FieldlrError, match=r"dataparser_transforms\.json"):
        normalised_frame(file)
