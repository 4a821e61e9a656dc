"""The process of an item: runs its missing steps and records each.

    python -m fieldlr.batch.child

If it is killed at any moment, the next process resumes from its folder.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import TypeVar

from fieldlr.batch.item import Item, Record, fingerprint
from fieldlr.batch.outputs import STEPS, Workbench
from fieldlr.data import open_source
from fieldlr.errors import FieldlrError
from fieldlr.jobs.workers.work import GRACE_SECONDS, Data, serve
from fieldlr.runs import open_run
from fieldlr.runs.fits import fitting
from fieldlr.system.files import lock, make_folder, sweep
from fieldlr.system.process import prepare_process

FIT_SHARE = 0.8  # of an item's progress, if it has a fit
POLL_SECONDS = 0.2
# The time that a process which lost its worker may take to notice and to release the folder.
PATIENCE_SECONDS = GRACE_SECONDS + 160.0
TRASH = ".old-"

Step = TypeVar("Step")
Made = TypeVar("Made")


def work(settings: Data) -> Generator[Data, None, Data]:
    """Runs an item: yields step and progress, returns its result for the report."""
    prepare_process()
    item = Item(**settings["item"])
    folder = Path(settings["folder"])
    make_folder(folder)
    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        with lock(folder / ".lock") as held:
            if held:
                return (yield from _Steps(item, folder).run())
        if time.monotonic() > until:
            raise FieldlrError(f"another process is using {folder}. Wait for its end.")
        yield {"step": "wait", "share": 0.0}
        time.sleep(POLL_SECONDS)


@dataclass
class _Steps:
    """The steps of an item in its folder, which this process has locked."""

    item: Item
    folder: Path

    def run(self) -> Generator[Data, None, Data]:
        began = perf_counter()
        self.record = Record.read(self.folder)
        earlier = self.record.seconds
        self._clear()
        bench = Workbench(self.item, self.folder)
        try:
            if self.item.fits:
                yield from self._fit(bench)
            yield from self._outputs(bench)
        finally:
            self.record.seconds = earlier + perf_counter() - began
            self.record.write(self.folder)
        return self.record.result()

    def _clear(self) -> None:
        """Removes files of killed processes and results for other options."""
        sweep(self.folder)
        self._empty_trash()
        now = fingerprint(Path(self.item.source))
        same = self.record.begun == self.item.fit_asked
        if same and self.record.source != now and (self.folder / "run" / "config.json").exists():
            reading = self.item.fit_options.reading.flat()
            content = open_source(Path(self.item.source), **reading).content
            same = open_run(self.folder / "run").content_hash == content.content_hash
        if not same:
            self._remove()
            self.record = Record(begun=self.item.fit_asked)
        self.record.source = now
        self.record.write(self.folder)

    def _remove(self) -> None:
        """Removes earlier results, the record first so that it is never wrong."""
        Record().write(self.folder)
        for name in ("run", "study", *(name for step in STEPS.values() for name in step.files)):
            if (self.folder / name).exists():
                # Moved, then removed: a folder is never partly removed in its place.
                trash = self.folder / f"{TRASH}{Path(name).name}-{time.time_ns()}"
                os.replace(self.folder / name, trash)
        self._empty_trash()

    def _empty_trash(self) -> None:
        for old in self.folder.glob(f"{TRASH}*"):
            shutil.rmtree(old, ignore_errors=True) if old.is_dir() else old.unlink()

    def _fit(self, bench: Workbench) -> Generator[Data, None, None]:
        item, asked = self.item, self.item.fit_asked
        if self.record.has(self.folder, "fit", asked):
            return
        # From here on the run changes, which invalidates all outputs made from it.
        self.record.done = {}
        self.record.write(self.folder)
        source, run = Path(item.source), self.folder / "run"
        with closing(fitting(source, run, item.fit_options)) as steps:
            made = []
            for data in _with_result(steps, made):
                yield data | {"share": FIT_SHARE * data["share"]}
        fit, results = made[0]
        figures = {name: value for name, value in results.items() if name not in ("run", "config")}
        figures |= {
            "measure": fit.task.quality_name,
            "warnings": [*fit.source.content.warnings, *figures["warnings"]],
        }
        self.record.add(self.folder, "fit", asked, ("run/field.safetensors",), figures)
        bench.opened = fit.task

    def _outputs(self, bench: Workbench) -> Generator[Data, None, None]:
        asked = {step: own for step, own in self.item.asked().items() if step != "fit"}
        missing = [step for step in asked if not self.record.has(self.folder, step, asked[step])]
        fitted = FIT_SHARE if self.item.fits else 0.0
        for number, step in enumerate(missing):
            with closing(STEPS[step].make(bench)) as making:
                made = []
                for share in _with_result(making, made):
                    done = (number + share) / len(missing)
                    yield {"step": step, "share": fitted + (1.0 - fitted) * done}
            self.record.add(self.folder, step, asked[step], STEPS[step].files, *made)


def _with_result(making: Generator[Step, None, Made], made: list[Made]) -> Iterator[Step]:
    """Yields from a generator; its return value is appended to `made`."""
    made.append((yield from making))


def main() -> None:
    serve(work)


if __name__ == "__main__":
    main()
