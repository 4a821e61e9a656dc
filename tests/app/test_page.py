"""The texts and states of the page in a real browser, with no or hardly any training."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("playwright.sync_api", reason="needs playwright")
pytest.importorskip("gradio", reason="needs fieldlr[app]")

pytestmark = pytest.mark.browser
PATIENCE = 180_000  # milliseconds
COMMANDS = "document.querySelector('#commands textarea').value.includes('{}')"
TABS = ("Start", "Train", "Surface", "Video", "Export", "Compare", "Library")
PHONE, DESKTOP = {"width": 390, "height": 780}, {"width": 1280, "height": 900}
MIN_CONTRAST = 4.5
LOW_CONTRAST = (Path(__file__).parent / "contrast.js").read_text()


@pytest.fixture(scope="module")
def empty(servers, tmp_path_factory):
    """The address of an app without sources and runs."""
    with servers.serving(tmp_path_factory.mktemp("empty") / "workspace") as own:
        yield own


@pytest.fixture(scope="module")
def full(trained, servers):
    """The address of an app with a run of a shape and a run of photos."""
    with servers.serving(trained[0].workspace.folder) as own:
        yield own


@pytest.fixture
def open_page(browser, servers):
    contexts = []

    def opened(address, run="", viewport=DESKTOP, color_scheme="light"):
        contexts.append(browser.new_context(viewport=viewport, color_scheme=color_scheme))
        page = contexts[-1].new_page()
        page.set_default_timeout(PATIENCE)
        page.until_quiet = servers.load(page, f"{address}/?run={run}")
        return page

    yield opened
    for context in contexts:
        context.close()


def tab(page, name):
    if not page.is_visible(f"role=tab[name='{name}']"):
        page.click(".overflow-menu button")
        page.click(f".overflow-dropdown button:has-text('{name}')")
        return
    page.click(f"role=tab[name='{name}']")


def volume(path, size=24):
    solid = np.zeros((size, size, size), bool)
    solid[5:-5, 4:-6, 6:-4] = True
    np.save(path, solid)
    return path


def upload(page, path):
    page.set_input_files("#files input[type=file]", path)


def test_buttons_are_enabled_only_where_they_have_an_effect(open_page, empty):
    """The first of these tests: later ones leave sources behind."""
    page = open_page(empty)
    for name, buttons in {
        "Start": "#to-train",
        "Train": "#train",
        "Video": "#render-video",
        "Surface": "#extract, #download",
        "Compare": "#stop-study, #resume-study, #export-curves",
        "Export": "#export-mesh, #export-flr, #export-page, #export-weights, #export-run",
        "Library": "#rename, #delete, #delete-source, #undo",
    }.items():
        tab(page, name)
        page.locator(buttons).first.wait_for()
        assert page.locator(buttons).evaluate_all("all => all.every(b => b.disabled)"), name


def test_a_second_upload_replaces_the_first_and_an_invalid_one_selects_nothing(
    open_page, empty, tmp_path
):
    page = open_page(empty)
    upload(page, volume(tmp_path / "first.npy"))
    page.wait_for_selector("#found:has-text('first')")
    page.wait_for_selector("#to-train:not([disabled])")
    upload(page, volume(tmp_path / "second.npy"))
    page.wait_for_selector("#found:has-text('second')")
    (tmp_path / "broken.obj").write_text("v 0 0 0\n")
    upload(page, tmp_path / "broken.obj")
    page.wait_for_selector("#found:has-text('Not added')")
    page.wait_for_selector("#to-train[disabled]")
    assert "second" not in page.input_value("#source input")
    tab(page, "Train")
    page.wait_for_selector("#train[disabled]")


def test_settings_are_checked_as_they_are_typed(open_page, empty, tmp_path):
    page = open_page(empty)
    upload(page, volume(tmp_path / "block.npy"))
    page.wait_for_selector("#found:has-text('block')")
    tab(page, "Train")
    page.wait_for_selector("#train:not([disabled])")
    page.click("text=More settings")
    seconds = page.locator("label:has-text('Training time in seconds') input")
    for wrong in ("-5", "many"):
        seconds.fill(wrong)
        page.wait_for_selector(f"#cost:has-text('got {wrong}')")
        page.wait_for_selector("#train[disabled]")
        told = page.text_content("#cost")
        assert "“Training time in seconds”" in told and "--" not in told and "`" not in told
    seconds.fill("7")
    page.wait_for_selector("#cost:has-text('7 s of training')")
    page.wait_for_selector("#train:not([disabled])")
    # An outcome sets the seconds, and seconds of one's own are no outcome.
    page.wait_for_selector("#budget label:has-text('In seconds') input:checked")
    page.click("#budget label:has-text('Good: about')")
    page.wait_for_selector("#cost:has-text('of training'):not(:has-text('7 s of training'))")
    good = float(seconds.input_value())
    page.click("#budget label:has-text('Best: about')")
    page.wait_for_function("([e, s]) => +e.value > s", arg=[seconds.element_handle(), good])
    page.click("#budget label:has-text('As the preset says')")
    page.wait_for_selector("#cost:has-text('1 min of training')")
    # The rank of a full matrix can do nothing.
    page.click("#backbone label:has-text('Best quality')")
    page.wait_for_selector("#rank input[type=number][disabled]")
    page.click("#backbone label:has-text('Small and sharp')")
    page.wait_for_selector("#rank input[type=number]:not([disabled])")


def test_a_download_is_of_the_threshold_that_is_shown(open_page, full, trained):
    page = open_page(full, run=trained[1])
    tab(page, "Surface")
    page.wait_for_selector("#histogram i")
    # Neither it nor the surface is passed off as one of settings that changed while it was made.
    page.click("#extract:not([disabled])")
    page.fill("#level input[type=number]", "0.6")
    page.until_quiet()
    page.wait_for_selector("#surface-status:has-text('have changed')")
    assert page.is_disabled("#download")
    page.click("#extract")
    page.wait_for_selector("#download:not([disabled])")
    page.fill("#level input[type=number]", "0.7")
    page.wait_for_selector("#download[disabled]")
    tab(page, "Export")
    page.wait_for_selector("#mesh-settings:has-text('surface threshold 0.7')")
    page.wait_for_function(COMMANDS.format("--threshold 0.7"))


def test_settings_of_the_mesh_are_undone_one_by_one(open_page, full, trained):
    page = open_page(full, run=trained[1])
    tab(page, "Surface")
    page.wait_for_selector("#histogram i")
    page.wait_for_selector("#undo-surface[disabled]")
    page.click("#up label:has-text('x')")
    page.wait_for_selector("#surface-status:has-text('triangles in')")
    page.locator("#crop textarea, #crop input").press_sequentially("0 0 0 1 1 1")
    page.wait_for_selector("#surface-status:has-text('have changed')")
    page.until_quiet()
    page.click("#undo-surface:not([disabled])")
    # The surface that is shown follows.
    page.wait_for_selector("#surface-status:has-text('triangles in')")
    assert page.locator("#crop textarea, #crop input").input_value() == ""
    assert page.is_checked("#up label:has-text('x') input")
    tab(page, "Export")
    page.click("label:has-text('3-D printing')")
    page.wait_for_function(COMMANDS.format("--resolution 512 --largest --up x"))
    page.fill("#faces textarea, #faces input", "900")
    page.wait_for_function(COMMANDS.format("--resolution 512 --largest --faces 900 --up x"))
    page.click("#undo-export:not([disabled])")
    page.wait_for_function(COMMANDS.format("--resolution 512 --largest --up x"))
    page.click("#undo-export:not([disabled])")
    page.wait_for_function(COMMANDS.format("mesh.glb --up x"))
    page.wait_for_selector("#undo-export[disabled]")


def test_photos_are_combined_unless_a_threshold_is_asked_for(open_page, full, trained):
    page = open_page(full, run=trained[2])
    tab(page, "Surface")
    page.wait_for_selector("#level input[type=number][disabled]")
    tab(page, "Export")
    page.wait_for_selector("#mesh-settings:has-text('all automatic')")
    tab(page, "Surface")
    page.uncheck("#joined input")
    page.wait_for_selector("#level input[type=number]:not([disabled])")
    # The toggle shows the other surface, or says why there is none.
    page.wait_for_selector("#surface-status:has-text('triangles in'), .toast-body")
    tab(page, "Export")
    page.wait_for_function(COMMANDS.format("--threshold"))


def test_the_stage_shows_the_source_then_the_run(open_page, full, trained):
    page = open_page(full, run=trained[1])
    view = page.frame_locator("#stage iframe")
    view.locator("html[data-mesh='done']").wait_for()
    assert view.locator("#controls button").count() > 2
    page.wait_for_selector("#to-surface")
    page.click("#to-export")
    page.wait_for_selector("#export-flr:not([disabled])")
    # Another source has no runs yet, so it is shown itself.
    tab(page, "Start")
    page.until_quiet()
    asked = []
    page.on("request", lambda r: "queue/join" in r.url and asked.append(r.url))
    page.click(".fl-card:has-text('vase')")
    page.wait_for_selector("#stage [data-shows='source'] iframe")
    assert page.input_value("#run input") == ""
    page.wait_for_selector("#to-export", state="hidden")
    # All parts of the page follow the source in one event, and the run in another.
    page.until_quiet()
    assert len(asked) <= 6


def test_the_viewer_and_the_tabs_have_one_crop_box(open_page, full, trained):
    page = open_page(full, run=trained[1])
    view = page.frame_locator("#stage iframe")
    view.locator("html[data-mesh='done']").wait_for()
    view.locator("#panel").evaluate("details => details.open = true")
    view.locator("#crop").evaluate("details => details.open = true")
    sliders = view.locator("#crop input")
    box = trained[0].loaded(trained[1]).field.aabb
    sliders.nth(5).fill("0.5")  # z to
    sliders.nth(5).dispatch_event("change")
    tab(page, "Export")
    page.wait_for_function(COMMANDS.format("--crop"))
    words = shlex.split(page.input_value("#commands textarea"))
    corners = [float(number) for number in words[words.index("--crop") + 1].split()]
    middle = 0.5 * (box.minimum[2] + box.maximum[2])
    assert corners == pytest.approx([*box.minimum, *box.maximum[:2], middle], rel=1e-4)
    tab(page, "Surface")
    low = box.minimum[0] + 0.25 * (box.maximum[0] - box.minimum[0])
    page.fill("#crop textarea", f"{low} -99 -99 99 99 99")
    view.locator("#crop input").first.evaluate(
        "input => new Promise(done => setInterval(() => input.value === '0.25' && done(), 20))"
    )
    assert [sliders.nth(i).input_value() for i in range(1, 6)] == ["1", "0", "1", "0", "1"]
    tab(page, "Export")
    page.wait_for_function(COMMANDS.format("-99 -99 99 99 99"))
    # A box of one source means nothing for another.
    tab(page, "Start")
    page.click(".fl-card:has-text('vase')")
    page.wait_for_function("document.querySelector('#crop textarea').value === ''")


def test_the_stage_draws_photos_and_the_server_where_the_browser_cannot(
    browser, open_page, full, trained
):
    page = open_page(full, run=trained[2], viewport=PHONE)
    page.frame_locator("#stage iframe").locator(
        "html:is([data-view='coarse'], [data-view='done'])"
    ).wait_for()
    view = page.frame_locator("#stage iframe")
    view.locator("#panel").evaluate("details => details.open = true")
    view.locator("#cameras").click()
    held_out = view.locator("#photos button.held-out")
    assert view.locator("#photos button").count() == 68 and held_out.count() == 8
    assert "held out" in held_out.first.text_content()
    held_out.first.focus()
    page.keyboard.press("Enter")
    # The photo over the render of its view, from the server, until the view is turned.
    view.locator("#photo[src$='/large.jpg']").wait_for(state="visible")
    assert (
        view.locator("#photos button[aria-current]").text_content() == held_out.first.text_content()
    )
    view.locator("canvas").focus()
    page.keyboard.press("ArrowLeft")
    view.locator("#photo").wait_for(state="hidden")
    assert view.locator("#photos button[aria-current]").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    blind, address = page.context.new_page(), page.url
    page.close()  # Without a GPU it would go on drawing for minutes.
    blind.add_init_script(
        "HTMLCanvasElement.prototype.getContext = (get => function (kind, ...more) {"
        " return kind === 'webgl2' ? null : get.call(this, kind, ...more);"
        "})(HTMLCanvasElement.prototype.getContext)"
    )
    blind.set_default_timeout(PATIENCE)
    blind.goto(address)
    before = sharp_picture(blind)
    blind.check("#stage .fl-photos input")
    depth = sharp_picture(blind, before)
    box = blind.locator("#stage canvas").bounding_box()
    blind.mouse.move(box["x"] + 100, box["y"] + 100)
    blind.mouse.down()
    blind.mouse.move(box["x"] + 220, box["y"] + 120, steps=4)
    blind.mouse.up()
    sharp_picture(blind, depth)


def sharp_picture(page, before=""):
    """What the server has rendered, once it is sharp and another picture than before."""
    return page.wait_for_function(
        """before => {
          const canvas = document.querySelector("#stage canvas[data-sharp='true']");
          const picture = canvas?.toDataURL();
          return picture !== before && picture;
        }""",
        arg=before,
    ).json_value()


def test_the_status_of_a_video_ends_with_it(open_page, full, trained):
    page = open_page(full, run=trained[1])
    tab(page, "Video")
    page.fill("input[aria-label='number input for Length in seconds']", "1")
    page.keyboard.press("Tab")
    page.click("#render-size label:has-text('Other')")
    page.fill("#own-size :is(input, textarea)", "big")
    page.wait_for_selector("#video-status:has-text('“Size” is')")
    page.wait_for_selector("#render-video[disabled]")
    page.fill("#own-size :is(input, textarea)", "96")
    page.click("#background label:has-text('Other')")
    page.fill("#own-background input", "#aa3377")
    tab(page, "Export")
    page.wait_for_function(COMMANDS.format("--size 96 --background"))
    assert "'#aa3377'" in page.input_value("#commands textarea")
    tab(page, "Video")
    page.click("#render-video:not([disabled])")
    page.wait_for_selector("#video-status:has-text('Rendering')")
    page.wait_for_selector("video")
    page.wait_for_function(
        "!document.querySelector('#video-status')?.textContent.includes('Rendering')"
    )


def test_runs_are_compared_in_curves_a_sentence_and_files(open_page, full):
    page = open_page(full)
    tab(page, "Compare")
    page.click("#runs input")
    page.click("#runs [role=option]:has-text('block')")
    page.wait_for_selector("#curves circle")
    page.click("#export-curves:not([disabled])")
    page.wait_for_selector("a[href*='curves.csv']")
    # Nothing happens any more, so nothing is asked of Gradio: events must not set off each other.
    page.until_quiet()
    events = []
    page.on("request", lambda r: "queue/join" in r.url and events.append(r.url))
    page.wait_for_timeout(3000)
    assert len(events) <= 2


def test_the_focus_is_visible(open_page, empty):
    page = open_page(empty)
    on_card = "document.activeElement.matches('.fl-card')"
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate(on_card):
            break
    # Outlines grow by a transition.
    style = "getComputedStyle(document.activeElement)"
    outline = f"{style}.outlineStyle === 'solid' && {style}.outlineWidth === '2px'"
    page.wait_for_function(f"() => {on_card} && {outline}", timeout=5000)


def test_a_screen_reader_hears_words(open_page, empty):
    page = open_page(empty)
    page.evaluate("""() => {
      window.heard = [];
      const hear = () => window.heard.push(document.body.textContent.match(/common\\.\\w+/g));
      const all = { childList: true, subtree: true, characterData: true };
      new MutationObserver(hear).observe(document.body, all);
    }""")
    page.click(".fl-card:has-text('vase')")
    page.wait_for_selector("#found:has-text('triangles')")
    page.wait_for_timeout(500)
    assert page.evaluate("window.heard.filter(Boolean).flat()") == []


def test_long_names_stay_on_the_page(open_page, empty, tmp_path):
    page = open_page(empty, viewport=PHONE)
    name = "a" * 80
    upload(page, volume(tmp_path / f"{name}.npy"))
    page.wait_for_selector(f"#found:has-text('{name}')")
    for tabbed in TABS:
        tab(page, tabbed)
        page.wait_for_timeout(200)
        wider = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert wider <= 0, tabbed


def test_the_page_does_not_mention_command_line_options(open_page, full, trained):
    """Flags stand in the box of commands alone, and nowhere a backtick of the library."""
    page = open_page(full, run=trained[2])
    for name in TABS:
        tab(page, name)
        page.wait_for_timeout(300)
        text = page.evaluate("""() => {
          const copy = document.body.cloneNode(true);
          copy.querySelectorAll("#commands, script, style").forEach(node => node.remove());
          return copy.textContent;
        }""")
        assert not re.findall(r"(?<![\w-])--[a-z][\w-]*", text), name


@pytest.mark.parametrize(("viewport", "scheme"), [(DESKTOP, "light"), (PHONE, "dark")])
def test_every_tab_can_be_read_by_all(open_page, full, trained, viewport, scheme):
    """Texts stand out, and axe-core, the accessibility checker, finds nothing serious.

    Gradio's own parts are counted too.
    """
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe").Axe()
    page = open_page(full, run=trained[1], viewport=viewport, color_scheme=scheme)
    page.wait_for_selector("#run input")
    weak, found = {}, {}
    for name in TABS:
        tab(page, name)
        page.wait_for_timeout(700)  # transitions of colours
        if texts := page.evaluate(LOW_CONTRAST, MIN_CONTRAST):
            weak[name] = texts
        for problem in axe.run(page).response["violations"]:
            if problem["impact"] in ("serious", "critical"):
                nodes = [node["html"][:120] for node in problem["nodes"]]
                found.setdefault(problem["id"], {})[name] = nodes[:3]
    assert weak == {} and found == {}
    field = "document.querySelector('#run-name textarea, #run-name input')"
    assert page.evaluate(f"getComputedStyle({field}).borderTopWidth") == "1px"


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE])
def test_hardly_anything_moves_while_the_page_opens(browser, full, trained, viewport):
    """The layout shift as browsers measure it: 0.05 at most."""
    context = browser.new_context(viewport=viewport)
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    page.add_init_script("""window.shifts = [];
      const name = ({ node }) => node?.id || node?.className || node?.nodeName;
      const add = list => list.getEntries().forEach(
        one => window.shifts.push([one.value, ...one.sources.map(name).map(String)]));
      new PerformanceObserver(add).observe({ type: "layout-shift", buffered: true });""")
    page.goto(f"{full}/?run={trained[1]}")
    page.frame_locator("#stage iframe").locator("html[data-mesh='done']").wait_for()
    page.wait_for_timeout(1000)
    shifts = page.evaluate("window.shifts")
    context.close()
    # Gradio's own sign, before there is a page, is not ours.
    ours = [one for one in shifts if not any("loading" in name for name in one[1:])]
    assert sum(value for value, *_ in ours) <= 0.05, ours
