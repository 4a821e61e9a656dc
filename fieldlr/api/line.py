"""One line of progress: renewed in place on a terminal and in a notebook, else every tenth."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import Any

from fieldlr.cli.progress import fit_line, shown
from fieldlr.training.loop import FitReport


class Line:
    """The line below a cell of a notebook, or on standard error; nothing where it is quiet."""

    def __init__(self, quiet: bool) -> None:
        self.quiet, self._handle = quiet, None

    def say(self, text: str) -> None:
        """Shows a text; a notebook shows it in the place of the one before."""
        if self.quiet:
            return
        if not in_notebook():
            sys.stderr.write(f"{text}\n")
            sys.stderr.flush()
        elif self._handle is None:
            self._handle = _displayed(text)
        else:
            self._handle.update({"text/plain": text}, raw=True)

    def shown(self, reports: Iterable[FitReport], quality_name: str) -> Iterator[FitReport]:
        """Hands the reports of a fit on, and shows them."""
        if self.quiet or not in_notebook():
            yield from shown(reports, quality_name, self.quiet)
            return
        quality = None
        for report in reports:
            quality = report.quality if report.quality is not None else quality
            self.say(fit_line(report, quality_name, quality))
            yield report


def in_notebook() -> bool:
    """Whether this process is the kernel of a notebook."""
    ipython = sys.modules.get("IPython")
    shell = ipython and ipython.get_ipython()
    return getattr(shell, "kernel", None) is not None


def _displayed(text: str) -> Any:
    from IPython.display import display

    return display({"text/plain": text}, raw=True, display_id=True)
