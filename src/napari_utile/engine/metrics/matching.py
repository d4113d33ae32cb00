"""Which predicted object is which reference object.

A pair *matches* at a threshold when its intersection over union (IoU) reaches it. Above 0.5 a match is
unique; at exact halves, and at lower thresholds, the pairs are chosen so that the
number of matches is largest, and of such choices the sum of their IoU.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import min_weight_full_bipartite_matching

from napari_utile.engine.arrays import Float64Array, Int64Array
from napari_utile.engine.metrics.contingency import Contingency
from napari_utile.engine.parameters import Bounds, Parameter, checked_value

_HARDLY = 1e-9
"""What a judged reference object is worth where the IoU of two choices is the same."""


@dataclass(frozen=True, eq=False)
class Matching:
    """Matched pairs at one IoU threshold, and the objects left over.

    Attributes
    ----------
    rows, columns, iou
        (M,) indices of the matched objects in the ids of the table, and their IoU.
    false, missed
        Indices of predicted and of reference objects without a match.
    """

    rows: Int64Array
    columns: Int64Array
    iou: Float64Array
    false: Int64Array
    missed: Int64Array

    @property
    def true_positives(self) -> int:
        """Number of matched pairs, TP."""
        return self.rows.size

    @property
    def average_precision(self) -> float:
        """TP / (TP + FP + FN); 1 where there was nothing to find and nothing was found."""
        return ratio(self.true_positives, self.true_positives + self.false.size + self.missed.size)

    @property
    def precision(self) -> float:
        """TP / (TP + FP): the share of predicted objects that are right."""
        return ratio(self.true_positives, self.true_positives + self.false.size)

    @property
    def recall(self) -> float:
        """TP / (TP + FN): the share of reference objects that were found."""
        return ratio(self.true_positives, self.true_positives + self.missed.size)

    @property
    def f1(self) -> float:
        """2 TP / (2 TP + FP + FN)."""
        return ratio(2 * self.true_positives, 2 * self.true_positives + self.false.size + self.missed.size)

    @property
    def mean_iou(self) -> float:
        """Mean IoU of the matched pairs; NaN where there are none."""
        return float(self.iou.mean()) if self.iou.size else float("nan")

    @property
    def panoptic_quality(self) -> float:
        """Sum of the matched IoU / (TP + FP/2 + FN/2)."""
        wrong = self.false.size + self.missed.size
        return ratio(float(self.iou.sum()), self.true_positives + wrong / 2)


def match(table: Contingency, iou: float = 0.5) -> Matching:
    """Pair the predicted with the reference objects whose IoU is at least `iou`.

    An object without a match counts as false or missed unless more than half of it lies in the ignored
    region.

    Raises
    ------
    ValueError
        Unless 0 < `iou` <= 1.
    """
    iou = checked_value(Parameter("iou", float, False, 0.5, Bounds(maximum=1)), iou)
    if iou <= 0:
        raise ValueError(f"iou must be above 0; got {iou}.")
    overlaps = table.overlaps
    good = overlaps.iou >= iou
    rows, columns, quality = overlaps.rows[good], overlaps.columns[good], overlaps.iou[good]
    if np.unique(rows).size < rows.size or np.unique(columns).size < columns.size:
        one_to_one = _best_matching(rows, columns, quality, table)
        rows, columns, quality = rows[one_to_one], columns[one_to_one], quality[one_to_one]
    return Matching(
        rows,
        columns,
        quality,
        false=_unmatched(table.prediction_counted, rows),
        missed=_unmatched(table.truth_counted, columns),
    )


def ratio(part: float, whole: float) -> float:
    """Divide; 1 where the whole is 0: with nothing to find and nothing found, the two agree."""
    return float(part / whole) if whole else 1.0


def _best_matching(
    rows: Int64Array, columns: Int64Array, quality: Float64Array, table: Contingency
) -> NDArray[np.bool_]:
    """Choose among pairs, so that ids do not matter: as many as can be, then of the best IoU, then judged objects."""
    judged = table.truth_counted[columns] + table.prediction_counted[rows] / 8
    ours, row = np.unique(rows, return_inverse=True)
    theirs, column = np.unique(columns, return_inverse=True)
    # Each row has a partner of its own that costs more than all pairs together can gain.
    alone = np.arange(ours.size)
    costs = np.append(2 - quality - _HARDLY * judged, np.full(ours.size, 3.0 + ours.size))
    ends = (np.append(row, alone), np.append(column, theirs.size + alone))
    graph = sparse.csr_array((costs, ends), shape=(ours.size, theirs.size + ours.size))
    _, partner = min_weight_full_bipartite_matching(graph)
    return np.asarray(partner[row] == column)


def _unmatched(counted: NDArray[np.bool_], matched: Int64Array) -> Int64Array:
    left = counted.copy()
    left[matched] = False
    return np.flatnonzero(left)
