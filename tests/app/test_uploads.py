"""What strangers send: taken where it is good, refused in a sentence where it is not."""

import io
import json
import stat
import zipfile

import pytest
from PIL import Image

from fieldlr.app import uploads
from fieldlr.data import archives, open_source
from fieldlr.data.examples import example
from fieldlr.errors import FieldlrError


def archive(path, members):
    """A zip of names and bytes, or of ZipInfos and bytes."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in members:
            packed.writestr(name, content)
    return path


def taken(tmp_path, *files):
    folder = tmp_path / "taken"
    folder.mkdir()
    return uploads.store_uploads(files, folder)


def everything_under(folder):
    return [p for p in folder.rglob("*") if p.is_file()]


@pytest.fixture
def png():
    stream = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(stream, "PNG")
    return stream.getvalue()


def test_a_mesh_is_kept_as_it_is(tmp_path):
    path = taken(tmp_path, example("rook"))
    assert path.read_bytes() == example("rook").read_bytes()


def test_a_scene_comes_out_of_a_zip_wherever_it_lies_in_it(tmp_path):
    scene = example("windmill")
    files = [(f"my/deep/{p.relative_to(scene)}", p.read_bytes()) for p in everything_under(scene)]
    path = taken(tmp_path, archive(tmp_path / "scene.zip", [*files, ("__MACOSX/x.png", b"")]))
    assert open_source(path).content.names == open_source(scene).content.names


def test_loose_photos_go_where_transforms_says_that_they_lie(tmp_path):
    scene = example("windmill")
    transforms = scene / "transforms_train.json"
    names = [frame["file_path"] for frame in json.loads(transforms.read_text())["frames"]]
    photos = [p for name in names for p in (scene / name).parent.glob(f"{(scene / name).stem}.*")]
    path = taken(tmp_path, transforms, *photos)
    assert len(open_source(path).content.images) == len(names)


def test_photos_alone_are_found_as_such(tmp_path, png):
    path = taken(tmp_path, archive(tmp_path / "p.zip", [(f"d/{i}.png", png) for i in range(3)]))
    assert len(archives.photos_in(path)) == 3


def test_masks_and_smaller_copies_are_not_taken_for_other_photos(tmp_path, png):
    places = {"images": 4, "images_4": 4, "masks": 3, "cover": 1}
    members = [(f"d/{place}/{i}.png", png) for place, count in places.items() for i in range(count)]
    assert taken(tmp_path, archive(tmp_path / "p.zip", members)).name == "images"


def test_photos_of_two_scenes_are_not_chosen_from(tmp_path, png):
    members = [(f"{name}{i}.png", png) for name in ("house", "trees/tree") for i in range(3)]
    with pytest.raises(FieldlrError, match=r"different photos: the top one \(3\), trees \(3\)"):
        taken(tmp_path, archive(tmp_path / "p.zip", members))


def link(name):
    info = zipfile.ZipInfo(name)
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


def rare(name):
    """A member compressed as only a bomb would be: half a gigabyte comes out of a step."""
    info = zipfile.ZipInfo(name)
    info.compress_type = zipfile.ZIP_BZIP2
    return info


@pytest.mark.parametrize(
    "members, word",
    [
        ([("../out.obj", b"v")], "leads out"),
        ([("/etc/out.obj", b"v")], "leads out"),
        ([("C:/out.obj", b"v")], "leads out"),
        ([("a\\..\\..\\out.obj", b"v")], "leads out"),
        ([(link("mesh.obj"), b"/etc/passwd")], "symbolic link"),
        ([("a/" * 900 + "mesh.obj", b"v")], "too deep"),
        ([(rare("mesh.obj"), b"v" * 1000)], "unsupported compression"),
        ([("a" * 300 + ".obj", b"v")], "corrupt or incomplete zip|too long"),
        ([("mesh.obj", b"")], "is empty"),
        ([("run.exe", b"MZ"), ("page.html", b"<script>")], "no supported photo"),
        ([(f"{i}.png", b"x") for i in range(uploads.MAX_MEMBERS + 1)], "may contain"),
        ([("bomb.obj", b"\0" * (archives.RATIO_FREE_BYTES + 1))], "decompresses to more"),
        ([("a.obj", b"v 0 0 0"), ("b.obj", b"v 0 0 0")], "one mesh or volume"),
        ([("IMG_1.HEIC", b"x"), ("IMG_2.HEIC", b"x")], "Most Compatible"),
        ([("a/transforms.json", b"{}"), ("b/transforms.json", b"{}")], "one set of .*: a, b"),
    ],
)
def test_a_hostile_archive_is_refused(tmp_path, members, word):
    with pytest.raises(FieldlrError, match=word):
        taken(tmp_path, archive(tmp_path / "bad.zip", members))
    outside = [p for p in everything_under(tmp_path) if "taken" not in p.parts]
    assert outside == [tmp_path / "bad.zip"]


@pytest.mark.parametrize(
    "name, content, word",
    [
        ("notes.docx", b"x", "unsupported file type"),
        ("mesh.obj", b"", "is empty"),
        ("IMG_1.HEIC", b"x", "Most Compatible"),
        ("cut.zip", b"PK\x03\x04 and no more", "corrupt or incomplete zip"),
        ("lonely.json", b"{}", "no supported file"),
    ],
)
def test_an_invalid_file_is_refused(tmp_path, name, content, word):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(FieldlrError, match=word):
        taken(tmp_path, path)


def test_json_nested_too_deep_is_left_to_the_reader(tmp_path):
    (tmp_path / "transforms.json").write_bytes(b"[" * 100_000)
    with pytest.raises(FieldlrError, match="not readable as JSON"):
        open_source(taken(tmp_path, tmp_path / "transforms.json"))


def test_places_that_lead_out_of_the_folder_are_not_followed(tmp_path, png):
    frames = [{"file_path": "../../stolen.png"}, {"file_path": "/tmp/stolen.png"}]
    (tmp_path / "transforms.json").write_text(json.dumps({"frames": frames}))
    (tmp_path / "stolen.png").write_bytes(png)
    folder = tmp_path / "taken"
    folder.mkdir()
    uploads.store_uploads([tmp_path / "transforms.json", tmp_path / "stolen.png"], folder)
    assert {p.name for p in folder.iterdir()} == {"transforms.json", "stolen.png"}


def test_a_mesh_with_material_files_is_accepted(tmp_path):
    for name, content in (("cube.obj", b"v 0 0 0"), ("cube.mtl", b"newmtl red"), ("red.png", b"x")):
        (tmp_path / name).write_bytes(content)
    files = [tmp_path / name for name in ("cube.mtl", "cube.obj", "red.png")]
    assert taken(tmp_path, *files).name == "cube.obj"


def test_two_files_of_one_name_are_not_mixed_up(tmp_path, png):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "same.png").write_bytes(png)
    with pytest.raises(FieldlrError, match="two of the files"):
        taken(tmp_path, tmp_path / "a" / "same.png", tmp_path / "b" / "same.png")


def test_too_many_files_are_refused_before_any_is_read(tmp_path):
    with pytest.raises(FieldlrError, match="at most"):
        taken(tmp_path, *[tmp_path / f"{i}.png" for i in range(uploads.MAX_MEMBERS + 1)])
