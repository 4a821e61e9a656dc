"""Exit codes, and scripts that end as the command line does."""

from __future__ import annotations

import sys
from collections.abc import Callable

from fieldlr.errors import FieldlrError
from fieldlr.system.lines import put
from fieldlr.system.process import prepare_process

DONE, MISTAKE, STOPPED = 0, 2, 3


def run_script(main: Callable[[], object]) -> None:
    """Runs a script in a process of its own, set up for fits.

    A FieldlrError ends it with its message alone and exit code 2, an interrupt with exit code 3.
    """
    prepare_process()
    try:
        main()
    except FieldlrError as error:
        put(str(error), sys.stderr)
        sys.exit(MISTAKE)
    except KeyboardInterrupt:
        put("stopped.", sys.stderr)
        sys.exit(STOPPED)
