"""Tasks run in subprocesses, on this machine or on a Dask cluster."""

from fieldlr.jobs.workers.local import carry_out as carry_out
from fieldlr.jobs.workers.work import Carry as Carry
from fieldlr.jobs.workers.work import Event as Event
from fieldlr.jobs.workers.work import Work as Work
