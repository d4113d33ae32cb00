"""Percentiles of an image, quickly."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def percentiles(values: NDArray[Any], wanted: Sequence[float]) -> list[float]:
    """Return percentiles as `numpy.percentile` does; of small integers from their histogram, many times faster.

    Examples
    --------
    >>> import numpy as np
    >>> percentiles(np.arange(101, dtype=np.uint8), (1, 50, 99.5))
    [1.0, 50.0, 99.5]
    """
    if values.dtype.kind == "u" and values.dtype.itemsize <= 2:
        cumulative = np.cumsum(np.bincount(values.ravel()))

        def at(rank: float) -> float:
            below = int(np.searchsorted(cumulative, np.floor(rank), side="right"))
            above = int(np.searchsorted(cumulative, np.ceil(rank), side="right"))
            return below + (above - below) * float(rank - np.floor(rank))

        last = values.size - 1
        return [at(each / 100 * last) for each in wanted]
    return [float(each) for each in np.percentile(values, wanted)]
