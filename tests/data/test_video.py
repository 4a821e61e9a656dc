"""Videos: what a file says, which frames are taken of it, and poses from them."""

import json
import subprocess
import sys
from importlib import util
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.ndimage import gaussian_filter

from fieldlr.data.posing import find_poses
from fieldlr.data.video import is_video, open_video_file, thumbnails, write_frames
from fieldlr.data.video_frames import take_frames
from fieldlr.errors import FieldlrError
from fieldlr.system.ffmpeg import find_ffmpeg

try:
    find_ffmpeg()
except FieldlrError as reason:
    pytest.skip(str(reason), allow_module_level=True)

needs_pycolmap = pytest.mark.skipif(
    util.find_spec("pycolmap") is None, reason="pycolmap is not installed"
)
WIDTH, HEIGHT = 160, 120


def ffmpeg(*words: object) -> None:
    subprocess.run([find_ffmpeg(), "-v", "error", "-y", *map(str, words)], check=True)


def film(path: Path, pictures: list[np.ndarray], rate: int = 10) -> Path:
    """A video of (H, W) or (H, W, 3) pictures."""
    folder = path.parent / f"{path.stem}-pictures"
    folder.mkdir()
    for number, picture in enumerate(pictures):
        Image.fromarray(picture).save(folder / f"{number:05d}.png")
    codec = ["-c:v", "mjpeg", "-q:v", 2] if path.suffix == ".avi" else ["-pix_fmt", "yuv420p"]
    ffmpeg("-framerate", rate, "-i", folder / "%05d.png", *codec, path)
    return path


@pytest.fixture(scope="module")
def walk() -> list[np.ndarray]:
    """A window that moves over a wide picture, every third of it sharp."""
    generator = np.random.default_rng(0)
    wide = sum(gaussian_filter(generator.normal(size=(HEIGHT, 600)), s) * s for s in (1, 3, 9))
    wide = np.clip(128 + 60 * wide / wide.std(), 0, 255)
    soft = gaussian_filter(wide, (0, 3))
    views = [(soft if n % 3 else wide)[:, 8 * n : 8 * n + WIDTH] for n in range(45)]
    return [view.astype(np.uint8) for view in views]


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".webm", ".avi", ".mkv"])
def test_videos_of_every_kind_are_read(tmp_path, walk, suffix):
    path = film(tmp_path / f"clip{suffix}", walk[:12])
    video = open_video_file(path)
    assert is_video(path) and video.size == (WIDTH, HEIGHT) and video.rotation == 0
    assert video.rate == pytest.approx(10) and video.seconds == pytest.approx(1.2, abs=0.2)
    frames = list(thumbnails(video))
    assert len(frames) == 12
    assert all(np.abs(f.astype(int) - w).mean() < 12 for f, w in zip(frames, walk, strict=False))


def test_a_turned_video_is_read_as_it_is_seen(tmp_path, walk):
    film(tmp_path / "clip.mp4", walk[:5])
    turned = tmp_path / "turned.mp4"
    ffmpeg("-display_rotation", 90, "-i", tmp_path / "clip.mp4", "-c", "copy", turned)
    video = open_video_file(turned)
    assert video.size == (HEIGHT, WIDTH) and video.rotation == 90
    frame = next(iter(thumbnails(video)))
    assert np.abs(frame.astype(int) - np.rot90(walk[0])).mean() < 12
    (tmp_path / "frames").mkdir()
    (written,) = write_frames(video, [2], tmp_path / "frames")
    with Image.open(written) as picture:
        assert np.abs(np.asarray(picture.convert("L")).astype(int) - np.rot90(walk[2])).mean() < 12


def taken(video, folder, most):
    taking = take_frames(video, folder, most)
    while True:
        try:
            next(taking)
        except StopIteration as end:
            return end.value


def test_sharp_frames_are_taken_and_are_the_ones_that_were_chosen(tmp_path, walk):
    video = open_video_file(film(tmp_path / "clip.mp4", walk))
    frames = taken(video, tmp_path / "frames", 150)
    assert all(number % 3 == 0 for number in frames.choice.chosen)
    assert 12 <= len(frames.files) <= 15 and frames.about["blurred"] == 30
    for file, number in zip(frames.files, frames.choice.chosen, strict=True):
        with Image.open(file) as picture:
            grey = np.asarray(picture.convert("L")).astype(int)
        assert np.abs(grey - walk[number]).mean() < 12
    assert len(taken(video, tmp_path / "fewer", 6).files) <= 6


def test_a_still_camera_and_a_single_frame_are_refused_with_advice(tmp_path, walk):
    for name, pictures in (("still", walk[:1] * 20), ("single", walk[:1])):
        video = open_video_file(film(tmp_path / f"{name}.mp4", pictures))
        with pytest.raises(FieldlrError, match=r"at least 3 sharp frames.* 1 are .*Walk around"):
            taken(video, tmp_path / name, 150)


def test_invalid_videos_are_refused(tmp_path, walk):
    whole = film(tmp_path / "whole.mp4", walk[:12]).read_bytes()
    for name, content in (("text", b"not a video"), ("empty", b""), ("torn", whole[:-400])):
        (tmp_path / f"{name}.mp4").write_bytes(content)
        with pytest.raises(FieldlrError, match=rf"{name}\.mp4: not a readable video"):
            list(find_poses(tmp_path / f"{name}.mp4", tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_a_playlist_opens_no_other_file(tmp_path, walk):
    film(tmp_path / "secret.mp4", walk[:5])
    (tmp_path / "list.mp4").write_text("#EXTM3U\n#EXTINF:1,\nsecret.mp4\n#EXT-X-ENDLIST\n")
    (tmp_path / "cat.avi").write_text("ffconcat version 1.0\nfile secret.mp4\n")
    for name in ("list.mp4", "cat.avi"):
        with pytest.raises(FieldlrError, match="not a readable video"):
            open_video_file(tmp_path / name)


def test_a_video_that_breaks_off_gives_its_first_part(tmp_path, walk):
    whole = film(tmp_path / "whole.mkv", walk).read_bytes()
    (tmp_path / "torn.mkv").write_bytes(whole[: len(whole) * 2 // 3])
    assert 5 < len(list(thumbnails(open_video_file(tmp_path / "torn.mkv")))) < len(walk)


@needs_pycolmap
@pytest.mark.slow
def test_a_clip_of_the_fox_becomes_a_capture(data_dir, tmp_path):
    """Every second photo at a third of its size, each sharp for a frame and blurred for two."""
    files = sorted((data_dir / "scenes/fox/images").iterdir())[::2]
    pictures = []
    for file in files:
        with Image.open(file) as photo:
            sharp = np.asarray(photo.reduce(3))
        soft = gaussian_filter(sharp, (4, 4, 0))
        pictures += [soft, sharp, soft]
    path, out = film(tmp_path / "fox.mp4", pictures), tmp_path / "posed"
    words = ["poses", str(path), "--out", str(out), "--json", "--frames", "40"]
    done = subprocess.run(
        [sys.executable, "-m", "fieldlr", *words], capture_output=True, text=True, check=True
    )
    result = json.loads(done.stdout)
    video = result["video"]
    assert video["looked_at"] == len(pictures) and video["blurred"] >= 40
    assert 20 <= video["chosen"] == result["photos"] <= 25
    assert result["registered"] >= 0.9 * result["photos"]
    stems = [Path(frame["file_path"]).stem for frame in _frames(out)]
    numbers = [int(stem.split()[1]) for stem in stems]
    assert all(number % 3 == 1 for number in numbers)
    _agree(out, [files[number // 3].stem for number in numbers], data_dir)


def _frames(folder: Path) -> list[dict]:
    return json.loads((folder / "transforms.json").read_text())["frames"]


def _agree(folder: Path, stems: list[str], data_dir: Path) -> None:
    from tests.data.test_posing import pose_errors, reference

    poses = torch.tensor([frame["transform_matrix"] for frame in _frames(folder)])[:, :3]
    shipped = reference(data_dir)
    degrees, share = pose_errors(poses, torch.stack([shipped[stem] for stem in stems]))
    assert degrees < 2.0 and share < 0.03
