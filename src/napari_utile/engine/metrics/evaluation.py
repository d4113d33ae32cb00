"""Everything that is scored of one segmentation against its reference, and means over many."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from napari_utile.engine.metrics.boundaries import BoundaryScores, boundary_scores
from napari_utile.engine.metrics.cells import IOU_THRESHOLDS, CellScores, table_scores
from napari_utile.engine.metrics.contingency import Contingency, as_labels, contingency
from napari_utile.engine.metrics.semantic import SemanticScores, semantic_scores
from napari_utile.engine.parameters import Bounds, Parameter, checked_value


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The scores of one prediction.

    Attributes
    ----------
    name
        Of the image.
    cells, boundaries, semantic
        Scores of the instances, of boundaries and regions, and of foreground against background.
    table
        The contingency table that they came from.
    """

    name: str
    cells: CellScores
    boundaries: BoundaryScores
    semantic: SemanticScores
    table: Contingency

    @property
    def scores(self) -> dict[str, float]:
        """All scores by name; see `glossary.GLOSSARY` for what they mean."""
        cells, boundaries, semantic = self.cells, self.boundaries, self.semantic
        thresholds = (f"ap{round(100 * threshold)}" for threshold in IOU_THRESHOLDS)
        return {
            "seg": cells.seg,
            "ap50": cells.ap50,
            "ap75": cells.ap75,
            "mean_ap": cells.mean_ap,
            "f1": cells.f1,
            "precision": cells.precision,
            "recall": cells.recall,
            "mean_iou": cells.mean_iou,
            "pq": cells.panoptic_quality,
            "aji": cells.aggregated_jaccard,
            "truth_cells": cells.truth_cells,
            "predicted_cells": cells.predicted_cells,
            "splits": cells.splits,
            "merges": cells.merges,
            "missed": cells.missed,
            "false": cells.false,
            "pixel_error": boundaries.pixel_error,
            "rand_error": boundaries.rand_error,
            "warping_error": boundaries.warping_error,
            "v_rand": boundaries.v_rand,
            "v_info": boundaries.v_info,
            "pixel_accuracy": semantic.pixel_accuracy,
            "mean_accuracy": semantic.mean_accuracy,
            "mean_iu": semantic.mean_iu,
            "frequency_weighted_iu": semantic.frequency_weighted_iu,
            **dict(zip(thresholds, cells.average_precision, strict=True)),
        }


def evaluate(
    prediction: ArrayLike,
    truth: ArrayLike,
    ignore: ArrayLike | None = None,
    iou: float = 0.5,
    max_displacement: int | None = 5,
    name: str = "",
) -> Evaluation:
    """Score a label image against its reference.

    Parameters
    ----------
    prediction, truth
        Integer label images of the same shape, 0 = background. Objects of (Z, Y, X) volumes are volumes;
        warping and border thinning look at one plane at a time.
    ignore
        Boolean array of the same shape; its pixels are ignored.
    iou
        Threshold at which a cell counts as found, for F1, precision, recall and mean matched IoU.
    max_displacement
        How far, in pixels, the warping error lets a boundary move.
    name
        Of the image, for tables.

    Returns
    -------
    Evaluation
        ``evaluate(...).scores["seg"]``.

    Raises
    ------
    ValueError
        If shapes differ, labels are not whole numbers of at least 0, or `iou` is not in (0, 1].
    """
    max_displacement = checked_value(Parameter("max_displacement", int, True, 5, Bounds(0)), max_displacement)
    predicted, reference = as_labels(prediction, "prediction"), as_labels(truth, "truth")
    table = contingency(predicted, reference, ignore)
    return Evaluation(
        name,
        table_scores(table, iou),
        boundary_scores(predicted, reference, ignore, max_displacement, table),
        semantic_scores(predicted > 0, reference > 0, ignore),
        table,
    )


def mean_scores(scores: Sequence[dict[str, float]]) -> dict[str, float]:
    """Average each score over images; images where it is undefined (NaN) do not count."""
    if not scores:
        return {}
    means = {}
    for name in scores[0]:
        values = [one[name] for one in scores if not math.isnan(one[name])]
        means[name] = float(np.mean(values)) if values else float("nan")
    return means
