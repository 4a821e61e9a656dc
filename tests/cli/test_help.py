"""What the command line says before it does anything: help, version, mistyped words."""

import os
import subprocess
import sys

import pytest

from fieldlr.__main__ import main
from fieldlr.cli.verbs import VERBS
from fieldlr.cli.verbs.flags import arguments_of
from fieldlr.cli.verbs.line import parse
from fieldlr.errors import FieldlrError
from fieldlr.system.version import __version__


def said(capsys, *words):
    """(exit code, standard output, standard error) of a command."""
    with pytest.raises(SystemExit) as end:
        main(list(words))
    return end.value.code, *capsys.readouterr()


@pytest.mark.parametrize(
    "words, meant",
    [
        (["fti"], "Did you mean fit?"),
        (["compres"], "Did you mean compress?"),
        (["fit", "--rnak", "5"], "no flag --rnak. Did you mean --rank?"),
        (["fit", "x", "--out=y", "--secnds=5"], "Did you mean --seconds?"),
        (["render", "x", "--depthmap"], "Did you mean --depth-map?"),
        (["study", "x", "--no-narow"], "Did you mean --no-narrow?"),
        (["fit", "x", "--out", "y", "--backbone", "sine_lowrank"], "Did you mean sine-low-rank?"),
        (["bd", "a", "b", "--method", "akimba"], "Did you mean akima?"),
        (["bd", "a", "b", "--rate", "byte"], "Did you mean bytes?"),
        (["spectrum", "x", "--function", "sin"], "Did you mean sine?"),
    ],
)
def test_a_mistyped_word_names_the_nearest(capsys, words, meant):
    code, _, errors = said(capsys, *words)
    assert code == 2 and errors.startswith("fieldlr: ") and meant in errors


def test_an_unknown_word_gets_the_list_of_known_ones(capsys):
    assert "check, poses, fit" in said(capsys, "qqq")[2]
    assert "See fieldlr fit --help" in said(capsys, "fit", "--zzzzz")[2]


@pytest.mark.parametrize("words", [["app", "--port", "banana"], ["app", "--port", "70000"]])
def test_an_invalid_value_is_answered_with_the_valid_ones(capsys, words):
    code, _, errors = said(capsys, *words)
    assert code == 2 and "--port is a whole number from 0 to 65535" in errors


@pytest.mark.parametrize("verb", VERBS)
def test_help_says_something_of_everything(capsys, verb):
    _, text, _ = said(capsys, verb, "--help")
    assert "{None}" not in text and "(default: None)" not in text
    for name, shown in arguments_of(VERBS[verb]).items():
        assert shown in text
        # A positional argument is not explained by its own name.
        assert f"{shown}  {name} (required)" not in " ".join(text.split("  "))


@pytest.mark.parametrize("verb", VERBS)
def test_every_flag_that_is_listed_is_known(verb):
    for flag in arguments_of(VERBS[verb]).values():
        if flag.startswith("--"):
            with pytest.raises((SystemExit, FieldlrError)) as end:
                parse([verb, f"{flag}x"])
            assert isinstance(end.value, FieldlrError) and flag in str(end.value)


def test_the_version(capsys):
    main(["--version"])
    assert capsys.readouterr().out == f"fieldlr {__version__}\n"


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_a_shell_can_complete(shell, capsys):
    code, script, _ = said(capsys, "--tyro-print-completion", shell)
    assert not code and "--backbone" in script
    assert all(verb in script for verb in VERBS)


@pytest.mark.parametrize(
    "words, code",
    [
        (["fit"], 2),
        (["fit", "x", "--out", "y", "--rank", "banana"], 2),
        (["fit", "--help"], 0),
        (["--version"], 0),
    ],
)
def test_a_closed_pipe_changes_no_exit_code(words, code):
    """As in `fieldlr fit 2>&1 | head -0`."""
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "fieldlr", *words]
    try:
        assert subprocess.run(command, stdout=writing, stderr=writing).returncode == code
    finally:
        os.close(writing)
