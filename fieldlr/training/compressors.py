"""Compressors of a trained field: `fieldlr compress --method NAME`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fieldlr.errors import FieldlrError
from fieldlr.system.options import own_options
from fieldlr.system.registry import Registry
from fieldlr.training.activation_svd import ActivationSvd
from fieldlr.training.compressor import Compressor
from fieldlr.training.fisher import Fisher
from fieldlr.training.nystrom import Nystrom
from fieldlr.training.svd import Svd

COMPRESSORS: Registry[type[Compressor]] = Registry("method", Nystrom, Fisher, ActivationSvd, Svd)


def compressor_of(method: str | None, options: Mapping[str, Any]) -> Compressor | None:
    """The compressor of a name with these options; None without a name.

    Raises FieldlrError for options that it does not have.
    """
    known = [] if method is None else [own.name for own in own_options(COMPRESSORS[method])]
    for name, value in options.items():
        if name not in known and value is not None:
            others = [k for k, v in COMPRESSORS.items() if name in {o.name for o in own_options(v)}]
            having = "without a `method`" if method is None else f"of the `method` {method}"
            raise FieldlrError(
                f"there is no `{name}` {having}. Leave it out, or choose the `method` "
                f"{' or '.join(others)}."
            )
    return None if method is None else COMPRESSORS[method](**options)
