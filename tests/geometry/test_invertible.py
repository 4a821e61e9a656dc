"""Pixels for which a lens model has an inverse, against the fold of the polynomial by hand."""

import numpy as np
import pytest
import torch

from fieldlr.geometry.cameras import Cameras
from fieldlr.geometry.invertible import BLOCKS, invertible_pixels


def lens(*distortion, focal=60.0, size=(100, 80), model="perspective"):
    values = [*distortion, *[0.0] * (6 - len(distortion))]
    return Cameras.of(torch.eye(3, 4), focal, size, distortion=values, model=model)


def distorted_radius(camera):
    """The radius of every pixel in normalised coordinates."""
    width, height = camera.sizes[0].tolist()
    fx, fy, cx, cy = camera.intrinsics[0].tolist()
    x, y = np.meshgrid((np.arange(width) + 0.5 - cx) / fx, (np.arange(height) + 0.5 - cy) / fy)
    return np.hypot(x, y)


@pytest.mark.parametrize("model", ["perspective", "fisheye"])
def test_pixels_beyond_the_fold_have_no_inverse(model):
    """r (1 + k1 r^2) has its largest value 0.70 at r = 1.05 for k1 = -0.3."""
    camera = lens(-0.3, model=model)
    (good,) = invertible_pixels(camera)
    radius, largest = distorted_radius(camera), 2 / 3 * (1 / 0.9) ** 0.5
    assert good.numpy()[radius < largest - 0.02].all()
    assert not good.numpy()[radius > largest].any()


def test_a_polynomial_that_grows_again_has_no_inverse_behind_its_fold():
    """r (1 - r^2 + 0.3 r^4) falls from r = 0.74 on and grows again from 1.11 on."""
    camera = lens(-1.0, 0.3)
    (good,) = invertible_pixels(camera)
    q = (3 - (9 - 4 * 5 * 0.3) ** 0.5) / (2 * 5 * 0.3)
    largest = q**0.5 * (1 - q + 0.3 * q * q)
    assert not good.numpy()[distorted_radius(camera) > largest].any()


def test_large_pictures_are_looked_at_in_blocks_and_lose_only_pixels_near_the_fold():
    camera = lens(-0.3, focal=1200.0, size=(2000, 1600))
    (good,) = invertible_pixels(camera)
    radius, largest, block = distorted_radius(camera), 2 / 3 * (1 / 0.9) ** 0.5, 2000 / BLOCKS
    assert good.shape == (1600, 2000) and not good.numpy()[radius > largest + 1 / 1200].any()
    assert good.numpy()[radius < largest - 0.02 - 2 * block / 1200].all()


def test_lenses_with_an_inverse_everywhere_need_no_mask():
    assert invertible_pixels(lens()) == [None]
    assert invertible_pixels(lens(0.1, 0.01, 0.0, 0.0, 1e-3, 1e-3)) == [None]
    assert invertible_pixels(lens(0.02, -0.001, model="fisheye")) == [None]
