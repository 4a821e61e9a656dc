"""Work that outlives whoever asked for it: a verb in its own process, its state on disk."""

from fieldlr.jobs.store import Job as Job
from fieldlr.jobs.store import JobStore as JobStore
