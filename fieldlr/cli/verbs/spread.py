"""The flags of every verb whose work can be spread over processes or machines."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from fieldlr.cli.verbs.verb import Verb


@dataclass(frozen=True, kw_only=True)
class Spread(Verb):
    workers: int | None = None
    """Fits at a time, which share the cores of this machine (1)."""
    dask: str | None = None
    """Address of a Dask scheduler, such as tcp://host:8786, whose workers do the fits."""

    def carry(self, folder: Path):
        """What carries out works whose files go into `folder`: this machine, or a cluster."""
        from fieldlr.errors import FieldlrError
        from fieldlr.jobs.workers import carry_out

        if self.dask is None:
            if self.workers is not None and self.workers < 1:
                raise FieldlrError(f"--workers is 1 or more; got {self.workers}.")
            return partial(carry_out, workers=self.workers or 1)
        if self.workers is not None:
            raise FieldlrError(
                "--workers is for this machine; a cluster has the workers that it has. Leave out "
                "--workers or --dask."
            )
        from fieldlr.jobs.workers.cluster import carry_out_on

        return partial(carry_out_on, self.dask, folder=folder.resolve())
