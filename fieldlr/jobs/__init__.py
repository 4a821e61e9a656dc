"""Commands in a queue of processes, with their state on disk: they outlive the caller."""

from fieldlr.jobs.store import Job as Job
from fieldlr.jobs.store import JobStore as JobStore
