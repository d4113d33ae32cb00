"""Scores of instance labels against a reference: how many cells were found, and how well.

With an ignored region its pixels are removed before anything is counted, and an object that found no match is
held against nobody when more than half of it lies in there.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from napari_utile.engine.arrays import Float64Array
from napari_utile.engine.metrics.cell_kinds import CellKind, cell_kinds
from napari_utile.engine.metrics.contingency import Contingency, contingency
from napari_utile.engine.metrics.matching import match, ratio

IOU_THRESHOLDS = (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)
_ABOVE_HALF = float(np.nextafter(0.5, 1))


@dataclass(frozen=True)
class CellScores:
    """Scores of one label image against its reference; see `cell_scores` for the formulas.

    Attributes
    ----------
    truth_cells, predicted_cells
        Number of objects judged.
    true_positives, false_positives, false_negatives
        Matched pairs, and objects without a match, at the IoU threshold asked for.
    precision, recall, f1, mean_iou
        At that threshold.
    seg, panoptic_quality, aggregated_jaccard
        Scores that no threshold was asked for.
    average_precision
        One value for each of `IOU_THRESHOLDS`.
    splits, merges, missed, false
        Number of reference cells split, of predictions that merge cells, of cells missed and of false cells.
    """

    truth_cells: int
    predicted_cells: int
    true_positives: int
    false_positives: int
    false_negatives: int
    precision: float
    recall: float
    f1: float
    mean_iou: float
    seg: float
    panoptic_quality: float
    aggregated_jaccard: float
    average_precision: tuple[float, ...]
    splits: int
    merges: int
    missed: int
    false: int

    @property
    def ap50(self) -> float:
        """Average precision at IoU 0.5."""
        return self.average_precision[0]

    @property
    def ap75(self) -> float:
        """Average precision at IoU 0.75."""
        return self.average_precision[IOU_THRESHOLDS.index(0.75)]

    @property
    def mean_ap(self) -> float:
        """Mean of the average precision over IoU 0.5, 0.55 ... 0.95."""
        return float(np.mean(self.average_precision))


def cell_scores(
    prediction: ArrayLike, truth: ArrayLike, ignore: ArrayLike | None = None, iou: float = 0.5
) -> CellScores:
    """Score instance labels against reference labels.

    Parameters
    ----------
    prediction, truth : (Y, X) or (Z, Y, X) integer array
        Label images of the same shape, 0 = background; ids may skip.
    ignore : bool array, optional
        Of the same shape; its pixels are ignored.
    iou : float
        Threshold at which precision, recall, F1, mean matched IoU and the counts are taken.

    Returns
    -------
    CellScores
        Counts of cells, and ratios from 0 to 1.

    Raises
    ------
    ValueError
        If shapes differ, labels are not whole numbers of at least 0, or `iou` is not in (0, 1].

    Notes
    -----
    - SEG [1]_: mean over the reference objects R of J(R, S) = |R ∩ S| / |R ∪ S| with the one predicted object
      S that covers more than half of R, 0 where none does. NaN without a reference object.
    - Average precision [2]_ at an IoU threshold: TP / (TP + FP + FN).
    - Panoptic quality [3]_: sum of the IoU of pairs with IoU > 0.5, divided by TP + FP/2 + FN/2.
    - Aggregated Jaccard [4]_: for each reference object the predicted one with the largest IoU; the sum of
      the intersections divided by the sum of the unions and of the areas of the predictions never chosen.

    With both images empty all ratios are 1 (they agree), SEG and mean matched IoU are NaN (undefined).

    References
    ----------
    .. [1] Maška et al., "A benchmark for comparison of cell tracking algorithms",
       Bioinformatics 30:1609 (2014).
    .. [2] Caicedo et al., "Nucleus segmentation across imaging experiments: the 2018 Data Science Bowl",
       Nature Methods 16:1247 (2019).
    .. [3] Kirillov et al., "Panoptic Segmentation", CVPR (2019).
    .. [4] Kumar et al., "A Dataset and a Technique for Generalized Nuclear Segmentation for Computational
       Pathology", IEEE Trans. Medical Imaging 36:1550 (2017).

    Examples
    --------
    >>> truth = np.array([[1, 1, 0, 2, 2, 2]])
    >>> merged = np.array([[1, 1, 1, 1, 1, 1]])
    >>> scores = cell_scores(merged, truth)
    >>> scores.truth_cells, scores.predicted_cells, scores.merges, round(scores.seg, 2)
    (2, 1, 1, 0.42)
    """
    return table_scores(contingency(prediction, truth, ignore), iou)


def table_scores(table: Contingency, iou: float = 0.5) -> CellScores:
    """Score a contingency table that was counted before; see `cell_scores`."""
    matching = match(table, iou)
    kinds = cell_kinds(table, match(table, 0.5))
    return CellScores(
        truth_cells=matching.true_positives + matching.missed.size,
        predicted_cells=matching.true_positives + matching.false.size,
        true_positives=matching.true_positives,
        false_positives=matching.false.size,
        false_negatives=matching.missed.size,
        precision=matching.precision,
        recall=matching.recall,
        f1=matching.f1,
        mean_iou=matching.mean_iou,
        seg=seg(table),
        panoptic_quality=match(table, _ABOVE_HALF).panoptic_quality,
        aggregated_jaccard=aggregated_jaccard(table),
        average_precision=tuple(match(table, threshold).average_precision for threshold in IOU_THRESHOLDS),
        splits=len(kinds.splits),
        merges=len(kinds.merges),
        missed=int((kinds.truth == CellKind.MISSED).sum()),
        false=int((kinds.prediction == CellKind.FALSE).sum()),
    )


def average_precision(
    prediction: ArrayLike, truth: ArrayLike, iou: float = 0.5, ignore: ArrayLike | None = None
) -> float:
    """Share of cells that are right: TP / (TP + FP + FN) at one IoU threshold [1]_.

    Parameters
    ----------
    prediction, truth : (Y, X) or (Z, Y, X) integer array
        Label images of the same shape, 0 = background.
    iou : float
        A pair counts as found when its intersection over union is at least this.
    ignore : bool array, optional
        Of the same shape; its pixels are ignored.

    Returns
    -------
    float
        0 to 1; 1 when both images are empty.

    References
    ----------
    .. [1] Caicedo et al., "Nucleus segmentation across imaging experiments: the 2018 Data Science Bowl",
       Nature Methods 16:1247 (2019).

    Examples
    --------
    >>> truth = np.array([[1, 1, 0, 2, 2, 2]])
    >>> average_precision([[1, 1, 0, 2, 2, 2]], truth), average_precision([[1, 1, 0, 2, 0, 3]], truth)
    (1.0, 0.25)
    """
    return match(contingency(prediction, truth, ignore), iou).average_precision


def cell_jaccards(table: Contingency) -> Float64Array:
    """Return what each reference object adds to SEG: the IoU with the prediction that covers it, or 0.

    Returns
    -------
    (T,) float array
        In the order of the sorted reference ids; NaN for objects that mostly lie in the ignored region.
    """
    overlaps = table.overlaps
    covering = 2 * overlaps.shared > table.truth_areas[overlaps.columns]
    jaccard = np.zeros(table.truth_ids.size)
    jaccard[overlaps.columns[covering]] = overlaps.iou[covering]
    jaccard[~table.truth_counted & (jaccard == 0)] = np.nan
    return jaccard[1:]


def seg(table: Contingency) -> float:
    """Compute SEG of the Cell Tracking Challenge; see `cell_scores`."""
    jaccard = cell_jaccards(table)
    judged = jaccard[~np.isnan(jaccard)]
    return float(judged.mean()) if judged.size else float("nan")


def aggregated_jaccard(table: Contingency) -> float:
    """Compute the aggregated Jaccard index (AJI); see `cell_scores`."""
    overlaps = table.overlaps
    # The largest IoU of each reference object comes last; of equal ones the larger intersection.
    order = np.lexsort((overlaps.shared, overlaps.iou, overlaps.columns))
    columns = overlaps.columns[order]
    last = order[np.flatnonzero(np.append(columns[1:] != columns[:-1], True))] if order.size else order
    shared = overlaps.shared[last]
    predicted = table.prediction_areas[overlaps.rows[last]]
    union = table.truth_areas[overlaps.columns[last]] + predicted - shared
    unused = table.prediction_counted.copy()
    unused[overlaps.rows[last]] = False
    alone = table.truth_counted.copy()
    alone[overlaps.columns[last]] = False
    whole = union.sum() + table.prediction_areas[unused].sum() + table.truth_areas[alone].sum()
    return ratio(float(shared.sum()), float(whole))
