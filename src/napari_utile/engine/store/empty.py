"""Empty glass: blocks in which nothing can be seen are left out."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_utile.engine.planes.normalize import IntensityLimits

_SPREAD, _SIDE = 0.03, 4
"""A block is empty glass where means over so many pixels a side differ by less, as a share of the grey limits."""
_ROWS_AT_ONCE = 64


def is_empty(pixels: NDArray[Any], limits: IntensityLimits) -> bool:
    """Say whether nothing can be seen in pixels (C, y, x): no part is brighter or darker than another."""
    n = _SIDE
    rows, columns = (size // n * n for size in pixels.shape[1:])
    if not rows or not columns:
        return False
    lows: list[NDArray[Any]] = []
    highs: list[NDArray[Any]] = []
    for top in range(0, rows, _ROWS_AT_ONCE):  # mostly something is seen in the first
        part = pixels[:, top : min(top + _ROWS_AT_ONCE, rows), :columns]
        values = np.clip(limits.apply(part), 0, 1)
        means = values.reshape(len(values), -1, n, columns // n, n).mean(axis=(2, 4))
        lows.append(means.min(axis=(1, 2)))
        highs.append(means.max(axis=(1, 2)))
        if not np.all(np.max(highs, axis=0) - np.min(lows, axis=0) < _SPREAD):
            return False
    return True
