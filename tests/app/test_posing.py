"""Photos without poses in the app: found to be such, posed by a job, and then a source."""

import numpy as np
import pytest
from PIL import Image

from fieldlr.app import sources
from fieldlr.app.live import Live
from fieldlr.app.poses import collect_posed, find_poses
from fieldlr.errors import FieldlrError

pytest.importorskip("pycolmap", reason="needs fieldlr[poses]")


@pytest.mark.slow
def test_photos_that_do_not_fit_together_say_so(workspace, wait, tmp_path):
    for number in range(3):
        noise = np.random.default_rng(number).integers(0, 255, (48, 64, 3), np.uint8)
        Image.fromarray(noise).save(tmp_path / f"{number}.png")
    source = sources.add(workspace, sorted(tmp_path.glob("*.png")))
    assert source.kind == "unposed" and "3 photos without poses" in sources.summary(source)
    job_id = find_poses(workspace, source)
    assert wait(workspace, job_id, "failed", "done") == "failed"
    (told,) = Live(workspace).jobs()
    assert told["reason"] and "Traceback" not in told["reason"]
    assert collect_posed(workspace, pytest.fail) == []


def test_a_video_is_a_source_without_poses(workspace, tmp_path):
    (tmp_path / "walk.mp4").write_bytes(b"looked at when poses are sought")
    source = sources.add(workspace, [tmp_path / "walk.mp4"])
    assert source.kind == "unposed" and source.path.name == "walk.mp4"
    assert "a video" in sources.summary(source) and "Find poses" in sources.summary(source)
    (tmp_path / "other.mov").write_bytes(b"another")
    with pytest.raises(FieldlrError, match="one video at a time"):
        sources.add(workspace, sorted(tmp_path.glob("*.m*")))


@pytest.mark.slow
def test_fox_without_its_poses_becomes_a_source(workspace, wait, data_dir, tmp_path):
    for file in sorted((data_dir / "scenes/fox/images").iterdir())[::4]:
        with Image.open(file) as photo:
            photo.reduce(4).save(tmp_path / f"{file.stem}.jpg", quality=95)
    photos = sorted(tmp_path.glob("*.jpg"))
    job_id = find_poses(workspace, sources.add(workspace, photos))
    assert wait(workspace, job_id, "failed", "done") == "done"
    (posed,) = collect_posed(workspace, pytest.fail)
    assert posed.kind == "photos" and posed.facts["views"] >= 10
    assert f"of {len(photos)} posed" in posed.name
    assert "How the poses were found" in sources.summary(posed)
    assert "focal length" in sources.summary(posed)
    assert collect_posed(workspace, pytest.fail) == []
