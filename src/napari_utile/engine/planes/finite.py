"""Pixels as numbers that can be computed with."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def finite(values: NDArray[Any]) -> NDArray[Any]:
    """Give pixels of which those that are missing, NaN and infinite ones, are 0.

    Examples
    --------
    >>> finite(np.array([np.nan, np.inf, -np.inf, 2.5])).tolist()
    [0.0, 0.0, 0.0, 2.5]
    """
    filled: NDArray[Any] = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
    return filled


def exponent_of(values: NDArray[np.floating[Any]]) -> int:
    """Give the power of two that finite values are divided by, which changes no digit, so that no square is too large.

    Examples
    --------
    >>> exponent_of(np.array([-6e300, 2])), exponent_of(np.zeros(2))
    (1000, 0)
    """
    return int(np.frexp(float(np.abs(values).max(initial=0)))[1])
