"""The words of an .obj before a parser sees them."""

from __future__ import annotations

import re

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_LINE_ENDS = re.compile(rb"\r\n?")
_CONTINUED = re.compile(rb"\\[ \t]*\n")
_COMMENTS = re.compile(rb"#[^\n]*")
_SPACES = re.compile(rb"[ \t\f\v]+")
_EDGES = re.compile(rb"^ | $", re.MULTILINE)
# Every name would begin a body of its own; there may be a hundred thousand.
_NAMES = re.compile(rb"^(?:mtllib|usemtl|o|g|s)\b[^\n]*\n?", re.MULTILINE)
_CAPITALS = re.compile(rb"^(?:V|VT|VN|F)(?= )", re.MULTILINE)
_OUTLINES = re.compile(rb"^fo(?= )", re.MULTILINE)  # what version 2 called a face
_FACE = re.compile(rb"^[ \t]*f[ \t][^\r\n]*-", re.MULTILINE)
KINDS = (b"v", b"vt", b"vn")  # what the numbers of a corner, between slashes, count


def plain(data: bytes) -> bytes:
    """The same lines without comments, names of groups and materials, tabs and indentation."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        data = data.decode("utf-16").encode()
    data = _LINE_ENDS.sub(b"\n", data.removeprefix(_BYTE_ORDER_MARK))
    data = _COMMENTS.sub(b"", _CONTINUED.sub(b" ", data))
    data = _EDGES.sub(b"", _SPACES.sub(b" ", data))
    data = _OUTLINES.sub(b"f", _CAPITALS.sub(lambda word: word[0].lower(), data))
    return _NAMES.sub(b"", data)


def absolute(data: bytes) -> bytes:
    """The text with relative indices counted from where they stand, as the format has it.

    -1 is the last vertex before the face: where vertices follow faces, what stands in the middle of
    a file cannot be counted from its end.
    """
    if _FACE.search(data) is None:
        return data
    lines = data.split(b"\n")
    seen: dict[bytes, int] = dict.fromkeys(KINDS, 0)
    for number, line in enumerate(lines):
        words = line.split()
        if not words:
            continue
        if words[0] in seen:
            seen[words[0]] += 1
        elif words[0] == b"f" and b"-" in line:
            corners = (_corner(word, seen) for word in words[1:])
            lines[number] = b" ".join([b"f", *corners])
    return b"\n".join(lines)


def _corner(word: bytes, seen: dict[bytes, int]) -> bytes:
    """A corner such as 3/-1/-2 with every number counted from 1."""
    parts = word.split(b"/")
    for place, (part, kind) in enumerate(zip(parts, KINDS, strict=False)):
        if part.startswith(b"-") and part[1:].isdigit():
            # Before the first one there is none: 0, which is refused as a corner that is not there.
            parts[place] = b"%d" % max(seen[kind] + 1 + int(part), 0)
    return b"/".join(parts)
