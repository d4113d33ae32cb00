"""Which predicted object is which reference object.

A pair *matches* at a threshold when its intersection over union (IoU) reaches it. Above 0.5 a match is
unique; at exact halves, and at lower thresholds, the pairs are chosen so that the
number of matches is largest.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import maximum_bipartite_matching

from napari_utile.engine.arrays import Float64Array, Int64Array
from napari_utile.engine.metrics.contingency import Contingency
from napari_utile.engine.parameters import Bounds, Parameter, check_value


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
    check_value(Parameter("iou", float, False, 0.5, Bounds(maximum=1)), iou)
    if iou <= 0:
        raise ValueError(f"iou must be above 0; got {iou}.")
    overlaps = table.overlaps
    good = overlaps.iou >= iou
    rows, columns, quality = overlaps.rows[good], overlaps.columns[good], overlaps.iou[good]
    if np.unique(rows).size < rows.size or np.unique(columns).size < columns.size:
        one_to_one = _largest_matching(rows, columns, table)
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


def _largest_matching(rows: Int64Array, columns: Int64Array, table: Contingency) -> NDArray[np.bool_]:
    shape = (table.prediction_ids.size, table.truth_ids.size)
    graph = sparse.csr_array((np.ones(rows.size, np.int8), (rows, columns)), shape=shape)
    partner = maximum_bipartite_matching(graph, perm_type="column")
    return np.asarray(partner[rows] == columns)


def _unmatched(counted: NDArray[np.bool_], matched: Int64Array) -> Int64Array:
    left = counted.copy()
    left[matched] = False
    return np.flatnonzero(left)
