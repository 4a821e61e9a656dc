"""Baselines of rate-distortion plots: Draco, block grids, lossless bits, image formats."""

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
from fieldlr.study.baselines.search import Baseline
from fieldlr.study.baselines.search import Search as Search
from fieldlr.training.tasks import OccupancyTask, Task

# Each is constructed from the task of its kind of source.
SHAPE_BASELINES: tuple[Callable[[Any], Baseline], ...] = (DracoMesh, BlockGrid, LosslessBits)
PHOTO_BASELINES: tuple[Callable[[Any], Baseline], ...] = tuple(
    partial(StoredPhotos, format_name) for format_name in ("JPEG", "WebP", "AVIF")
)


def searches(task: Task, folder: Path, about: dict[str, Any]) -> tuple[list[Search], list[str]]:
    """(a search per available baseline of a task, reasons why others are unavailable)."""
    makers = SHAPE_BASELINES if isinstance(task, OccupancyTask) else PHOTO_BASELINES
    made = [_made(make, task) for make in makers]
    return (
        [Search(one, folder, about) for one in made if not isinstance(one, str)],
        [one for one in made if isinstance(one, str)],
    )


def _made(make: Callable[[Any], Baseline], task: Task) -> Baseline | str:
    """A baseline, or the reason why it is unavailable."""
    try:
        return make(task)
    except FieldlrError as error:
        return str(error)
