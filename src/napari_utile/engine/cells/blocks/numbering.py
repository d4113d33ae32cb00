"""Cells numbered in the raster order of their first pixel, whichever blocks they lie in."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_utile.engine.cells.runs import runs_of
from napari_utile.engine.windows import Window

IndexArray = NDArray[np.integer[Any]]


def first_pixels(cells: IndexArray, block: Window, width: int) -> tuple[IndexArray, IndexArray]:
    """Find the first pixel of each cell within a block.

    Parameters
    ----------
    cells : (y, x) integer array
        0 is background.
    block : Window
        Where it lies in the plane.
    width : int
        Columns of the plane.

    Returns
    -------
    present : (N,) integer array
        The cells' ids, ascending.
    place : (N,) integer array
        Flat index in the plane.
    """
    runs = runs_of(cells)
    part = runs.values > 0
    present, at = np.unique(
        runs.values[part], return_index=True
    )  # the first of each: runs are in raster order
    y, x = np.divmod(runs.starts[part][at], max(cells.shape[1], 1))
    return present, (y + block.start[0]) * width + x + block.start[1]


def numbers_of(firsts: Iterable[tuple[IndexArray, IndexArray]], count: int) -> NDArray[np.int32]:
    """Return the number of each id, 0 to `count`, from what `first_pixels` found in all blocks; 0 stays 0."""
    nowhere = np.iinfo(np.int64).max
    first = np.full(count + 1, nowhere)
    for present, place in firsts:
        np.minimum.at(first, present, place)
    first[0] = nowhere
    order = np.argsort(first)
    number = np.zeros(count + 1, np.int32)
    number[order] = np.arange(1, count + 2)
    number[first == nowhere] = 0
    return number
