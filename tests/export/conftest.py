"""Pages of fields in a browser that has no network."""

import re
from pathlib import Path

import pytest

from fieldlr.export.page import write_page

PATIENCE = 180_000  # milliseconds


@pytest.fixture
def open_page(browser, tmp_path):
    """Opens a page of fields from a file; nothing may be requested and no error logged."""
    complaints, contexts = [], []

    def opened(entries, width=900, height=700, before="", **how):
        path = tmp_path / "page.html"
        write_page(path, "A page", entries)
        options = {"viewport": {"width": width, "height": height}, "reduced_motion": "reduce"}
        context = browser.new_context(**options, **how)
        contexts.append(context)
        context.route(re.compile("^(?!file:|blob:|data:)"), lambda route: route.abort())
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        page.add_init_script(before)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda m: m.type == "error" and complaints.append(m.text))
        page.on("request", lambda r: is_own(r.url, path) or complaints.append(r.url))
        page.goto(path.as_uri())
        page.wait_for_selector("aside")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert not complaints


def is_own(url: str, path: Path) -> bool:
    return url == path.as_uri() or url.startswith(("blob:", "data:"))
