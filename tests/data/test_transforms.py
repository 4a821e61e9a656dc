"""transforms.json: every dialect read back, and every mistake named."""

import json
import math

import numpy as np
import pytest
import torch
from PIL import Image

from fieldlr.data import transforms
from fieldlr.errors import FieldlrError

SIZE = (24, 16)


def ring(num_views: int = 9, radius: float = 4.0) -> list[list[list[float]]]:
    """Poses around the origin, +Z up, as 4 x 4 lists."""
    poses = []
    for angle in np.linspace(0, 2 * math.pi, num_views, endpoint=False):
        position = np.array([math.cos(angle), math.sin(angle), 0.4]) * radius
        backward = position / np.linalg.norm(position)
        right = np.cross([0, 0, 1], backward)
        right /= np.linalg.norm(right)
        matrix = np.eye(4)
        matrix[:3] = np.stack([right, np.cross(backward, right), backward, position], 1)
        poses.append(matrix.tolist())
    return poses


def write(
    folder, top=None, frame=None, poses=None, name="transforms.json", mode="RGB", part="images"
):
    """A tiny scene; returns its folder."""
    (folder / part).mkdir(parents=True, exist_ok=True)
    frames = []
    for i, matrix in enumerate(ring() if poses is None else poses):
        picture = np.full((SIZE[1], SIZE[0], len(mode)), 10 * i, np.uint8)
        if mode == "RGBA":
            picture[..., 3] = 0
            picture[6:10, 10:14, 3] = 255
        Image.fromarray(picture, mode).save(folder / part / f"{i:02d}.png")
        entry = {"file_path": f"{part}/{i:02d}.png", "transform_matrix": matrix}
        frames.append(entry | (frame(i) if frame else {}))
    meta = {"fl_x": 30.0, "w": SIZE[0], "h": SIZE[1], "frames": frames} | (top or {})
    (folder / name).write_text(json.dumps({k: v for k, v in meta.items() if v is not None}))
    return folder


def user_poses(scene) -> torch.Tensor:
    return scene.cameras.transformed(scene.frame).camera_to_world


def test_the_same_cameras_come_back(tmp_path):
    scene = transforms.read(write(tmp_path, {"fl_y": 31.0, "cx": 11.5, "cy": 8.5}))
    assert torch.allclose(user_poses(scene), torch.tensor(ring())[:, :3], atol=1e-5)
    assert scene.cameras.intrinsics[0].tolist() == [30.0, 31.0, 11.5, 8.5]
    assert scene.names[3] == "images/03.png"
    assert scene.images[3].shape == (16, 24, 3)
    assert int(scene.images[3][0, 0, 0]) == 30
    assert (scene.test, len(scene.train)) == ((0, 8), 7)
    assert "8th" in scene.split
    assert scene.space.kind == "contracted"
    assert scene.memory_bytes == 9 * 16 * 24 * 3
    assert repr(scene) == f"Scene {scene.name}: 9 views (2 held out), 24 x 16"


def test_internal_up_is_z(tmp_path):
    turn = torch.tensor([[1.0, 0, 0, 3], [0, 0, -1, 1], [0, 1, 0, 2], [0, 0, 0, 1]])
    poses = turn @ torch.tensor(ring())
    scene = transforms.read(write(tmp_path, poses=poses.tolist()))
    up = scene.cameras.camera_to_world[:, :, 1].mean(0)
    assert torch.allclose(up / up.norm(), torch.tensor([0.0, 0, 1]), atol=1e-4)
    assert torch.allclose(user_poses(scene), poses[:, :3], atol=1e-5)


@pytest.mark.parametrize(
    ("top", "expected"),
    [
        ({"fl_x": None, "camera_angle_x": 2 * math.atan(0.4)}, (30.0, 30.0)),
        ({"fl_x": None, "x_fov": math.degrees(2 * math.atan(0.4)), "fl_y": 20.0}, (30.0, 20.0)),
        ({"fl_x": None, "camera_angle_y": 2 * math.atan(0.5)}, (16.0, 16.0)),
    ],
)
def test_focal_lengths_in_every_unit(tmp_path, top, expected):
    scene = transforms.read(write(tmp_path, top))
    assert scene.cameras.intrinsics[0, :2].tolist() == pytest.approx(expected, rel=1e-6)
    assert scene.warnings == ()


def test_focal_lengths_that_disagree_are_said(tmp_path):
    scene = transforms.read(write(tmp_path, {"camera_angle_x": 1.2}))
    assert float(scene.cameras.intrinsics[0, 0]) == 30.0
    assert any("fl_x" in w and "camera_angle_x" in w for w in scene.warnings)


def test_a_frame_wins_over_the_top(tmp_path):
    scene = transforms.read(
        write(tmp_path, {"k1": 0.1}, lambda i: {"fl_x": 20.0 + i, "k1": 0.01 * i})
    )
    assert scene.cameras.intrinsics[:, 0].tolist() == [20.0 + i for i in range(9)]
    assert scene.cameras.distortion[:, 0].tolist() == pytest.approx([0.01 * i for i in range(9)])


def test_lenses(tmp_path):
    numbers = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]
    params = transforms.read(write(tmp_path / "a", {"distortion_params": numbers}))
    assert params.cameras.distortion[0].tolist() == pytest.approx(numbers)
    fish = transforms.read(write(tmp_path / "b", {"camera_model": "OPENCV_FISHEYE", "k1": 0.1}))
    assert fish.cameras.model == "fisheye"
    ngp = transforms.read(write(tmp_path / "c", {"is_fisheye": True}))
    assert ngp.cameras.model == "fisheye"


def test_applied_transform_is_undone(tmp_path):
    # nerfstudio's own: rows [0, 2, 1] of the world, then z negated.
    applied = torch.tensor([[1.0, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0.5]])
    square = torch.cat([applied, torch.tensor([[0.0, 0, 0, 1]])])
    original = torch.tensor(ring())
    top = {"applied_transform": applied.tolist(), "applied_scale": 2.0}
    stored = square @ original
    stored[:, :3, 3] *= 2.0
    scene = transforms.read(write(tmp_path, top, poses=stored.tolist()))
    assert torch.allclose(user_poses(scene), original[:, :3], atol=1e-5)


def test_blender_splits_and_silhouettes(tmp_path):
    top = {"fl_x": None, "w": None, "h": None, "camera_angle_x": 2 * math.atan(0.4)}
    bare = dict(mode="RGBA")
    write(tmp_path, top, lambda i: {"file_path": f"./train/{i:02d}"}, part="train",
          name="transforms_train.json", **bare)  # fmt: skip
    write(tmp_path, top, lambda i: {"file_path": f"./test/{i:02d}"}, ring(2, 4.4), part="test",
          name="transforms_test.json", **bare)  # fmt: skip
    scene = transforms.read(tmp_path)
    assert (len(scene.train), scene.test) == (9, (9, 10))
    assert scene.space.kind == "box"
    assert scene.frame.rotation == ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
    # A silhouette of 4 x 4 px at distance 4.3 and focal 30: 0.57 units, and one cell's allowance.
    assert 0.5 < scene.frame.scale * scene.space.aabb.longest_edge < 1.6
    assert scene.images[0].shape[-1] == 4
    assert transforms.can_read(tmp_path) and transforms.can_read(tmp_path / "transforms_train.json")


def test_object_capture_at_any_scale_gets_a_box_of_edge_two(tmp_path):
    poses = torch.tensor(ring())
    poses[:, :3, 3] = poses[:, :3, 3] * 37.0 + 5.0
    scene = transforms.read(write(tmp_path, poses=poses.tolist(), mode="RGBA"))
    assert scene.space.kind == "box"
    assert scene.space.aabb.longest_edge == pytest.approx(2.0)
    assert torch.allclose(user_poses(scene), poses[:, :3], atol=1e-3)


def test_downscale_averages_areas_and_divides_the_focal_length(tmp_path):
    folder = write(tmp_path)
    picture = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
    picture[0, 0] = 90
    Image.fromarray(picture).save(folder / "images" / "00.png")
    scene = transforms.read(folder, downscale=3)
    assert scene.images[0].shape == (5, 8, 3)
    assert int(scene.images[0][0, 0, 0]) == 10
    assert scene.cameras.sizes[0].tolist() == [8, 5]
    assert scene.cameras.intrinsics[0].tolist() == pytest.approx([10.0, 10.0, 4.0, 8 / 3])
    assert scene.content_hash == transforms.read(folder).content_hash


def test_smaller_photos_than_stated_scale_the_focal_length(tmp_path):
    scene = transforms.read(write(tmp_path, {"w": 48, "h": 32, "fl_x": 60.0, "cx": 23.0}))
    assert scene.cameras.intrinsics[0].tolist() == [30.0, 30.0, 11.5, 8.0]
    assert any("48 x 32" in warning for warning in scene.warnings)


def test_masks_of_both_polarities(tmp_path):
    folder = write(tmp_path / "a", frame=lambda i: {"mask_path": "masks/m.png"})
    (folder / "masks").mkdir()
    mask = np.full((16, 24), 255, np.uint8)
    mask[:4] = 0
    Image.fromarray(mask).save(folder / "masks" / "m.png")
    scene = transforms.read(folder)
    assert not scene.masks[0][:4].any() and scene.masks[0][4:].all()
    assert any("nerfstudio" in warning for warning in scene.warnings)
    folder = write(tmp_path / "b")
    Image.fromarray(255 - mask).save(folder / "images" / "dynamic_mask_02.png")
    scene = transforms.read(folder)
    assert scene.masks[0] is None
    assert not scene.masks[2][:4].any() and scene.masks[2][4:].all()


def test_missing_photos_are_counted(tmp_path):
    folder = write(tmp_path)
    (folder / "images" / "04.png").unlink()
    scene = transforms.read(folder)
    assert (scene.missing, len(scene.images)) == (1, 8)
    assert any("images/04.png" in warning for warning in scene.warnings)
    for i in (0, 1, 2, 3, 5, 6):
        (folder / "images" / f"{i:02d}.png").unlink()
    with pytest.raises(FieldlrError, match="at least 3 views"):
        transforms.read(folder)


@pytest.mark.parametrize("place", ["/home/me/fruit/images", "../../fruit/images"])
def test_photos_named_elsewhere_are_found_by_the_option(tmp_path, place):
    folder = write(tmp_path / "poses")
    (folder / "images").rename(tmp_path / "photos")
    meta = json.loads((folder / "transforms.json").read_text())
    for frame in meta["frames"]:
        frame["file_path"] = f"{place}/{frame['file_path'].split('/')[-1]}"
    (folder / "transforms.json").write_text(json.dumps(meta))
    with pytest.raises(FieldlrError, match=rf"got '{place}/.*name the folder.*`images`"):
        transforms.read(folder)
    scene = transforms.read(folder, images="../photos")
    assert len(scene.images) == len(meta["frames"])
    assert any("under a name that differs" in warning for warning in scene.warnings)


def test_explicit_lists(tmp_path):
    lists = {
        "train_filenames": [f"images/{i:02d}.png" for i in range(5)],
        "val_filenames": ["images/05.png"],
        "test_filenames": ["images/07.png", "images/08.png"],
    }
    scene = transforms.read(write(tmp_path, lists))
    assert (scene.train, scene.test) == ((0, 1, 2, 3, 4), (7, 8))
    with pytest.raises(FieldlrError, match="or test_filenames beside it"):
        transforms.read(write(tmp_path, {"train_filenames": ["images/00.png"]}))


@pytest.mark.parametrize("mode", ["L", "P", "CMYK", "I;16", "LA", "1"])
def test_every_kind_of_picture_becomes_8_bit_colour(tmp_path, mode):
    folder = write(tmp_path)
    if mode == "I;16":
        picture = Image.fromarray(np.full((16, 24), 25700, np.uint16))
    else:
        picture = Image.fromarray(np.full((16, 24, 3), 100, np.uint8))
        picture = picture.quantize() if mode == "P" else picture.convert(mode)
    suffix = "tif" if mode == "CMYK" else "png"
    meta = json.loads((folder / "transforms.json").read_text())
    picture.save(folder / "images" / f"odd.{suffix}")
    meta["frames"][1]["file_path"] = f"images\\odd.{suffix}"
    (folder / "transforms.json").write_text(json.dumps(meta))
    scene = transforms.read(folder)
    image = scene.images[scene.names.index(f"images/odd.{suffix}")]
    assert image.dtype == torch.uint8 and image.shape == (16, 24, 4 if mode == "LA" else 3)
    if mode != "1":
        assert (image[..., :3].float() - 100).abs().max() <= 2


def test_exif_orientation_applies_only_where_the_camera_says_so(tmp_path):
    folder = write(tmp_path)
    exif = Image.Exif()
    exif[0x112] = 6
    Image.new("RGB", SIZE).save(folder / "images" / "00.jpg", exif=exif)
    Image.new("RGB", SIZE[::-1]).save(folder / "images" / "01.jpg", exif=exif)
    meta = json.loads((folder / "transforms.json").read_text())
    meta["frames"][0]["file_path"], meta["frames"][1]["file_path"] = (
        "images/00.jpg",
        "images/01.jpg",
    )
    (folder / "transforms.json").write_text(json.dumps(meta))
    shapes = {tuple(image.shape) for image in transforms.read(folder).images}
    assert shapes == {(16, 24, 3)}


@pytest.mark.parametrize("stored", [True, False], ids=["of the stored photo", "upright"])
@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
def test_masks_are_turned_with_their_photos(tmp_path, orientation, stored):
    folder = write(tmp_path, frame=lambda i: {"mask_path": "masks/m.png"} if i == 0 else {})
    upright = np.full((SIZE[1], SIZE[0], 3), 200, np.uint8)
    upright[:5, :9] = 0
    turned = Image.fromarray(upright)
    exif = Image.Exif()
    exif[0x112] = orientation
    ways = {5: "TRANSPOSE", 6: "ROTATE_90", 7: "TRANSVERSE", 8: "ROTATE_270"}
    kept = turned.transpose(Image.Transpose[ways[orientation]])
    assert kept.size == SIZE[::-1]
    kept.save(folder / "images" / "00.png", exif=exif)
    meta = json.loads((folder / "transforms.json").read_text())
    meta["frames"][0]["file_path"] = "images/00.png"
    (folder / "transforms.json").write_text(json.dumps(meta))
    (folder / "masks").mkdir()
    (kept if stored else turned).convert("L").save(folder / "masks" / "m.png")
    scene = transforms.read(folder)
    view = scene.names.index("images/00.png")
    assert torch.equal(scene.images[view], torch.from_numpy(upright))
    assert torch.equal(scene.masks[view], torch.from_numpy(upright[..., 0] > 0))


NAN_POSE = [[float("nan"), 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]
MIRRORED = [[-1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]


@pytest.mark.parametrize(
    ("top", "frame", "message"),
    [
        ({"frames": []}, {}, '"frames"'),
        ({"frames": "x"}, {}, '"frames"'),
        ({"frames": [3]}, {}, "file_path"),
        ({"fl_x": 0}, {}, "fl_x"),
        ({"fl_x": "long"}, {}, "fl_x"),
        ({"fl_x": None}, {}, "focal length"),
        ({"fl_x": None, "x_fov": 190}, {}, "x_fov"),
        ({"w": -3}, {}, "w and h"),
        ({"w": 16, "h": 24}, {}, "aspect ratio"),
        ({"camera_model": "EQUIRECTANGULAR"}, {}, "EQUIRECTANGULAR"),
        ({"distortion_params": [1, 2]}, {}, "distortion_params"),
        ({}, {"transform_matrix": NAN_POSE}, "transform_matrix"),
        ({}, {"transform_matrix": MIRRORED}, "mirrored"),
        ({}, {"transform_matrix": [[1, 2], [3]]}, "transform_matrix"),
        ({}, {"transform_matrix": None}, "transform_matrix"),
        ({}, {"file_path": "/etc/passwd"}, "relative"),
        ({}, {"file_path": "images/../../secret.png"}, "relative"),
        ({}, {"file_path": "C:\\photos\\a.png"}, "relative"),
        ({}, {"file_path": 7}, "file_path"),
        ({}, {"mask_path": "nowhere.png"}, "mask_path"),
    ],
)
def test_mistakes_are_named(tmp_path, top, frame, message):
    folder = write(tmp_path, top, lambda i: frame if i == 2 else {})
    with pytest.raises(FieldlrError, match=message) as caught:
        transforms.read(folder)
    assert "transforms.json" in str(caught.value) or "00.png" in str(caught.value)


def test_broken_files_are_named(tmp_path):
    folder = write(tmp_path)
    data = (folder / "images" / "03.png").read_bytes()
    (folder / "images" / "03.png").write_bytes(data[: len(data) // 2])
    with pytest.raises(FieldlrError, match=r"03\.png"):
        transforms.read(folder)
    (folder / "transforms.json").write_text('{"frames": [')
    with pytest.raises(FieldlrError, match=r"transforms\.json.*JSON"):
        transforms.read(folder)
    with pytest.raises(FieldlrError, match="downscale"):
        transforms.read(write(tmp_path), downscale=0)
    with pytest.raises(FieldlrError, match="divided by 99"):
        transforms.read(folder, downscale=99)


def test_fox(data_dir):
    scene = transforms.read(data_dir / "scenes" / "fox", downscale=8)
    assert (len(scene.images), scene.missing) == (50, 17)
    assert scene.images[0].shape == (240, 135, 3)
    assert float(scene.cameras.intrinsics[0, 0]) == pytest.approx(1375.52 / 8)
    assert float(scene.cameras.distortion[0, 0]) == pytest.approx(0.0578421)
    assert scene.space.kind == "contracted"
    assert scene.space.aabb.contains(0.999 * scene.cameras.camera_to_world[:, :, 3]).all()


def test_lego(data_dir):
    scene = transforms.read(data_dir / "scenes" / "lego", downscale=4)
    assert (len(scene.train), len(scene.test), scene.space.kind) == (100, 25, "box")
    assert float(scene.cameras.intrinsics[0, 0]) == pytest.approx(138.888889)
    # The bulldozer's own extent is about 1.1 x 2.2 x 1.6; the box must hold it and little more.
    assert all(1.0 < edge < 2.7 for edge in scene.space.aabb.size)
