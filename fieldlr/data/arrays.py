"""NumPy's .npy files from strangers: nothing is believed, allocated or unpickled for their sake."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Shaped
from numpy.lib import format as npy_format


def mapped(file: Path) -> Shaped[np.ndarray, " ..."]:
    """The array in a .npy file, read from the disk where it is looked at.

    A header that promises more than the file holds, or objects, is a ValueError.
    """
    try:
        return npy_format.open_memmap(file, mode="r")
    except OSError:
        raise
    except Exception as error:  # a damaged header ends in any error: TokenError, TypeError, ...
        raise ValueError(f"{type(error).__name__}: {str(error)[:100]}") from error
