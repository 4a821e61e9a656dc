"""Plain values as JSON, and bytes: files that are always the old or the new one."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from fieldlr.errors import FieldlrError
from fieldlr.system.files import replacing


def write_json(path: Path, value: Any) -> None:
    """Writes plain values so that the file is always the old or the new one."""
    write_whole(path, json.dumps(without_nan(value), indent=1).encode())


def without_nan(value: Any) -> Any:
    """Plain values with None for what is not a finite number: JSON has no word for it."""
    if isinstance(value, dict):
        return {key: without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_nan(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def write_whole(path: Path, content: bytes) -> None:
    """Writes beside the place, to the disk, then moves into it."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError, RecursionError) as error:
        raise FieldlrError(
            f"{path} cannot be read as JSON ({error}). Restore or remove it."
        ) from None
