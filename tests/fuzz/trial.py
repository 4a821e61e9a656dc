"""One input after the other through one reader, with limits on memory and time."""

from __future__ import annotations

import random
import resource
import shutil
import signal
import tempfile
import traceback
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from fieldlr.errors import FieldlrError
from tests.fuzz.damage import Edit, damaged
from tests.fuzz.targets import Target, write

MOST_SECONDS = 10.0
MOST_BYTES = 1 << 30  # beside what the process takes before the first input


@dataclass
class Tally:
    """What came of the inputs of one format."""

    tried: int = 0
    good: int = 0  # read as if nothing was wrong with them
    crashes: int = 0
    slowest: float = 0.0  # seconds
    most_bytes: int = 0  # more than before the first input


@contextmanager
def limited_memory(num_bytes: int = MOST_BYTES) -> Iterator[None]:
    """Within the block this process may take so much address space more than before."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (_status("VmSize") + num_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


@contextmanager
def limited_time(seconds: float = MOST_SECONDS) -> Iterator[None]:
    """Within the block, Python ends with a TimeoutError after so many seconds."""

    def out_of_time(*_):
        raise TimeoutError(f"more than {seconds:g} s")

    before = signal.signal(signal.SIGALRM, out_of_time)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)


class Trial:
    """A format under attack, in a folder of its own."""

    def __init__(self, target: Target, record: Path | None = None):
        self.target, self.record, self.tally = target, record, Tally()
        self.files = target.files()
        self.open_to_damage = [name for name in self.files if name.startswith(target.damaged)]
        self.folder = Path(tempfile.mkdtemp(dir=_fast_disk()))
        self._read(self.files)  # the whole one: everything that is imported late is here by now
        _reset_peak()
        self.before = _status("VmHWM")

    def __enter__(self) -> Trial:
        return self

    def __exit__(self, *problem) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def __call__(self, edits: Sequence[Edit]) -> str:
        """Reads the files after these edits; what went wrong, or nothing."""
        name = self.open_to_damage[edits[0].choice % len(self.open_to_damage)]
        files = self.files | {name: damaged(self.files[name], edits)}
        if self.record is not None:
            self.record.write_bytes(files[name])  # in case that it ends this process
        return self.read(files)

    def read(self, files: dict[str, bytes]) -> str:
        """Reads files within the limits; what went wrong, or nothing."""
        began, problem = perf_counter(), ""
        try:
            with limited_memory(), limited_time():
                self._read(files)
            self.tally.good += 1
        except FieldlrError as error:
            bad_cause = isinstance(error.__cause__, MemoryError | TimeoutError)
            if bad_cause or not str(error).endswith((".", "?")):
                problem = f"{error!r}"
        except BaseException:
            problem = traceback.format_exc()
        seconds = perf_counter() - began
        if seconds > MOST_SECONDS:
            problem = problem or f"it took {seconds:.1f} s"
        self._count(seconds, problem)
        return problem

    def _read(self, files: dict[str, bytes]) -> None:
        shutil.rmtree(self.folder / "unpacked", ignore_errors=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.target.read(self.folder, files)

    def _count(self, seconds: float, problem: str) -> None:
        self.tally.tried += 1
        self.tally.crashes += bool(problem)
        self.tally.slowest = max(self.tally.slowest, seconds)
        self.tally.most_bytes = max(self.tally.most_bytes, _status("VmHWM") - self.before)


def keep(problem: str, trial: Trial, edits: Sequence[Edit], folder: Path) -> Path:
    """Writes an input that went wrong, and how it did."""
    name = trial.open_to_damage[edits[0].choice % len(trial.open_to_damage)]
    place = folder / f"{random.Random(repr(edits)).getrandbits(40):010x}"
    write(place, trial.files | {name: damaged(trial.files[name], edits)})
    (place / "problem.txt").write_text(f"{edits}\n{problem}\n")
    return place


def _status(name: str) -> int:
    """Bytes of a line of /proc/self/status."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return 1024 * int(line.split()[1])
    raise ValueError(name)


def _reset_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


def _fast_disk() -> str | None:
    return "/dev/shm" if Path("/dev/shm").is_dir() else None
