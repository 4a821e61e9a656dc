"""The site is built without a warning, its links lead somewhere, and it asks no other host."""

import importlib.util
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

import fieldlr
from fieldlr.cli.verbs import VERBS
from tests.docs.pages import REPOSITORY

LOADED = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "src"}


class Html(HTMLParser):
    """The ids of a page, where its links lead, and what it loads."""

    def __init__(self, path: Path):
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.feed(path.read_text())

    def handle_starttag(self, tag, attrs):
        said = {name: value or "" for name, value in attrs}
        self.ids |= {said[name] for name in ("id", "name") if name in said}
        if tag == "a" and "href" in said:
            self.links.append(said["href"])
        elif tag in LOADED and LOADED[tag] in said and said.get("rel") != "canonical":
            self.loaded.append(said[LOADED[tag]])


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> dict[Path, Html]:
    """The pages of the site by their paths."""
    pytest.importorskip("mkdocs", reason="mkdocs-material is not installed")
    pytest.importorskip("mkdocstrings", reason="mkdocstrings is not installed")
    from mkdocs.commands.build import build
    from mkdocs.config import load_config

    folder = tmp_path_factory.mktemp("site")
    config = load_config(str(REPOSITORY / "mkdocs.yml"), site_dir=str(folder), strict=True)
    config.plugins.on_startup(command="build", dirty=False)
    build(config)  # raises Abort at the first warning
    return {path: Html(path) for path in sorted(folder.rglob("*.html"))}


def test_every_link_leads_somewhere(site):
    for path, page in site.items():
        if path.name == "404.html":  # It is shown at any address: its links begin with a slash.
            continue
        for link in [*page.links, *page.loaded]:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc or link == "":
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            target = target / "index.html" if target.is_dir() else target
            assert target.is_file(), f"{path.name}: {link}"
            if parts.fragment and target in site:
                assert unquote(parts.fragment) in site[target].ids, f"{path.name}: {link}"


def test_nothing_is_loaded_from_another_host(site):
    for path, page in site.items():
        assert [link for link in page.loaded if urlsplit(link).netloc] == [], path.name
        styles = [p for p in path.parent.rglob("*.css")] if path.name == "index.html" else []
        for style in styles:
            assert not re.search(r"url\(\s*[\"']?(?:https?:)?//", style.read_text()), style.name


def test_the_references_are_of_today(site):
    pages = {path.name: page for path, page in site.items()}
    assert set(VERBS) <= pages["cli.html"].ids
    assert {f"fieldlr{name}".lower() for name in fieldlr.__all__} <= pages["api.html"].ids


def test_the_drawings_are_of_today():
    place = REPOSITORY / "docs" / "drawings.py"
    spec = importlib.util.spec_from_file_location("drawings", place)
    drawings = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(drawings)
    for name, draw in drawings.PICTURES.items():
        assert (drawings.OUT / f"{name}.svg").read_text() == draw(), "run python docs/drawings.py"
