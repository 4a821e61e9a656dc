import re
import subprocess
import sys

import numpy as np
import pytest

from fieldlr.errors import FieldlrError
from fieldlr.export import open_video, write_video
from fieldlr.system.ffmpeg import find_ffmpeg

try:
    find_ffmpeg()
except FieldlrError as reason:
    pytest.skip(str(reason), allow_module_level=True)


def frames(count, width, height):
    """A bright square that walks over a ramp."""
    ramp = np.linspace(0.2, 0.6, width)[None, :, None] * np.ones((height, 1, 3))
    for index in range(count):
        frame = ramp.copy()
        frame[10:20, 4 * index : 4 * index + 10] = (1.0, 0.8, 0.1)
        yield frame


def play(path):
    """Frames (N, H, W, 3) as a player decodes them, and what it says about the stream."""
    command = [find_ffmpeg(), "-i", path, "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    done = subprocess.run(command, capture_output=True, check=True)
    stream = re.search(r"Video: .*", done.stderr.decode())[0]
    width, height = map(int, re.search(r", (\d+)x(\d+)", stream).groups())
    return np.frombuffer(done.stdout, np.uint8).reshape(-1, height, width, 3), stream


@pytest.mark.parametrize(("width", "height"), [(64, 48), (75, 41)])
def test_a_video_plays_back(tmp_path, width, height):
    path = tmp_path / "out" / "walk.mp4"
    assert write_video(frames(9, width, height), path, 24, (width, height)) == 9
    film, stream = play(path)
    assert film.shape == (9, height + height % 2, width + width % 2, 3)
    wanted = np.stack(list(frames(9, width, height)))
    error = film[:, :height, :width] / 255 - wanted
    assert 10 * np.log10(1 / np.mean(error**2)) > 28
    assert "h264" in stream and "yuv420p" in stream and "24 fps" in stream
    assert [file.name for file in path.parent.iterdir()] == ["walk.mp4"]


def test_a_failure_leaves_the_old_file(tmp_path):
    path = tmp_path / "walk.mp4"
    write_video(frames(2, 64, 48), path, 24, (64, 48))
    before = path.read_bytes()

    def broken():
        yield from frames(3, 64, 48)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_video(broken(), path, 24, (64, 48))
    with pytest.raises(FieldlrError, match="no frame"):
        write_video([], path, 24, (64, 48))
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["walk.mp4"]


def test_errors_come_before_the_first_frame(tmp_path, monkeypatch):
    with pytest.raises(FieldlrError, match=r"\.avi"):
        open_video(tmp_path / "walk.avi", 24, (64, 48))
    with pytest.raises(FieldlrError, match="positive"):
        open_video(tmp_path / "walk.mp4", 0, (64, 48))
    program = tmp_path / "ffmpeg"
    program.write_text("#!/bin/sh\necho Unknown encoder libx264 >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FieldlrError, match="Unknown encoder"):
        open_video(tmp_path / "walk.mp4", 24, (64, 48))
    program.unlink()
    with pytest.raises(FieldlrError, match=r"pip install 'fieldlr\[video\]'"):
        open_video(tmp_path / "walk.mp4", 24, (64, 48))
