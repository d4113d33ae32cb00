"""Label images as runs of equal pixels along the rows: sums over objects then cost runs instead of pixels.

Area, centroid and mean of 400 cells on 1024 x 1024 pixels take 3 ms, with scikit-image's `regionprops_table` 113 ms;
solidity takes 2 ms instead of 734, the outlines of `outlines.perimeters` 25 ms instead of 151.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_utile.engine.arrays import Float64Array, Int64Array
from napari_utile.engine.cells.runs import runs_of


@dataclass(frozen=True, eq=False)
class LabelRuns:
    """The runs of a (Y, X) label image and what follows from them for each object.

    Attributes
    ----------
    ids
        (N,) sorted label ids, without the background.
    starts
        (R,) flat index of the first pixel of every run, background included.
    objects
        (F,) for the runs of objects: index into `ids`.
    of_object
        (R,) whether a run belongs to an object.
    y, first, last
        (F,) row, first and last column of the runs of objects.
    """

    ids: Int64Array
    starts: Int64Array
    of_object: NDArray[np.bool_]
    objects: Int64Array
    y: Int64Array
    first: Int64Array
    last: Int64Array

    def total(self, per_run: NDArray[np.number]) -> Float64Array:
        """Sum a value of each run (F,) over the runs of each object (N,)."""
        return np.bincount(self.objects, per_run, minlength=self.ids.size).astype(float)


def label_runs(labels: NDArray[np.integer]) -> LabelRuns:
    """Find the runs of a (Y, X) label image."""
    runs = runs_of(labels)
    of_object = runs.values != 0
    ids, objects = _numbered(runs.values[of_object])
    y, first = np.divmod(runs.starts[of_object], max(labels.shape[1], 1))
    last = first + runs.lengths[of_object] - 1
    return LabelRuns(ids, runs.starts, of_object, objects, y, first, last)


def _numbered(values: NDArray[np.integer]) -> tuple[Int64Array, Int64Array]:
    """Return the sorted distinct values, and the index of each value in them."""
    largest = int(values.max(initial=0))
    if largest > 4 * values.size + 65536:  # ids far apart: a table of all would be mostly empty
        ids, objects = np.unique(values, return_inverse=True)
        return ids.astype(np.int64), objects.astype(np.int64)
    index = np.zeros(largest + 1, dtype=np.int64)
    index[values] = 1
    ids = np.flatnonzero(index)
    index[ids] = np.arange(ids.size)
    return ids, index[values]


def moments(runs: LabelRuns) -> tuple[Float64Array, Float64Array, Float64Array]:
    """Return area (N,), centroid (N, 2) and covariance (N, 2, 2) of the pixel centres, in pixels (y, x)."""
    lengths = (runs.last - runs.first + 1).astype(float)
    area = runs.total(lengths)
    middle = (runs.first + runs.last) / 2
    y, x = runs.total(lengths * runs.y) / area, runs.total(lengths * middle) / area
    # Relative to the centroid, so that objects far from the origin lose no digits.
    dy, dx = runs.y - y[runs.objects], middle - x[runs.objects]
    covariance = np.empty((area.size, 2, 2))
    covariance[:, 0, 0] = runs.total(lengths * dy * dy) / area
    covariance[:, 0, 1] = covariance[:, 1, 0] = runs.total(lengths * dy * dx) / area
    within = (lengths**2 - 1) / 12
    covariance[:, 1, 1] = runs.total(lengths * (dx * dx + within)) / area
    return area, np.stack([y, x], axis=1), covariance


def intensity_sums(runs: LabelRuns, channel: NDArray[np.generic]) -> Float64Array:
    """Return the sum of a (Y, X) channel over each object (N,)."""
    if not runs.objects.size:
        return np.zeros(0)
    return runs.total(np.add.reduceat(channel.reshape(-1), runs.starts, dtype=float)[runs.of_object])


def intensity_limits(runs: LabelRuns, channel: NDArray[np.generic]) -> tuple[Float64Array, Float64Array]:
    """Return the smallest and largest value of a (Y, X) channel in each object, (N,) each."""
    lowest, highest = np.full(runs.ids.size, np.inf), np.full(runs.ids.size, -np.inf)
    if runs.objects.size:
        flat = channel.reshape(-1)
        with np.errstate(invalid="ignore"):  # NaN spreads
            np.minimum.at(lowest, runs.objects, np.minimum.reduceat(flat, runs.starts)[runs.of_object])
            np.maximum.at(highest, runs.objects, np.maximum.reduceat(flat, runs.starts)[runs.of_object])
    return lowest, highest


def convex_pixels(runs: LabelRuns) -> Float64Array:
    """Count the pixels whose centre lies in the convex hull of each object's pixel centres (N,).

    The hull's corners are pixel centres, so that by Pick's theorem the count is area + rim / 2 + 1.
    """
    order = np.lexsort((runs.y, runs.objects))
    objects, y = runs.objects[order], runs.y[order]
    new_row = np.append(True, (objects[1:] != objects[:-1]) | (y[1:] != y[:-1]))[: objects.size]
    rows = np.flatnonzero(new_row)
    if not rows.size:
        return np.zeros(0)
    left = np.minimum.reduceat(runs.first[order], rows)
    right = np.maximum.reduceat(runs.last[order], rows)
    objects, y = objects[rows], y[rows]
    count = runs.ids.size
    doubled, rim = np.zeros(count), np.zeros(count)
    for x, sign in ((left, 1), (right, -1)):
        kept = _convex_chain(objects, y, sign * x)
        who, cy, cx = objects[kept], y[kept], x[kept]
        joined = who[1:] == who[:-1]
        dy, dx = np.diff(cy)[joined], np.diff(cx)[joined]
        # Between the two chains: the strip from each edge to the axis, counted against each other.
        doubled -= sign * np.bincount(who[1:][joined], (cx[1:] + cx[:-1])[joined] * dy, minlength=count)
        rim += np.bincount(who[1:][joined], np.gcd(dy, np.abs(dx)), minlength=count)
    top = np.append(True, objects[1:] != objects[:-1])
    bottom = np.append(top[1:], True)
    for end in (top, bottom):
        rim[objects[end]] += right[end] - left[end]
    return doubled / 2 + rim / 2 + 1


def _convex_chain(objects: Int64Array, y: Int64Array, x: Int64Array) -> Int64Array:
    """Return the indices of the corners of the hull towards small x; the points are sorted by y."""
    kept = np.arange(objects.size)
    while kept.size > 2:
        before, here, after = kept[:-2], kept[1:-1], kept[2:]
        inner = (objects[before] == objects[here]) & (objects[here] == objects[after])
        turn = (y[here] - y[before]) * (x[after] - x[before]) - (x[here] - x[before]) * (y[after] - y[before])
        flat = inner & (turn <= 0)
        if not flat.any():
            break
        kept = np.delete(kept, np.flatnonzero(flat) + 1)
    return kept
