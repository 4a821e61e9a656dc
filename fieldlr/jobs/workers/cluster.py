"""Runs work items on a Dask cluster of machines that share a file system.

The cluster assigns work items to workers and reassigns those of workers that die. Each work item
runs in a subprocess of its worker, so that a crash does not take the worker down.
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
from fieldlr.jobs.workers.on_worker import describe_worker, run_work_item
from fieldlr.jobs.workers.work import Data, End, Event, WorkItem
from fieldlr.system.version import __version__

CONNECT_SECONDS = 10.0
RECONNECT_SECONDS = 2.0
WORKERS_SECONDS = 30.0  # timeout for the first worker
GONE_SECONDS = 600.0  # timeout for a lost scheduler to return

# (name of the work item, kind, data); a tick has no work item.
Message = tuple[str, End | Literal["tick", "began", "progress"], Data]


def run_on_cluster(
    address: str, work_items: Sequence[WorkItem], folder: Path
) -> Generator[Event | None, None, None]:
    """As `local.run_local`, on the workers of the Dask scheduler at `address`.

    All workers must have access to `folder`, where work items write. If workers have a resource
    GPU, a work item takes one. A lost scheduler is waited for, and missing work items resubmitted.
    """
    if not work_items:
        return
    cluster = _Cluster(address, folder)
    left, deaths = {work.name: work for work in work_items}, Counter()
    places: dict[str, str] = {}
    cluster.submit(left.values())
    try:
        while left:
            if cluster.is_lost:
                yield from cluster.reconnect()
                cluster.submit(left.values())
            for name, kind, data in cluster.messages():
                if name not in left or kind == "tick":
                    yield None
                elif kind == "progress":
                    yield Event(name, "progress", data)
                elif kind == "began":
                    if name in places:
                        yield Event(name, "retried", {"cause": f"{places[name]} is gone"})
                    places[name] = data["where"]
                    yield Event(name, "began", data)
                else:
                    places.pop(name, None)
                    deaths[name] += kind == "died"
                    event = ended(name, kind, data, deaths[name])
                    if event.kind == "retried":
                        cluster.submit([left[name]])
                    else:
                        del left[name]
                    yield event
    finally:
        cluster.close()


class _Cluster:
    """The connection to a cluster and the submitted work items."""

    def __init__(self, address: str, folder: Path):
        _check_installed()
        self.address, self.folder = address, folder
        self._connect(CONNECT_SECONDS, WORKERS_SECONDS)

    def _connect(self, seconds: float, for_workers: float) -> None:
        from distributed import Client

        # Errors are reported below; distributed's log would repeat them at length.
        logging.getLogger("distributed").setLevel(logging.CRITICAL)
        try:
            self.client = Client(self.address, timeout=seconds, set_as_default=False)
        except (OSError, ValueError) as error:
            raise FieldlrError(
                f"no Dask scheduler responds at {self.address} ({error}). Start one with "
                "`dask scheduler`, and workers with `dask worker ADDRESS`."
            ) from None
        self.futures: dict[Any, str] = {}
        self._messages: SimpleQueue[Data] = SimpleQueue()
        self._topic = f"fieldlr-{token_hex(6)}"
        self.client.subscribe_topic(self._topic, lambda event: self._messages.put(event[1]))
        try:
            self._wait_for_workers(for_workers)
            self._check_workers()
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

    def _check_workers(self) -> None:
        """Checks version, folder access and resources of every worker."""
        answers = self.client.run(describe_worker, str(self.folder), on_error="return")
        data = cast(dict[str, Any], answers)  # The client is not asynchronous.
        for worker, info in data.items():
            if isinstance(info, ImportError | AttributeError):
                raise FieldlrError(
                    f"the Dask worker {worker} cannot import fieldlr ({info}). Install the "
                    "same version on the workers."
                )
        # Ignore workers that left in the meantime.
        data = {worker: info for worker, info in data.items() if isinstance(info, dict)}
        for worker, info in data.items():
            if info["version"] != __version__:
                raise FieldlrError(
                    f"the Dask worker {worker} has fieldlr {info['version']} and this is "
                    f"{__version__}. Install the same version on the workers."
                )
            if not info["sees"]:
                raise FieldlrError(
                    f"the Dask worker {worker} does not see {self.folder}. Choose a folder that "
                    "all machines share, under the same path."
                )
        self._resources = {"GPU": 1} if any(info["gpus"] for info in data.values()) else None
        self._slots = Counter()
        for info in data.values():
            self._slots[info["host"]] += info["threads"]

    def submit(self, work_items: Iterable[WorkItem]) -> None:
        """Submits work items to the cluster."""
        for work in work_items:
            future = self.client.submit(
                run_work_item,
                work,
                self._topic,
                dict(self._slots),
                key=f"{work.name}-{token_hex(6)}",  # unique, so that no old result is reused
                resources=self._resources,
                pure=False,
            )
            self.futures[future] = work.name

    def messages(self) -> Iterator[Message]:
        """New messages; waits for at most a tick."""
        try:
            data = self._messages.get(timeout=TICK_SECONDS)
            yield data["name"], data["kind"], data["data"]
        except Empty:
            yield "", "tick", {}
        for future in [future for future in self.futures if future.status in ("finished", "error")]:
            name = self.futures.pop(future)
            yield name, *self._end_of(future)

    def _end_of(self, future: Any) -> tuple[End, Data]:
        from distributed import KilledWorker

        if future.status == "finished":
            return event_of(future.result())
        error = future.exception()
        if isinstance(error, KilledWorker):
            return "died", {"cause": "the workers that tried it died", "log": str(error)}
        return "failed", {"error": f"{type(error).__name__}: {error}", "log": ""}

    @property
    def is_lost(self) -> bool:
        """Whether the connection to the scheduler is lost, and with it all submitted work."""
        gone = any(future.status in ("cancelled", "lost") for future in self.futures)
        return gone or self.client.status in ("closed", "closing")

    def reconnect(self) -> Iterator[None]:
        """Waits for a scheduler with workers and connects to it."""
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
        """Cancels unfinished work items, which workers then stop with a checkpoint."""
        with suppress(Exception):  # The cluster may be gone.
            self.client.cancel(list(self.futures), force=True)
        self.client.close(timeout=CONNECT_SECONDS)


def _check_installed() -> None:
    try:
        import distributed  # noqa: F401
    except ImportError:
        raise FieldlrError(
            "`dask` needs dask.distributed. Install with pip install 'fieldlr[cluster]'."
        ) from None
