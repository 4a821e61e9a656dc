"""A batch: runs the items of a manifest in one folder, each once, and reports on them."""

from __future__ import annotations

import dataclasses
from collections.abc import Generator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any, Literal

from fieldlr.batch.item import Item, Record, is_done
from fieldlr.batch.manifest import Manifest
from fieldlr.batch.report import write_report
from fieldlr.errors import FieldlrError
from fieldlr.jobs.workers import Event, Executor, WorkItem
from fieldlr.system.files import lock, make_folder, sweep

Status = Literal["done", "failed", "skipped"]
STOPPED = "stopped before it was done. Rerun the same command to resume."


@dataclass
class State:
    """The state of an item."""

    item: Item
    status: Status = "skipped"
    error: str | None = None
    reused: bool = False
    result: dict[str, Any] = field(default_factory=dict)  # if done
    share: float = 0.0  # in [0, 1], if running
    began: float | None = None  # by `perf_counter`
    took: float = 0.0  # seconds in this batch
    causes: list[str] = field(default_factory=list)  # of attempts that died

    @property
    def over(self) -> bool:
        return self.status != "skipped"

    def plain(self) -> dict[str, Any]:
        """Its entry in the report."""
        entry: dict[str, Any] = {"name": self.item.name, "status": self.status}
        entry["seconds"] = round(self.took, 3)
        entry |= {"quality": None, "error": self.error, "source": self.item.source}
        if self.reused:
            entry["reused"] = True
        if self.causes:
            entry["retried"] = self.causes
        return entry | self.result


@dataclass(frozen=True)
class BatchReport:
    """The status of a batch after an event, or regularly without one."""

    event: Event | None
    done: int
    failed: int
    total: int
    progress: float  # in [0, 1], over all items
    seconds_left: float | None


class Batch:
    """Iterate over `reports` to run; stop iterating to cancel. Locks its folder until `close`."""

    def __init__(self, manifest: Manifest, out: Path):
        self.manifest, self.asked, self.out = manifest, Path(out), Path(out).resolve()
        make_folder(self.out)
        self._stack = ExitStack()
        if not self._stack.enter_context(lock(self.out / ".lock")):
            self.close()
            raise FieldlrError(
                f"another batch is using {self.out}. Wait for its end, or choose another `out`."
            )
        sweep(self.out)
        self.states = {item.name: State(item) for item in manifest.items}
        for state in self.states.values():
            if is_done(state.item, self.folder(state.item)):
                self._reuse(state)
        self.began = perf_counter()
        self.finished = False

    def folder(self, item: Item) -> Path:
        return self.out / item.name

    def _reuse(self, state: State) -> None:
        state.status, state.reused = "done", True
        state.result = Record.read(self.folder(state.item)).result()

    def reports(self, execute: Executor) -> Generator[BatchReport, None, None]:
        """Runs all missing items by `execute`; the report is written after each."""
        self.save()
        work_items = [self._work(state.item) for state in self.states.values() if not state.over]
        events = execute(work_items)
        try:
            for event in events:
                if event is not None:
                    self._take(self.states[event.name], event)
                yield self._report(event)
            self.finished = True
        finally:
            events.close()
            for state in self.states.values():
                if not state.over and state.began is not None:
                    state.error = STOPPED
            self.save()

    def _work(self, item: Item) -> WorkItem:
        settings = {"item": dataclasses.asdict(item), "folder": str(self.folder(item))}
        return WorkItem(item.name, "fieldlr.batch.child", settings)

    def _take(self, state: State, event: Event) -> None:
        if event.kind == "began":
            state.began = state.began or perf_counter()
            return
        if event.kind == "progress":
            state.share = event.data["share"]
            return
        if event.kind == "retried":
            state.causes.append(event.data["cause"])
            return
        state.status = event.kind
        now = perf_counter()
        state.took = now - (state.began or now)
        if event.kind == "done":
            state.result = event.data
        else:
            state.error = event.data["error"]
        self._keep_log(state.item, event.data.get("log", ""))
        self.save()

    def _keep_log(self, item: Item, log: str) -> None:
        """Writes the log of a failed item's process, if any."""
        with suppress(OSError):  # The folder itself may be the problem.
            path = self.folder(item) / "log.txt"
            path.write_text(log) if log else path.unlink(missing_ok=True)

    def _report(self, event: Event | None) -> BatchReport:
        states = self.states.values()
        total = len(states)
        done, failed = (sum(s.status == name for s in states) for name in ("done", "failed"))
        progress = sum(1.0 if state.over else state.share for state in states) / max(total, 1)
        return BatchReport(event, done, failed, total, progress, self._seconds_left())

    def _seconds_left(self) -> float | None:
        """An estimate: remaining items take as long as the others, as many at a time."""
        now, states = perf_counter(), self.states.values()
        took = [state.took for state in states if state.over and not state.reused]
        going = [(s.share, s.began) for s in states if not s.over and s.began is not None]
        took += [(now - began) / share for share, began in going if share > 0.05]
        if not took:
            return None
        left = sum(1.0 - state.share for state in states if not state.over)
        return sum(took) / len(took) * left / max(len(going), 1)

    def result(self) -> dict[str, Any]:
        """The content of the report."""
        states = [state.plain() for state in self.states.values()]
        counts = {
            name: sum(state["status"] == name for state in states)
            for name in ("done", "failed", "skipped")
        }
        return {
            "out": str(self.asked),
            **counts,
            "reused": sum(state.reused for state in self.states.values()),
            "seconds": round(perf_counter() - self.began, 3),
            "finished": self.finished,
            "notes": list(self.manifest.notes),
            "items": states,
        }

    def save(self) -> None:
        """Writes report.json and report.html, if possible."""
        with suppress(FieldlrError):
            write_report(self.out, self.result())

    def close(self) -> None:
        self._stack.close()
