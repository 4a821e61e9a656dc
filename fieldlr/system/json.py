"""Atomic writing of JSON and bytes, and reading of JSON."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from fieldlr.errors import FieldlrError
from fieldlr.system.files import replacing


def write_json(path: Path, value: Any) -> None:
    """Writes plain values atomically."""
    write_whole(path, json.dumps(without_nan(value), indent=1).encode())


def without_nan(value: Any) -> Any:
    """Plain values with None for NaN and infinity, which JSON does not support."""
    if isinstance(value, dict):
        return {key: without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_nan(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def write_whole(path: Path, content: bytes) -> None:
    """Writes bytes atomically."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError, RecursionError) as error:
        raise FieldlrError(
            f"{path} cannot be read as JSON ({error}). Restore or remove it."
        ) from None
