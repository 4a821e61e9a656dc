"""The app as people use it: a real server, a real browser, real trainings."""

import re
import time
import zipfile

import pytest
import trimesh

from fieldlr.data.examples import example

pytest.importorskip("playwright.sync_api", reason="needs playwright")
pytest.importorskip("gradio", reason="needs fieldlr[app]")

pytestmark = pytest.mark.browser
# Gradio's 3-D viewer tries WebGPU first and says so where there is none; and what a reload of the
# page breaks off says that it was.
EXPECTED = re.compile(r"WebGPU|GL Driver Message|No available adapters|AbortError")
PATIENCE = 180_000  # milliseconds


@pytest.fixture(scope="module")
def address(servers, tmp_path_factory):
    with servers.serving(tmp_path_factory.mktemp("app") / "workspace") as own:
        yield own


@pytest.fixture
def open_page(browser, address, servers):
    """Opens the app; no page may log an error, or ask any other host for anything."""
    problems, context = [], browser.new_context(viewport={"width": 1280, "height": 900})

    def opened(context=context):
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        page.on("pageerror", lambda error: problems.append(error.stack or str(error)))
        page.on("console", lambda m: m.type == "error" and problems.append(m.text))
        page.on("request", lambda r: own(r.url) or problems.append(r.url))
        servers.load(page, address)
        return page

    def own(url):
        return url.startswith((address, "data:", "blob:"))

    yield opened
    context.close()
    assert [text for text in problems if not EXPECTED.search(text)] == []


def tab(page, name):
    page.click(f"role=tab[name='{name}']")


def add(page, path, name):
    tab(page, "Start")
    page.set_input_files("#files input[type=file]", path)
    page.wait_for_selector(f"#found:has-text('{name}')")


def train(page, name, steps, model="Best quality", **more):
    """Presses Train on a source of this name; the page then shows the new run.

    `more` are numbers by the first word of their labels: what is smaller is sooner evaluated.
    """
    tab(page, "Train")
    if model:
        page.click(f"#backbone label:has-text('{model}')")
    if not page.is_visible("label:has-text('Training steps') >> nth=0"):
        page.click("text=More settings")
    for word, number in more.items():
        page.locator("label").filter(has_text=re.compile(rf"^\s*{word}\b")).fill(str(number))
    page.fill("label:has-text('Training steps') input", str(steps))
    page.keyboard.press("Tab")
    page.wait_for_selector(f"#cost:has-text('{steps:,} steps of training')")
    page.click("#train:not([disabled])")
    page.wait_for_selector(f"#live .fl-head:has-text('{name}, {model or 'quick'}')")


def finished(page):
    page.wait_for_selector("#live .fl-head[data-state='done']")
    return page.text_content("#live .fl-head")


def test_a_mesh_is_trained_shown_and_exported(open_page, tmp_path):
    page = open_page()
    add(page, example("rook"), "triangles")
    page.frame_locator("#stage iframe").locator("canvas").wait_for()
    train(page, "rook", 150, Neurons=64)
    page.frame_locator("#stage iframe[title='3-D view']").locator(
        "html[data-mesh='done']"
    ).wait_for()
    page.reload()  # in the middle of it
    page.wait_for_selector(".fl-card")
    tab(page, "Train")
    assert re.search(r"\d\d % overlap \(IoU 0\.[6-9]", finished(page))

    view = page.frame_locator("#stage iframe")
    view.locator("html[data-mesh='done']").wait_for()
    page.click("#to-surface")
    page.wait_for_selector("#histogram i")
    page.fill("#level input[type=number]", "0.6")
    page.keyboard.press("Enter")
    page.click("#extract:not([disabled])")
    page.wait_for_selector("text=triangles in")
    with page.expect_download() as download:
        page.click("#download")
    download.value.save_as(tmp_path / "surface.glb")
    assert trimesh.load(tmp_path / "surface.glb", force="mesh").volume > 0

    tab(page, "Export")
    page.click("#export-mesh:not([disabled])")
    page.wait_for_selector("a[href*='rook-best-quality.glb']")
    page.click("#export-flr")
    page.wait_for_selector("a[href*='rook-best-quality.flr']")
    assert "fieldlr fit" in page.input_value("#commands textarea")


def zipped(scene, path):
    """A scene as people bring it: photos and poses in one zip."""
    with zipfile.ZipFile(path, "w") as packed:
        for file in sorted(p for p in scene.rglob("*") if p.is_file()):
            packed.write(file, file.relative_to(scene.parent))
    return path


def test_photos_are_trained_and_compared_with_one_held_out(open_page, tmp_path):
    page = open_page()
    add(page, zipped(example("windmill"), tmp_path / "windmill.zip"), "68 photos")
    train(page, "windmill", 60, None, Shrink=4)
    page.wait_for_selector("#stage img[src*='photo.png']")
    assert "PSNR" in finished(page)
    page.frame_locator("#stage iframe").locator(
        "html:is([data-view='coarse'], [data-view='done'])"
    ).wait_for()
    tab(page, "Library")
    page.wait_for_selector("#library .fl-card:has-text('windmill'):has-text('dB')")


@pytest.mark.slow
def test_fox_goes_from_a_zip_to_a_moving_view(open_page, data_dir, tmp_path):
    """Fifty photos of a phone, by what the page says alone."""
    scene = data_dir / "scenes" / "fox"
    if not scene.is_dir():
        pytest.skip(f"needs the photos of fox at {scene}")
    page = open_page()
    page.set_default_timeout(3 * PATIENCE)
    add(page, zipped(scene, tmp_path / "fox.zip"), "50 photos")
    page.click("#to-train:not([disabled])")
    train(page, "fox", 50, None, Shrink=16)
    assert "PSNR" in finished(page)
    frame = page.locator("#stage iframe")
    view = page.frame_locator("#stage iframe")
    view.locator("html:is([data-view='coarse'], [data-view='done'])").wait_for()
    before, box = frame.screenshot(), frame.bounding_box()
    page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.5 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.65 * box["width"], box["y"] + 0.55 * box["height"], steps=4)
    page.mouse.up()
    until = time.monotonic() + PATIENCE / 1000
    while frame.screenshot() == before:
        assert time.monotonic() < until
        page.wait_for_timeout(500)


def test_stop_saves_a_checkpoint_and_resume_continues(open_page, block):
    page, other = open_page(), open_page()
    add(page, block, "A volume")
    train(page, "block", 100_000, "Small and sharp", Neurons=32)
    page.wait_for_selector("#live .fl-charts svg")
    # The other page learns of it by itself.
    other.wait_for_selector("#queue .fl-chip:has-text('block')")
    other.close()
    page.click("#stop:not([disabled])")
    page.wait_for_selector("#live .fl-head[data-state='stopped']")
    assert "Press Resume" in page.text_content("#live .fl-head")
    page.click("#resume:not([disabled])")
    page.wait_for_selector("#live .fl-head[data-state='running']")
    page.wait_for_selector("#stop:not([disabled])")
    page.click("#stop")
    page.wait_for_selector("#live .fl-head[data-state='stopped']")
    # What is known of its quality is an estimate, until it is measured.
    page.wait_for_selector("#live .fl-head:has-text('a quick estimate')")
    page.click("#measure:not([disabled])")
    page.wait_for_selector("#live .fl-head:has-text('Quality: '):not(:has-text('estimate'))")
    page.wait_for_selector("#measure", state="hidden")


@pytest.mark.slow
def test_a_study_grows_and_is_compared(open_page, block):
    page = open_page()
    add(page, block, "A volume")
    tab(page, "Compare")
    page.click("text=Start a study")
    for word in ("5", "20"):
        page.locator("label").filter(has_text=re.compile(rf"^\s*{word}\s*$")).click()
    page.locator("label:has-text('Ordinary networks of the same size')").click()
    page.locator("label:has-text('Conventional formats')").click()
    page.fill("input[aria-label='number input for Seconds of training, for each']", "5")
    page.keyboard.press("Tab")
    page.wait_for_selector("text=2 trainings of 5 s")
    page.click("#start-study:not([disabled])")
    page.wait_for_function("document.querySelectorAll('#curves circle').length === 2")
    page.locator("#curves circle").first.click()
    page.wait_for_selector("text=Download .flr")
    page.wait_for_selector("#verdict:has-text('is best')")
    page.click("#export-curves:not([disabled])")
    page.wait_for_selector("a[href*='curves.csv']")
    # Nothing happens any more, so nothing is asked of Gradio: events must not set off each other.
    events, until = [], time.monotonic() + 120.0
    page.on("request", lambda r: "queue/join" in r.url and events.append(r.url))
    page.wait_for_timeout(3000)
    while len(events) > 2 and time.monotonic() < until:  # A busy machine is still at those before.
        events.clear()
        page.wait_for_timeout(3000)
    assert len(events) <= 2


@pytest.mark.slow
def test_a_study_of_photos_grows(open_page):
    page = open_page()
    tab(page, "Start")
    page.click(".fl-card:has-text('windmill')")
    page.wait_for_selector("#found:has-text('68 photos')")
    tab(page, "Compare")
    page.click("text=Start a study")
    page.fill("input[aria-label='number input for Seconds of training, for each']", "5")
    page.keyboard.press("Tab")
    page.click("#start-study:not([disabled])")
    page.wait_for_selector("#curves circle")
    page.wait_for_selector("#curves:has-text('PSNR')")
    page.click("#stop-study:not([disabled])")
    page.wait_for_selector("#resume-study:not([disabled])")


def test_the_keyboard_is_enough(open_page):
    page = open_page()

    def reach(selector):
        """Presses Tab until this has the focus."""
        for _ in range(80):
            if page.evaluate("s => document.activeElement.matches(s)", selector):
                return
            page.keyboard.press("Tab")
        raise AssertionError(f"Tab does not lead to {selector}")

    reach(".fl-card")
    page.keyboard.press("Enter")
    page.wait_for_selector("#found:has-text('triangles'), #found:has-text('photos')")
    page.evaluate("document.activeElement.blur()")
    reach("[role=tab]")
    while page.evaluate("document.activeElement.textContent.trim()") != "Library":
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.matches('[role=tab]')")
    page.keyboard.press("Enter")
    page.wait_for_selector("#library")
    assert page.is_visible("#library")


def test_a_hostile_zip_is_refused_in_a_sentence(open_page, tmp_path):
    with zipfile.ZipFile(tmp_path / "hostile.zip", "w") as packed:
        packed.writestr("../../evil.obj", "v 0 0 0")
    page = open_page()
    tab(page, "Start")
    page.set_input_files("#files input[type=file]", tmp_path / "hostile.zip")
    page.wait_for_selector("#found:has-text('leads out of it')")


def test_it_fits_a_phone_and_dark_mode(browser, address, open_page):
    context = browser.new_context(viewport={"width": 390, "height": 780}, color_scheme="dark")
    page = open_page(context)
    wider = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert wider <= 0
    color = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert sum(map(int, re.findall(r"\d+", color)[:3])) < 3 * 80
    context.close()
