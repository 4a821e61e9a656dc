"""What is seen of a page."""

import io

import numpy as np
from PIL import Image


def canvas_pixels(page) -> np.ndarray:
    """What is seen where the canvas is, (H, W, 3)."""
    data = page.locator("canvas").screenshot()
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int)
