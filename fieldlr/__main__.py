"""`fieldlr VERB ...`: parses, runs one verb, prints, and ends with the right exit code."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

import tyro

from fieldlr.cli.verbs import VERBS as VERBS
from fieldlr.cli.verbs.flags import CONSTRUCTORS, with_flags
from fieldlr.cli.verbs.verb import Stopped, Verb
from fieldlr.errors import FieldlrError
from fieldlr.system.json import without_nan
from fieldlr.system.lines import discard, put

DONE, MISTAKE, STOPPED = 0, 2, 3


def parse(argv: Sequence[str]) -> Verb:
    """The verb that the words ask for; ends the process with 2 where they are invalid."""
    try:
        return _parsed(argv)
    except BrokenPipeError:  # Nobody reads the help to its end.
        discard(sys.stdout)
        sys.exit(DONE)


def _parsed(argv: Sequence[str]) -> Verb:
    try:
        return tyro.extras.subcommand_cli_from_dict(
            VERBS,
            args=list(argv),
            prog="fieldlr",
            description="Neural fields from photos and meshes, with low-rank backbones.",
            config=(tyro.conf.OmitArgPrefixes,),
            registry=CONSTRUCTORS,
        )
    finally:
        sys.stdout.flush()  # The help, which tyro prints.


def main(argv: Sequence[str] | None = None) -> None:
    """The entry point of the command line."""
    words = sys.argv[1:] if argv is None else argv
    try:
        verb = parse(words)
        result, code = _carried_out(verb)
    except FieldlrError as error:
        put(f"fieldlr: {with_flags(str(error), VERBS[words[0]])}", sys.stderr)
        sys.exit(MISTAKE)
    except KeyboardInterrupt:
        put("fieldlr: stopped. Rerun a fit with --resume to resume it.", sys.stderr)
        sys.exit(STOPPED)
    if verb.json:
        put(json.dumps(without_nan(result)))
    elif not verb.quiet:
        put(verb.text(result))
    sys.exit(code)


def _carried_out(verb: Verb) -> tuple[dict[str, Any], int]:
    """(the result of a verb, the exit code)."""
    try:
        return verb.run(), DONE
    except Stopped as stop:
        put(f"fieldlr: {stop}", sys.stderr)
        return stop.result, stop.code


if __name__ == "__main__":
    main()
