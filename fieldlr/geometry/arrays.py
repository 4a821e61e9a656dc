"""Arrays as users give them: numpy's, torch's, nested lists."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Shaped
from torch import Tensor

from fieldlr.errors import FieldlrError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike as ArrayLike
else:
    # Checkers of types at run time cannot tell what numpy makes arrays of.
    ArrayLike = Any


def numbers(name: str, given: ArrayLike) -> Shaped[np.ndarray, " ..."]:
    """Finite numbers in float64; FieldlrError names values that are not finite."""
    try:
        array = given.detach().cpu() if isinstance(given, Tensor) else given
        array = np.asarray(array, np.float64)
    except (ValueError, TypeError):
        raise FieldlrError(f"`{name}` is an array of numbers; got {str(given)[:60]}.") from None
    if not np.isfinite(array).all():
        raise FieldlrError(f"`{name}` has NaN or infinite values. Give finite numbers.")
    return array
