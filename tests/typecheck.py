"""What checks the annotations of the package while tests run: types by beartype, and shapes.

`tests/conftest.py` puts it around every function and dataclass of fieldlr.
"""

import re

from beartype import BeartypeConf, beartype

by_beartype = beartype(conf=BeartypeConf(is_pep484_tower=True))
# Options and entries check what they are made with themselves, and say so in a FieldlrError.
THEMSELVES = re.compile(r"fieldlr\.(nn\.(linears|encodings|activations)|.*options|study\.sweep)")


def check(function):
    if function.__name__ == "__init__" and THEMSELVES.match(function.__module__):
        return function
    return by_beartype(function)
