"""The .flr files of a fit at several bit depths, and the quality of the decoded fields."""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from fieldlr import codec
from fieldlr.runs import Run
from fieldlr.system.json import read_json, write_json, write_whole
from fieldlr.training.finetune import Finetuning
from fieldlr.training.loop import FitConfig, FitReport
from fieldlr.training.tasks import Task


@dataclass(frozen=True)
class Coding:
    """How a field is encoded."""

    bits: float | None = None  # per parameter, on average; None: automatic
    finetune: FitConfig | None = None

    @property
    def name(self) -> str:
        """The file name: auto.flr, 6bits.flr, 6bits-finetuned-30s.flr."""
        size = "auto" if self.bits is None else f"{self.bits:g}bits"
        end = self.finetune
        if end is None:
            return f"{size}.flr"
        length = f"{end.steps}steps" if end.seconds is None else f"{end.seconds:g}s"
        return f"{size}-finetuned-{length}.flr"


@dataclass(frozen=True)
class StoredField:
    """A file, and the quality of its decoded field."""

    file: str  # the name, within the folder of the fit
    num_bytes: int
    num_parameters: int
    quality: float | None  # None if there is nothing to measure it on
    of: int  # the checksum of the trained field


def known_file(run: Run, coding: Coding) -> StoredField | None:
    """The record of a file that exists, is complete, measured and of the current field."""
    path = run.folder / coding.name
    figures = path.with_suffix(".json")
    if not (path.exists() and figures.exists()):
        return None
    try:
        stored = StoredField(**read_json(figures))
    except TypeError:  # Of another version: measured again.
        return None
    is_whole = stored.num_bytes == path.stat().st_size
    return stored if is_whole and stored.of == field_checksum(run) else None


def field_checksum(run: Run) -> int:
    """The checksum of a run's trained field, which further training changes."""
    return zlib.crc32((run.folder / "field.safetensors").read_bytes())


def make_file(run: Run, task: Task, coding: Coding, seed: int) -> Iterator[FitReport]:
    """Writes a file of a run and measures its decoded field; yields reports of the fine-tuning.

    Then `known_file` returns it. Its record is written last: a file without one is made again.
    """
    path = run.folder / coding.name
    path.with_suffix(".json").unlink(missing_ok=True)
    field, steps, checksum = run.load_field(), None, field_checksum(run)
    if coding.finetune is not None:
        end = dataclasses.replace(coding.finetune, seed=seed)
        tuning = Finetuning(field, task, end, coding.bits)
        yield from tuning.reports()
        field, steps = tuning.finish()
    data = codec.encode(field, coding.bits, run.about(), steps)
    write_whole(path, data)
    decoded = codec.decode(data)
    quality = task.evaluate(decoded)[task.quality_name]
    stored = StoredField(coding.name, len(data), decoded.num_parameters, quality, checksum)
    write_json(path.with_suffix(".json"), dataclasses.asdict(stored))
