"""Cells that touch without a gap, and the one-pixel ridge that parts them."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

Labels = NDArray[np.integer[Any]]


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
        Unless `labels` is two-dimensional and holds whole numbers from 0 up.
    """
    array = np.asarray(labels)
    if array.ndim != 2:
        raise ValueError(f"labels must be one plane of shape (Y, X); got shape {array.shape}.")
    if array.dtype.kind == "b":
        return array.astype(np.uint8)
    if array.dtype.kind == "f":
        whole = np.isfinite(array) & (array == np.floor(array)) & (np.abs(array) < 2**53)
        if not whole.all():
            raise ValueError(f"labels must hold whole numbers; got {array[~whole][0]}.")
        array = array.astype(np.int64)
    if array.dtype.kind not in "iu":
        raise ValueError(f"labels must hold whole numbers; got an array of {array.dtype}.")
    if array.dtype.kind == "i" and array.size and array.min() < 0:
        raise ValueError(f"labels must not be negative; got {array.min()}.")
    return array


def contacts(cells: Labels) -> Iterator[tuple[tuple[slice, slice], tuple[slice, slice], NDArray[np.bool_]]]:
    """Yield, for each of the four directions, where pixels of different cells are 8-neighbours.

    Yields
    ------
    here, there : (slice, slice)
        Two views of the image, one shifted by one pixel against the other.
    meets : bool array
        True where the pixel `here` and the pixel `there` belong to different cells.
    """
    every, first, last = slice(None), slice(None, -1), slice(1, None)
    directions = (
        ((every, first), (every, last)),
        ((first, every), (last, every)),
        ((first, first), (last, last)),
        ((first, last), (last, first)),
    )
    for here, there in directions:
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
    touching = []
    for here, there, meets in contacts(cells):
        flat = np.flatnonzero(meets)  # several times faster than nonzero in two dimensions
        if len(flat):
            touching.append((here, there, np.divmod(flat, meets.shape[1])))
    if not touching:
        return cells
    pairs = [(cells[here][places], cells[there][places]) for here, there, places in touching]
    rank = rank_cells(cells, *(np.concatenate(sides) for sides in zip(*pairs, strict=True)))
    parted = cells.copy()
    for (here, there, (y, x)), (one, other) in zip(touching, pairs, strict=True):
        one_gives = rank(one) > rank(other)
        parted[here][y[one_gives], x[one_gives]] = 0
        parted[there][y[~one_gives], x[~one_gives]] = 0
    return parted


def rank_cells(cells: Labels, one: Labels, other: Labels) -> Callable[[Labels], NDArray[np.intp]]:
    """Order touching cells by area, distance from the image's centre and id; the higher rank gives way.

    Parameters
    ----------
    cells : (Y, X) integer array
    one, other : (N,) integer arrays
        The pairs that touch; they may repeat.

    Returns
    -------
    callable
        Takes an array of these ids and gives their ranks, to be compared within pairs.
    """
    ids = np.unique(np.concatenate([one, other]))
    area = _areas(cells, ids)
    one, other = np.searchsorted(ids, one), np.searchsorted(ids, other)
    # Only touching cells of equal area need to be told apart by where they lie.
    level = area[one] == area[other]
    tied = np.unique(np.concatenate([one[level], other[level]]))
    spread = np.zeros(len(ids), np.int64)
    if len(tied):
        spread[tied] = _spreads(cells, ids[tied])
    rank = np.empty(len(ids), np.intp)
    rank[np.lexsort((ids, spread, area))] = np.arange(len(ids))

    def rank_of(some: Labels) -> NDArray[np.intp]:
        return rank[np.searchsorted(ids, some)]

    return rank_of


def _areas(cells: Labels, ids: Labels) -> NDArray[np.int64]:
    if int(ids[-1]) < cells.size:
        return np.bincount(cells.ravel(), minlength=int(ids[-1]) + 1)[ids]
    every, counts = np.unique(cells, return_counts=True)
    return counts[np.searchsorted(every, ids)]


def _spreads(cells: Labels, ids: Labels) -> NDArray[np.int64]:
    """Sum over each cell's pixels of the squared distance to the centre, in half pixels."""
    y, x = np.divmod(np.flatnonzero(np.isin(cells, ids)), cells.shape[1])
    place = np.searchsorted(ids, cells[y, x])
    squares = (2 * y - (cells.shape[0] - 1)) ** 2 + (2 * x - (cells.shape[1] - 1)) ** 2
    return np.bincount(place, weights=squares, minlength=len(ids)).astype(np.int64)
