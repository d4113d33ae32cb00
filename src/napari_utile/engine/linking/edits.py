"""Corrections of objects and tracks: each gives the pixels that change and their new ids, one step to undo."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_utile.engine.arrays import IntArray
from napari_utile.engine.cells.between import split_between
from napari_utile.engine.errors import UtileError
from napari_utile.engine.words import counted


@dataclass(frozen=True, eq=False)
class StackEdit:
    """What changes in a stack of labels (planes, Y, X).

    Attributes
    ----------
    index : tuple of (N,) int arrays
        Plane, row and column of each pixel that changes.
    values : (N,) int64 array
    changed : tuple of int
        Ids that were corrected by hand: linking again leaves them as they are.
    said : str
        What was done, in a sentence.
    """

    index: tuple[NDArray[np.intp], ...]
    values: NDArray[np.int64]
    changed: tuple[int, ...]
    said: str

    def applied(self, labels: IntArray) -> IntArray:
        """Return a copy of a stack with the change."""
        changed = np.array(labels)
        changed[self.index] = self.values
        return changed


def join(labels: IntArray, kept: int, other: int) -> StackEdit:
    """Make two objects or tracks one: all of `other` becomes `kept`."""
    _check(labels, kept, other)
    return _edit(labels == other, kept, (kept,), f"Cell {other} is now cell {kept}.")


def cut(labels: IntArray, cell: int, plane: int) -> StackEdit:
    """Let a cell end before a plane: from there on it has a new id.

    Raises
    ------
    UtileError
        If it is not on both sides.
    """
    _check(labels, cell)
    there = _from(labels == cell, plane)
    if not there.any() or not (labels[:plane] == cell).any():
        raise UtileError(
            f"Cell {cell} is not on both sides of plane {plane + 1} of {len(labels)}: there is nothing to cut."
        )
    new = _new_id(labels)
    return _edit(
        there, new, (cell, new), f"From plane {plane + 1} of {len(labels)} on cell {cell} is cell {new}."
    )


def swap(labels: IntArray, one: int, other: int, plane: int) -> StackEdit:
    """Exchange two cells from a plane on, where linking took one for the other."""
    _check(labels, one, other)
    mine, theirs = _from(labels == one, plane), _from(labels == other, plane)
    if not mine.any() and not theirs.any():
        raise UtileError(
            f"Neither cell {one} nor cell {other} is in plane {plane + 1} of {len(labels)} or after it."
        )
    index = np.nonzero(mine | theirs)
    values = np.where(mine[index], other, one).astype(np.int64)
    said = f"Cells {one} and {other} are exchanged from plane {plane + 1} of {len(labels)} on."
    return StackEdit(index, values, (one, other), said)


def remove(labels: IntArray, cell: int) -> StackEdit:
    """Remove a cell from all planes."""
    _check(labels, cell)
    return _edit(labels == cell, 0, (), f"Cell {cell} is removed from all planes.")


def split(labels: IntArray, cell: int, first: Sequence[int], second: Sequence[int]) -> StackEdit:
    """Part a cell into two in all planes, each around a point of it.

    Parameters
    ----------
    labels : (planes, Y, X) integer array
    cell : int
    first, second : sequences of 3 int
        Plane, row and column; `second` becomes a new cell.

    Raises
    ------
    UtileError
        If a point does not lie in the cell, or both are one.
    """
    _check(labels, cell)
    points = [tuple(int(place) for place in point) for point in (first, second)]
    if points[0] == points[1] or any(labels[point] != cell for point in points):
        raise UtileError(f"To split cell {cell}, click two different places inside it.")
    whole = labels == cell
    (box,) = ndimage.find_objects(whole.astype(np.uint8))
    inside = whole[box]
    marked = [[tuple(place - part.start for place, part in zip(point, box, strict=True))] for point in points]
    parts = split_between(inside, np.ones(inside.shape, np.float32), marked)
    theirs = np.zeros_like(whole)
    theirs[box] = parts == 2
    new = _new_id(labels)
    return _edit(theirs, new, (cell, new), f"Cell {cell} is split: the other part is cell {new}.")


def divide(
    labels: IntArray, mother: int, daughters: tuple[int, int], plane: int
) -> tuple[StackEdit, dict[int, int]]:
    """Say that a cell divided: its track ends before a plane, where those of the daughters begin.

    Parameters
    ----------
    labels : (planes, Y, X) integer array
    mother : int
    daughters : (int, int)
        As they are called now; one of them may still have the mother's id.
    plane : int
        The first one with both daughters.

    Returns
    -------
    edit : StackEdit
    parents : dict of int to int
        Daughter -> mother, as they are called afterwards.
    """
    _check(labels, mother, *daughters)
    if daughters[0] == daughters[1]:
        raise UtileError("A cell divides into two different cells.")
    if not (labels[:plane] == mother).any():
        raise UtileError(
            f"Cell {mother} is not there before plane {plane + 1} of {len(labels)}: it cannot divide."
        )
    for each in daughters:
        if not (labels[plane:] == each).any():
            raise UtileError(f"Cell {each} is not in plane {plane + 1} of {len(labels)} or after it.")
        if each != mother and (labels[:plane] == each).any():
            raise UtileError(
                f"Cell {each} already exists before plane {plane + 1} of {len(labels)}: cut it first."
            )
    new = _new_id(labels)
    names = tuple(new if each == mother else each for each in daughters)
    still = _from(labels == mother, plane)
    said = f"Cell {mother} divides into {names[0]} and {names[1]}."
    return _edit(still, new, (mother, *names), said), dict.fromkeys(names, mother)


def interpolate(labels: IntArray, cell: int) -> StackEdit:
    """Fill the planes between those in which a cell was painted; only background is painted over.

    Between two planes its outline is where the mean of the signed distances to both outlines, weighted by their
    nearness, is 0 [1]_.

    Raises
    ------
    UtileError
        If there is no plane to be filled.

    References
    ----------
    .. [1] Raya and Udupa, Shape-based interpolation of multidimensional objects, IEEE Transactions on Medical
       Imaging 9:32 (1990).
    """
    _check(labels, cell)
    planes = [number for number in range(len(labels)) if (labels[number] == cell).any()]
    filled = np.zeros(labels.shape, bool)
    for start, stop in pairwise(planes):
        if stop == start + 1:
            continue
        before, after = _signed(labels[start] == cell), _signed(labels[stop] == cell)
        for plane in range(start + 1, stop):
            share = (plane - start) / (stop - start)
            inside = (1 - share) * before + share * after > 0
            filled[plane] = inside & (labels[plane] == 0)
    count = int(filled.any(axis=(1, 2)).sum())
    if not count:
        raise UtileError(
            f"Between the planes of cell {cell} there is none to fill: paint it in two planes first."
        )
    return _edit(filled, cell, (cell,), f"Cell {cell} is filled in {counted(count, 'plane')}.")


def _signed(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Give the distance to the outline, above 0 inside."""
    inside: Any = ndimage.distance_transform_edt(mask)
    outside: Any = ndimage.distance_transform_edt(~mask)
    return np.asarray(inside - outside, float)


def _edit(mask: NDArray[np.bool_], value: int, changed: tuple[int, ...], said: str) -> StackEdit:
    index = np.nonzero(mask)
    return StackEdit(index, np.full(index[0].size, value, np.int64), changed, said)


def _from(mask: NDArray[np.bool_], plane: int) -> NDArray[np.bool_]:
    later = mask.copy()
    later[:plane] = False
    return later


def _new_id(labels: IntArray) -> int:
    return int(labels.max(initial=0)) + 1


def _check(labels: IntArray, *cells: int) -> None:
    if labels.ndim != 3:
        raise UtileError(f"A stack of labels has the axes (planes, Y, X); got the shape {labels.shape}.")
    for cell in cells:
        if cell <= 0 or not (labels == cell).any():
            raise UtileError(f"There is no cell {cell}.")
