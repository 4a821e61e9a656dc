"""Pages of the site that are not files of docs/: mkdocs calls these functions (`hooks`).

README.md is the home page; CONTRIBUTING.md, CHANGELOG.md and paper/ are taken from where they
lie, with their links into docs/ adapted. The references of the command line and of Python are
generated from the code.
"""

from __future__ import annotations

import contextlib
import inspect
import io
import os
import re
import tempfile
from pathlib import Path
from types import ModuleType

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

import fieldlr
from fieldlr.cli.verbs import VERBS
from fieldlr.cli.verbs.line import parse
from fieldlr.runs.page import make_page

REPOSITORY = Path(__file__).resolve().parents[1]
# Where a page of the repository stands on the site.
PLACES = {"README.md": "index.md", "CONTRIBUTING.md": "CONTRIBUTING.md", "LICENSE": "LICENSE"}
PLACES |= {"CHANGELOG.md": "CHANGELOG.md"}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the pages from outside docs/, and the generated ones."""
    for source, place in PLACES.items():
        files.append(File.generated(config, place, abs_src_path=str(REPOSITORY / source)))
    for path in sorted((REPOSITORY / "paper").rglob("*")):
        if path.suffix in {".md", ".svg", ".png"}:
            place = path.relative_to(REPOSITORY).as_posix()
            files.append(File.generated(config, place, abs_src_path=str(path)))
    files.append(File.generated(config, "cli.md", content=command_line()))
    files.append(File.generated(config, "api.md", content=python()))
    files.append(File.generated(config, "gallery.html", content=gallery()))
    return files


def on_page_markdown(markdown: str, page: Page, **_: object) -> str:
    """On the site docs/ is the root: links across its border lose or gain that folder."""
    inside = "paper/README.md" if page.file.src_uri.startswith("paper/") else ""
    if inside:
        return re.sub(r"\]\(\.\./docs/", "](../", markdown)
    if page.file.src_uri in PLACES.values():
        markdown = re.sub(r"(\]\(|src(?:set)?=\")docs/", r"\1", markdown)
        return markdown.replace("](README.md", "](index.md")
    return re.sub(r"\]\(\.\./(paper/|CONTRIBUTING|CHANGELOG)", r"](\1", markdown)


def gallery() -> str:
    """The page of the fields in docs/examples: rook (width 32, sine) and windmill (no table)."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "gallery.html"
        make_page(sorted((REPOSITORY / "docs" / "examples").glob("*.flr")), out, "Two small fields")
        return out.read_text()


def command_line() -> str:
    """The page of the command line: what every verb's --help says."""
    page = [
        "# Command line",
        "",
        "Every verb with its flags, as `fieldlr VERB --help` prints them. For those who know what "
        "they want to do; the pages under *Tasks* show how the verbs work together.",
        "",
        "SOURCE is a folder of posed photos, a mesh, a scan or a volume. RUN is a run folder that "
        "`fit` wrote, or a `.flr` file that `compress` wrote. Every verb takes `--json` (one JSON "
        "object on standard output) and `--quiet`, and never asks a question. "
        "[Exit codes](conventions.md#exit-codes) are the same for all.",
        "",
    ]
    for verb in VERBS:
        page += [f"## {verb}", "", "```text", help_of(verb), "```", ""]
    return "\n".join(page)


def help_of(verb: str) -> str:
    """What `fieldlr VERB --help` prints, in 80 columns."""
    printed, columns = io.StringIO(), os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = "80"
    try:
        with contextlib.redirect_stdout(printed), contextlib.suppress(SystemExit):
            parse([verb, "--help"])
    finally:
        os.environ.pop("COLUMNS")
        if columns is not None:
            os.environ["COLUMNS"] = columns
    return re.sub(r"\x1b\[[0-9;]*m", "", printed.getvalue()).strip()


def python() -> str:
    """The page of the library: everything in `fieldlr.__all__`, by its own docstrings."""
    page = [
        "# Python",
        "",
        "Everything that `import fieldlr` offers, with signatures and docstrings. For those who "
        "call fieldlr from their own code; [Quickstart](quickstart.md#python) has a first example.",
        "",
    ]
    for name in fieldlr.__all__:
        page += described(f"fieldlr.{name}", getattr(fieldlr, name), "##")
    return "\n".join(page)


def described(name: str, thing: object, level: str) -> list[str]:
    """The lines of one name: a class or function where it is defined, a module with its names."""
    if isinstance(thing, ModuleType):
        inside = getattr(thing, "__all__", [key for key in vars(thing) if key[0].isalpha()])
        lines = [f"{level} {name}", "", inspect.getdoc(thing) or "", ""]
        for key in inside:
            if not isinstance(getattr(thing, key), ModuleType):
                lines += described(f"{name}.{key}", getattr(thing, key), level + "#")
        return lines
    if not (inspect.isclass(thing) or inspect.isfunction(thing)):
        return []
    defined = f"{thing.__module__}.{thing.__qualname__}"
    options = f"      heading_level: {len(level) + 1}\n      show_root_heading: false"
    return [f"{level} {name}", "", f"::: {defined}", f"    options:\n{options}", ""]
