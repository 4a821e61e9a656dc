"""Pictures made smaller by a whole number: means of squares of pixels."""

from __future__ import annotations

from jaxtyping import Bool, Float
from torch import Tensor

from fieldlr.data.scene import Mask, Pixels

LEAST_SHARE = 0.25  # of a square of pixels that is visible, for a mean of it to count


def shrunk(
    photo: Float[Tensor, "h w c"], factor: int
) -> Float[Tensor, "h//{factor} w//{factor} c"]:
    """The means of squares of factor x factor pixels, (H // factor, W // factor, C)."""
    height, width = photo.shape[0] // factor, photo.shape[1] // factor
    squares = photo[: height * factor, : width * factor].view(height, factor, width, factor, -1)
    return squares.mean((1, 3))


def shrunk_visible(
    photo: Float[Tensor, "h w c"], visible: Bool[Tensor, "h w"], factor: int
) -> tuple[Float[Tensor, "h//{factor} w//{factor} c"], Bool[Tensor, "h//{factor} w//{factor}"]]:
    """(the means of what is visible of such squares, which squares show LEAST_SHARE or more)."""
    weights = visible[..., None].float()
    share = shrunk(weights, factor)
    means = shrunk(photo * weights, factor) / share.clamp_min(1e-9)
    return means, share[..., 0] >= LEAST_SHARE


def reduced_visible(image: Pixels, mask: Mask, downscale: int) -> tuple[Pixels, Mask]:
    """(a photo of bytes made from its pixels that count alone, where enough of them do)."""
    values = image.float()
    alpha = values[..., 3:] / 255.0
    values[..., :3] *= alpha if image.shape[-1] == 4 else 1.0
    values, mask = shrunk_visible(values, mask, downscale)
    if image.shape[-1] == 4:
        values[..., :3] *= 255.0 / values[..., 3:].clamp_min(1e-3)
    return values.round().clamp(0, 255).byte(), mask
