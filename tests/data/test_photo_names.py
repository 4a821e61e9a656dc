"""Photos under other names and in other places than the pose file says."""

import json
import unicodedata

import numpy as np
import pytest
from PIL import Image

from fieldlr.data import colmap, open_source, transforms
from fieldlr.data.photo_names import find_photos
from fieldlr.errors import FieldlrError
from tests.data.test_colmap import SIZE, shots, write
from tests.data.test_transforms import write as write_transforms

COMPOSED = unicodedata.normalize("NFC", "caf\u00e9.png")


def put(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", SIZE).save(folder / name)


@pytest.mark.parametrize(
    ("listed", "there"),
    [
        ("a\\0.png", "a/0.png"),
        ("0.jpg", "0.JPG"),
        (COMPOSED, unicodedata.normalize("NFD", COMPOSED)),
        ("my%20photo.png", "my photo.png"),
        ("my photo.png", "my%20photo.png"),
        ("0.tif", "0.png"),
        ("0.jpg", "0.jpg.png"),
        ("images/0.png", "0.png"),
        ("/home/someone/scene/images/0.png", "0.png"),
        ("C:\\scene\\images\\0.png", "0.png"),
        ("0.png", "rgb/0.png"),
    ],
)
def test_the_one_file_that_nearly_fits_is_taken(tmp_path, listed, there):
    put(tmp_path, there, "other.png")
    found = find_photos(tmp_path, [listed], "poses")
    assert found.paths == [tmp_path / there]
    assert bool(found.warnings) == ("\\" not in listed or ":" in listed)


def test_two_files_that_nearly_fit_are_named_and_not_taken(tmp_path):
    put(tmp_path, "left/0.png", "right/0.png")
    found = find_photos(tmp_path, ["0.png"], "poses")
    assert found.paths == [None]
    assert "left/0.png, right/0.png" in found.hint


def test_two_names_never_share_a_file_by_likeness(tmp_path):
    put(tmp_path, "0.png")
    assert find_photos(tmp_path, ["left/0.png", "right/0.png"], "poses").count == 0


def test_masks_are_not_taken_for_photos(tmp_path):
    put(tmp_path, "masks/0.png", "images_2/1.png")
    found = find_photos(tmp_path, ["images/0.png", "images/1.png"], "poses")
    assert found.paths == [None, tmp_path / "images_2/1.png"]


def test_a_name_that_leads_out_is_refused(tmp_path):
    put(tmp_path, "scene/1.png", "secret.png")
    for name in ("../secret.png", str(tmp_path / "secret.png")):
        with pytest.raises(FieldlrError, match=r"stay inside .* `images`"):
            find_photos(tmp_path / "scene", [name], "poses")


def test_an_absolute_path_into_the_folder_is_taken(tmp_path):
    put(tmp_path, "images/0.png")
    found = find_photos(tmp_path, [str(tmp_path / "images/0.png")], "poses")
    assert (found.paths, found.warnings) == ([tmp_path / "images/0.png"], [])


@pytest.mark.parametrize(
    "place", ["input", "rgb", "image", "dense/0/images", "images_4", "flat", "pictures/of/it"]
)
def test_photos_of_a_colmap_model_are_found(tmp_path, place):
    write(tmp_path)
    goal = tmp_path if place == "flat" else tmp_path / place
    goal.mkdir(parents=True, exist_ok=True)
    for photo in list((tmp_path / "images").iterdir()):
        photo.rename(goal / photo.name)
    assert len(colmap.read(tmp_path).images) == 9  # and the folder images is empty


def test_photos_elsewhere_are_named_by_the_option(tmp_path):
    write(tmp_path / "scene")
    (tmp_path / "scene/images").rename(tmp_path / "photos")
    with pytest.raises(FieldlrError, match=r"images, input, rgb.*`images`"):
        open_source(tmp_path / "scene")
    for images in ("../photos", str(tmp_path / "photos")):
        assert len(open_source(tmp_path / "scene", images=images).content.images) == 9
    with pytest.raises(FieldlrError, match=r"`images` is the folder.*Check the path"):
        open_source(tmp_path / "scene", images="nowhere")


def test_the_undistorters_folder_is_read(tmp_path):
    write(tmp_path / "dense/0", model="sparse")
    assert len(colmap.read(tmp_path).images) == 9


def test_backslashes_in_colmap_names(tmp_path):
    write(tmp_path, text=True, made=shots())
    names = tmp_path / "sparse/0/images.txt"
    names.write_text(names.read_text().replace(" v0", " a\\v0"))
    (tmp_path / "photos").mkdir()
    (tmp_path / "images").rename(tmp_path / "photos/a")
    scene = open_source(tmp_path).content
    assert (len(scene.images), scene.names[0]) == (9, "photos/a/v00.png")


def test_a_missing_photo_is_reported_with_similar_names(tmp_path):
    write_transforms(tmp_path)
    (tmp_path / "images/03.png").rename(tmp_path / "images/03-copy.png")
    warnings = " ".join(transforms.read(tmp_path).warnings)
    assert "images/03.png was looked for" in warnings and "images/03-copy.png" in warnings


@pytest.mark.parametrize("part", ["test", "val"])
def test_a_file_without_frames_blocks_nothing(tmp_path, part):
    write_transforms(tmp_path, name="transforms_train.json")
    empty = {"camera_angle_x": 0.7, "frames": []}
    (tmp_path / f"transforms_{part}.json").write_text(json.dumps(empty))
    scene = transforms.read(tmp_path)
    assert scene.test == (0, 8) and "every 8th" in scene.split
    assert any(f"transforms_{part}.json lists no frames" in text for text in scene.warnings)


@pytest.mark.parametrize(
    "name", ["masks/{0}.png", "mask/{1}.png", "Masks/{1}_mask.png", "masks/{0}.mask.png"]
)
@pytest.mark.parametrize("kind", ["COLMAP", "transforms"])
def test_masks_of_every_tool_are_read(tmp_path, name, kind):
    write(tmp_path) if kind == "COLMAP" else write_transforms(tmp_path)
    for photo in (tmp_path / "images").iterdir():
        mask = tmp_path / name.format(photo.name, photo.stem)
        mask.parent.mkdir(exist_ok=True)
        size = SIZE if kind == "COLMAP" else (24, 16)
        picture = Image.new("L", size, 255)
        picture.paste(0, (0, 0, 8, size[1]))
        picture.save(mask)
    scene = open_source(tmp_path).content
    assert all(not mask[:, :8].any() and mask[:, 8:].all() for mask in scene.masks)
    assert any("9 masks" in warning for warning in scene.warnings)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("scan.e57", r"a scan.*\.ply with normals or as \.xyz"),
        ("scan.laz", "CloudCompare"),
        ("scan.nii.gz", "nibabel"),
        ("stack.tif", "tifffile"),
        ("photo.HEIC", r"Convert them to \.jpg"),
        ("walk.mp4", "fieldlr poses VIDEO"),
        ("all.7z", "unpack it"),
        ("room.splat", "Gaussian splats"),
        ("part.step", "mesh editor"),
        ("x.flr", "use it as RUN"),
    ],
)
def test_unsupported_kinds_are_refused_with_a_way_out(tmp_path, name, words):
    (tmp_path / name).write_bytes(b"something")
    with pytest.raises(FieldlrError, match=words):
        open_source(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("dataparser_transforms.json", "training run of nerfstudio.*`data` in its config"),
        ("IMG_1.HEIC", r"Convert them to \.jpg"),
    ],
)
def test_unsupported_folders_are_refused_with_a_way_out(tmp_path, name, words):
    (tmp_path / name).write_bytes(b"{}")
    with pytest.raises(FieldlrError, match=words):
        open_source(tmp_path)


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.linspace(-1, 1, 27).reshape(3, 3, 3), r"signed distances.*grid < 0"),
        (np.linspace(0, 1, 27).reshape(3, 3, 3), "grid > threshold"),
        (np.zeros((1, 3, 3, 3), bool), "squeeze"),
        (np.zeros((2, 3, 3, 3), bool), "save one of them"),
    ],
)
def test_arrays_of_other_types_than_bool_get_the_right_advice(tmp_path, array, words):
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(FieldlrError, match=words):
        open_source(tmp_path / "a.npy")


def test_cameras_of_dtu_are_not_taken_for_a_volume(tmp_path):
    np.savez(tmp_path / "cameras_sphere.npz", world_mat_0=np.eye(4), scale_mat_0=np.eye(4))
    with pytest.raises(FieldlrError, match=r"holds cameras.*transforms\.json"):
        open_source(tmp_path / "cameras_sphere.npz")
