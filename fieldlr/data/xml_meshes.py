"""What .3mf and .dae files need before trimesh reads them: packages, and checks of their XML.

A .3mf is a zip of XML, +Z up; a .dae (COLLADA) is XML that says which axis is up.
"""

from __future__ import annotations

import importlib.util
import io
import re
import zipfile
from pathlib import Path

from fieldlr.errors import FieldlrError

PACKAGES = {".3mf": ("lxml", "networkx"), ".dae": ("collada",)}
_UP = re.compile(rb"<up_axis>\s*([XYZ])_UP")


def num_bytes(path: Path) -> int:
    """The size of the XML in a file; its own where it cannot be opened."""
    try:
        with zipfile.ZipFile(path) as packed:
            return sum(entry.file_size for entry in packed.infolist())
    except (OSError, zipfile.BadZipFile):
        return path.stat().st_size


def require_readable(data: bytes, suffix: str) -> None:
    """FieldlrError where a package is missing or the file could expand without limit."""
    if missing := [name for name in PACKAGES[suffix] if importlib.util.find_spec(name) is None]:
        raise FieldlrError(
            f"reading {suffix} needs {' and '.join(missing)}. Install it with pip install "
            "'fieldlr[mesh]', or export the mesh as .glb, .ply or .obj."
        )
    if any(b"<!DOCTYPE" in text.replace(b"\0", b"") for text in _texts(data, suffix)):
        raise FieldlrError(
            f"a {suffix} file that defines entities of its own (DOCTYPE) is not read. Export the "
            "mesh again, as .glb, .ply or .obj."
        )


def up_axis(data: bytes) -> str:
    """The axis, X, Y or Z, that is up in a .dae; Y where it does not say."""
    named = _UP.search(data)
    return named[1].decode() if named else "Y"


def _texts(data: bytes, suffix: str) -> list[bytes]:
    if suffix == ".dae":
        if data.lstrip(b"\xef\xbb\xbf\xff\xfe\0 \t\r\n")[:1] != b"<":
            raise ValueError("it is no XML")
        return [data]
    with zipfile.ZipFile(io.BytesIO(data)) as packed:
        return [packed.read(name) for name in packed.namelist()]
