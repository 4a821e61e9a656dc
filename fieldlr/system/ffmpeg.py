"""Where ffmpeg is: what reads and writes videos."""

from __future__ import annotations

import shutil

from fieldlr.errors import FieldlrError


def find_ffmpeg() -> str:
    """The ffmpeg of imageio-ffmpeg, else the one on the PATH; FieldlrError without either."""
    try:
        import imageio_ffmpeg

        return imageio_ffmpeg.get_ffmpeg_exe()
    except (ImportError, RuntimeError):
        program = shutil.which("ffmpeg")
    if program is None:
        raise FieldlrError(
            "A video needs ffmpeg, and none was found. Get it with pip install 'fieldlr[video]', "
            "or use a folder of pictures instead."
        )
    return program
