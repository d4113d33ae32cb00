"""A label array with all of its planes: its largest label, and the labels of single pixels."""

from collections.abc import Generator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["highest_label", "labels_at"]

# Read at once, at about this many pixels.
_BLOCK = 1 << 24


def highest_label(data: Any) -> Generator[None, None, int]:
    """Find the largest label of an array, block by block along its first axis; every yield is a point to stop at."""
    highest = 0
    step = max(1, _BLOCK // max(1, int(np.prod(data.shape[1:], dtype=np.int64))))
    for start in range(0, data.shape[0], step):
        yield
        highest = max(highest, int(np.asarray(data[start : start + step]).max(initial=0)))
    return highest


def labels_at(data: Any, positions: Sequence[tuple[int, ...]]) -> npt.NDArray[np.int64]:
    """Read the labels of pixels, all in one go: reading a chunk of an array for each would take long.

    Parameters
    ----------
    data : array-like
        NumPy or zarr.
    positions : sequence of N tuples of int
        One entry per axis.

    Returns
    -------
    (N,) int64 array
        0 for positions outside of the array.
    """
    found = np.zeros(len(positions), dtype=np.int64)
    if not positions:
        return found
    places = np.asarray(positions, dtype=np.intp)
    inside = ((places >= 0) & (places < np.asarray(data.shape))).all(axis=1)
    if inside.any():
        found[inside] = np.asarray(data[tuple(places[inside].T)])
    return found
