"""The page of fields in a real browser, without a network."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from fieldlr import codec
from fieldlr.data.mesh import read_triangles
from fieldlr.export.page import SCENE_VIEWER, VIEWER, PageField, write_page, write_still_page
from fieldlr.geometry.boxes import Aabb
from fieldlr.geometry.frames import Similarity
from fieldlr.geometry.triangles import TriangleMesh
from fieldlr.pictures.shading import shade
from fieldlr.rendering.paths import read_camera_path
from fieldlr.runs.flr_file import FlrRun
from fieldlr.runs.views import Turn, turned
from fieldlr.surface import extract
from tests import node
from tests.export.pages import canvas_pixels

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
ROOK = GOLDEN / "rook.flr"
MOST_BYTES = 40_000
SAMPLES = 64
SIDE = 480
# Pixels: the panel at the left, and what the outline of a focused canvas takes.
PANEL, EDGE = 300, 5


def test_the_bundle_is_a_fresh_build(tmp_path):
    if not (node.WEB / "node_modules" / "esbuild").is_dir():
        pytest.skip("needs esbuild: run npm install in web/")
    node.run("build.mjs", tmp_path)
    for viewer in (VIEWER, SCENE_VIEWER):
        built = (tmp_path / viewer.name).read_text()
        assert viewer.read_text() == built, "run npm run build in web/"


def test_a_page_is_small_and_loads_nothing_else(tmp_path):
    path = tmp_path / "a.html"
    size = write_page(path, "A <b> & more", [PageField("</script>", ROOK.read_bytes())])
    text = path.read_text()
    assert size == path.stat().st_size <= MOST_BYTES
    assert "<title>A &lt;b&gt; &amp; more</title>" in text
    assert text.count("</script>") == 2
    assert not re.search(r"https?://", text)
    assert not re.search(r"https?://", VIEWER.read_text().replace("http://www.w3.org/", ""))


def test_a_still_page_has_no_script(tmp_path):
    picture = np.zeros((4, 6, 3), np.uint8)
    field = PageField('a "b"', ROOK.read_bytes(), picture)
    size = write_still_page(tmp_path / "a.html", "Still", [field])
    text = (tmp_path / "a.html").read_text()
    assert size == len(text.encode())
    assert "<script" not in text and 'alt="a &quot;b&quot;"' in text and "1,616 bytes" in text


def until_drawn(page) -> None:
    page.wait_for_function("document.documentElement.dataset.mesh === 'done'")
    page.evaluate("new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(go)))")


def facts(page) -> dict[str, str]:
    words = page.inner_text("dl").split("\n")
    return dict(zip(words[::2], words[1::2], strict=True))


def signed_volume(mesh: TriangleMesh) -> float:
    a, b, c = mesh.vertices[mesh.faces].transpose(1, 0, 2)
    return float(np.einsum("ij,ij->", a, np.cross(b, c)) / 6.0)


def rook_page(open_page, **how):
    page = open_page([PageField("rook", ROOK.read_bytes())], **how)
    page.locator("#panel").evaluate("details => details.open = true")
    page.select_option("#samples", str(SAMPLES))
    until_drawn(page)
    return page


@pytest.mark.browser
def test_a_phone_shows_what_the_renderer_of_the_library_shows(open_page):
    # On a narrow page the canvas is the upper 60 %: a square here, as the reference.
    page = rook_page(open_page, width=SIDE, height=SIDE * 10 // 6, color_scheme="light")
    seen = canvas_pixels(page)
    assert seen.shape == (SIDE, SIDE, 3)
    run = FlrRun(ROOK)
    camera = turned(run, run.field, Turn(), (SIDE, SIDE))
    mesh = extract(run.field.level, run.field.aabb, SAMPLES).mesh
    pose = camera.camera_to_world[0].double().numpy()
    known = shade(mesh, pose, float(camera.intrinsics[0, 0]), SIDE, SIDE).astype(int)
    shown, expected = (np.abs(p - p[0, 0]).max(-1) > 12 for p in (seen, known))
    both = shown & expected
    assert both.sum() / (shown | expected).sum() > 0.96
    assert np.abs(seen[both] - known[both]).mean() < 10
    assert facts(page)["Triangles"] == f"{len(mesh.faces):,}"


@pytest.mark.browser
def test_a_page_is_turned_cut_and_measured(open_page):
    page = rook_page(open_page)
    whole, sizes = canvas_pixels(page), facts(page)
    assert sizes["File size"] == "1,616 bytes" and sizes["Box"] == "1.233 × 1.233 × 1.89"

    def change(act) -> float:
        """How much of the picture another state changes; then the view is as before."""
        act()
        page.wait_for_timeout(300)
        changed = np.abs(canvas_pixels(page) - whole).max(-1) > 8
        return float(changed[EDGE:-EDGE, PANEL:-EDGE].mean())

    assert change(lambda: page.click("#wireframe")) > 0.02
    assert change(lambda: page.click("#wireframe")) == 0
    assert change(lambda: page.select_option("#axis", "y")) > 0.02
    assert change(lambda: page.select_option("#axis", "")) == 0
    assert change(lambda: page.select_option("#up", "y")) > 0.02
    assert change(lambda: page.select_option("#up", "z")) == 0
    page.focus("canvas")
    assert change(lambda: page.keyboard.press("ArrowLeft")) > 0.02
    assert change(lambda: page.keyboard.press("0")) == 0
    page.mouse.move(500, 400)
    page.mouse.wheel(0, 300)
    assert change(lambda: None) > 0.02
    page.mouse.down()
    page.mouse.move(600, 420)
    page.mouse.up()
    assert change(lambda: None) > 0.02
    assert change(lambda: page.click("#reset")) == 0
    # The foot of the rook, from the axis to its rim below, in the picture.
    page.click("#measure")
    page.mouse.click(450, 600)
    page.mouse.click(430, 330)
    page.wait_for_timeout(300)
    length = float(page.text_content("#ruler").split()[0])
    assert 0.7 < length < 1.3
    page.fill("#level", "-1")
    until_drawn(page)
    assert float(facts(page)["Volume"].split()[0]) > float(sizes["Volume"].split()[0])


@pytest.mark.browser
def test_a_part_is_cropped_and_saved_closed_at_the_cut(open_page, tmp_path):
    page = rook_page(open_page)
    whole = facts(page)
    page.locator("#crop").evaluate("details => details.open = true")
    page.locator("#crop input").nth(5).fill("0.5")  # z to
    page.locator("#crop input").nth(5).dispatch_event("change")
    until_drawn(page)
    part = facts(page)
    assert part["Box"] == "1.233 × 1.233 × 0.9448"
    field = codec.decode(ROOK.read_bytes())
    low, high = field.aabb.minimum, field.aabb.maximum
    half = Aabb(low, (*high[:2], 0.5 * (low[2] + high[2])))
    known = extract(field.level, half, SAMPLES).mesh
    volume = signed_volume(known)
    assert float(part["Volume"].split()[0]) == pytest.approx(volume, rel=0.01)
    assert volume < float(whole["Volume"].split()[0])
    for suffix in ("GLB", "STL", "PLY"):
        page.select_option("#format", suffix)
        with page.expect_download() as waiting:
            page.click("#save")
        assert waiting.value.suggested_filename == f"rook.{suffix.lower()}"
        path = tmp_path / waiting.value.suggested_filename
        waiting.value.save_as(path)
        mesh, _ = read_triangles(path)
        assert mesh.is_watertight
        assert signed_volume(mesh) == pytest.approx(volume, rel=0.01)
        # Samples lie on one grid: the cut is within half a cell of the box.
        assert mesh.vertices[:, 2].max() == pytest.approx(half.maximum[2], abs=0.01)


@pytest.mark.browser
def test_a_camera_path_flies_through_kept_views_and_is_saved(open_page, tmp_path):
    page = rook_page(open_page)
    page.evaluate("""() => {
      const all = WebGL2RenderingContext.prototype, draw = all.drawElements;
      window.drawn = 0;
      all.drawElements = function (...how) { window.drawn++; return draw.apply(this, how); };
    }""")
    page.locator("#path").evaluate("details => details.open = true")
    page.click("#keep")
    for _ in range(3):
        page.focus("canvas")
        for _ in range(4):
            page.keyboard.press("ArrowRight")
        page.click("#keep")
    kept = canvas_pixels(page)
    page.evaluate("window.drawn = 0")
    page.click("#play")
    page.wait_for_function("document.querySelector('#play').textContent === 'Play'")
    assert page.evaluate("window.drawn") >= 3
    page.wait_for_timeout(1500)  # the next frame: a busy browser draws one a second
    assert (canvas_pixels(page) == kept)[:, PANEL:].all()
    with page.expect_download() as waiting:
        page.click("#save-path")
    waiting.value.save_as(tmp_path / "path.json")
    cameras = read_camera_path(tmp_path / "path.json", Similarity())
    box = codec.decode(ROOK.read_bytes()).aabb
    assert len(cameras) == 136 and cameras.sizes[0, 1] == 720
    middle = torch.tensor(box.center, dtype=torch.float64)
    away = cameras.camera_to_world[:, :, 3].double() - middle
    distance = away.norm(dim=-1)
    # About the middle, nearly on a circle, and looking at the middle.
    assert torch.allclose(distance, distance[0].expand(136), rtol=0.03)
    assert torch.allclose(
        away / distance[:, None], cameras.camera_to_world[:, :, 2].double(), atol=0.03
    )
    ends = torch.atan2(away[[0, -1], 1], away[[0, -1], 0])
    assert float((ends[1] - ends[0]).abs()) == pytest.approx(3 * 0.48, abs=1e-3)


@pytest.mark.browser
def test_frames_a_second_are_shown_on_demand(open_page):
    page = rook_page(open_page)
    assert page.is_hidden("#rate")
    page.focus("canvas")
    page.keyboard.press("f")
    page.wait_for_selector("#rate:has-text('at rest')")
    page.evaluate("""() => {
      const canvas = document.querySelector("canvas");
      const press = () => canvas.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowLeft" }));
      window.turning = setInterval(press, 30);
    }""")
    page.wait_for_selector("#rate:has-text('frames/s')")
    page.evaluate("clearInterval(window.turning)")
    page.wait_for_selector("#rate:has-text('at rest')")
    page.click("#frames")
    assert page.is_hidden("#rate")


@pytest.mark.browser
def test_a_gallery_shows_one_field_after_the_other_and_a_picture_of_photos(open_page):
    picture = np.full((30, 40, 3), (255, 0, 0), np.uint8)
    photos = (GOLDEN / "nerf.flr").read_bytes()
    damaged = bytearray(ROOK.read_bytes())
    damaged[50] ^= 1
    page = open_page(
        [
            PageField("rook", ROOK.read_bytes()),
            PageField("scene", photos, picture, is_scene=True),
            PageField("damaged", bytes(damaged)),
        ],
        width=390,
        height=800,
    )
    page.click("nav button:nth-child(2)")
    page.wait_for_selector("#picture")
    assert "too slow" in page.inner_text("#status")
    page.click("nav button:nth-child(3)")
    assert "checksum" in page.inner_text("#status")
    page.click("nav button:nth-child(1)")
    page.locator("#panel").evaluate("details => details.open = true")
    page.select_option("#samples", str(SAMPLES))
    until_drawn(page)
    assert page.locator("#picture").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth") == 390


@pytest.mark.browser
@pytest.mark.parametrize(
    "before, says",
    [
        ("HTMLCanvasElement.prototype.getContext = () => null", "WebGL 2"),
        ("Worker = undefined; WebAssembly.validate = () => false", ""),
    ],
)
def test_a_page_names_missing_browser_features_and_works_without_them(open_page, before, says):
    page = open_page([PageField("tiny", (GOLDEN / "tiny.flr").read_bytes())], before=before)
    if says:
        assert says in page.inner_text("#status")
    else:
        page.fill("#level", "-0.3")
        until_drawn(page)
        assert int(facts(page)["Triangles"].replace(",", "")) > 1000


def test_the_script_of_a_page_is_in_the_wheel():
    setup = (node.WEB.parent / "setup.py").read_text()
    assert '"fieldlr.export": ["static/*"]' in setup
