"""Pictures as PNG, and depth as numbers and as a picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8

from fieldlr.errors import FieldlrError
from fieldlr.system.files import replacing

# Turbo (Mikhailov 2019), its published polynomial of degree 5: coefficients of 1, x, ..., x^5 for
# red, green and blue.
TURBO = np.array(
    [
        [0.13572138, 4.61539260, -42.66032258, 132.13108234, -152.94239396, 59.28637943],
        [0.09140261, 2.19418839, 4.84296658, -14.18503333, 4.27729857, 2.82956604],
        [0.10667330, 12.64194608, -60.58204836, 110.36276771, -89.90310912, 27.34824973],
    ]
)


# Grey (H, W), RGB or RGBA: bytes, or floats in [0, 1].
Pixels = Float[np.ndarray, "h w *c"] | UInt8[np.ndarray, "h w *c"]
Depth = Float[np.ndarray, "h w"]


def to_bytes(
    image: Float[np.ndarray, "*n"] | UInt8[np.ndarray, "*n"],
) -> UInt8[np.ndarray, "*n"]:
    """An image as uint8: floats in [0, 1] are clamped and rounded, bytes stay."""
    image = np.asarray(image)
    if image.dtype == np.uint8:
        return image
    return (np.clip(np.nan_to_num(image), 0, 1) * 255 + 0.5).astype(np.uint8)


def write_image(image: Pixels, path: Path | str) -> None:
    """Writes an image (H, W), (H, W, 3) or (H, W, 4), bytes or floats in [0, 1], as PNG."""
    from PIL import Image

    path = Path(path)
    if path.suffix.lower() != ".png":
        raise FieldlrError(f"A picture is written as .png; got {path.name}. Change the suffix.")
    with replacing(path) as temporary:
        Image.fromarray(to_bytes(image)).save(temporary, format="PNG")


def png_bytes(image: Pixels) -> bytes:
    """An image (H, W), (H, W, 3) or (H, W, 4), bytes or floats in [0, 1], as those of a PNG."""
    from io import BytesIO

    from PIL import Image

    stream = BytesIO()
    Image.fromarray(to_bytes(image)).save(stream, format="PNG")
    return stream.getvalue()


def jpeg_bytes(image: Pixels, quality: int = 90) -> bytes:
    """An image (H, W, 3), bytes or floats in [0, 1], as the bytes of a JPEG."""
    from io import BytesIO

    from PIL import Image

    stream = BytesIO()
    Image.fromarray(to_bytes(image)).save(stream, format="JPEG", quality=quality, subsampling=0)
    return stream.getvalue()


def write_depth(depth: Depth, path: Path | str) -> None:
    """Writes depth (H, W) in world units: float32 as .npy, and its picture beside it as .png."""
    path = Path(path)
    with replacing(path.with_suffix(".npy")) as temporary, temporary.open("wb") as file:
        np.save(file, np.asarray(depth, np.float32), allow_pickle=False)
    write_image(depth_picture(depth), path.with_suffix(".png"))


def depth_picture(depth: Depth) -> UInt8[np.ndarray, "h w 3"]:
    """Depth (H, W) as colours (H, W, 3) uint8: near is warm, far is cool, nothing is black.

    The range is that of the middle 98 % of what is finite and positive, on an inverse scale, so
    that a distant background does not flatten what stands before it.
    """
    depth = np.asarray(depth, np.float64)
    seen = np.isfinite(depth) & (depth > 0)
    if not seen.any():
        return np.zeros((*depth.shape, 3), np.uint8)
    nearness = 1.0 / np.where(seen, depth, 1.0)
    low, high = np.percentile(nearness[seen], [1, 99])
    scaled = (nearness - low) / max(high - low, 1e-9 * high)
    # Turbo starts almost black: the farthest depth must not look like nothing.
    return turbo(0.08 + 0.92 * np.clip(scaled, 0, 1)) * seen[..., None].astype(np.uint8)


def turbo(values: Float[np.ndarray, "*n"]) -> UInt8[np.ndarray, "*n 3"]:
    """Colours (..., 3) uint8 of values (...), clamped to [0, 1]: from dark blue to dark red."""
    powers = np.clip(values, 0, 1)[..., None] ** np.arange(TURBO.shape[1])
    return to_bytes(powers @ TURBO.T)
