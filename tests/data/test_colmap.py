"""COLMAP: binary and text read back, real observations reprojected, hostile files refused."""

import shutil
import struct

import numpy as np
import pytest
import torch
from PIL import Image

from fieldlr.data import colmap
from fieldlr.data.colmap_model import LENSES, Records
from fieldlr.errors import FieldlrError

SIZE = (32, 24)
POINTS = torch.tensor([[0.1, 0.2, 0.3], [-0.4, 0.5, 0.1], [0.2, -0.3, -0.2]])


def shots(num_views: int = 9):
    """(name, quaternion, translation) of cameras turned about Y around the origin, 4 away."""
    made = []
    for i in range(num_views):
        half = np.pi * i / num_views
        made.append((f"v{i:02d}.png", (np.cos(half), 0.0, np.sin(half), 0.0), (0.0, 0.0, 4.0)))
    return made


def write(folder, lens=4, parameters=(30, 31, 16, 12, 0.01, 0.002, 0.001, 0.002), text=False,
          model="sparse/0", made=None):  # fmt: skip
    made = shots() if made is None else made
    (folder / "images").mkdir(parents=True, exist_ok=True)
    place = folder / model
    place.mkdir(parents=True, exist_ok=True)
    for name, *_ in made:
        Image.new("RGB", SIZE).save(folder / "images" / name)
    (write_text if text else write_binary)(place, lens, parameters, made)
    return folder


def write_text(place, lens, parameters, made):
    numbers = " ".join(map(str, parameters))
    (place / "cameras.txt").write_text(
        f"# c\n1 {LENSES[lens].name} {SIZE[0]} {SIZE[1]} {numbers}\n"
    )
    lines = ["# images"]
    for i, (name, q, t) in enumerate(made):
        observed = "" if i % 2 else "1.0 2.0 -1"  # an image without observations: an empty line
        lines += [f"{i + 1} {' '.join(map(repr, map(float, (*q, *t))))} 1 {name}", observed]
    (place / "images.txt").write_text("\n".join(lines) + "\n")
    rows = [f"{i} {x} {y} {z} 9 9 9 0.5 1 0" for i, (x, y, z) in enumerate(POINTS.tolist())]
    (place / "points3D.txt").write_text("\n".join(rows) + "\n")


def write_binary(place, lens, parameters, made):
    data = struct.pack("<QiiQQ", 1, 1, lens, *SIZE) + struct.pack(
        f"<{len(parameters)}d", *parameters
    )
    (place / "cameras.bin").write_bytes(data)
    data = struct.pack("<Q", len(made))
    for i, (name, q, t) in enumerate(made):
        data += struct.pack("<i7di", i + 1, *q, *t, 1) + name.encode() + b"\0"
        data += struct.pack("<Qddq", 1, 1.0, 2.0, -1)
    (place / "images.bin").write_bytes(data)
    data = struct.pack("<Q", len(POINTS))
    for i, point in enumerate(POINTS.tolist()):
        data += struct.pack("<Q3d3BdQii", i, *point, 9, 9, 9, 0.5, 1, 1, 0)
    (place / "points3D.bin").write_bytes(data)


@pytest.mark.parametrize("text", [False, True])
def test_the_same_cameras_come_back(tmp_path, text):
    scene = colmap.read(write(tmp_path, text=text))
    poses = scene.cameras.transformed(scene.frame).camera_to_world
    # View 0: looks along the world's +Z from (0, 0, -4), with +Y down.
    first = torch.tensor([[1.0, 0, 0, 0], [0, -1, 0, 0], [0, 0, -1, -4]])
    assert torch.allclose(poses[0], first, atol=1e-5)
    assert torch.allclose(poses[:, :, 3].norm(dim=-1), torch.full((9,), 4.0), atol=1e-4)
    assert scene.cameras.intrinsics[0].tolist() == [30.0, 31.0, 16.0, 12.0]
    assert scene.cameras.distortion[0].tolist() == pytest.approx([0.01, 0.002, 0, 0, 0.001, 0.002])
    assert torch.allclose(scene.frame.apply(scene.points), POINTS, atol=1e-5)
    assert (scene.space.kind, scene.test) == ("contracted", (0, 8))


@pytest.mark.parametrize("text", [False, True])
@pytest.mark.parametrize("lens", [number for number, lens in LENSES.items() if lens.model])
def test_every_lens(tmp_path, lens, text):
    names = LENSES[lens].parameters.split()
    values = {"f": 30, "fx": 30, "fy": 30, "cx": 16, "cy": 12}
    values |= dict.fromkeys(LENSES[lens].unknown.split(), 0.0)
    parameters = [values.get(name, 0.01 * i) for i, name in enumerate(names)]
    cameras = colmap.read(write(tmp_path, lens, parameters, text)).cameras
    assert cameras.intrinsics[0].tolist() == [30.0, 30.0, 16.0, 12.0]
    assert cameras.model == ("fisheye" if "FISHEYE" in LENSES[lens].name else "perspective")
    for position, name in enumerate(("k1", "k2", "k3", "k4", "p1", "p2")):
        expected = 0.01 * names.index(name) if name in names else 0.0
        assert float(cameras.distortion[0, position]) == pytest.approx(expected)


@pytest.mark.parametrize("content", [b"", b"# 3D point list with one line of data per point:\n"])
def test_a_model_without_points_is_read(tmp_path, content):
    """COLMAP's own recipe for known poses has an empty points3D.txt."""
    folder = write(tmp_path, text=True)
    (folder / "sparse/0/points3D.txt").write_bytes(content)
    scene = colmap.read(folder)
    assert scene.points is None and len(scene.images) == 9


def test_other_lenses_are_refused_by_name(tmp_path):
    for lens in (6, 7, 10, 11, 12, 13, 16):
        with pytest.raises(FieldlrError, match=f"{LENSES[lens].name} with .* image_undistorter"):
            colmap.read(write(tmp_path, lens, [30.0] * LENSES[lens].count))
    with pytest.raises(FieldlrError, match=r"EQUIRECTANGULAR is not read. Render perspective"):
        colmap.read(write(tmp_path, 17, SIZE))
    with pytest.raises(FieldlrError, match=r"model number 18. .*undistorter"):
        colmap.read(write(tmp_path, 18, SIZE))


def test_our_lenses_are_pycolmaps():
    pycolmap = pytest.importorskip("pycolmap")
    members = pycolmap.CameraModelId.__members__.values()
    known = {int(one): one.name for one in members if int(one) >= 0}
    assert {number: LENSES[number].name for number in known} == known


def test_the_largest_sub_model_is_read(tmp_path):
    write(tmp_path, made=shots()[:4])
    write(tmp_path, model="sparse/1")
    scene = colmap.read(tmp_path)
    assert len(scene.images) == 9
    assert any("sub-models" in warning for warning in scene.warnings)


def test_missing_and_unposed_photos_are_counted(tmp_path):
    write(tmp_path)
    (tmp_path / "images" / "v03.png").unlink()
    Image.new("RGB", SIZE).save(tmp_path / "images" / "other.png")
    scene = colmap.read(tmp_path)
    assert (scene.missing, len(scene.images)) == (1, 8)
    assert any("1 photos in images have no pose" in warning for warning in scene.warnings)


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_poses_belong_to_the_pixels_as_they_are_stored(tmp_path, orientation):
    """COLMAP reads no EXIF: a photo that viewers turn is read as it lies in the file."""
    write(tmp_path)
    stored = np.arange(SIZE[0] * SIZE[1] * 3, dtype=np.uint8).reshape(SIZE[1], SIZE[0], 3)
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(stored).save(tmp_path / "images" / "v00.png", exif=exif)
    scene = colmap.read(tmp_path)
    assert np.array_equal(scene.images[0].numpy(), stored)


@pytest.mark.parametrize("name", ["cameras", "images", "points3D"])
def test_truncated_and_hostile_files_are_refused(tmp_path, name):
    write(tmp_path)
    file = tmp_path / "sparse" / "0" / f"{name}.bin"
    whole = file.read_bytes()
    for broken in (whole[:-9], whole[:5], struct.pack("<Q", 1 << 60) + whole[8:], b""):
        file.write_bytes(broken)
        with pytest.raises(FieldlrError, match=f"{name}.bin"):
            colmap.read(tmp_path)


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("cameras.txt", "1 PINHOLE 32 24 30 30 16\n", "expected 4 numbers"),
        ("cameras.txt", "1 PINHOLE 32 24 0 30 16 12\n", "positive"),
        ("cameras.txt", "1 MAGIC 32 24 30\n", "camera model"),
        ("cameras.txt", "2 PINHOLE 32 24 30 30 16 12\n", "not listed"),
        ("images.txt", "1 1 0 0 0 0 0\n\n", "10 words"),
        ("images.txt", "1 nan 0 0 0 0 0 4 1 v00.png\n\n", "quaternion|views"),
        ("images.txt", "1 1 0 0 0 0 0 4 1 ../v00.png\n\n", "inside"),
        ("points3D.txt", "1 0 x 0\n", "expected 3 numbers"),
    ],
)
def test_mistakes_in_text_are_named(tmp_path, file, text, message):
    write(tmp_path, text=True)
    target = tmp_path / "sparse" / "0" / file
    if file == "images.txt":
        text = target.read_text().replace("# images\n", "") + text
        text = text.replace("1 nan 0 0 0 0 0 4 1 v00.png", "99 nan 0 0 0 0 0 4 1 v01.png")
    target.write_text(text)
    with pytest.raises(FieldlrError, match=message):
        colmap.read(tmp_path)


def observations(model):
    """{image name: (pixels (K, 2), point ids (K,))} and {point id: position}, of binary files."""
    data, seen = Records(model / "images.bin"), {}
    for _ in range(data.take("Q")[0]):
        data.take("i7di")
        name, (count,) = data.string(), data.take("Q")
        records = np.frombuffer(data.data, np.dtype("<f8,<f8,<i8"), count=count, offset=data.offset)
        data.skip(24 * count)
        seen[name] = (np.stack([records["f0"], records["f1"]], 1), records["f2"])
    data, points = Records(model / "points3D.bin"), {}
    for _ in range(data.take("Q")[0]):
        identity, *position = data.take("Q3d3Bd")[:4]
        points[identity] = position
        data.skip(8 * data.take("Q")[0])
    return seen, points


def test_real_points_fall_where_they_were_observed(data_dir):
    folder = data_dir / "scenes" / "room-colmap"
    scene = colmap.read(folder)
    seen, points = observations(folder / "sparse" / "0")
    assert len(scene.images) == 41 and len(scene.points) == len(points)
    errors = []
    for index, name in enumerate(scene.names):
        pixels, identities = seen[name.removeprefix("images/")]
        known = identities >= 0
        there = torch.tensor([points[i] for i in identities[known]], dtype=torch.float32)
        found, depth = scene.cameras.project(index, scene.frame.inverse().apply(there))
        assert (depth > 0).all()
        errors.append((found - torch.tensor(pixels[known]).float()).norm(dim=-1))
    assert float(torch.cat(errors).median()) < 1.0


def test_a_model_folder_beside_its_photos_is_read_too(tmp_path):
    write(tmp_path)
    assert colmap.can_read(tmp_path / "sparse" / "0")
    assert len(colmap.read(tmp_path / "sparse" / "0").images) == 9
    shutil.rmtree(tmp_path / "images")
    with pytest.raises(FieldlrError, match="none of the usual places"):
        colmap.read(tmp_path)
