"""Close the thin gaps that training carved between touching cells."""

import numpy as np
from numpy.typing import NDArray

from napari_utile.engine.arrays import IntArray

IndexArray = NDArray[np.intp]

# A strip of rows stays in the processor's cache.
_ROWS_AT_ONCE = 64


def gap_pixels(labels: IntArray, reach: int) -> tuple[IndexArray, IntArray]:
    """List the background pixels between two different cells, within `reach` of them, and whose they become.

    The outer outline of a cell that has no neighbour within the gap stays where it is. A pixel that several
    cells reach in the same step goes to the one above it, else below, left, right.

    Parameters
    ----------
    labels : (Y, X) integer array
        0 is background.
    reach : int
        Pixels that each cell may grow.

    Returns
    -------
    pixels : (N,) integer array
        Flat indices.
    owners : (N,) integer array
        The label that each pixel gets.
    """
    height, width = labels.shape
    few = int(labels.max(initial=0)) <= np.iinfo(np.uint16).max
    margin = 2 * reach  # a gap of twice the reach is closed from both sides
    padded = np.zeros((height + 2 * margin, width + 2 * margin), dtype=np.uint16 if few else np.uint32)
    padded[margin : margin + height, margin : margin + width] = labels
    pixels = np.flatnonzero(_between_cells(padded, margin))
    places = pixels + margin * (padded.shape[1] + 1) + 2 * margin * (pixels // max(width, 1))
    around = padded.reshape(-1)
    taken, owners = [np.zeros(0, dtype=np.intp)], [np.zeros(0, dtype=padded.dtype)]
    for _ in range(reach):
        owner = np.zeros(places.size, dtype=padded.dtype)
        for step in (-padded.shape[1], padded.shape[1], -1, 1):
            np.copyto(owner, around[places + step], where=owner == 0)
        reached = owner > 0
        around[places[reached]] = owner[reached]
        taken.append(pixels[reached])
        owners.append(owner[reached])
        pixels, places = pixels[~reached], places[~reached]
    return np.concatenate(taken), np.concatenate(owners)


def _between_cells(padded: IntArray, margin: int) -> NDArray[np.bool_]:
    """Mark background pixels that have two different cells within `margin` pixels along both axes."""
    width, window = padded.shape[1] - 2 * margin, 2 * margin + 1
    between = np.empty((padded.shape[0] - 2 * margin, width), dtype=bool)
    one = padded.dtype.type(1)
    for top in range(0, between.shape[0], _ROWS_AT_ONCE):
        rows = padded[top : top + _ROWS_AT_ONCE + 2 * margin]
        highest = _over_window(np.maximum, rows, window)
        lowest = _over_window(np.minimum, rows - one, window) + one  # background wraps round to the largest
        here = rows[margin : rows.shape[0] - margin, margin : margin + width]
        between[top : top + _ROWS_AT_ONCE] = (highest != lowest) & (here == 0)
    return between


def _over_window(reduce: np.ufunc, values: IntArray, window: int) -> IntArray:
    """Reduce over squares of `window` pixels, for each that lies within the array."""
    size = 1
    while size < window:
        step = min(size, window - size)
        values = reduce(values[step:], values[:-step])
        size += step
    size = 1
    while size < window:
        step = min(size, window - size)
        values = reduce(values[:, step:], values[:, :-step])
        size += step
    return values
