"""How many pixels each predicted object shares with each reference object.

Every score on labels is a function of this one table. Labels are piecewise constant along a row, so the table
is counted over runs of equal pairs instead of pixels: one comparison per pixel, then work on the few runs.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from napari_utile.engine.arrays import Float64Array, Int64Array, no_id, rows_and_columns_last


@dataclass(frozen=True, eq=False)
class Contingency:
    """Sparse contingency table of two label images.

    Row and column 0 stand for the background (id 0), which is always present, if need be with no pixels.

    Attributes
    ----------
    prediction_ids, truth_ids
        (P,) and (T,) sorted label ids; the first is 0.
    rows, columns, counts
        (E,) non-empty cells of the table: ``counts[e]`` pixels carry ``prediction_ids[rows[e]]`` in the
        prediction and ``truth_ids[columns[e]]`` in the truth.
    prediction_hidden, truth_hidden
        (P,) and (T,) pixels of each object that lie in the ignored region; they are in no other count.
    """

    prediction_ids: Int64Array
    truth_ids: Int64Array
    rows: Int64Array
    columns: Int64Array
    counts: Int64Array
    prediction_hidden: Int64Array
    truth_hidden: Int64Array

    @cached_property
    def pixels(self) -> int:
        """Number of pixels counted."""
        return int(self.counts.sum())

    @cached_property
    def prediction_areas(self) -> Int64Array:
        """(P,) counted pixels of each predicted object."""
        return _sum_by(self.rows, self.counts, self.prediction_ids.size)

    @cached_property
    def truth_areas(self) -> Int64Array:
        """(T,) counted pixels of each reference object."""
        return _sum_by(self.columns, self.counts, self.truth_ids.size)

    @cached_property
    def prediction_counted(self) -> NDArray[np.bool_]:
        """(P,) whether an object is judged: at least half of it lies outside the ignored region."""
        return _counted(self.prediction_areas, self.prediction_hidden)

    @cached_property
    def truth_counted(self) -> NDArray[np.bool_]:
        """(T,) whether an object is judged: at least half of it lies outside the ignored region."""
        return _counted(self.truth_areas, self.truth_hidden)

    @cached_property
    def overlaps(self) -> "Overlaps":
        """The pairs of objects that share pixels, background left out."""
        both = (self.rows > 0) & (self.columns > 0)
        rows, columns, shared = self.rows[both], self.columns[both], self.counts[both]
        union = self.prediction_areas[rows] + self.truth_areas[columns] - shared
        return Overlaps(rows, columns, shared, shared / union)


@dataclass(frozen=True, eq=False)
class Overlaps:
    """Pairs of objects that share pixels: indices into the table's ids, shared pixels, IoU; each (E,)."""

    rows: Int64Array
    columns: Int64Array
    shared: Int64Array
    iou: Float64Array


def contingency(prediction: ArrayLike, truth: ArrayLike, ignore: ArrayLike | None = None) -> Contingency:
    """Count the pixels that each pair of labels shares.

    Parameters
    ----------
    prediction, truth
        Integer or boolean arrays of the same shape (any number of axes); 0 is the background, ids may skip.
    ignore
        Array of the same shape: pixels above 0 are counted nowhere.

    Raises
    ------
    ValueError
        If shapes differ or labels are not whole numbers of at least 0.
    """
    predicted, reference = as_labels(prediction, "prediction"), as_labels(truth, "truth")
    if predicted.shape != reference.shape:
        raise ValueError(f"prediction has shape {predicted.shape} but truth has shape {reference.shape}")
    hidden = None if ignore is None else as_ignored(ignore)
    if hidden is not None and hidden.shape != reference.shape:
        raise ValueError(
            f"the ignored region has shape {hidden.shape} but the labels have shape {reference.shape}"
        )

    runs = _run_starts(predicted, reference, hidden)
    lengths = np.diff(runs, append=reference.size)
    prediction_ids, rows = _compact(predicted.ravel()[runs])
    truth_ids, columns = _compact(reference.ravel()[runs])
    kept = np.ones(runs.size, bool) if hidden is None else ~hidden.ravel()[runs]
    table = sparse.coo_array(
        (lengths[kept], (rows[kept], columns[kept])), shape=(prediction_ids.size, truth_ids.size)
    ).tocsr()
    table.sum_duplicates()
    entries = table.tocoo()
    return Contingency(
        prediction_ids,
        truth_ids,
        entries.row.astype(np.int64),
        entries.col.astype(np.int64),
        entries.data.astype(np.int64),
        _sum_by(rows[~kept], lengths[~kept], prediction_ids.size),
        _sum_by(columns[~kept], lengths[~kept], truth_ids.size),
    )


def as_labels(labels: ArrayLike, name: str = "labels") -> NDArray[np.integer]:
    """Return `labels` as an integer array, or raise a ValueError that says what is wrong with it."""
    given = labels.filled(0) if isinstance(labels, np.ma.MaskedArray) else rows_and_columns_last(labels, name)
    try:
        array = np.asarray(given)
    except (TypeError, ValueError) as error:  # rows of different lengths, a Dataset of xarray
        raise ValueError(f"{name} must be an array of numbers: {str(error).rstrip('.')}") from error
    if array.dtype == bool:
        return array.view(np.uint8)
    if array.dtype.kind == "f":
        whole = np.isfinite(array) & (array == np.floor(array))
        if not whole.all():
            raise ValueError(no_id(name, array[~whole].flat[0]))
        if array.size and array.max() >= 2.0**63:
            raise ValueError(f"{name} must hold ids below 2^63, got {array.max()}: renumber them")
        array = array.astype(np.int64)
    if array.dtype.kind not in "iu":
        raise ValueError(f"{name} must be an integer or boolean label image, got {array.dtype}")
    if array.dtype.kind == "i" and array.size and array.min() < 0:
        raise ValueError(no_id(name, array.min()))
    if array.dtype.itemsize == 8 and array.dtype.kind == "u" and array.size and array.max() >= 2**63:
        raise ValueError(f"{name} must hold ids below 2^63, got {array.max()}: renumber them")
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def as_ignored(ignore: ArrayLike) -> NDArray[np.bool_]:
    """Return which pixels are ignored: those above 0, as in files.

    Raises
    ------
    ValueError
        If they are not numbers.
    """
    given = rows_and_columns_last(ignore, "the ignored region")
    try:
        array = np.asarray(given)
    except (TypeError, ValueError) as error:
        raise ValueError(f"the ignored region must be an array: {str(error).rstrip('.')}") from error
    if array.dtype.kind not in "buif":
        raise ValueError(f"the ignored region must be an array of numbers, got {array.dtype}")
    return array if array.dtype == bool else array > 0


def _run_starts(
    predicted: NDArray[np.integer], reference: NDArray[np.integer], hidden: NDArray[np.bool_] | None
) -> Int64Array:
    if reference.size == 0:
        return np.zeros(0, np.int64)
    changed = np.empty(reference.size, bool)
    changed[0] = True
    flat_prediction, flat_truth = predicted.ravel(), reference.ravel()
    np.not_equal(flat_prediction[1:], flat_prediction[:-1], out=changed[1:])
    changed[1:] |= flat_truth[1:] != flat_truth[:-1]
    if hidden is not None:
        flat_hidden = hidden.ravel()
        changed[1:] |= flat_hidden[1:] != flat_hidden[:-1]
    return np.flatnonzero(changed)


def _compact(values: NDArray[np.integer]) -> tuple[Int64Array, Int64Array]:
    """Sorted distinct ids, 0 always among them, and the index of each value in them."""
    largest = int(values.max()) if values.size else 0
    if largest <= 4 * values.size + 65536:
        present = np.zeros(largest + 1, bool)
        present[values] = True
        present[0] = True
        ids = np.flatnonzero(present)
        index = np.cumsum(present, dtype=np.int64) - 1
        return ids.astype(np.int64), index[values]
    ids, inverse = np.unique(np.append(values.astype(np.int64), 0), return_inverse=True)
    return ids, inverse[:-1].astype(np.int64)


def _counted(areas: Int64Array, hidden: Int64Array) -> NDArray[np.bool_]:
    counted = (areas > 0) & (areas >= hidden)
    counted[0] = False
    return counted


def _sum_by(index: Int64Array, counts: Int64Array, size: int) -> Int64Array:
    total = np.zeros(size, np.int64)
    np.add.at(total, index, counts)
    return total
