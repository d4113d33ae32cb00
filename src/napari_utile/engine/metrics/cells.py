"""Scores of instance labels against a reference: how many cells were found, and how well.

A prediction and a reference object *match* at a threshold when their intersection over union (IoU) reaches it. From
0.5 upwards a match is unique but for exact halves; ties, and lower thresholds, are resolved so that the number of
matches is largest.

With an ignored region its pixels are removed before anything is counted, and an object that found no match is held
against nobody when more than half of it lies in there.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from scipy.sparse.csgraph import maximum_bipartite_matching

from napari_utile.engine.metrics.contingency import Contingency, FloatArray, IntArray, contingency

IOU_THRESHOLDS = (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)


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

    rows: IntArray
    columns: IntArray
    iou: FloatArray
    false: IntArray
    missed: IntArray

    @property
    def true_positives(self) -> int:
        """Number of matched pairs."""
        return self.rows.size

    @property
    def average_precision(self) -> float:
        """TP / (TP + FP + FN); 1 where there is nothing to find and nothing was found."""
        return _ratio(self.true_positives, self.true_positives + self.false.size + self.missed.size)


def match(table: Contingency, iou: float = 0.5) -> Matching:
    """Pair the predicted with the reference objects whose IoU is at least `iou`.

    Raises
    ------
    ValueError
        Unless 0 < `iou` <= 1.
    """
    if not 0 < iou <= 1:
        raise ValueError(f"the IoU threshold must lie above 0 and not above 1, got {iou}")
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
        false=_unmatched(table.prediction_areas, table.prediction_hidden, rows),
        missed=_unmatched(table.truth_areas, table.truth_hidden, columns),
    )


def average_precision(
    prediction: ArrayLike, truth: ArrayLike, iou: float = 0.5, ignore: ArrayLike | None = None
) -> float:
    """Share of cells that are right: TP / (TP + FP + FN) at one IoU threshold [1]_.

    Parameters
    ----------
    prediction, truth
        Integer label images of one shape, 0 = background.
    iou
        A pair counts as found when its intersection over union is at least this.
    ignore
        Boolean array of the same shape; its pixels are not looked at.

    Returns
    -------
    float
        0 to 1; 1 when both images are empty.

    References
    ----------
    .. [1] Caicedo et al., "Nucleus segmentation across imaging experiments: the 2018 Data Science Bowl",
       Nature Methods 16:1247 (2019).
    """
    return match(contingency(prediction, truth, ignore), iou).average_precision


def _largest_matching(rows: IntArray, columns: IntArray, table: Contingency) -> NDArray[np.bool_]:
    graph = sparse.csr_array(
        (np.ones(rows.size, np.int8), (rows, columns)), shape=(table.prediction_ids.size, table.truth_ids.size)
    )
    partner = maximum_bipartite_matching(graph, perm_type="column")
    return np.asarray(partner[rows] == columns)


def _unmatched(areas: IntArray, hidden: IntArray, matched: IntArray) -> IntArray:
    counts = (areas > 0) & (areas >= hidden)
    counts[0] = False
    counts[matched] = False
    return np.flatnonzero(counts)


def _ratio(part: float, whole: float, empty: float = 1.0) -> float:
    return part / whole if whole else empty
