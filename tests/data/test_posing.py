"""Poses for photos without: what goes in, what comes out, against the fox's shipped poses."""

import json
import math
import os
import signal
import subprocess
import sys
import time
from importlib import util
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch
from PIL import Image

from fieldlr.data import llff, open_source, picture_folder, transforms
from fieldlr.data.examples import example
from fieldlr.data.options import PosingOptions
from fieldlr.data.posing import find_poses
from fieldlr.data.posing_doubts import doubts, lens_doubts
from fieldlr.data.scene import Capture, Split
from fieldlr.data.structure import find_structure
from fieldlr.errors import FieldlrError
from fieldlr.geometry.cameras import Cameras

SHELF = example("shelf")
needs_pycolmap = pytest.mark.skipif(
    util.find_spec("pycolmap") is None, reason="pycolmap is not installed"
)
# The fox's focal length on 35 mm film, and a turn by 90 degrees clockwise to see it.
FOX_ON_FILM, ORIENTATION, LENS_BLOCK, ON_FILM = 27, 0x0112, 0x8769, 0xA405


def noise(folder: Path, count: int) -> Path:
    """Pictures that have nothing to do with one another."""
    folder.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(0)
    for number in range(count):
        picture = generator.integers(0, 255, (120, 160, 3), dtype=np.uint8)
        Image.fromarray(picture).save(folder / f"noise {number}.png")
    return folder


def reference(data_dir: Path) -> dict[str, torch.Tensor]:
    """The fox's shipped poses (3, 4) by the stem of their photos."""
    meta = json.loads((data_dir / "scenes/fox/transforms.json").read_text())
    return {
        Path(frame["file_path"]).stem: torch.tensor(frame["transform_matrix"])[:3]
        for frame in meta["frames"]
    }


def pose_errors(found: torch.Tensor, expected: torch.Tensor) -> tuple[float, float]:
    """Greatest rotation error (degrees) and position error (share of the scene's radius).

    After the similarity that fits the positions best (Umeyama 1991); the radius is that of the
    expected camera positions about their mean.
    """
    found, expected = found.double(), expected.double()
    source, target = (poses[:, :, 3] - poses[:, :, 3].mean(0) for poses in (found, expected))
    u, singular, vh = torch.linalg.svd(target.T @ source)
    signs = torch.tensor([1.0, 1.0, torch.det(u @ vh).sign()], dtype=torch.float64)
    rotation = u @ signs.diag() @ vh
    scale = (singular * signs).sum() / source.square().sum()
    positions = (scale * source @ rotation.T - target).norm(dim=-1) / target.norm(dim=-1).max()
    turned = rotation @ found[:, :, :3]
    cosine = ((turned * expected[:, :, :3]).sum((1, 2)) - 1) / 2
    return math.degrees(torch.acos(cosine.clamp(-1, 1)).max()), float(positions.max())


def read_poses(folder: Path) -> tuple[list[str], torch.Tensor]:
    """(stems of the photos, poses) of a folder, in its own frame."""
    capture = transforms.find(folder)
    return [Path(photo.name).stem for photo in capture.photos], capture.cameras.camera_to_world


def test_without_pycolmap_it_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pycolmap", None)
    with pytest.raises(FieldlrError, match=r"pip install 'fieldlr\[poses\]'"):
        next(find_poses(noise(tmp_path / "photos", 3), tmp_path / "out"))


@needs_pycolmap
def test_an_unreadable_photo_is_named_and_no_files_are_left(tmp_path):
    folder = noise(tmp_path / "photos", 3)
    (folder / "torn.jpg").write_bytes((folder / "noise 0.png").read_bytes()[:500])
    with pytest.raises(FieldlrError, match=r"torn\.jpg: not a readable photo"):
        list(find_poses(folder, tmp_path / "out"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["photos"]


def test_a_folder_that_holds_something_is_left_alone(tmp_path):
    folder, out = noise(tmp_path / "photos", 3), tmp_path / "out"
    out.mkdir()
    (out / "precious.txt").touch()
    with pytest.raises(FieldlrError, match=r"is not empty|pycolmap"):
        next(find_poses(folder, out))
    assert [path.name for path in out.iterdir()] == ["precious.txt"]


@needs_pycolmap
def test_photos_that_do_not_fit_together_are_a_sentence(tmp_path):
    with pytest.raises(FieldlrError, match=r"no poses.*overlap"):
        list(find_poses(noise(tmp_path / "photos", 3), tmp_path / "out"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["photos"]


def capture_of(baseline: float) -> Capture:
    """Five cameras in a row of the length `baseline` that look down on points at depth 10."""
    poses = torch.eye(3, 4).repeat(5, 1, 1)
    poses[:, 0, 3] = torch.linspace(0, baseline, 5)
    cameras = Cameras(
        poses,
        torch.tensor([[50.0, 50.0, 50.0, 50.0]]).repeat(5, 1),
        torch.full((5, 2), 100),
        torch.zeros(5, 6),
    )
    points = torch.cat([torch.rand(50, 2) - 0.5, torch.full((50, 1), -10.0)], 1)
    return Capture("", [], cameras, Split.every_eighth(5), (), points)


def test_standing_on_one_spot_is_doubtful():
    (doubt,) = doubts(capture_of(0.1), 5, [], [5])
    assert "within 1.0 %" in doubt
    assert doubts(capture_of(2.0), 5, [], [5]) == []


def test_photos_that_are_left_out_are_named_and_groups_counted():
    names = [f"{number}.jpg" for number in range(12)]
    lost, groups = doubts(capture_of(2.0), 17, names, [5, 4])
    assert lost.startswith("12 of 17 photos") and "0.jpg, 1.jpg" in lost and "2 others" in lost
    assert "two thirds" in lost  # most are lost, so there is advice
    assert "2 groups" in groups and "5, 4 photos" in groups


def test_a_focal_length_that_is_not_the_one_of_exif_is_doubtful():
    lens = {"camera": "One", "photos": 9, "exif_px": 500.0, "focal_px": 510.0}
    assert lens_doubts([lens, lens | {"exif_px": None}, lens | {"focal_px": None}]) == []
    (doubt,) = lens_doubts([lens | {"focal_px": 800.0}])
    assert "500 px for One" in doubt and "800 px" in doubt and "cropped" in doubt


def test_frames_are_for_videos(tmp_path):
    with pytest.raises(FieldlrError, match=r"`frames`.*no video"):
        next(find_poses(noise(tmp_path / "photos", 3), tmp_path / "out", PosingOptions(frames=9)))
    with pytest.raises(FieldlrError, match="`frames` is a whole number from 3"):
        PosingOptions(frames=1)


def test_a_process_that_fails_leaves_its_last_words(tmp_path):
    with pytest.raises(FieldlrError, match=r"pycolmap failed: FileNotFoundError.*plan\.json"):
        list(find_structure(tmp_path))


def test_photos_without_poses_are_shown_the_way(tmp_path):
    with pytest.raises(FieldlrError, match="fieldlr poses"):
        open_source(noise(tmp_path, 3))


def exif(orientation: int = 1) -> Image.Exif:
    tags = Image.Exif()
    tags[ORIENTATION] = orientation
    tags.get_ifd(LENS_BLOCK)[ON_FILM] = FOX_ON_FILM
    return tags


@pytest.fixture(scope="module")
def small_fox(data_dir, tmp_path_factory) -> Path:
    """Every fourth photo at a quarter of its size, in all the ways in which photos are stored."""
    folder = tmp_path_factory.mktemp("fox")
    for number, file in enumerate(sorted((data_dir / "scenes/fox/images").iterdir())[::4]):
        with Image.open(file) as photo:
            picture = photo.reduce(4)
        if number == 2:
            turned = picture.transpose(Image.Transpose.ROTATE_90)
            turned.save(folder / f"{file.stem}.jpg", quality=95, exif=exif(6))
        else:
            suffix = {1: ".webp", 3: ".png"}.get(number, ".jpg")
            picture.save(folder / f"{file.stem}{suffix}", quality=95, exif=exif())
    picture.point(lambda value: value // 40).save(folder / "x dark.png")
    noise(folder, 1)
    (folder / "y copy.png").write_bytes((folder / "noise 0.png").read_bytes())
    return folder


@pytest.fixture(scope="module")
def small_posed(small_fox) -> tuple[Path, dict, str]:
    """(folder, JSON, standard error) of the command on the small fox."""
    out = small_fox.parent / f"{small_fox.name}-posed"
    words = ["poses", str(small_fox), "--out", str(out), "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "fieldlr", *words], capture_output=True, text=True, timeout=280
    )
    assert done.returncode == 0, done.stderr
    return out, json.loads(done.stdout), done.stderr


@needs_pycolmap
def test_the_command_says_what_the_contract_asks(small_posed):
    out, result, said = small_posed
    assert (result["registered"], result["photos"], result["out"]) == (13, 16, str(out))
    assert 0.05 < result["reprojection_px"] < 1.0
    assert result["unregistered"] == ["noise 0.png", "x dark.png", "y copy.png"]
    (warning,) = result["warnings"]
    assert warning.startswith("3 of 16 photos have no pose and are left out: noise 0.png, x dark")
    assert "features" in said and "matching" in said and said.count("\n") <= 12
    assert result["mapping"] == "incremental"
    assert result["pairs"] == 15 * 14 // 2 > result["pairs_matched"] >= 13


@needs_pycolmap
def test_every_photo_without_a_pose_has_its_reason(small_posed):
    failed = small_posed[1]["failed"]
    assert [one["reason"] for one in failed] == ["featureless", "dark", "duplicate"]
    assert failed[0]["features"] < 100 and failed[0]["matched"] == 0 and failed[0]["best"] < 15
    assert "noise 0.png" in failed[2]["why"]


@needs_pycolmap
def test_exif_tells_the_focal_length_to_begin_with(small_posed):
    lens = next(lens for lens in small_posed[1]["lenses"] if lens["photos"] == 13)
    assert lens["exif_px"] == pytest.approx(FOX_ON_FILM * math.hypot(270, 480) / 43.27, rel=0.01)
    assert lens["focal_px"] == pytest.approx(1375.5 / 4, rel=0.02)


@needs_pycolmap
def test_the_small_fox_agrees_with_its_shipped_poses(small_posed, data_dir):
    stems, poses = read_poses(small_posed[0])
    shipped = reference(data_dir)
    expected = torch.stack([shipped[stem.partition(".")[0]] for stem in stems])
    degrees, share = pose_errors(poses, expected)
    assert degrees < 1.5 and share < 0.02


@needs_pycolmap
def test_the_folder_stands_alone_upright_and_level(small_posed, small_fox):
    out = small_posed[0]
    assert sorted(path.name for path in out.iterdir()) == ["images", "transforms.json"]
    scene = open_source(out).content
    assert scene.warnings == () and scene.missing == 0 and len(scene.images) == 13
    assert {tuple(image.shape) for image in scene.images} == {(480, 270, 3)}
    up = scene.cameras.transformed(scene.frame).camera_to_world[:, :, 1].mean(0)
    assert torch.allclose(up / up.norm(), torch.tensor([0.0, 0.0, 1.0]), atol=1e-4)
    plain = next(small_fox.glob("0*.png"))
    assert (out / "images" / plain.name).read_bytes() == plain.read_bytes()


def started(out: Path) -> subprocess.Popen:
    """The command on bundled photos, once pycolmap is at work."""
    words = ["poses", str(SHELF / "images"), "--out", str(out), "--json"]
    command = subprocess.Popen(
        [sys.executable, "-m", "fieldlr", *words], stderr=subprocess.PIPE, text=True
    )
    while not alive(out.parent):
        assert command.poll() is None
    return command


def alive(folder: Path) -> bool:
    """Whether pycolmap works on something in the folder."""
    lines = (
        " ".join(process.info["cmdline"] or ()) for process in psutil.process_iter(["cmdline"])
    )
    return any("structure_process" in line and str(folder) in line for line in lines)


@needs_pycolmap
@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_it_stops_when_asked_and_leaves_nothing(tmp_path):
    command = started(tmp_path / "out")
    assert alive(tmp_path)
    command.send_signal(signal.SIGTERM)
    said = command.communicate(timeout=60)[1]
    assert command.returncode == 3 and "stopped at" in said
    assert list(tmp_path.iterdir()) == [] and not alive(tmp_path)


@needs_pycolmap
@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_the_work_does_not_outlive_its_command(tmp_path):
    command = started(tmp_path / "out")
    command.kill()
    command.communicate()
    end = time.monotonic() + 20
    while alive(tmp_path):
        assert time.monotonic() < end
        time.sleep(0.1)
    assert not (tmp_path / "out").exists()


@needs_pycolmap
@pytest.mark.slow
def test_the_bundled_shelf_agrees_with_its_exact_poses(tmp_path):
    *_, last = find_poses(SHELF / "images", tmp_path / "shelf")
    assert last.result["registered"] == last.result["photos"] == 24
    assert last.result["warnings"] == []
    poses = read_poses(tmp_path / "shelf")[1]
    degrees, share = pose_errors(poses, llff.find(SHELF).cameras.camera_to_world)
    # Photos of 128 x 96 pixels, all from one side: a hard case, with little to see.
    assert degrees < 3.0 and share < 0.2


@needs_pycolmap
@pytest.mark.slow
def test_the_whole_fox_agrees_with_its_shipped_poses(data_dir, tmp_path):
    *_, last = find_poses(data_dir / "scenes/fox/images", tmp_path / "fox")
    result = last.result
    assert result["registered"] == result["photos"] == 50
    assert result["warnings"] == [] and result["reprojection_px"] < 1.0
    stems, poses = read_poses(tmp_path / "fox")
    degrees, share = pose_errors(poses, torch.stack([reference(data_dir)[stem] for stem in stems]))
    assert degrees < 0.5 and share < 0.01


@needs_pycolmap
@pytest.mark.slow
def test_the_same_photos_give_the_same_poses(small_posed, small_fox, tmp_path):
    list(find_poses(small_fox, tmp_path / "again"))
    first, again = read_poses(small_posed[0]), read_poses(tmp_path / "again")
    assert first[0] == again[0]
    degrees, share = pose_errors(again[1], first[1])
    assert degrees < 0.1 and share < 0.002


@needs_pycolmap
@pytest.mark.slow
def test_photos_in_no_order_join_by_how_they_look(data_dir, tmp_path, monkeypatch):
    """Shuffled names, and so few pairs by name that they alone would not join the photos."""
    monkeypatch.setattr(picture_folder, "EXHAUSTIVE_PHOTOS", 10)
    monkeypatch.setattr(picture_folder, "NEIGHBOURS", 1)
    files = sorted((data_dir / "scenes/fox/images").iterdir())[::2]
    order = np.random.default_rng(0).permutation(len(files))
    (tmp_path / "photos").mkdir()
    for place, number in enumerate(order):
        with Image.open(files[number]) as photo:
            photo.reduce(4).save(tmp_path / "photos" / f"{place}.jpg", quality=95)
    *_, last = find_poses(tmp_path / "photos", tmp_path / "posed")
    assert last.result["registered"] == last.result["photos"] == 25
    stems, poses = read_poses(tmp_path / "posed")
    shipped = reference(data_dir)
    expected = torch.stack([shipped[files[order[int(stem)]].stem] for stem in stems])
    degrees, share = pose_errors(poses, expected)
    assert degrees < 1.5 and share < 0.02


@needs_pycolmap
@pytest.mark.slow
def test_where_most_photos_fail_all_are_tried_at_once(data_dir, tmp_path):
    """What GLOMAP guesses of the lens is not taken for EXIF, and more photos than before win."""
    folder = noise(tmp_path / "photos", 9)
    for file in sorted((data_dir / "scenes/fox/images").iterdir())[:8]:
        with Image.open(file) as photo:
            photo.reduce(4).save(folder / f"{file.stem}.jpg", quality=95)
    *_, last = find_poses(folder, tmp_path / "posed")
    assert last.result["registered"] == 8 and last.result["mapping"] in ("incremental", "global")
    assert all(lens["exif_px"] is None for lens in last.result["lenses"])
