"""Cells that touch without a gap, and the one-pixel ridge that separates them."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_utile.engine.arrays import Labels
from napari_utile.engine.metrics.contingency import as_labels
from napari_utile.engine.windows import Window


def as_cells(labels: Any) -> Labels:
    """Check a label image and give it an integer type.

    Parameters
    ----------
    labels : (Y, X) array
        0 is background, every other value one cell. Booleans and floats that
        hold whole numbers are taken.

    Returns
    -------
    (Y, X) integer array
        The input itself where it is fit already.

    Raises
    ------
    ValueError
        Unless `labels` is two-dimensional and holds whole numbers from 0 up to 2^63.
    """
    array = as_labels(labels)
    if array.ndim != 2:
        raise ValueError(f"labels must be one plane (Y, X), got shape {array.shape}")
    return array


def contacts(cells: Labels) -> Iterator[tuple[Window, Window, NDArray[np.bool_]]]:
    """Yield, for each of the four directions, where pixels of different cells are 8-neighbours.

    Yields
    ------
    here, there : Window
        Two windows of the image, one shifted by one pixel against the other.
    meets : bool array
        True where the pixel `here` and the pixel `there` belong to different cells.
    """
    whole = Window.whole(cells.shape)
    for y, x in ((0, 1), (1, 0), (1, 1), (1, -1)):
        there = whole & whole.moved((y, x))
        here = there.moved((-y, -x))
        meets = cells[here] != cells[there]
        np.logical_and(meets, cells[here] != 0, out=meets)
        np.logical_and(meets, cells[there] != 0, out=meets)
        yield here, there, meets


def separate_touching(labels: Any) -> Labels:
    """Put one pixel of background between cells that touch, as training needs.

    Where two cells are 8-neighbours, the larger one gives up its touching pixels,
    so that small cells are not eaten. Between cells of equal area it is the one
    whose pixels lie farther from the centre of the image, and only between exact
    mirror images of each other the one with the larger id: the result turns
    and mirrors with the image, and new ids do not change it but in that last case.

    Parameters
    ----------
    labels : (Y, X) array
        0 is background.

    Returns
    -------
    (Y, X) integer array
        No two cells are 8-neighbours. A copy, or the input where nothing touches.

    Raises
    ------
    ValueError
        Unless `labels` is two-dimensional and holds whole numbers from 0 up.
    """
    cells = as_cells(labels)
    return separate_cells(cells, CellSizes(cells))


def separate_cells(cells: Labels, sizes: "CellSizes") -> Labels:
    """Do `separate_touching` on a window, `sizes` being those of the cells of the whole image."""
    touching = []
    for here, there, meets in contacts(cells):
        flat = np.flatnonzero(meets)  # several times faster than nonzero in two dimensions
        if len(flat):
            places = np.divmod(flat, meets.shape[1])
            touching.append((here, there, places, cells[here][places], cells[there][places]))
    if not touching:
        return cells
    ones = np.concatenate([one for *_, one, _ in touching])
    others = np.concatenate([other for *_, other in touching])
    rank_of = _rank(sizes, ones, others)
    separated = cells.copy()
    for here, there, (y, x), one, other in touching:
        one_gives = rank_of(one) > rank_of(other)
        separated[here][y[one_gives], x[one_gives]] = 0
        separated[there][y[~one_gives], x[~one_gives]] = 0
    return separated


def _rank(sizes: "CellSizes", ones: Labels, others: Labels) -> Callable[[Labels], NDArray[np.intp]]:
    """Order cells by area, spread and id; of two that touch, the one of higher rank gives way."""
    ids = np.unique(np.concatenate([ones, others]))
    area = sizes.areas(ids)
    one, other = np.searchsorted(ids, ones), np.searchsorted(ids, others)
    level = area[one] == area[other]
    tied = np.unique(np.concatenate([one[level], other[level]]))
    spread = np.zeros(len(ids), np.int64)
    if len(tied):
        spread[tied] = sizes.spreads(ids[tied])
    rank = np.empty(len(ids), np.intp)
    rank[np.lexsort((ids, spread, area))] = np.arange(len(ids))

    def rank_of(some: Labels) -> NDArray[np.intp]:
        return rank[np.searchsorted(ids, some)]

    return rank_of


class CellSizes:
    """Area and place of the cells of a label image, measured when asked for."""

    def __init__(self, cells: Labels) -> None:
        self._cells = cells

    def areas(self, ids: Labels) -> NDArray[np.int64]:
        """Count the pixels of each cell of the sorted `ids`."""
        if int(ids[-1]) < self._cells.size:
            numbers = self._cells.ravel().astype(np.intp, copy=False)  # NumPy before 2.3 counts no uint64
            return np.bincount(numbers, minlength=int(ids[-1]) + 1)[ids]
        every, counts = np.unique(self._cells, return_counts=True)
        return np.asarray(counts[np.searchsorted(every, ids)], np.int64)

    def spreads(self, ids: Labels) -> NDArray[np.int64]:
        """Add up, for each cell, its pixels' squared distances to the image's centre, in half pixels."""
        y, x = np.divmod(np.flatnonzero(np.isin(self._cells, ids)), self._cells.shape[1])
        place = np.searchsorted(ids, self._cells[y, x])
        squares = centre_distances(y, x, self._cells.shape)
        return np.bincount(place, weights=squares, minlength=len(ids)).astype(np.int64)


def centre_distances(y: NDArray[np.intp], x: NDArray[np.intp], shape: tuple[int, ...]) -> NDArray[np.int64]:
    """Squared distances to the centre of an image in half pixels, which keeps them whole numbers."""
    return np.asarray((2 * y - (shape[0] - 1)) ** 2 + (2 * x - (shape[1] - 1)) ** 2, np.int64)
