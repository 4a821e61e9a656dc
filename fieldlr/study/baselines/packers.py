"""Codecs of others for a small array in [-1, 1]: arrays as they are, as one picture, as a video."""

from __future__ import annotations

import math
import struct
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec

import numpy as np
from jaxtyping import Float, UInt8

from fieldlr.errors import FieldlrError
from fieldlr.system.ffmpeg import find_ffmpeg

Counts = tuple[int, int, int]
FRAME_MULTIPLE = 16  # what the edges of frames are padded to, as codecs would do
HEAD = struct.Struct("<BH")  # the quality's place; how many bytes a blank file has in common


class CodecFailed(FieldlrError):
    """A codec crashed on an array: x265 does on frames of a few sizes."""


@dataclass(frozen=True)
class Packer:
    """A codec. `encode` takes an array (bx, by, bz) and one of `qualities`, fewest bytes first."""

    name: str
    words: str
    qualities: tuple[float, ...]
    encode: Callable[[np.ndarray, float], bytes]
    decode: Callable[[bytes, Counts], np.ndarray]

    def pack(self, levels: Float[np.ndarray, "bx by bz"], index: int) -> bytes:
        """The file without what the file of an empty array begins with.

        That is what a decoder that knows the shape and the quality does not need: the containers.
        """
        data, blank = self.encode(levels, self.qualities[index]), self._blank(levels.shape, index)
        pairs = zip(data, blank, strict=False)
        same = next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(data), len(blank)))
        return HEAD.pack(index, same) + data[same:]

    def unpack(self, data: bytes, counts: Counts) -> Float[np.ndarray, "bx by bz"]:
        """The array of a file of `pack`."""
        index, same = HEAD.unpack_from(data)
        whole = self._blank(counts, index)[:same] + data[HEAD.size :]
        return self.decode(whole, counts).astype(np.float32)

    def _blank(self, counts: Counts, index: int) -> bytes:
        return _blank(self, tuple(counts), index)


@lru_cache(maxsize=64)
def _blank(packer: Packer, counts: Counts, index: int) -> bytes:
    return packer.encode(np.full(counts, -1.0, np.float32), packer.qualities[index])


def packers() -> list[Packer]:
    """All codecs; FieldlrError where imagecodecs or ffmpeg is missing."""
    if find_spec("imagecodecs") is None:
        raise FieldlrError(
            "the codecs of others are unavailable: imagecodecs is not installed. Install with "
            "pip install 'fieldlr[comparison]'."
        )
    find_ffmpeg()
    return [*ARRAYS, *PICTURES, *VIDEOS]


def _sperr(levels: np.ndarray, quality: float) -> bytes:
    import imagecodecs

    return bytes(imagecodecs.sperr_encode(np.ascontiguousarray(levels), quality, mode="psnr"))


def _from_sperr(data: bytes, counts: Counts) -> np.ndarray:
    import imagecodecs

    return imagecodecs.sperr_decode(data, shape=counts, dtype=np.float32)


def _zfp(levels: np.ndarray, quality: float) -> bytes:
    import imagecodecs

    return bytes(imagecodecs.zfp_encode(np.ascontiguousarray(levels), level=int(quality), mode="p"))


def _from_zfp(data: bytes, counts: Counts) -> np.ndarray:
    import imagecodecs

    return imagecodecs.zfp_decode(data)


def _jxl(levels: np.ndarray, quality: float) -> bytes:
    import imagecodecs

    return bytes(imagecodecs.jpegxl_encode(_picture(levels), distance=quality, effort=9))


def _from_jxl(data: bytes, counts: Counts) -> np.ndarray:
    import imagecodecs

    return _from_picture(imagecodecs.jpegxl_decode(data), counts)


def _jpeg2000(levels: np.ndarray, quality: float) -> bytes:
    import imagecodecs

    picture = _picture(levels)
    return bytes(
        imagecodecs.jpeg2k_encode(picture, int(quality), codecformat="J2K", reversible=False)
    )


def _from_jpeg2000(data: bytes, counts: Counts) -> np.ndarray:
    import imagecodecs

    return _from_picture(imagecodecs.jpeg2k_decode(data), counts)


def _columns(counts: Counts) -> int:
    """Slices beside each other in a picture that is about square."""
    return max(1, round(math.sqrt(counts[0] * counts[1] / counts[2])))


def _picture(levels: Float[np.ndarray, "bx by bz"]) -> UInt8[np.ndarray, "h w"]:
    """All slices along x in one picture, row by row."""
    bx, by, bz = levels.shape
    columns = _columns(levels.shape)
    rows = -(-bx // columns)
    slices = np.zeros((rows * columns, by, bz), np.uint8)
    slices[:bx] = _bytes(levels)
    tiled = slices.reshape(rows, columns, by, bz).transpose(0, 2, 1, 3)
    return np.ascontiguousarray(tiled.reshape(rows * by, columns * bz))


def _from_picture(picture: UInt8[np.ndarray, "h w"], counts: Counts) -> np.ndarray:
    bx, by, bz = counts
    columns = _columns(counts)
    tiled = picture.reshape(-1, by, columns, bz).transpose(0, 2, 1, 3)
    return tiled.reshape(-1, by, bz)[:bx] / np.float32(127.5) - 1.0


def _bytes(levels: np.ndarray) -> np.ndarray:
    return np.rint((levels + 1.0) * 127.5).astype(np.uint8)


@dataclass(frozen=True)
class VideoCodec:
    """An encoder of ffmpeg for slices along x as frames, in a raw stream without a container."""

    arguments: tuple[str, ...]
    rate_flag: str
    stream: str  # the format of the raw stream
    pixels: str
    bits: int = 8
    smallest: int = 32  # the shortest edge of a frame that the encoder takes

    def encode(self, levels: Float[np.ndarray, "bx by bz"], quality: float) -> bytes:
        by, bz = levels.shape[1:]
        height, width = self._padded(by), self._padded(bz)
        frames = np.pad(_bytes(levels), ((0, 0), (0, height - by), (0, width - bz)), "edge")
        pixels = frames.astype(f"<u{self.bytes_each}") << (self.bits - 8)
        colours = np.full((height // 2, width), 128 << (self.bits - 8), pixels.dtype)
        raw = b"".join(
            frame.tobytes() + (b"" if self.pixels == "gray" else colours.tobytes())
            for frame in pixels
        )
        words = ["-f", "rawvideo", "-pix_fmt", self.pixels, "-s", f"{width}x{height}", "-i", "-"]
        words += [*self.arguments, self.rate_flag, f"{quality:g}", "-f", self.stream, "-"]
        return _ffmpeg(words, raw)

    def decode(self, data: bytes, counts: Counts) -> Float[np.ndarray, "bx by bz"]:
        bx, by, bz = counts
        height, width = self._padded(by), self._padded(bz)
        words = ["-f", self.stream, "-i", "-", "-f", "rawvideo", "-pix_fmt", self.pixels, "-"]
        raw = np.frombuffer(_ffmpeg(words, data), f"<u{self.bytes_each}").reshape(bx, -1)
        frames = raw[:, : height * width].reshape(bx, height, width)[:, :by, :bz]
        return frames / np.float32(127.5 * (1 << (self.bits - 8))) - 1.0

    @property
    def bytes_each(self) -> int:
        return 1 if self.bits == 8 else 2

    def _padded(self, size: int) -> int:
        return max(-(-size // FRAME_MULTIPLE) * FRAME_MULTIPLE, self.smallest)


def _ffmpeg(words: list[str], data: bytes) -> bytes:
    command = [find_ffmpeg(), "-v", "error", "-nostdin", *words]
    done = subprocess.run(command, input=data, capture_output=True)
    if done.returncode != 0:
        told = done.stderr.decode(errors="replace").strip().splitlines()
        raise CodecFailed(
            f"ffmpeg failed: {told[-1] if told else done.returncode}. Install another with pip "
            "install -U imageio-ffmpeg."
        )
    return done.stdout


X265 = "info=0:keyint=-1:pools=none:log-level=none"
HEVC = VideoCodec(
    ("-c:v", "libx265", "-preset", "veryslow", "-x265-params", X265), "-crf", "hevc", "gray"
)
AV1 = VideoCodec(
    ("-c:v", "libaom-av1", "-cpu-used", "3", "-g", "9999", "-threads", "1"), "-crf", "obu", "gray"
)
# Not for the eye: by squared error, as the others.
VVENC = ("-preset", "medium", "-qpa", "0", "-vvenc-params", "intraperiod=-1", "-threads", "1")
VVC = VideoCodec(("-c:v", "libvvenc", *VVENC), "-qp", "vvc", "yuv420p10le", 10, smallest=64)
ARRAYS = (
    Packer(
        "SPERR",
        "wavelets of three dimensions",
        (13, 16, 19, 22, 25, 29, 34, 40),
        _sperr,
        _from_sperr,
    ),
    Packer("ZFP", "blocks of 4³", (2, 4, 6, 8, 10), _zfp, _from_zfp),
)
PICTURES = (
    Packer("JPEG XL", "slices in one picture", (22, 17, 12, 8, 5, 3, 1.5, 0.7), _jxl, _from_jxl),
    Packer(
        "JPEG 2000",
        "slices in one picture",
        (18, 21, 24, 27, 30, 34, 38, 44),
        _jpeg2000,
        _from_jpeg2000,
    ),
)
VIDEOS = (
    Packer(
        "HEVC", "slices as frames, by x265", (48, 42, 36, 30, 24, 18, 12), HEVC.encode, HEVC.decode
    ),
    Packer(
        "AV1", "slices as frames, by libaom", (61, 54, 46, 38, 30, 22, 14), AV1.encode, AV1.decode
    ),
    Packer("VVC", "slices as frames, by VVenC", (48, 42, 36, 30, 24, 18), VVC.encode, VVC.decode),
)
