"""Works over a Dask cluster: started by its users, on machines that share a file system.

The cluster chooses who does what and moves the works of workers that die. Each work is a process
beside its worker, as on one machine, so that a work that crashes takes no worker with it.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from secrets import token_hex
from typing import Any, Literal, cast

from fieldlr.errors import FieldlrError
from fieldlr.jobs.workers.attempt import event_of
from fieldlr.jobs.workers.local import TICK_SECONDS, ended
from fieldlr.jobs.workers.on_worker import do, look
from fieldlr.jobs.workers.work import End, Event, Told, Work
from fieldlr.system.version import __version__

CONNECT_SECONDS = 10.0
RECONNECT_SECONDS = 2.0
WORKERS_SECONDS = 30.0  # for the first worker to come
GONE_SECONDS = 600.0  # for a scheduler that was there to come back

# (work, kind, told); a tick is of no work.
Heard = tuple[str, End | Literal["tick", "began", "progress"], Told]


def carry_out_on(
    address: str, works: Sequence[Work], folder: Path
) -> Generator[Event | None, None, None]:
    """As `local.carry_out`, by the workers of the Dask scheduler at `address`.

    All of them must see `folder`, where the works write. Where workers have a resource GPU, a work
    takes one of it. A scheduler that stops is waited for, and told again what is missing.
    """
    if not works:
        return
    crew = _Crew(address, folder)
    left, deaths = {work.name: work for work in works}, Counter()
    places: dict[str, str] = {}
    crew.submit(left.values())
    try:
        while left:
            if crew.is_lost:
                yield from crew.reconnect()
                crew.submit(left.values())
            for name, kind, told in crew.heard():
                if name not in left or kind == "tick":
                    yield None
                elif kind == "progress":
                    yield Event(name, "progress", told)
                elif kind == "began":
                    if name in places:
                        yield Event(name, "retried", {"cause": f"{places[name]} is gone"})
                    places[name] = told["where"]
                    yield Event(name, "began", told)
                else:
                    places.pop(name, None)
                    deaths[name] += kind == "died"
                    event = ended(name, kind, told, deaths[name])
                    if event.kind == "retried":
                        crew.submit([left[name]])
                    else:
                        del left[name]
                    yield event
    finally:
        crew.close()


class _Crew:
    """The connection to a cluster, and the works that it was given."""

    def __init__(self, address: str, folder: Path):
        _check_installed()
        self.address, self.folder = address, folder
        self._connect(CONNECT_SECONDS, WORKERS_SECONDS)

    def _connect(self, seconds: float, for_workers: float) -> None:
        from distributed import Client

        # What goes wrong is said in sentences; the log says it in pages, and again and again.
        logging.getLogger("distributed").setLevel(logging.CRITICAL)
        try:
            self.client = Client(self.address, timeout=seconds, set_as_default=False)
        except (OSError, ValueError) as error:
            raise FieldlrError(
                f"no Dask scheduler answers at {self.address} ({error}). Start one with "
                "`dask scheduler`, and workers with `dask worker ADDRESS`."
            ) from None
        self.futures: dict[Any, str] = {}
        self._heard: SimpleQueue[Told] = SimpleQueue()
        self._topic = f"fieldlr-{token_hex(6)}"
        self.client.subscribe_topic(self._topic, lambda event: self._heard.put(event[1]))
        try:
            self._wait_for_workers(for_workers)
            self._look_round()
        except BaseException:
            self.client.close()
            raise

    def _wait_for_workers(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while not self.client.nthreads():
            if time.monotonic() > until:
                raise FieldlrError(
                    f"the Dask scheduler at {self.address} has no workers. Start some with "
                    f"`dask worker {self.address}`."
                )
            time.sleep(TICK_SECONDS)

    def _look_round(self) -> None:
        """Asks every worker what it has, and refuses what cannot work."""
        answers = self.client.run(look, str(self.folder), on_error="return")
        told = cast(dict[str, Any], answers)  # The client is not asynchronous.
        for worker, its in told.items():
            if isinstance(its, ImportError | AttributeError):
                raise FieldlrError(
                    f"the Dask worker {worker} cannot import this fieldlr ({its}). Install the "
                    "same one where the workers run."
                )
        # A worker that went while it was asked is no worker any more.
        told = {worker: its for worker, its in told.items() if isinstance(its, dict)}
        for worker, its in told.items():
            if its["version"] != __version__:
                raise FieldlrError(
                    f"the Dask worker {worker} has fieldlr {its['version']} and this is "
                    f"{__version__}. Install the same one where the workers run."
                )
            if not its["sees"]:
                raise FieldlrError(
                    f"the Dask worker {worker} does not see {self.folder}. Choose a folder that "
                    "all machines share, under the same path."
                )
        self._resources = {"GPU": 1} if any(its["gpus"] for its in told.values()) else None
        self._slots = Counter()
        for its in told.values():
            self._slots[its["host"]] += its["threads"]

    def submit(self, works: Iterable[Work]) -> None:
        """Asks the cluster for works."""
        for work in works:
            future = self.client.submit(
                do,
                work,
                self._topic,
                dict(self._slots),
                key=f"{work.name}-{token_hex(6)}",  # Another key a try: no old result is taken.
                resources=self._resources,
                pure=False,
            )
            self.futures[future] = work.name

    def heard(self) -> Iterator[Heard]:
        """(work, kind, told) of what has come in, after at most a tick."""
        try:
            told = self._heard.get(timeout=TICK_SECONDS)
            yield told["name"], told["kind"], told["told"]
        except Empty:
            yield "", "tick", {}
        for future in [future for future in self.futures if future.status in ("finished", "error")]:
            name = self.futures.pop(future)
            yield name, *self._end_of(future)

    def _end_of(self, future: Any) -> tuple[End, Told]:
        from distributed import KilledWorker

        if future.status == "finished":
            return event_of(future.result())
        error = future.exception()
        if isinstance(error, KilledWorker):
            return "died", {"cause": "the workers that tried it died", "log": str(error)}
        return "failed", {"error": f"{type(error).__name__}: {error}", "log": ""}

    @property
    def is_lost(self) -> bool:
        """Whether the scheduler has gone: its client has then given up all that was asked of it."""
        gone = any(future.status in ("cancelled", "lost") for future in self.futures)
        return gone or self.client.status in ("closed", "closing")

    def reconnect(self) -> Iterator[None]:
        """Waits until there is a scheduler with workers again."""
        self.close()
        until = time.monotonic() + GONE_SECONDS
        while True:
            try:
                self._connect(RECONNECT_SECONDS, 0.0)
                return
            except FieldlrError:
                if time.monotonic() > until:
                    raise
            yield None

    def close(self) -> None:
        """Gives up what is not done; the workers notice, and stop it with what it has saved."""
        with suppress(Exception):  # A cluster that is gone cannot be told, and need not be.
            self.client.cancel(list(self.futures), force=True)
        self.client.close(timeout=CONNECT_SECONDS)


def _check_installed() -> None:
    try:
        import distributed  # noqa: F401
    except ImportError:
        raise FieldlrError(
            "`dask` needs dask.distributed. Get it: pip install 'fieldlr[cluster]'."
        ) from None
