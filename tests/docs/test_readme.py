"""The README names everything there is, and what it shows can be run."""

import re
import shlex
from pathlib import Path

import pytest

from fieldlr.__main__ import VERBS, parse
from fieldlr.data import READERS
from fieldlr.export import EXPORTERS
from fieldlr.nn.encodings import ENCODINGS
from fieldlr.nn.linears import LINEARS

REPOSITORY = Path(__file__).resolve().parents[2]
README = (REPOSITORY / "README.md").read_text()


def blocks(language: str) -> list[str]:
    """The fenced blocks of the README in one language."""
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", README, flags=re.DOTALL | re.MULTILINE)
    return [block for name, block in fenced if name == language]


def commands() -> list[str]:
    """Every `fieldlr ...` line of the shell blocks and of the tables, without its comment."""
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    lines += re.findall(r"`(fieldlr [^`]*--[^`]*)`", README)
    return [line.partition("#")[0].strip() for line in lines if line.startswith("fieldlr ")]


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_its_section_and_an_example(verb):
    assert re.search(rf"^### {verb}: ", README, flags=re.MULTILINE)
    assert any(command.split()[1] == verb for command in commands())


@pytest.mark.parametrize("name", [*LINEARS, *ENCODINGS, *READERS, *EXPORTERS])
def test_every_backbone_encoding_reader_and_exporter_is_named(name):
    assert re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", README)


@pytest.mark.parametrize("command", commands())
def test_a_command_of_the_readme_parses(command):
    parse(shlex.split(command)[1:])


@pytest.mark.parametrize("block", blocks("python"))
def test_python_of_the_readme_runs(block, tmp_path, monkeypatch):
    (tmp_path / "meshes").symlink_to(REPOSITORY / "meshes")
    monkeypatch.chdir(tmp_path)
    exec(compile(block.replace("seconds=60.0", "steps=120, grid=48, width=64"), "README.md", "exec"), {})


@pytest.mark.parametrize("target", re.findall(r"^make (\w+)", README, flags=re.MULTILINE))
def test_a_make_target_of_the_readme_exists(target):
    assert re.search(rf"^{target}:", (REPOSITORY / "Makefile").read_text(), flags=re.MULTILINE)


@pytest.mark.parametrize("link", re.findall(r"\]\((?!https?:)([^)#]+)\)", README))
def test_a_file_that_the_readme_links_to_exists(link):
    assert (REPOSITORY / link).exists()


def test_nothing_is_left_to_be_filled_in():
    assert "TODO" not in README
    assert "<!-- output:" not in README
