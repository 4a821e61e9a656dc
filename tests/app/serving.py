"""Starts real servers of the app, for tests."""

import socket
import subprocess
import sys
import time
from contextlib import contextmanager

import httpx

PATIENCE_SECONDS = 180.0
QUIET_SECONDS = 1.0
# Counts the events that have no answer yet. Whether a stream of answers is open does not tell:
# Gradio opens one too many where an event was answered before its number was known.
UNANSWERED = """(() => {
  const asked = new Set(), answered = new Set(), fetch = window.fetch;
  let asking = 0;
  const read = async answer => {
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let text = "", part; !(part = await reader.read()).done;) {
      const messages = (text + part.value).split("\\n\\n");
      text = messages.pop();
      for (const one of messages.map(message => JSON.parse(message.slice("data: ".length))))
        if (one.msg === "process_completed") answered.add(one.event_id);
    }
  };
  window.unanswered = () => asking + [...asked].filter(id => !answered.has(id)).length;
  const ask = async words => {
    asking++;
    try {
      const answer = await fetch(...words);
      asked.add((await answer.clone().json()).event_id);
      return answer;
    } finally { asking--; }
  };
  window.fetch = async (...words) => {
    if (String(words[0].url ?? words[0]).includes("/queue/join")) return ask(words);
    const answer = await fetch(...words);
    if (answer.url.includes("/queue/data")) read(answer.clone()).catch(() => {});  // broken off
    return answer;
  };
})()"""


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
    last = [time.monotonic()]

    def on_request(request):
        if "/queue/join" in request.url:
            last[0] = time.monotonic()

    page.on("request", on_request)
    page.add_init_script(UNANSWERED)
    page.goto(address)
    page.wait_for_selector(".fl-card")

    def until_quiet():
        until = time.monotonic() + PATIENCE_SECONDS
        while (left := page.evaluate("unanswered()")) or time.monotonic() < last[0] + QUIET_SECONDS:
            assert time.monotonic() < until, f"{left} events have no answer"
            page.wait_for_timeout(100)

    until_quiet()
    return until_quiet
