"""Works carried out by processes: of this machine, or of a Dask cluster."""

from fieldlr.workers.local import carry_out as carry_out
from fieldlr.workers.work import Carry as Carry
from fieldlr.workers.work import Event as Event
from fieldlr.workers.work import Work as Work
