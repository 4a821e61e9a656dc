"""Locates ffmpeg."""

from __future__ import annotations

import shutil

from fieldlr.errors import FieldlrError


def find_ffmpeg() -> str:
    """The ffmpeg of imageio-ffmpeg, else on the PATH; raises FieldlrError if there is none."""
    try:
        import imageio_ffmpeg

        return imageio_ffmpeg.get_ffmpeg_exe()
    except (ImportError, RuntimeError):
        program = shutil.which("ffmpeg")
    if program is None:
        raise FieldlrError(
            "A video needs ffmpeg, which was not found. Install it with pip install "
            "'fieldlr[video]', or use a folder of pictures instead."
        )
    return program
