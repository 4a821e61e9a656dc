"""Image metrics: PSNR and SSIM, by the conventions of the NeRF papers.

Images are float tensors (height, width, 3) in [0, 1], or a stack (N, height, width, 3).
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

METRIC_VERSION = 2  # incremented when a metric changes for the same images

SSIM_WINDOW = 11  # pixels
_SIGMA = 1.5

# An image, a stack of images, or pixels of one.
Image = Float[Tensor, "*pixels 3"]
Other = Float[Tensor, "*others 3"]  # of the same size


def eight_bit(image: Image) -> Image:
    """The image at 8 bits: clamped to [0, 1] and rounded to 1 / 255."""
    return (image.clamp(0.0, 1.0) * 255.0).round() / 255.0


def mean_squared_error(reference: Image, test: Other) -> float:
    """Mean squared error of 8-bit images of equal shape."""
    if reference.shape != test.shape:
        raise ValueError(f"images of different shapes: {reference.shape} and {test.shape}")
    return float((eight_bit(reference) - eight_bit(test)).double().square().mean())


def psnr_db(reference: Image, test: Other) -> float:
    """10 log10(1 / MSE) of 8-bit images; infinite where they are equal."""
    return decibels(mean_squared_error(reference, test))


def decibels(mse: float) -> float:
    """The PSNR of a mean squared error, for signals in [0, 1]."""
    if math.isnan(mse):
        return math.nan
    return -10.0 * math.log10(mse) if mse > 0.0 else math.inf


def ssim(
    reference: Image, test: Other, visible: Bool[Tensor, "height width"] | None = None
) -> float:
    """Structural similarity (Wang et al. 2004) of 8-bit images, mean over channels and pixels.

    Gaussian window 11 x 11 with sigma 1.5, range 1, K = (0.01, 0.03); only windows that lie within
    the image and contain only `visible` pixels. Both sides must have at least 11 pixels. NaN if
    there is no such window.
    """
    if reference.shape != test.shape or min(reference.shape[-3:-1]) < SSIM_WINDOW:
        raise ValueError(f"SSIM needs equal shapes of 11 pixels or more: {tuple(test.shape)}")
    x, y = (
        eight_bit(i).double().movedim(-1, -3).flatten(0, -3)[:, None] for i in (reference, test)
    )
    mean_x, mean_y = _blur(x), _blur(y)
    variance_x = _blur(x * x) - mean_x**2
    variance_y = _blur(y * y) - mean_y**2
    covariance = _blur(x * y) - mean_x * mean_y
    c1, c2 = 0.01**2, 0.03**2
    luminance = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
    structure = (2 * covariance + c2) / (variance_x + variance_y + c2)
    similarity = luminance * structure
    if visible is not None:
        hidden = F.max_pool2d((~visible)[None, None].float(), SSIM_WINDOW, 1)[0, 0]
        similarity = similarity[..., hidden == 0.0]
    return float(similarity.mean())


def _blur(channels: Tensor) -> Tensor:
    """(N, 1, height, width) filtered by the separable window."""
    offset = (
        torch.arange(SSIM_WINDOW, dtype=channels.dtype, device=channels.device) - SSIM_WINDOW // 2
    )
    window = torch.exp(-0.5 * (offset / _SIGMA) ** 2)
    window = window / window.sum()
    return F.conv2d(F.conv2d(channels, window.view(1, 1, -1, 1)), window.view(1, 1, 1, -1))
