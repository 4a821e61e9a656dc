"""What checks the annotations of the package while tests run: types by beartype, and shapes.

`tests/conftest.py` puts it around every function and dataclass of fieldlr. In each test the first
`FIRST_CALLS` of a function are checked: a training calls the same ones ten thousand times over.
"""

import dataclasses
import functools
import re
from collections import Counter

import jaxtyping
from beartype import BeartypeConf, beartype

FIRST_CALLS = 3

by_beartype = beartype(conf=BeartypeConf(is_pep484_tower=True))
# Options and entries check what they are made with themselves, and say so in a FieldlrError.
THEMSELVES = re.compile(r"fieldlr\.(nn\.(linears|encodings|activations)|.*options|study\.sweep)")
calls = Counter()  # of each function in this test, by its code


def check(function):
    if function.__name__ == "__init__" and THEMSELVES.match(function.__module__):
        return function
    return by_beartype(function)


def install() -> None:
    """From here on, the package is imported with its checks."""
    jaxtyping.jaxtyped = _first_calls
    jaxtyping.install_import_hook("fieldlr", f"{__name__}.check")


def _first_calls(function=None, *, typechecker, always=jaxtyping.jaxtyped):
    """Decorates as `jaxtyping.jaxtyped` does, but checks the first calls in each test alone."""
    if function is None:
        return functools.partial(_first_calls, typechecker=typechecker)
    if isinstance(function, type):
        if dataclasses.is_dataclass(function) and "__init__" in vars(function):
            function.__init__ = _first_calls(function.__init__, typechecker=typechecker)
        return function
    if not hasattr(function, "__code__"):  # a property, a class method
        return always(function, typechecker=typechecker)
    code, checked = function.__code__, None

    @functools.wraps(function)
    def first_checked(*args, **kwargs):
        __tracebackhide__ = True
        nonlocal checked
        if calls[code] >= FIRST_CALLS:
            return function(*args, **kwargs)
        calls[code] += 1
        checked = checked or always(function, typechecker=typechecker)
        return checked(*args, **kwargs)

    return first_checked
