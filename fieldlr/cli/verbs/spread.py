"""The flags of every command that can run on several processes or machines."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from fieldlr.errors import FieldlrError
from fieldlr.jobs.workers import Executor, run_local
from fieldlr.system.kinds import Text, Whole
from fieldlr.system.options import Options, option


@dataclass(frozen=True, kw_only=True)
class Spread(Options):
    """Where fits run: in this process, in subprocesses, or on a cluster."""

    workers: int | None = option(
        Whole(1), "Fits at a time, which share the cores of this machine", shown_default="1"
    )
    dask: str | None = option(
        Text("ADDRESS"), "A Dask scheduler, such as tcp://host:8786, whose workers do the fits"
    )

    @property
    def is_asked(self) -> bool:
        return self.workers is not None or self.dask is not None

    def carry(self, folder: Path) -> Executor:
        """What carries out tasks whose files go into `folder`: this machine, or a cluster."""
        if self.dask is None:
            return partial(run_local, workers=self.workers or 1)
        if self.workers is not None:
            raise FieldlrError(
                "`workers` is for this machine; a cluster has the workers that it has. Leave out "
                "`workers` or `dask`."
            )
        from fieldlr.jobs.workers.cluster import run_on_cluster

        return partial(run_on_cluster, self.dask, folder=folder.resolve())
