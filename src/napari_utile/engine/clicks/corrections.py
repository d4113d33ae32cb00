"""Corrections of cells as pure functions: split, push back, merge, grow and shrink.

All of them work on what is there, drawn by hand or not, and on the probability only to choose where a
border runs.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_utile.engine.arrays import BoolArray, Float32Array
from napari_utile.engine.cells.between import NOTABLE_DIP, checked_markers, split_between
from napari_utile.engine.cells.watershed import split_components

LabelArray = NDArray[np.int32]
Point = tuple[int, int]

# A contour that leaves less of a cell than this is not what "a little less" means.
_LEAST_LEFT = 0.3

# Gaps up to this are bridged whatever the size of the cells. Pixels.
_LEAST_GAP = 4.0


def push_back(
    mask: BoolArray,
    probability: Float32Array,
    inside: Sequence[Point],
    outside: Sequence[Point],
    height: Float32Array | None = None,
) -> BoolArray:
    """Take from a cell what markers call background.

    A marker on a hill of its own takes that hill, as far as the valley. Any other marker pushes the
    outline back to the contour of the probability that runs through it; where that leaves too little of
    the cell, it takes a dent as deep as it lies inside.

    Parameters
    ----------
    mask : (y, x) bool array
        The cell.
    probability : (y, x) float32 array
        Cell probability, 0..1.
    inside : sequence of (row, column)
        Markers that stay inside; without any, the pixel deepest inside the cell and away from `outside`.
    outside : sequence of (row, column)
        Markers inside the mask that are background.
    height : (y, x) float32 array, optional
        As for `split_between`.

    Returns
    -------
    (y, x) bool array
        A subset of the mask: the pieces that hold the markers inside.

    Raises
    ------
    ValueError
        If a marker lies outside the mask, or one pixel is to be in and out.
    """
    inside, outside = list(inside), sorted(set(outside))
    checked_markers(mask, [inside, *([point] for point in outside)])
    if not outside:
        return mask.copy()
    inside = inside or deepest_points(mask, outside)
    if not inside:
        return np.zeros_like(mask)
    kept = mask.copy()
    hills = split_components(mask, probability, NOTABLE_DIP, height=height)
    own = {int(hills[point]) for point in inside}
    elsewhere = [point for point in outside if int(hills[point]) not in own]
    if elsewhere:
        kept = split_between(mask, probability, [inside, *([point] for point in elsewhere)], height) == 1
    for point in outside:
        if kept[point]:
            kept = _without(kept, probability, inside, point)
    return kept


def _without(mask: BoolArray, probability: Float32Array, inside: list[Point], point: Point) -> BoolArray:
    """Push the outline back behind one point."""
    likely = np.nan_to_num(probability)
    level = likely[point]
    if all(likely[marker] > level for marker in inside):
        above = _pieces_with(mask & (likely > level), inside)
        if np.count_nonzero(above) >= _LEAST_LEFT * np.count_nonzero(mask):
            return above
    depth = ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1][point]
    rows = np.arange(mask.shape[0])[:, None] - point[0]
    columns = np.arange(mask.shape[1])[None, :] - point[1]
    dent = np.hypot(rows, columns) <= depth
    for marker in inside:
        dent[marker] = False
    return _pieces_with(mask & ~dent, inside)


def _pieces_with(mask: BoolArray, points: Sequence[Point]) -> BoolArray:
    pieces, _ = ndimage.label(mask)
    kept = {int(pieces[point]) for point in points} - {0}
    return np.asarray(np.isin(pieces, list(kept)))


def deepest_points(mask: BoolArray, away_from: Sequence[Point]) -> list[Point]:
    """Find the pixel of a mask that is farthest from the background and from some points; none if empty."""
    free = np.pad(mask, 1)
    for y, x in away_from:
        free[y + 1, x + 1] = False
    depth = ndimage.distance_transform_edt(free)[1:-1, 1:-1]
    if not depth.any():
        return []
    deepest = np.unravel_index(int(np.argmax(depth)), mask.shape)
    return [(int(deepest[0]), int(deepest[1]))]


def gap_between(masks: Sequence[BoolArray]) -> float:
    """Return the widest gap that a merge of cells would bridge: from each to the nearest of those before it. Pixels.

    Examples
    --------
    >>> row = np.array([[1, 1, 0, 0, 0, 2, 2]])
    >>> gap_between([row == 1, row == 2])
    3.0
    """
    widest, joined = 0.0, masks[0]
    for mask in masks[1:]:
        widest = max(widest, float(ndimage.distance_transform_edt(~joined)[mask].min()) - 1)
        joined = joined | mask
    return widest


def too_far(masks: Sequence[BoolArray]) -> float | None:
    """Return the gap between cells where it is wider than half the diameter of the smallest; None where it is not."""
    gap = gap_between(masks)
    smallest = min(float(mask.sum()) for mask in masks)
    return gap if gap > max(_LEAST_GAP, (smallest / np.pi) ** 0.5) else None


def merge_masks(masks: Sequence[BoolArray], free: BoolArray) -> BoolArray:
    """Merge cells to one, with a bridge over the gap between cells that do not touch.

    Parameters
    ----------
    masks : sequence of (y, x) bool arrays
    free : (y, x) bool array
        Pixels that a bridge may take: background.

    Returns
    -------
    (y, x) bool array
        Exactly the union where the cells touch one another.
    """
    merged: BoolArray = np.logical_or.reduce(list(masks))
    pieces, count = ndimage.label(merged)
    while count > 1:
        # The first piece and what is nearest to it; pixels on the shortest ways between them are the bridge.
        first = pieces == 1
        to_first = ndimage.distance_transform_edt(~first)
        to_rest = ndimage.distance_transform_edt(~(merged & ~first))
        gap = float(to_first[merged & ~first].min())
        bridge = free & ~merged & (to_first + to_rest <= gap + 1)
        joined, left = ndimage.label(merged | bridge)
        touched = joined == joined[tuple(np.argwhere(first)[0])]
        if not (touched & merged & ~first).any():
            return merged  # another cell stands between them
        merged = merged | (bridge & touched)
        if left >= count:
            return merged
        pieces, count = ndimage.label(merged)
    return merged


def grow(mask: BoolArray, probability: Float32Array, free: BoolArray) -> BoolArray:
    """Grow a cell by one step along the contour of the probability.

    Of the free pixels around the outline the more probable half is added, so two steps are about a pixel,
    sooner where the model sees more cell.

    Parameters
    ----------
    mask : (y, x) bool array
        The cell, not at the border of the array unless the image ends there.
    probability : (y, x) float32 array
        Cell probability, 0..1.
    free : (y, x) bool array
        Background pixels, which the cell may take.

    Returns
    -------
    (y, x) bool array
    """
    ring = ndimage.binary_dilation(mask) & free & ~mask
    likely = np.nan_to_num(probability)
    return mask | (ring & (likely >= np.median(likely[ring]))) if ring.any() else mask.copy()


def shrink(mask: BoolArray, probability: Float32Array, inside: Sequence[Point] = ()) -> BoolArray:
    """Shrink a cell by one step along the contour of the probability.

    Of the pixels along the outline the less probable half is taken away. What falls apart is reduced to
    the pieces with markers, or to the largest one; markers stay inside.

    Parameters
    ----------
    mask : (y, x) bool array
        The cell.
    probability : (y, x) float32 array
        Cell probability, 0..1.
    inside : sequence of (row, column)
        Pixels that stay.

    Returns
    -------
    (y, x) bool array
        Never empty where the mask is not.
    """
    padded = np.pad(mask, 1)
    edge = mask & ~ndimage.binary_erosion(padded)[1:-1, 1:-1]
    likely = np.nan_to_num(probability)
    gone = edge & (likely <= np.median(likely[edge])) if edge.any() else edge
    for point in inside:
        gone[point] = False
    pieces, count = ndimage.label(mask & ~gone)
    if count == 0:
        return mask.copy()
    marked = {int(pieces[point]) for point in inside} - {0}
    kept = list(marked) or [int(np.argmax(np.bincount(pieces.ravel())[1:])) + 1]
    return np.asarray(np.isin(pieces, kept))
