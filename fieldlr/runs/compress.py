"""From a run to a .flr file: make the network smaller, fine-tune, encode, write, measure."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fieldlr import codec
from fieldlr.codec.bit_allocation import quantisation_steps
from fieldlr.errors import FieldlrError
from fieldlr.fields import Field
from fieldlr.runs import Run
from fieldlr.runs.flr_file import FlrRun
from fieldlr.runs.pipeline import SourceGone, reopen, take_corrections
from fieldlr.runs.shown import flr_path
from fieldlr.system.json import write_whole
from fieldlr.training.compressor import Compressor
from fieldlr.training.finetune import Finetuning
from fieldlr.training.loop import FitConfig, FitReport
from fieldlr.training.tasks import Task


class Compression:
    """Compression of a field: iterate over `reports` to fine-tune it, then call `finish`.

    Nothing is written before `finish`, and nothing at all without `out`: then `data` has it.
    Without `compressor` and `finetune` the field is quantised as it is, and the source is needed
    only to measure. A `task` that is open already saves reading it.
    """

    def __init__(
        self,
        run: Run | FlrRun,
        out: Path | str | None,
        bits: float | None = None,
        source: Path | None = None,
        finetune: FitConfig | None = None,
        task: Task | None = None,
        max_bytes: int | None = None,
        compressor: Compressor | None = None,
    ):
        if bits is not None and max_bytes is not None:
            raise FieldlrError("`bits` and `max_bytes` both set the size of a file. Give one.")
        self.out = None if out is None else flr_path(out)
        codec.check_bits(bits)
        self.bits, self.about, self.original = bits, run.about(), run.load_field()
        self.field, self.compressor = self.original, compressor
        self.task: Task | None = None
        self.note: str | None = None
        try:
            self.task = task or reopen(run, source)
            take_corrections(run, self.task)
        except SourceGone as error:
            if finetune is not None or compressor is not None:
                raise
            self.note = str(error)
        if compressor is not None and self.task is not None:
            self.field = compressor.compress(self.original, self.task)
        self.max_bytes, self.left = max_bytes, None
        if max_bytes is not None:
            self.left = codec.bytes_left(self.field, self.about, max_bytes)
        self.tuning: Finetuning | None = None
        if finetune is not None and self.task is not None:
            self.tuning = Finetuning(self.field, self.task, finetune, bits, self.left)

    def reports(self) -> Iterator[FitReport]:
        """Fine-tunes; yields a few reports a second, and none where nothing is to be tuned."""
        if self.tuning is not None:
            yield from self.tuning.reports()

    def finish(self) -> dict[str, Any]:
        """Writes the file; returns its size and, where there is a source, its quality."""
        field, steps = (self.field, None) if self.tuning is None else self.tuning.finish()
        if steps is None and self.left is not None:
            steps = quantisation_steps(field, num_bytes=self.left)
        self.data = data = codec.encode(field, self.bits, self.about, steps)
        above = 0 if self.max_bytes is None else len(data) - self.max_bytes
        if self.left is not None and above > 0:
            # Fine-tuning may end some bytes above the size that its steps were chosen for.
            steps = quantisation_steps(field, num_bytes=self.left - above)
            self.data = data = codec.encode(field, None, self.about, steps)
        self.decoded = codec.decode(data)
        if self.out is not None:
            write_whole(self.out, data)
        numbers = self.field.num_parameters
        result: dict[str, Any] = {"out": self.out and str(self.out), "num_bytes": len(data)}
        if self.compressor is not None:
            result["method"] = self.compressor.name
        result["num_parameters"] = numbers
        result["bits_per_number"] = 8 * len(data) / numbers
        if self.task is None:
            return result | {"quality_before": None, "quality_after": None, "note": self.note}
        for name, field in (("before", self.original), ("after", self.decoded)):
            result[f"quality_{name}"] = self.task.evaluate(field)[self.task.quality_name]
        return result


def write_file(field: Field, run: Run | FlrRun, out: Path, bits: float | None = None) -> int:
    """Writes the field of a run as a .flr file; its bytes."""
    data = codec.encode(field, bits, run.about())
    write_whole(out, data)
    return len(data)


def compress(run: Run | FlrRun, out: Path | str, *how: Any, **more: Any) -> dict[str, Any]:
    """Writes a run's field as a .flr file, from beginning to end. Arguments as `Compression`."""
    compression = Compression(run, out, *how, **more)
    for _ in compression.reports():
        pass
    return compression.finish()
