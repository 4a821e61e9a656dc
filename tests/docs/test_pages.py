"""The pages name everything there is, and what they show can be run."""

import re
import shlex
from pathlib import Path

import pytest
import trimesh

from fieldlr.__main__ import main
from fieldlr.cli.verbs import VERBS
from fieldlr.cli.verbs.line import parse
from fieldlr.data import READERS
from fieldlr.export import EXPORTERS
from fieldlr.nn.encodings import ENCODINGS
from fieldlr.nn.linears import LINEARS
from fieldlr.training.compressors import COMPRESSORS
from tests.docs.pages import EVERYTHING, PAGES, REPOSITORY, Page

README = next(page for page in PAGES if page.name == "README.md")
COMMANDS = {command: page.name for page in PAGES for command in page.commands()}
# What makes a command quick: flags that a verb gets instead of its own.
QUICK = {
    "fit": {"--seconds": None, "--steps": "40"},
    "eval": {"--resolution": "32"},
    "mesh": {"--resolution": "32"},
    "render": {"--frames": "2", "--size": "24x16"},
}
QUICK_SHAPE = {"--grid": "24", "--width": "24"}
QUICK_PHOTOS = {"--downscale": "8", "--steps": "2"}


def by_name(page: Page) -> str:
    return page.name


def runnable(language: str) -> list[Page]:
    """Pages with a block that is to be run."""
    return [p for p in PAGES if any(b.not_run is None for b in p.blocks(language))]


def quick(command: str) -> list[str]:
    """The words of a command, with less to do."""
    _, verb, *words = shlex.split(command)
    flags = dict(QUICK.get(verb, {}))
    if verb == "fit":
        flags |= QUICK_PHOTOS if words[0].startswith("scenes/") else QUICK_SHAPE
        if words[0].endswith(".npz"):
            del flags["--grid"]
    for flag, value in flags.items():
        if flag in words:
            at = words.index(flag)
            del words[at : at + 2]
        if value is not None and (verb != "render" or "mp4" in command or flag == "--size"):
            words += [flag, value]
    return [verb, *words, "--quiet"]


@pytest.fixture
def desk(tmp_path, monkeypatch) -> Path:
    """A folder in which the commands of a page find their sources: small shapes for the meshes."""
    monkeypatch.chdir(tmp_path)
    for folder in ("scenes", "paper"):
        (tmp_path / folder).symlink_to(REPOSITORY / folder)
    (tmp_path / "meshes").mkdir()
    for name in ("vase.ply", "coral.ply"):
        trimesh.creation.icosphere(subdivisions=2).export(tmp_path / "meshes" / name)
    return tmp_path


def unhurried(pages: list[Page]) -> list:
    """The pages, those with a good part of a minute of work marked as slow."""
    slow = {f"docs/{name}.md" for name in ("mesh", "photos", "quickstart", "volume")}
    return [pytest.param(p, marks=[pytest.mark.slow] * (p.name in slow)) for p in pages]


@pytest.mark.parametrize("page", unhurried(runnable("sh")), ids=by_name)
def test_the_commands_of_a_page_run(page, desk, capsys):
    for block in page.blocks("python"):  # which may write what the commands read
        if block.not_run is None and "np.savez" in block.text:
            exec(compile(block.text, page.name, "exec"), {})
    for block in page.blocks("sh"):
        if block.not_run is None:
            for line in block.text.splitlines():
                command = line.partition("#")[0].strip()
                assert command == "" or command.startswith("fieldlr "), "say why it is not run"
                if command:
                    finished(command)
    capsys.readouterr()


def finished(command: str) -> None:
    """Runs a command; it must end well."""
    with pytest.raises(SystemExit) as end:
        main(quick(command))
    assert end.value.code == 0, command


@pytest.mark.parametrize("page", runnable("python"), ids=by_name)
def test_the_python_of_a_page_runs(page, desk):
    names: dict[str, object] = {}
    for block in page.blocks("python"):
        if block.not_run is None:
            text = re.sub(r"seconds=60(\.0)?\b", "steps=5, grid=24, width=24", block.text)
            exec(compile(text, page.name, "exec"), names)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_a_page_parses(command):
    if "--tyro-print-completion" in command:  # ends the process once it has printed
        with pytest.raises(SystemExit):
            parse(shlex.split(command.partition(">")[0])[1:])
    else:
        parse(shlex.split(command)[1:])


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_an_example(verb):
    assert any(command.split()[1] == verb for command in COMMANDS)


@pytest.mark.parametrize("name", [*LINEARS, *ENCODINGS, *READERS, *EXPORTERS, *COMPRESSORS])
def test_every_entry_of_a_registry_is_named(name):
    assert re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", EVERYTHING)


@pytest.mark.parametrize("target", sorted(set(re.findall(r"`?\bmake ([a-z-]+)[ `]", EVERYTHING))))
def test_a_make_target_of_a_page_exists(target):
    words = {"it", "them", "the", "a", "an", "up", "from", "one"}
    if target not in words:
        makefile = (REPOSITORY / "Makefile").read_text()
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=by_name)
def test_files_and_tests_that_a_page_names_exist(page):
    rooms = r"fieldlr|studies|benchmarks|tests|docs|paper|scenes|meshes"
    for path in re.findall(rf"`(?:python |pytest )?((?:{rooms})/[\w./-]*\w)`", page.text):
        assert (REPOSITORY / path).exists(), path
    suite = "\n".join(path.read_text() for path in (REPOSITORY / "tests").rglob("test_*.py"))
    for name in re.findall(r"`(test_\w+)`", page.text):
        assert f"def {name}(" in suite, name


def test_the_readme_is_short():
    assert len(README.text.splitlines()) <= 170


def test_nothing_is_left_to_be_filled_in():
    assert "TODO" not in EVERYTHING and "<!-- output:" not in EVERYTHING
