"""Conventional codecs on the same plot: Draco, block grids, lossless bits, pictures."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from fieldlr.errors import FieldlrError
from fieldlr.study.baselines.block_grid import BlockGrid
from fieldlr.study.baselines.draco_mesh import DracoMesh
from fieldlr.study.baselines.lossless import LosslessBits
from fieldlr.study.baselines.photos import StoredPhotos
from fieldlr.study.baselines.search import Classic
from fieldlr.study.baselines.search import Search as Search
from fieldlr.training.tasks import OccupancyTask, Task

# Each takes the task of its kind of source.
SHAPE_CLASSICS: tuple[Callable[[Any], Classic], ...] = (DracoMesh, BlockGrid, LosslessBits)
PHOTO_CLASSICS: tuple[Callable[[Any], Classic], ...] = tuple(
    partial(StoredPhotos, format_name) for format_name in ("JPEG", "WebP", "AVIF")
)


def searches(task: Task, folder: Path, about: dict[str, Any]) -> tuple[list[Search], list[str]]:
    """(the classics of a task, each with what is known of it, which cannot be had and why)."""
    makers = SHAPE_CLASSICS if isinstance(task, OccupancyTask) else PHOTO_CLASSICS
    made = [_made(make, task) for make in makers]
    return (
        [Search(one, folder, about) for one in made if not isinstance(one, str)],
        [one for one in made if isinstance(one, str)],
    )


def _made(make: Callable[[Any], Classic], task: Task) -> Classic | str:
    """A classic, or in a sentence what it lacks."""
    try:
        return make(task)
    except FieldlrError as error:
        return str(error)
