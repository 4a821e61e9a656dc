"""Frames of a video: sharp ones, evenly along the motion, few of a still camera."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from fieldlr.data.frame_choice import (
    SMALLEST_STEP,
    FrameWatch,
    choose_frames,
    displacement,
    reduced,
    sharpness,
)

HEIGHT, WIDTH = 240, 320


@pytest.fixture(scope="module")
def wall() -> np.ndarray:
    """A wide picture with texture of all sizes."""
    generator = np.random.default_rng(0)
    layers = [
        gaussian_filter(generator.normal(size=(HEIGHT, 4 * WIDTH)), size) * size
        for size in (1, 3, 8, 20)
    ]
    total = sum(layers)
    return np.clip(128 + 60 * total / total.std(), 0, 255).astype(np.uint8)


def view(wall: np.ndarray, left: int) -> np.ndarray:
    return wall[:, left : left + WIDTH]


def noisy(frame: np.ndarray, seed: int) -> np.ndarray:
    added = np.random.default_rng(seed).normal(scale=4, size=frame.shape)
    return np.clip(frame + added, 0, 255).astype(np.uint8)


def watched(frames) -> FrameWatch:
    watch = FrameWatch()
    for frame in frames:
        watch.look(frame)
    return watch


@pytest.mark.parametrize("pixels", [0, 8, 40])
def test_motion_is_measured(wall, pixels):
    first, second = (reduced(view(wall, left)) for left in (100, 100 + pixels))
    assert displacement(first, second) == pytest.approx(pixels / 4, abs=1)


def test_a_zoom_is_motion_too(wall):
    first = view(wall, 300)
    closer = np.kron(first[60:180, 80:240], np.ones((2, 2), np.uint8))
    assert displacement(reduced(first), reduced(closer)) > 5


def test_a_flat_wall_does_not_move():
    flat = np.full((HEIGHT, WIDTH), 130, np.uint8)
    assert displacement(reduced(flat), reduced(noisy(flat, 0))) == 0


def test_the_way_is_the_sum_of_small_motions(wall):
    watch = watched(view(wall, 3 * number) for number in range(200))
    assert watch.way[-1] == pytest.approx(3 * 199 / WIDTH, rel=0.15)
    assert np.all(np.diff(watch.way) >= 0)


def test_a_still_camera_gives_one_frame(wall):
    watch = watched(noisy(view(wall, 300 + number % 3), number) for number in range(60))
    assert len(choose_frames(watch.sharpness, watch.way).chosen) == 1


def test_frames_lie_evenly_on_the_way_and_not_in_time(wall):
    """Half the time on one spot, then a walk of three widths."""
    places = [0] * 100 + [9 * number for number in range(100)]
    watch = watched(noisy(view(wall, left), n) for n, left in enumerate(places))
    chosen = choose_frames(watch.sharpness, watch.way, 15).chosen
    assert 12 <= len(chosen) <= 15 and sum(number < 100 for number in chosen) <= 1
    assert max(np.diff([places[number] for number in chosen])) < 0.45 * WIDTH


def test_blurred_frames_are_left_out(wall):
    sharp = [view(wall, 6 * number) for number in range(60)]
    blurred = {number for number in range(60) if number % 3}
    frames = [
        gaussian_filter(frame, (0, 2.5)) if number in blurred and number < 30 else frame
        for number, frame in enumerate(sharp)
    ]
    watch = watched(frames)
    choice = choose_frames(watch.sharpness, watch.way)
    early = [number for number in choice.chosen if number < 30]
    assert len(early) >= 8 and not set(early) & blurred
    assert choice.step == SMALLEST_STEP


def test_a_blurred_picture_is_less_sharp(wall):
    frame = view(wall, 0)
    assert sharpness(gaussian_filter(frame, 1.0)) < 0.5 * sharpness(frame)


def test_no_more_frames_than_asked_for():
    way = np.linspace(0, 50, 1000)
    choice = choose_frames([1.0] * 1000, list(way), 20)
    assert len(choice.chosen) == 20 and choice.step == pytest.approx(2.5)
