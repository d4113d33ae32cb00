"""What linking knows of the planes of a stack: tables of areas, centroids and overlaps, counted block by block.

All are sums of whole numbers, so that blocks of any size, in any order, give the same tables to the bit.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_utile.engine.arrays import Float64Array, Int64Array
from napari_utile.engine.cells.label_runs import label_runs
from napari_utile.engine.metrics.contingency import as_labels, contingency


@dataclass(frozen=True, eq=False)
class Counts:
    """Sums over the sections in a block of a stack.

    Attributes
    ----------
    objects : (N, 6) int64 array
        Plane, label, pixels, sum of rows, sum of columns, and the first pixel in raster order (row * 2^32 + column).
    overlaps : (E, 5) int64 array
        Plane and label, a later plane and its label, and the pixels that both hold.
    """

    objects: Int64Array
    overlaps: Int64Array


@dataclass(frozen=True, eq=False)
class Sections:
    """The sections of all cells of a stack, in the order of planes and, in a plane, of their first pixels.

    Attributes
    ----------
    plane, label, area : (N,) int64 arrays
        Number of the plane from 0, id in its plane, pixels.
    y, x : (N,) float64 arrays
        Centroid (pixels of the image).
    before, after, shared : (E,) int64 arrays
        Sections (indices) that overlap in an earlier and a later plane, and their common pixels.
    """

    plane: Int64Array
    label: Int64Array
    area: Int64Array
    y: Float64Array
    x: Float64Array
    before: Int64Array
    after: Int64Array
    shared: Int64Array

    def __len__(self) -> int:
        return int(self.plane.size)

    @cached_property
    def covered(self) -> Float64Array:
        """Share of the smaller section that lies inside the other (E,)."""
        smaller = np.minimum(self.area[self.before], self.area[self.after])
        return np.asarray(self.shared / np.maximum(smaller, 1), float)

    @cached_property
    def iou(self) -> Float64Array:
        """Intersection over union of the overlapping sections (E,)."""
        union = self.area[self.before] + self.area[self.after] - self.shared
        return np.asarray(self.shared / np.maximum(union, 1), float)

    def part(self, taken: NDArray[np.bool_]) -> "Sections":
        """Return some of the sections (N,), and what they share."""
        place = np.cumsum(taken) - 1
        both = taken[self.before] & taken[self.after]
        return Sections(
            self.plane[taken],
            self.label[taken],
            self.area[taken],
            self.y[taken],
            self.x[taken],
            place[self.before[both]],
            place[self.after[both]],
            self.shared[both],
        )

    @property
    def diameter(self) -> float:
        """Median diameter (pixels) of discs of the same areas; 0 where there are no sections."""
        return float(np.median(2 * np.sqrt(self.area / np.pi))) if len(self) else 0.0


class SectionCounter:
    """Counts the sections of a block, one box of rows and columns of a stack, plane after plane.

    Parameters
    ----------
    reach : int
        How many planes on overlaps are counted: so many planes are kept.
    corner : (int, int)
        Row and column of the block's first pixel.
    """

    def __init__(self, reach: int = 1, corner: tuple[int, ...] = (0, 0)) -> None:
        self._corner, self._number = corner, 0
        self._counted: list[Counts] = []
        self._recent: deque[tuple[int, NDArray[np.integer]]] = deque(maxlen=reach)

    def add(self, labels: ArrayLike) -> None:
        """Count the next plane (Y, X) of labels, 0 = background.

        Raises
        ------
        ValueError
            If it is not a label image, or its shape is not that of the others.
        """
        plane = as_labels(labels)
        if plane.ndim != 2 or (self._recent and plane.shape != self._recent[-1][1].shape):
            raise ValueError(f"The planes of a stack are label images of the same shape; got {plane.shape}.")
        self._counted.append(count_plane(plane, self._number, self._recent, self._corner))
        self._recent.append((self._number, plane))
        self._number += 1

    @property
    def counts(self) -> Counts:
        """What was counted so far."""
        return _together(self._counted)


def count(planes: Iterable[ArrayLike], reach: int = 1, corner: tuple[int, ...] = (0, 0)) -> Counts:
    """Count the sections in all planes of a block: see `SectionCounter`."""
    counter = SectionCounter(reach, corner)
    for plane in planes:
        counter.add(plane)
    return counter.counts


def count_plane(
    labels: NDArray[np.integer],
    number: int,
    earlier: Iterable[tuple[int, NDArray[np.integer]]],
    corner: tuple[int, ...] = (0, 0),
) -> Counts:
    """Count the sections in a block of one plane (y, x), and what they share with the same block of earlier planes.

    Parameters
    ----------
    labels : (y, x) integer array
    number : int
        Of the plane.
    earlier : iterable of (int, (y, x) integer array)
        Numbers of earlier planes, and the block in them.
    corner : (int, int)
        Row and column of the block's first pixel.
    """
    shared = [_overlaps(before, labels, place, number) for place, before in earlier]
    overlaps = np.concatenate([np.zeros((0, 5), np.int64), *shared])
    return Counts(_objects(labels, number, corner), overlaps)


def _together(parts: Sequence[Counts]) -> Counts:
    objects = [np.zeros((0, 6), np.int64), *(part.objects for part in parts)]
    overlaps = [np.zeros((0, 5), np.int64), *(part.overlaps for part in parts)]
    return Counts(np.concatenate(objects), np.concatenate(overlaps))


def _objects(plane: NDArray[np.integer], number: int, corner: tuple[int, ...]) -> Int64Array:
    runs = label_runs(plane)
    lengths = runs.last - runs.first + 1
    rows, first, last = runs.y + corner[0], runs.first + corner[1], runs.last + corner[1]
    table = np.empty((runs.ids.size, 6), np.int64)
    table[:, 0], table[:, 1] = number, runs.ids
    table[:, 2:5] = 0
    np.add.at(table[:, 2], runs.objects, lengths)
    np.add.at(table[:, 3], runs.objects, lengths * rows)
    np.add.at(table[:, 4], runs.objects, lengths * (first + last) // 2)
    table[:, 5] = np.iinfo(np.int64).max
    np.minimum.at(table[:, 5], runs.objects, (rows << 32) + first)
    return table


def _overlaps(
    earlier: NDArray[np.integer], later: NDArray[np.integer], before: int, after: int
) -> Int64Array:
    table = contingency(earlier, later)
    pairs = table.overlaps
    columns = (table.prediction_ids[pairs.rows], table.truth_ids[pairs.columns], pairs.shared)
    found = np.empty((pairs.rows.size, 5), np.int64)
    found[:, 0], found[:, 2] = before, after
    found[:, 1], found[:, 3], found[:, 4] = columns
    return found


def gathered(parts: Sequence[Counts]) -> Sections:
    """Make one table of the counts of all blocks of a stack.

    Examples
    --------
    >>> stack = np.array([[[1, 1, 0]], [[0, 5, 5]]])
    >>> whole = gathered([count(stack)])
    >>> whole.area, whole.x, whole.shared
    (array([2, 2]), array([0.5, 1.5]), array([1]))
    >>> halves = gathered([count(stack[..., 2:], corner=(0, 2)), count(stack[..., :2])])
    >>> halves.area, halves.x, halves.shared
    (array([2, 2]), array([0.5, 1.5]), array([1]))
    """
    every = _together(parts)
    rows, pairs = every.objects, every.overlaps
    keys, place = np.unique(rows[:, :2], axis=0, return_inverse=True)
    place = place.reshape(-1)
    sums = np.zeros((len(keys), 3), np.int64)
    np.add.at(sums, place, rows[:, 2:5])
    first = np.full(len(keys), np.iinfo(np.int64).max)
    np.minimum.at(first, place, rows[:, 5])
    order = np.lexsort((first, keys[:, 0]))
    rank = np.empty(len(keys), np.int64)
    rank[order] = np.arange(len(keys))

    joined, entry = np.unique(pairs[:, :4], axis=0, return_inverse=True)
    shared = np.zeros(len(joined), np.int64)
    np.add.at(shared, entry.reshape(-1), pairs[:, 4])
    before, after = (rank[_place_in(keys, joined[:, columns])] for columns in (slice(0, 2), slice(2, 4)))
    by_section = np.lexsort((after, before))
    plane, label = keys[order].T
    area, rows_sum, columns_sum = sums[order].T
    return Sections(
        plane,
        label,
        area,
        rows_sum / area,
        columns_sum / area,
        before[by_section],
        after[by_section],
        shared[by_section],
    )


def _place_in(keys: Int64Array, wanted: Int64Array) -> Int64Array:
    """Return where rows of numbers stand among sorted ones that hold them all."""
    _, place = np.unique(np.concatenate([keys, wanted]), axis=0, return_inverse=True)
    return place.reshape(-1)[len(keys) :].astype(np.int64)
