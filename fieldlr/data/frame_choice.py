"""Which frames of a video to use: sharp ones, evenly spaced in image motion.

How far the picture has moved is measured by phase correlation (Kuglin and Hines 1975) in windows of
small frames, against the last frame from which it had moved; so noise, and a still camera, add
nothing. The way is cut into pieces of one length, and of each piece the sharpest frame is taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float, UInt8

MOST_FRAMES = 150
# Motion between chosen frames, in shares of the picture's longer side: below the smallest step the
# view is the same, above the largest the frames overlap too little to be matched.
SMALLEST_STEP, LARGEST_STEP = 0.02, 0.15
# The reference frame is replaced after this much motion, far more than the error of a pixel.
REFERENCE_STEP = 0.015
# A frame counts as blurred below this share of the 90th percentile of its neighbours' sharpness:
# most of them may be blurred.
BLURRED, NEIGHBOURS, SHARPEST = 0.3, 15, 0.9
# Motion is measured in frames reduced by this factor, in windows of half their sides; windows
# with a lower standard deviation of grey levels are left out.
REDUCTION, FLATTEST_WINDOW = 4, 3.0

Frame = UInt8[np.ndarray, "h w"]


@dataclass
class FrameWatch:
    """Sharpness and way of the frames that it is shown, in their order."""

    sharpness: list[float] = field(default_factory=list)
    way: list[float] = field(default_factory=list)  # motion since the first frame, in longer sides
    _reference: Float[np.ndarray, "h w"] | None = None
    _behind: float = 0.0  # the motion at the reference frame

    def look(self, frame: Frame) -> None:
        """Measures one more frame."""
        self.sharpness.append(sharpness(frame))
        small = reduced(frame)
        if self._reference is None:
            self._reference = small
        moved = displacement(self._reference, small) / max(small.shape)
        # Motion never decreases: a camera that shakes on the spot gets nowhere.
        self.way.append(max(self._behind + moved, self.way[-1] if self.way else 0.0))
        if moved > REFERENCE_STEP:
            self._reference, self._behind = small, self.way[-1]


@dataclass(frozen=True)
class FrameChoice:
    """What was chosen, and how it came about."""

    chosen: tuple[int, ...]
    blurred: int  # frames that are left out as blurred
    step: float  # of the way from one chosen frame to the next, in longer sides of the picture


def choose_frames(
    sharpness: Sequence[float], way: Sequence[float], most: int = MOST_FRAMES
) -> FrameChoice:
    """At most `most` frames, the sharpest of every piece of the way."""
    sharp, travelled = np.asarray(sharpness), np.asarray(way)
    total = float(travelled[-1])
    step = max(total / most, SMALLEST_STEP)
    pieces = np.minimum((travelled / step).astype(int), most - 1)
    blurred = is_blurred(sharp)
    chosen = []
    for piece in np.unique(pieces):
        among = np.flatnonzero((pieces == piece) & ~blurred)
        if len(among):
            chosen.append(int(among[sharp[among].argmax()]))
    return FrameChoice(tuple(chosen), int(blurred.sum()), step)


def sharpness(frame: Frame) -> float:
    """The variance of the Laplacian (Pech-Pacheco et al. 2000)."""
    grey = frame.astype(np.int16)
    around = grey[1:-1, :-2] + grey[1:-1, 2:] + grey[:-2, 1:-1] + grey[2:, 1:-1]
    return float((around - 4 * grey[1:-1, 1:-1]).astype(np.float32).var())


def is_blurred(sharp: Float[np.ndarray, " n"]) -> Bool[np.ndarray, " n"]:
    """Frames that are much less sharp than those about them: texture differs along a video."""
    around = [
        np.quantile(sharp[max(0, i - NEIGHBOURS) : i + NEIGHBOURS + 1], SHARPEST)
        for i in range(len(sharp))
    ]
    return sharp < BLURRED * np.asarray(around)


def reduced(frame: Frame) -> Float[np.ndarray, "_ _"]:
    """The frame by means of REDUCTION x REDUCTION pixels; what is left at the border is cut."""
    height, width = (max(side // REDUCTION, 1) for side in frame.shape)
    blocks = frame[: height * REDUCTION, : width * REDUCTION].astype(np.float32)
    return blocks.reshape(height, REDUCTION, width, REDUCTION).mean((1, 3))


@lru_cache
def _hann(shape: tuple[int, int]) -> Float[np.ndarray, "h w"]:
    return np.outer(np.hanning(shape[0]), np.hanning(shape[1])).astype(np.float32)


def windows(frame: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "9 _ _"]:
    """Nine windows of half the sides, each half over the next."""
    tall, wide = (max(side // 2, 1) for side in frame.shape)
    corners = [(i * tall // 2, j * wide // 2) for i in range(3) for j in range(3)]
    return np.stack([frame[y : y + tall, x : x + wide] for y, x in corners])


def displacement(first: Float[np.ndarray, "h w"], second: Float[np.ndarray, "h w"]) -> float:
    """How many pixels the picture has moved: the median over windows, some of which may be still.

    Windows see a turn or a zoom as motion in several directions, where the whole sees none.
    """
    parts = [windows(first), windows(second)]
    textured = np.min([part.std((1, 2)) for part in parts], axis=0) > FLATTEST_WINDOW
    if not textured.any():
        return 0.0
    return float(np.median(shifts(*(part[textured] for part in parts))))


def shifts(
    first: Float[np.ndarray, "n h w"], second: Float[np.ndarray, "n h w"]
) -> Float[np.ndarray, " n"]:
    """Pixels between windows, by the peaks of their phase correlation."""
    count, height, width = first.shape
    hann = _hann((height, width))
    spectra = [
        np.fft.rfft2((part - part.mean((1, 2), keepdims=True)) * hann) for part in (first, second)
    ]
    cross = spectra[0] * spectra[1].conj()
    peaks = np.fft.irfft2(cross / np.maximum(np.abs(cross), 1e-9), s=(height, width))
    down, across = np.unravel_index(peaks.reshape(count, -1).argmax(1), (height, width))
    return np.hypot(np.minimum(down, height - down), np.minimum(across, width - across))
