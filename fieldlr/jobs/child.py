"""The process of a job: says who it is, and becomes the verb.

python -m fieldlr.jobs.child WORKSPACE ID ATTEMPT
"""

from __future__ import annotations

import os
import runpy
import sys
from pathlib import Path

from fieldlr.jobs.processes import start_time
from fieldlr.jobs.store import CLAIMED, JobStore
from fieldlr.runs import write_json


def main() -> None:
    store, job_id, attempt = JobStore(Path(sys.argv[1])), sys.argv[2], int(sys.argv[3])
    job = store.get(job_id)
    try:
        # A keeper may have died just after it started another process for this attempt.
        store.path(job_id, f"claim-{attempt}").touch(exist_ok=False)
    except FileExistsError:
        sys.exit(CLAIMED)
    for stream in (1, 2):
        os.ftruncate(stream, 0)  # What an earlier attempt has said is of no interest any more.
    own = {"attempt": attempt, "pid": os.getpid(), "started": start_time(os.getpid())}
    write_json(store.path(job_id, "process.json"), own)
    if store.stop_asked(job):
        sys.exit(3)
    sys.argv = ["fieldlr", *job.words, "--json"]
    runpy.run_module("fieldlr", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
