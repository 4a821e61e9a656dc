"""Reads the triangles of an .stl, text or binary, whatever stands around them."""

from __future__ import annotations

import re

import numpy as np
from jaxtyping import Float

HEADER_BYTES = 80
RECORD = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
_VERTEX = re.compile(rb"\bvertex\s+(\S+)\s+(\S+)\s+(\S+)", re.IGNORECASE)


def parse(data: bytes) -> Float[np.ndarray, "f 3 3"]:
    """Corners (F, 3, 3) of every triangle; ValueError where the file is damaged.

    A text may begin like any binary header and some binary headers begin with "solid", so the
    words decide: a text has a vertex early on.
    """
    if b"vertex" in data[:2000].lower():
        corners = np.array(_VERTEX.findall(data), np.float64)
        return corners.reshape(-1, 3, 3)
    begin = HEADER_BYTES + 4
    if len(data) < begin:
        return np.zeros((0, 3, 3))
    count = int.from_bytes(data[HEADER_BYTES:begin], "little")
    if begin + count * RECORD.itemsize > len(data):
        raise ValueError(
            f"it says {count:,} triangles and holds {(len(data) - begin) // RECORD.itemsize:,}"
        )
    records = np.frombuffer(data, RECORD, count, begin)
    return records["corners"].astype(np.float64)
