"""A real server: its routes, its named endpoints, and who may come in."""

import asyncio
import base64
import struct
import time
from collections import defaultdict

import numpy as np
import pytest
import trimesh

pytest.importorskip("gradio", reason="needs fieldlr[app]")
import httpx
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError

from fieldlr.app.labels import sentence
from fieldlr.app.server import AccessGate
from fieldlr.app.serving import LOOPBACK, check_address, serve
from fieldlr.app.surfaces import surface_mesh
from fieldlr.app.workspace import Workspace
from fieldlr.data.examples import example
from fieldlr.errors import FieldlrError
from fieldlr.runs.options import MeshOptions
from fieldlr.system.files import lock


@pytest.fixture(scope="module")
def address(trained, servers):
    """Of the app on the workspace that has two runs."""
    with servers.serving(trained[0].workspace.folder) as own:
        yield own


def test_states_are_sent_once(address, trained):
    answer = httpx.get(f"{address}/fieldlr/jobs/{trained[1]}")
    assert answer.json()["state"] == "done"
    seen = {"If-None-Match": answer.headers["ETag"]}
    assert httpx.get(f"{address}/fieldlr/jobs/{trained[1]}", headers=seen).status_code == 304


@pytest.mark.parametrize(
    "path",
    [
        "/fieldlr/jobs/nothere",
        "/fieldlr/jobs/..%2f..%2fetc",
        "/fieldlr/jobs/{solid}/picture/config.json",
        "/fieldlr/jobs/{solid}/picture/..%2fjob.json",
        "/fieldlr/sources/nothere/drawing",
        "/fieldlr/static/..%2fserver.py",
        "/gradio_api/file={workspace}/jobs/{solid}/job.json",
        "/gradio_api/file=/etc/passwd",
        "/gradio_api/file=http://example.invalid/x.png",
    ],
)
def test_nothing_else_is_served(address, trained, path):
    known = {"solid": trained[1], "workspace": trained[0].workspace.folder}
    answer = httpx.get(address + path.format(**known))
    assert answer.status_code in (403, 404)


def test_a_view_is_parcels_of_pictures(address, trained):
    path = f"{address}/fieldlr/jobs/{trained[2]}/view?width=32&height=24&right=20"
    body, pictures = httpx.get(path, timeout=60).content, []
    while body:
        (size,) = struct.unpack(">I", body[:4])
        pictures.append(body[4 : 4 + size])
        body = body[4 + size :]
    assert len(pictures) > 1 and all(p.startswith(b"\xff\xd8") for p in pictures)


def test_photos_are_small_and_made_once(address, trained):
    viewer, solid, scene = trained
    assert httpx.get(f"{address}/fieldlr/jobs/{solid}/photos").json() == []
    listed = httpx.get(f"{address}/fieldlr/jobs/{scene}/photos").json()
    cameras, test = viewer.workspace.run(scene).load_cameras()
    assert [i for i, one in enumerate(listed) if one["heldOut"]] == list(test)
    assert np.allclose([one["position"] for one in listed], cameras.camera_to_world[:, :, 3])
    file = viewer.workspace.store.path(scene, "photos/4-small.jpg")
    pictures = []
    for _ in range(2):
        answer = httpx.get(address + listed[4]["small"])
        assert answer.headers["content-type"] == "image/jpeg"
        pictures.append((answer.content, file.stat().st_mtime_ns))
    assert pictures[0] == pictures[1]
    assert pictures[0][0].startswith(b"\xff\xd8") and len(pictures[0][0]) < 8000
    for wrong in ("68/small.jpg", "-1/small.jpg", "4/whole.jpg"):
        assert httpx.get(f"{address}/fieldlr/jobs/{scene}/photos/{wrong}").status_code == 404


def test_a_view_without_a_field_says_why(address):
    answer = httpx.get(f"{address}/fieldlr/jobs/nothere/view?width=8&height=8")
    assert "no job" in answer.json()["error"]


def test_the_page_is_there_and_careful(address):
    answer = httpx.get(address)
    assert answer.status_code == 200 and "fieldlr" in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-frame-options"] == "SAMEORIGIN"
    assert httpx.get(address, headers={"Host": "evil.example"}).status_code == 421


def test_handlers_of_a_change_do_not_call_each_other_for_ever(address):
    """Gradio's "always_last" calls all handlers of a trigger again: two of them may never end."""
    handlers = defaultdict(list)
    for event in httpx.get(f"{address}/config").json()["dependencies"]:
        for trigger in event["targets"]:
            handlers[tuple(trigger)].append(event["trigger_mode"])
    assert max(modes.count("always_last") for modes in handlers.values()) <= 1


def test_no_change_of_the_page_is_lost_while_another_is_handled(address):
    """Gradio's "once" drops an event while one before it is handled: right for buttons alone."""
    events = httpx.get(f"{address}/config").json()["dependencies"]
    once = {name for e in events if e["trigger_mode"] == "once" for _, name in e["targets"]}
    # `select` is the viewer's button that renders a video.
    assert once <= {"click", "load", "upload", "select", "then", "success", None}
    names = [name for e in events for _, name in e["targets"] if e["trigger_mode"] == "once"]
    assert names.count("select") == 1


def test_a_program_checks_trains_stops_resumes_and_exports_the_mesh(address, servers, tmp_path):
    client = Client(address, verbose=False)
    solid = np.zeros((24, 24, 24), bool)
    solid[5:19, 4:20, 6:18] = True
    np.save(tmp_path / "box.npy", solid)
    found = client.predict([handle_file(tmp_path / "box.npy")], api_name="/check")
    assert found["kind"] == "volume" and found["facts"]["warnings"] == []
    run = client.predict(found["id"], "sine-low-rank", 2, 600.0, api_name="/train")

    def until(*states, also=lambda job: True):
        limit = time.monotonic() + servers.PATIENCE_SECONDS
        while True:
            job = client.predict(run, api_name="/job")
            if job["state"] in states and also(job):
                return job
            assert time.monotonic() < limit, job
            time.sleep(1.0)

    until("running", also=lambda job: job["step"] > 5)
    client.predict(run, api_name="/stop")
    stopped = until("stopped")
    assert stopped["saved"] and stopped["reason"].startswith("Saved at step")
    client.predict(run, api_name="/resume")
    until("running", also=lambda job: job["step"] > max(60, stopped["step"]))
    client.predict(run, api_name="/stop")
    until("stopped")
    path = client.predict(run, ".glb", 32, 0.5, api_name="/mesh")
    assert trimesh.load(path, force="mesh").volume > 0
    client.close()


def test_a_program_gets_its_errors_as_messages(address):
    client = Client(address, verbose=False)
    with pytest.raises(Exception, match="no example"):
        client.predict("../../etc", api_name="/example")
    rook = client.predict("rook", api_name="/example")
    assert rook["name"] == "rook" and example("rook").exists()
    with pytest.raises(Exception, match="was not uploaded here"):
        client.predict([{"path": str(example("rook"))}], api_name="/check")
    with pytest.raises(Exception, match="here is no backbone"):
        client.predict(rook["id"], "dense", 5, 5.0, api_name="/train")
    client.close()


def test_photos_are_fused_unless_a_level_is_asked_for(address, trained):
    viewer, solid, scene = trained
    client = Client(address, verbose=False)

    def asked(*level):
        try:
            path = client.predict(scene, ".ply", 32, *level, api_name="/mesh")
            return len(trimesh.load(path, force="mesh").faces)
        except AppError as error:
            return str(error)

    def extracted(threshold):
        try:
            options = MeshOptions.of(resolution=32, threshold=threshold)
            return len(surface_mesh(viewer, scene, options).mesh.faces)
        except FieldlrError as error:
            return sentence(str(error))

    assert asked() == extracted(None) != extracted(10.0) == asked(1.0)
    assert client.predict(solid, ".ply", 32, api_name="/mesh").endswith(".ply")
    client.close()


async def _plain(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"in"})


def status(gate, method="GET", **headers):
    """What a gate answers to a request with these headers; underscores stand for dashes."""
    sent = []

    async def receive():
        return {"type": "http.request"}

    async def send(message):
        sent.append(message)

    names = [name.lower().replace("_", "-") for name in headers]
    raw = [(n.encode(), v.encode()) for n, v in zip(names, headers.values(), strict=True)]
    asked = {"type": "http", "method": method, "path": "/", "headers": raw}
    asyncio.run(gate(asked, receive, send))
    return sent[0]["status"]


def basic(words):
    return "Basic " + base64.b64encode(words.encode()).decode()


def test_a_password_is_required_where_one_is_set():
    gate = AccessGate(_plain, "ada:secret", None)
    assert status(gate) == 401
    for words in ("ada:wrong", "bob:secret", "ada:secret "):
        assert status(gate, Authorization=basic(words)) == 401
    assert status(gate, Authorization=basic("ada:secret")) == 200


def test_other_host_names_are_refused():
    gate = AccessGate(_plain, None, LOOPBACK)
    for host in ("localhost:7860", "127.0.0.1:7860", "[::1]:7860", "localhost"):
        assert status(gate, Host=host) == 200
    assert status(gate, Host="evil.example:7860") == 421


def test_cross_site_requests_are_refused():
    gate = AccessGate(_plain, None, None)
    assert status(gate, "POST", Sec_Fetch_Site="cross-site") == 403
    assert status(gate, "POST", Sec_Fetch_Site="same-origin") == 200
    own = {"Host": "localhost:7860", "Origin": "http://localhost:7860"}
    assert status(gate, "POST", **own) == 200
    assert status(gate, "POST", **own | {"Origin": "http://localhost:3000"}) == 403
    assert status(gate, "POST", **own | {"Origin": "null"}) == 403
    link = {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate"}
    assert status(gate, **link) == 200
    assert status(gate, Sec_Fetch_Site="cross-site") == 403
    assert status(gate, "POST") == 200  # not a browser


def test_an_open_address_needs_a_password():
    with pytest.raises(FieldlrError, match="Set a password with --auth"):
        check_address("0.0.0.0", None)
    with pytest.raises(FieldlrError, match="a name and a password"):
        check_address("127.0.0.1", "nocolon")
    check_address("0.0.0.0", "ada:secret")
    check_address("127.0.0.1", None)


def test_two_servers_do_not_share_a_workspace(tmp_path):
    folder = Workspace(tmp_path / "own").folder
    with lock(folder / ".server.lock") as held:
        assert held
        with pytest.raises(FieldlrError, match="another fieldlr app"):
            serve(folder, "127.0.0.1", 0, None, lambda text: None)
