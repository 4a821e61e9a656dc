"""The words of an .obj before a parser sees them."""

from __future__ import annotations

import re

_FACE = re.compile(rb"^[ \t]*f[ \t][^\r\n]*-", re.MULTILINE)
KINDS = (b"v", b"vt", b"vn")  # what the numbers of a corner, between slashes, count


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
