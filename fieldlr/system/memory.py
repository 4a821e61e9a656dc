"""The available memory, and an error beforehand if something needs more."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from fieldlr.errors import FieldlrError

# The memory of torch, a field and its buffers, without the source.
BASE_BYTES = 1_000_000_000
# The process's control groups on Linux, and the folder with their limits.
GROUPS, CGROUPS = Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")


def machine_bytes() -> int:
    """Bytes of memory of this machine, or the limit of this process's control group.

    Where neither is known (Windows), `sys.maxsize`.
    """
    limits = [sys.maxsize, *_group_limits()]
    if hasattr(os, "sysconf"):
        limits.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    return min(limits)


def require(num_bytes: float, most_bytes: int | None, way_out: str) -> None:
    """Raises FieldlrError if a fit needs more than `most_bytes`, by default all memory."""
    allowed = machine_bytes() if most_bytes is None else most_bytes
    if num_bytes > allowed:
        source = "this machine has" if most_bytes is None else "`memory` allows"
        raise FieldlrError(
            f"this needs about {num_bytes / 2**30:.1f} GiB of memory and {source} "
            f"{allowed / 2**30:.3g} GiB. {way_out}"
        )


def _group_limits() -> list[int]:
    """The limits of this process's control group and its parents (cgroups v2, then v1)."""
    limits = []
    for line in _text(GROUPS).splitlines():
        _, controllers, place = line.split(":", 2)
        if controllers not in ("", "memory"):
            continue
        root = CGROUPS / controllers
        name = "memory.limit_in_bytes" if controllers else "memory.max"
        own = root / place.lstrip("/")
        for group in (own, *own.parents):
            text = _text(group / name)
            limits += [int(text)] if text.isdecimal() else []
            if group == root:
                break
    return limits


def _text(file: Path) -> str:
    try:
        return file.read_text().strip()
    except OSError:
        return ""
