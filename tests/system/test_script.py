"""Scripts that end as the command line does."""

import pytest

from fieldlr.errors import FieldlrError
from fieldlr.system.script import MISTAKE, STOPPED, run_script


@pytest.mark.parametrize(
    "error, code, message",
    [
        (FieldlrError("`steps` is 1 or more; got 0."), MISTAKE, "`steps` is 1 or more; got 0.\n"),
        (KeyboardInterrupt(), STOPPED, "stopped.\n"),
    ],
)
def test_a_mistake_or_an_interrupt_ends_a_script_in_a_sentence(error, code, message, capfd):
    def main():
        raise error

    with pytest.raises(SystemExit) as end:
        run_script(main)
    assert end.value.code == code
    assert capfd.readouterr().err == message


def test_other_errors_are_not_hidden():
    with pytest.raises(ZeroDivisionError):
        run_script(lambda: 1 / 0)
