"""The process of a job: claims the job, then runs its verb.

python -m fieldlr.jobs.child WORKSPACE ID ATTEMPT
"""

from __future__ import annotations

import dataclasses
import os
import runpy
import sys
from pathlib import Path

from fieldlr.jobs.store import CLAIMED, JobStore


def main() -> None:
    """Claims the job and runs its verb."""
    store = JobStore(Path(sys.argv[1]))
    job = dataclasses.replace(store.get(sys.argv[2]), attempt=int(sys.argv[3]))
    if not store.claim(job):
        sys.exit(CLAIMED)
    for stream in (1, 2):
        os.ftruncate(stream, 0)  # Discard the output of earlier attempts.
    if store.stop_requested(job):
        sys.exit(3)
    sys.argv = ["fieldlr", *job.words, "--json"]
    runpy.run_module("fieldlr", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
