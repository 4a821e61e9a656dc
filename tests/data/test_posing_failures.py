"""Every way in which a photo gets no pose has a reason with its figures."""

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from fieldlr.data.posing_failures import explain
from fieldlr.data.posing_words import told

NAMES = ("good a", "good b", "good c", "lost")


@pytest.fixture
def textured() -> np.ndarray:
    generator = np.random.default_rng(0)
    return np.clip(128 + 300 * gaussian_filter(generator.normal(size=(120, 160)), 2), 0, 255)


def fact(features=2000, partners=(), best=0, model=None):
    return {"features": features, "partners": list(partners), "best": best, "model": model}


def reason(tmp_path, textured, lost_picture, lost_fact, views=(3,)):
    """(reason, why) of the last of four photos, of which three have poses."""
    pictures = [textured, textured, textured, lost_picture]
    paths = [tmp_path / f"{number:05d}.png" for number in range(4)]
    for path, picture in zip(paths, pictures, strict=True):
        Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8)).save(path)
    facts = [fact(model=0, best=300)] * 3 + [lost_fact]
    found = {
        "views": list(views),
        "photos": dict(zip((path.name for path in paths), facts, strict=True)),
    }
    (one,) = explain(NAMES, paths, found)
    assert one["photo"] == "lost" and one["features"] == lost_fact["features"]
    assert told({"failed": [one]}) == [f"no pose: lost: {one['why']}"]
    return one["reason"], one["why"]


@pytest.mark.parametrize(
    "name, change, lost_fact, words",
    [
        ("dark", lambda p: p / 20, fact(12), "of 255; 12 features"),
        ("bright", lambda p: 250 + p / 100, fact(0), "overexposed"),
        ("blurred", lambda p: gaussian_filter(p, 4), fact(150), "% of the other photos' sharpness"),
        ("featureless", lambda p: p, fact(40), "40 features"),
        ("unmatched", lambda p: p, fact(2345, best=9), "2,345 features; best 9 matches"),
        ("apart", lambda p: p, fact(partners=["00000.png"], model=1), "group of 4 photos"),
        ("unplaced", lambda p: p, fact(partners=["00000.png"], best=44), "matches 1 placed"),
    ],
)
def test_a_photo_without_a_pose_has_its_reason(tmp_path, textured, name, change, lost_fact, words):
    found, why = reason(tmp_path, textured, change(textured), lost_fact, (9, 4))
    assert found == name and words in why


def test_a_photo_that_matches_only_lost_ones_names_them(tmp_path, textured):
    lost = fact(partners=["00003.png"], best=20)
    found, why = reason(tmp_path, textured, textured, lost)
    assert found == "apart" and "lost (best 20 matches)" in why
