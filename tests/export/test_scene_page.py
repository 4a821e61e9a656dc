"""Scenes of photos on a page, drawn by the browser, against the renderer of the library."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import fieldlr
from fieldlr import codec
from fieldlr.codec.levels import stepped
from fieldlr.codec.quantisation import nearest_step
from fieldlr.export import depth_picture
from fieldlr.export.page import PageField, PagePhoto
from fieldlr.geometry.boxes import Aabb
from fieldlr.geometry.cameras import Cameras
from fieldlr.nn.encodings import Cp, DenseGrid, HashGrid, Tucker, Vm
from fieldlr.nn.linears import Full, LowRank, SineLowRank
from fieldlr.rendering.paths import read_camera_path
from fieldlr.rendering.render import Rendering, render_image
from fieldlr.runs.flr_file import FlrRun
from tests.codec import fields
from tests.export.pages import canvas_pixels

# fieldlr fit scenes/windmill --encoding frequency --width 64 --depth 2 --seconds 60, compressed
WINDMILL = Path(__file__).resolve().parents[2] / "docs" / "examples" / "windmill.flr"
LEAST_PSNR, LEAST_DEPTH_PSNR, LEAST_CROPPED_PSNR = 38.0, 20.0, 30.0
# On a narrow page the canvas is the upper 60 %: a square here.
SIDE = 36


def until_drawn(page) -> None:
    page.wait_for_function("document.documentElement.dataset.view === 'done'", polling=20)


def expected(field, cameras: Cameras, index: int, side: int, background) -> Rendering:
    """The view of a square camera, without the distortion of its lens."""
    camera = cameras[[index]].resized(torch.tensor([[side, side]]))
    return render_image(field, replace(camera, distortion=torch.zeros(1, 6)), 0, background)


def psnr(seen: np.ndarray, known: np.ndarray) -> float:
    return -10.0 * np.log10(np.mean((seen / 255.0 - known) ** 2))


@pytest.mark.browser
def test_a_fit_of_photos_is_drawn_as_here_and_turned_and_as_depth(open_page):
    run = FlrRun(WINDMILL)
    cameras, _ = run.load_cameras()
    entry = PageField("windmill", WINDMILL.read_bytes(), is_scene=True)
    page = open_page([entry], width=SIDE, height=SIDE * 10 // 6)
    page.locator("#panel").evaluate("details => details.open = true")
    for index in (0, 5):
        page.select_option("#camera", index=index)
        until_drawn(page)
        known = expected(run.field, cameras, index, SIDE, run.background)
        assert psnr(canvas_pixels(page), known.rgb.numpy()) > LEAST_PSNR
    before = canvas_pixels(page)

    def change(key: str) -> float:
        page.evaluate(
            "key => document.querySelector('canvas').dispatchEvent("
            "new KeyboardEvent('keydown', { key, shiftKey: key.endsWith('Right') }))",
            key,
        )
        until_drawn(page)
        return float((np.abs(canvas_pixels(page) - before).max(-1) > 8).mean())

    assert change("ArrowLeft") > 0.02  # turned
    assert change("Home") == 0
    assert change("ArrowRight") > 0.02  # with shift: moved
    assert change("+") > 0.02
    assert change("0") == 0
    page.locator("#distance").dispatch_event("click")
    until_drawn(page)
    depth = depth_picture(np.where(known.opacity > 0.5, known.depth, 0.0)) / 255.0
    assert psnr(canvas_pixels(page), depth) > LEAST_DEPTH_PSNR


@pytest.mark.browser
def test_a_crop_box_cuts_a_scene(open_page):
    run = FlrRun(WINDMILL)
    cameras, _ = run.load_cameras()
    camera = cameras[[0]].resized(torch.tensor([[SIDE, SIDE]]))
    camera = replace(camera, distortion=torch.zeros(1, 6)).transformed(run.field.frame)
    aabb = torch.tensor([run.field.aabb.minimum, run.field.aabb.maximum], dtype=torch.float64)
    whole = Aabb.around(run.field.frame.apply(torch.cartesian_prod(*aabb.T)))
    middle = 0.5 * (whole.minimum[0] + whole.maximum[0])

    def kept(points, directions):
        density, color = run.field.query(points, directions)
        return density * (points[..., 0] < middle), color

    far = 2.0 * float((camera.camera_to_world[0, :3, 3] - torch.tensor(whole.center)).norm())
    known = fieldlr.render(kept, camera, 0.0, far, 600, run.background).rgb.numpy()
    entry = PageField("windmill", WINDMILL.read_bytes(), is_scene=True)
    page = open_page([entry], width=SIDE, height=SIDE * 10 // 6)
    page.locator("#panel").evaluate("details => details.open = true")
    page.select_option("#camera", index=0)
    until_drawn(page)
    before = canvas_pixels(page)
    open_crop = "(details, open) => details.open = open"
    page.locator("#crop").evaluate(open_crop, True)
    slider = page.locator("#crop input").nth(1)  # x to
    slider.evaluate("input => { input.value = 0.5 }")
    slider.dispatch_event("input")
    slider.dispatch_event("change")
    page.wait_for_function("document.querySelectorAll('#ruler line').length === 12")
    page.locator("#crop").evaluate(open_crop, False)  # The lines of the box lie over the canvas.
    page.wait_for_function("document.querySelectorAll('#ruler line').length === 0")
    until_drawn(page)
    assert psnr(before, known) < 20.0
    assert psnr(canvas_pixels(page), known) > LEAST_CROPPED_PSNR
    page.locator("#whole").dispatch_event("click")
    until_drawn(page)
    assert (canvas_pixels(page) == before).all()


KINDS = (
    ("box", HashGrid(2, 2, 3, 9, 6), LowRank(3), {"skips": (1,)}),
    ("ndc", DenseGrid(2, 3, 3, 5), SineLowRank(2), {}),
    ("contracted", HashGrid(2, 1, 3, 9, 6), Full(), {"width": 96}),
    ("box", Cp(2, 3, 4, 9), Full(), {}),
    ("contracted", Vm(2, 2, 3, 6), Full(), {}),
    ("box", Tucker(1, 5, 4, 7), Full(), {}),
)
EYES = {"box": (2.5, -4.0, 2.0), "ndc": (0.1, 0.0, 0.0), "contracted": (2.0, 1.5, 1.0)}
TARGETS = {"box": (0.1, -0.5, 1.1), "ndc": (0.0, 0.0, -3.0), "contracted": (0.0, 0.0, 0.0)}


@pytest.mark.browser
def test_networks_and_spaces_of_every_kind_are_drawn_as_here(open_page):
    known, entries = [], []
    for space, encoding, linear, more in KINDS:
        field = fields.radiance(encoding, linear, space=space, **more)
        fields.with_ball(field, 0.25)
        up = (0.0, 1.0, 0.0) if space == "ndc" else (0.0, 0.0, 1.0)
        size = (SIDE, SIDE)
        cameras = Cameras.looking_at(EYES[space], TARGETS[space], size=size, up=up)
        about = replace(fields.PHOTOS, background=(1.0, 0.5, 0.0), cameras=cameras)
        steps = dict.fromkeys(stepped(field), nearest_step(1e-3))
        data = codec.encode(field, about=about, steps=steps)
        decoded, about = codec.unpack(data)
        assert about.cameras is not None
        known.append(expected(decoded, about.cameras, 0, SIDE, about.background))
        entries.append(PageField(encoding.name, data, is_scene=True))
    page = open_page(entries, width=SIDE, height=SIDE * 10 // 6)
    for number, rendering in enumerate(known, start=1):
        page.locator(f"nav button:nth-child({number})").dispatch_event("click")
        until_drawn(page)
        assert rendering.rgb.std() > 0.01
        assert psnr(canvas_pixels(page), rendering.rgb.numpy()) > LEAST_PSNR


@pytest.mark.browser
def test_a_camera_is_chosen_and_its_photo_lies_over_the_render(open_page):
    _, encoding, linear, more = KINDS[0]
    field = fields.radiance(encoding, linear, space="box", **more)
    fields.with_ball(field, 0.25)
    side = 4 * SIDE
    cameras = Cameras.orbit(TARGETS["box"], 6.0, 6, size=(side, side))
    data = codec.encode(
        field, about=replace(fields.PHOTOS, background=(1.0, 0.5, 0.0), cameras=cameras)
    )
    decoded, about = codec.unpack(data)
    photos = [
        PagePhoto(
            f"photo {i + 1}",
            i < 2,
            expected(decoded, about.cameras, i, side, about.background).rgb.numpy(),
        )
        for i in range(len(cameras))
    ]
    page = open_page(
        [PageField("ball", data, is_scene=True, photos=photos)], width=side, height=600
    )
    page.locator("#panel").evaluate("details => details.open = true")
    assert page.is_hidden("#photos") and page.locator("#ruler image").count() == 0
    page.click("#cameras")
    buttons = page.locator("#photos button")
    texts = buttons.all_text_contents()
    assert ["held out" in text for text in texts] == [photo.held_out for photo in photos]
    buttons.nth(4).focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("#photo")
    until_drawn(page)
    assert buttons.nth(4).get_attribute("aria-current") == "true"
    seen = []
    for share in ("0", "100"):
        page.locator("#photos input").fill(share)
        seen.append(canvas_pixels(page)[110:230])  # above the photos to choose
    assert (seen[0] != seen[1]).any()
    steps = [(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1)]
    fits = [psnr(np.roll(seen[0], step, (0, 1))[2:-2], seen[1][2:-2] / 255.0) for step in steps]
    assert steps[int(np.argmax(fits))] == (0, 0)
    # A turned view is no camera's. A click into the picture of another one goes there.
    page.focus("canvas")
    page.keyboard.press("ArrowLeft")
    page.wait_for_selector("#photo", state="hidden")
    x, y, index = page.evaluate("""() => {
      const images = [...document.querySelectorAll("#ruler image")];
      const boxes = images.map((image) => image.getBoundingClientRect());
      const isInView = ({ x, y, width }) => width && x > 5 && x < 130 && y > 5 && y < 210;
      const index = boxes.findIndex(isInView);
      const { x, y, width, height } = boxes[index];
      return [x + width / 2, y + height / 2, index];
    }""")
    page.mouse.click(x, y)
    page.wait_for_selector("#photo")
    assert page.input_value("#camera") == str(index) != "4"


@pytest.mark.browser
def test_a_saved_path_shows_what_was_kept(open_page, tmp_path):
    _, encoding, linear, more = KINDS[0]
    field = fields.radiance(encoding, linear, space="box", **more)
    fields.with_ball(field, 0.25)
    cameras = Cameras.looking_at(EYES["box"], TARGETS["box"], size=(SIDE, SIDE))
    about = replace(fields.PHOTOS, background=(1.0, 0.5, 0.0), cameras=cameras)
    data = codec.encode(field, about=about)
    page = open_page([PageField("ball", data, is_scene=True)], width=SIDE, height=SIDE * 10 // 6)
    until_drawn(page)
    for key in ("", "+", "ArrowLeft"):
        page.evaluate(
            "key => document.querySelector('canvas').dispatchEvent("
            "new KeyboardEvent('keydown', { key }))",
            key,
        )
        page.locator("#keep").dispatch_event("click")
    until_drawn(page)
    with page.expect_download() as waiting:
        page.locator("#save-path").dispatch_event("click")
    waiting.value.save_as(tmp_path / "path.json")
    decoded, _ = codec.unpack(data)
    path = read_camera_path(tmp_path / "path.json", decoded.frame, (SIDE, SIDE))
    rendering = expected(decoded, path, len(path) - 1, SIDE, about.background)
    assert psnr(canvas_pixels(page), rendering.rgb.numpy()) > LEAST_PSNR
