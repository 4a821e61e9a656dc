"""Tasks run in subprocesses, on this machine or on a Dask cluster."""

from fieldlr.jobs.workers.local import run_local as run_local
from fieldlr.jobs.workers.work import Event as Event
from fieldlr.jobs.workers.work import Executor as Executor
from fieldlr.jobs.workers.work import WorkItem as WorkItem
