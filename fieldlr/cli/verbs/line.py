"""Parses the words of a command line, runs one verb, prints, and ends with the right exit code."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Sequence
from typing import Any

import tyro

from fieldlr.cli.verbs import VERBS
from fieldlr.cli.verbs.flags import CONSTRUCTORS, check_words, with_flags
from fieldlr.cli.verbs.verb import Stopped, Verb
from fieldlr.errors import FieldlrError
from fieldlr.system.json import without_nan
from fieldlr.system.lines import discard, put
from fieldlr.system.process import prepare_process
from fieldlr.system.script import DONE, MISTAKE, STOPPED


def parse(argv: Sequence[str]) -> Verb:
    """The verb that the words ask for; FieldlrError or an exit with 2 where they are invalid."""
    try:
        return _parsed(argv)
    except BrokenPipeError:  # Nobody reads the help, or what is wrong, to its end.
        discard(sys.stdout)
        discard(sys.stderr)
        helped = any(word in ("-h", "--help") or word.startswith("--tyro-") for word in argv)
        sys.exit(DONE if helped else MISTAKE)


def _parsed(argv: Sequence[str]) -> Verb:
    check_words(argv, VERBS)
    try:
        return tyro.extras.subcommand_cli_from_dict(
            VERBS,
            args=list(argv),
            prog="fieldlr",
            description=(
                "Neural fields from photos and meshes, with low-rank backbones. fieldlr --version "
                "gives the version; docs/command-line.md has shell completion."
            ),
            config=(tyro.conf.OmitArgPrefixes,),
            registry=CONSTRUCTORS,
        )
    finally:
        sys.stdout.flush()  # The help, which tyro prints.


def run(argv: Sequence[str]) -> None:
    """Does what the words say, or exits with what is wrong with them."""
    words = [_at_home(word) for word in argv]
    prepare_process()
    try:
        verb = parse(words)
        result, code = _carried_out(verb)
    except FieldlrError as error:
        known = VERBS.get(words[0])
        message = str(error) if known is None else with_flags(str(error), known)
        put(f"fieldlr: {message}", sys.stderr)
        sys.exit(MISTAKE)
    except KeyboardInterrupt:
        put("fieldlr: stopped. Rerun a fit with --resume to resume it.", sys.stderr)
        sys.exit(STOPPED)
    if verb.json:
        put(json.dumps(without_nan(result)))
    elif not verb.quiet:
        put(verb.text(result))
    sys.exit(code)


def _at_home(word: str) -> str:
    """A word whose path begins at home: the shell leaves the ~ in --out=~/x as it is."""
    return re.sub(r"^(--[\w-]+=)?(~.*)", lambda m: (m[1] or "") + os.path.expanduser(m[2]), word)


def _carried_out(verb: Verb) -> tuple[dict[str, Any], int]:
    """(the result of a verb, the exit code)."""
    try:
        return verb.run(), DONE
    except Stopped as stop:
        put(f"fieldlr: {stop}", sys.stderr)
        return stop.result, stop.code
