"""`fieldlr VERB ...`: the entry point of the command line."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from fieldlr.system.lines import put
from fieldlr.system.version import __version__

# Threads that wait by spinning take the cores from whatever else runs, and a step then takes up
# to thirty times as long. It must be said before torch is loaded; the user's own word stands.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def main(argv: Sequence[str] | None = None) -> None:
    """Runs the command line `argv`, by default that of the process."""
    words = sys.argv[1:] if argv is None else list(argv)
    if words == ["--version"]:
        put(f"fieldlr {__version__}")
        return
    from fieldlr.cli.verbs.line import run  # loads torch, which takes seconds

    run(words)


if __name__ == "__main__":
    main()
