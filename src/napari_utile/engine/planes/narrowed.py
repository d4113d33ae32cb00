"""Computed pixels as float32, which networks read."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_utile.engine.errors import UtileError


def narrowed(values: NDArray[Any]) -> NDArray[np.float32]:
    """Give pixels as float32; what is infinite stays so.

    Raises
    ------
    UtileError
        If a number is too large for it: it would become infinite.
    """
    with np.errstate(over="ignore"):
        made: NDArray[np.float32] = values.astype(np.float32)
    if (lost := np.isinf(made)).any() and (beyond := values[lost & np.isfinite(values)]).size:
        raise UtileError(
            f"The value {np.abs(beyond).max():.4g} is too large for a mean of planes or colours, for preprocessing and "
            f"for seeds, which go up to {np.finfo(np.float32).max:.2g}: divide the image by a number."
        )
    return made
