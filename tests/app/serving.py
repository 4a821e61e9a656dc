"""Starts real servers of the app, for tests."""

import socket
import subprocess
import sys
import time
from contextlib import contextmanager

import httpx

PATIENCE_SECONDS = 180.0
QUIET_SECONDS = 1.0


def free_port():
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return trial.getsockname()[1]


def start(folder, port):
    """A server process on a workspace, once it answers."""
    words = ["app", "--port", str(port), "--workspace", str(folder)]
    server = subprocess.Popen([sys.executable, "-m", "fieldlr", *words])
    until = time.monotonic() + PATIENCE_SECONDS
    while not answers(port):
        assert server.poll() is None and time.monotonic() < until
        time.sleep(0.2)
    return server


def answers(port):
    try:
        return httpx.get(f"http://127.0.0.1:{port}/fieldlr/jobs").status_code == 200
    except httpx.TransportError:
        return False


@contextmanager
def serving(folder):
    """The address of a server on a workspace; it ends with the block."""
    port = free_port()
    server = start(folder, port)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait()


def load(page, address):
    """Opens the app in a page of the browser, and waits until Gradio's first events are done.

    The answer is a function that waits for the events of what was done since.
    """
    streams, last, events = [], [time.monotonic()], []

    def on_request(request):
        if "/queue/" in request.url:
            last[0] = time.monotonic()
        if "queue/join" in request.url:
            events.append(request.post_data_json["fn_index"])
        if "queue/data" in request.url:  # open as long as an event is not answered
            streams.append(request)

    page.on("request", on_request)
    for ended in ("requestfinished", "requestfailed"):
        page.on(ended, lambda request: request in streams and streams.remove(request))
    page.goto(address)
    page.wait_for_selector(".fl-card")

    def until_quiet():
        until = time.monotonic() + PATIENCE_SECONDS
        while streams or time.monotonic() < last[0] + QUIET_SECONDS:
            assert time.monotonic() < until, (len(streams), len(events), events[-20:])
            page.wait_for_timeout(100)

    until_quiet()
    return until_quiet
