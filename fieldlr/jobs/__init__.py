"""A job queue: commands run in subprocesses that outlive the caller, with their state on disk."""

from fieldlr.jobs.store import Job as Job
from fieldlr.jobs.store import JobStore as JobStore
