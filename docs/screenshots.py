"""Takes the pictures of the app in docs/images/app/, by using it: some five minutes.

fieldlr app --workspace shown &
python docs/screenshots.py http://127.0.0.1:7860
"""

from __future__ import annotations

import sys
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

OUT = Path(__file__).resolve().parent / "images" / "app"
CHROMIUM = "/usr/bin/chromium"
PATIENCE = 600_000  # milliseconds


def tab(page: Page, name: str) -> None:
    page.click(f"role=tab[name='{name}']")
    page.wait_for_timeout(1500)


def shoot(page: Page, name: str) -> None:
    page.evaluate("scrollTo(0, 0)")
    page.wait_for_timeout(1500)
    page.screenshot(path=OUT / f"{name}.png")


def begin(page: Page, example: str, seconds: int, model: str | None = None) -> None:
    tab(page, "Start")
    page.click(f".fl-card:has-text('{example}')")
    page.wait_for_selector(f"#found:has-text('{example}')")
    page.wait_for_timeout(2500)
    if example == "windmill":
        shoot(page, "start")
    tab(page, "Train")
    if model:
        page.click(f"#backbone label:has-text('{model}')")
    page.click("text=More settings")
    page.fill("label:has-text('Training time in seconds') input", str(seconds))
    page.keyboard.press("Tab")
    page.click("text=More settings")
    page.wait_for_timeout(1500)
    page.click("#train:not([disabled])")
    page.wait_for_selector(f"#live .fl-head:has-text('{example}, {model or 'quick'}')")


def study(page: Page) -> None:
    tab(page, "Compare")
    page.click("text=Start a study")
    page.fill("input[aria-label='number input for Seconds of training, for each']", "12")
    page.keyboard.press("Tab")
    page.wait_for_timeout(1000)
    page.click("#start-study:not([disabled])")
    page.click("text=Start a study")
    page.wait_for_selector("#study-live .fl-head[data-state='done']")
    page.locator("#curves circle").nth(3).press("Enter")  # Another dot may lie on it.
    page.wait_for_selector("text=Download .flr")
    shoot(page, "compare")


def main() -> None:
    OUT.mkdir(exist_ok=True)
    with sync_playwright() as known:
        browser = known.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 1000})
        page.set_default_timeout(PATIENCE)
        page.goto(sys.argv[1])
        page.wait_for_selector(".fl-card")
        begin(page, "rook", 30, "Best quality")
        page.wait_for_selector("#live .fl-head[data-state='done']")
        tab(page, "Surface")
        page.check("label:has-text('Colour the error') input")
        page.wait_for_selector("text=triangles in")
        page.wait_for_timeout(6000)
        shoot(page, "surface")
        begin(page, "windmill", 60)
        page.wait_for_function("document.querySelector('#live progress').value > 0.6")
        page.wait_for_timeout(4000)  # the next preview
        shoot(page, "train")
        page.wait_for_selector("#live .fl-head[data-state='done']")
        page.frame_locator("#stage iframe").locator("html[data-view='done']").wait_for()
        tab(page, "Video")
        shoot(page, "view")
        begin(page, "vase", 20, "Small and sharp")
        page.wait_for_selector("#live .fl-head[data-state='done']")
        tab(page, "Library")
        shoot(page, "library")
        study(page)
        browser.close()


if __name__ == "__main__":
    main()
