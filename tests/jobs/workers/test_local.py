"""Works over processes: what they tell arrives, what dies is tried again, what is stopped saves."""

import json
import os
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing

import pytest

from fieldlr.jobs.processes import start_time
from fieldlr.jobs.workers import WorkItem, run_local
from fieldlr.jobs.workers.local import RETRIES

# A module that can be a work: it counts, and does what its settings ask for on the way.
COUNTING = """
import os, sys, time
from pathlib import Path
from fieldlr.errors import FieldlrError
from fieldlr.jobs.workers.work import serve

def work(settings):
    print("what a library prints is not told")
    place = Path(settings["place"])
    try:
        for number in range(settings["count"]):
            yield {"number": number, "pid": os.getpid()}
            if settings.get("dies") and number == 1 and not place.exists():
                place.touch()
                os.kill(os.getpid(), 9)
            if settings.get("always_dies"):
                os.kill(os.getpid(), 9)
            if settings.get("mistake"):
                raise FieldlrError("this cannot be.")
            if settings.get("bug"):
                {}["absent"]
            if settings.get("full"):
                raise OSError(28, "No space left on device", "/some/where")
            time.sleep(settings.get("sleep", 0.0))
    except GeneratorExit:
        place.write_text(str(number))
        raise
    return {"counted": settings["count"], "threads": os.environ["OMP_NUM_THREADS"]}

serve(work)
"""


@pytest.fixture
def make(tmp_path, monkeypatch):
    """Makes a work that counts."""
    (tmp_path / "counting.py").write_text(COUNTING)
    before = os.environ.get("PYTHONPATH", "")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), before]))

    def made(name, count=3, **settings):
        place = str(tmp_path / f"{name}.txt")
        return WorkItem(name, "counting", {"count": count, "place": place, **settings})

    made.folder = tmp_path
    return made


def kinds(events, name):
    return [event.kind for event in events if event and event.name == name]


def test_every_outcome_of_a_work_item(make):
    works = [
        make("good"),
        make("dies", dies=True),
        make("mistake", mistake=True),
        make("bug", bug=True),
        make("full", full=True),
    ]
    events = list(run_local(works, workers=2))
    assert kinds(events, "good") == ["began", *["progress"] * 3, "done"]
    told = " ".join(kinds(events, "dies"))
    assert told == "began progress progress retried began progress progress progress done"
    ends = {event.name: event for event in events if event and event.kind in ("done", "failed")}
    assert ends["good"].data["counted"] == 3
    assert "killed" in next(e for e in events if e and e.kind == "retried").data["cause"]
    assert ends["mistake"].data == {"error": "this cannot be.", "log": ends["mistake"].data["log"]}
    assert ends["bug"].data["error"].startswith("a bug in fieldlr: KeyError")
    assert "Traceback" in ends["bug"].data["log"]
    assert "No space left" in ends["full"].data["error"]
    tries = Counter(event.name for event in events if event and event.kind == "began")
    assert tries == {"good": 1, "dies": 2, "mistake": 1, "bug": 1, "full": 1}


@pytest.mark.slow
def test_an_item_that_always_dies_is_given_up(make):
    events = list(run_local([make("dies", always_dies=True)]))
    assert kinds(events, "dies").count("began") == RETRIES + 1
    assert events[-1].kind == "failed"
    assert "3 times its process was killed" in events[-1].data["error"]


def test_a_work_item_is_stopped_by_closing_its_generator(make):
    with closing(run_local([make("long", count=1000, sleep=0.05)])) as events:
        progress = next(event for event in events if event and event.kind == "progress")
    assert int((make.folder / "long.txt").read_text()) < 1000
    assert start_time(progress.data["pid"]) is None


STARTER = """
import json, sys, time
from fieldlr.jobs.workers import WorkItem, run_local

for event in run_local([WorkItem("long", "counting", json.loads(sys.argv[1]))]):
    if event and event.kind == "progress":
        print(event.data["pid"], flush=True)
        time.sleep(60)
"""


def test_a_process_whose_starter_dies_saves_and_ends(make):
    settings = json.dumps(make("long", count=1000, sleep=0.05).settings)
    words = [sys.executable, "-c", STARTER, settings]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as starter:
        pid = int(starter.stdout.readline())
        starter.kill()
    until = time.monotonic() + 20.0
    while start_time(pid) is not None:
        assert time.monotonic() < until
        time.sleep(0.05)
    assert int((make.folder / "long.txt").read_text()) < 1000
