"""PSNR and SSIM against hand-made numbers and scikit-image."""

import math

import numpy as np
import pytest
import torch

from fieldlr.metrics.image import psnr_db, ssim


@pytest.fixture
def pair(generator):
    photo = torch.rand(40, 53, 3, generator=generator)
    photo = torch.nn.functional.avg_pool2d(photo.movedim(-1, 0), 3, 1, 1).movedim(0, -1)
    return photo, photo + 0.1 * torch.randn(photo.shape, generator=generator)


def test_psnr_by_hand():
    black = torch.zeros(20, 20, 3)
    assert psnr_db(black, black + 0.1) == pytest.approx(-20 * math.log10(26 / 255))  # 25.5 -> 26
    assert psnr_db(black, black + 2.0) == 0.0  # clamped
    assert psnr_db(black, black + 0.4 / 255) == math.inf  # rounds to black


def test_ssim_equals_scikit_image(pair):
    from skimage.metrics import structural_similarity

    photo, render = ((i.clamp(0, 1) * 255).round().double() / 255 for i in pair)
    _, similarity = structural_similarity(
        photo.numpy(), render.numpy(), channel_axis=2, data_range=1.0, gaussian_weights=True,
        sigma=1.5, use_sample_covariance=False, full=True,
    )  # fmt: skip
    assert ssim(*pair) == pytest.approx(np.mean(similarity[5:-5, 5:-5]), abs=1e-7)
    assert ssim(photo, photo) == pytest.approx(1.0)


def test_different_shapes_are_a_bug(pair):
    with pytest.raises(ValueError, match="different"):
        psnr_db(pair[0], pair[1][1:])
    with pytest.raises(ValueError, match="11 pixels"):
        ssim(pair[0][:8], pair[1][:8])
