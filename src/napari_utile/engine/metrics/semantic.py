"""The four scores of semantic segmentation of the FCN paper."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from napari_utile.engine.metrics.contingency import contingency


@dataclass(frozen=True)
class SemanticScores:
    """Agreement of class maps; each is 0 to 1, NaN without a pixel. See `semantic_scores`."""

    pixel_accuracy: float
    mean_accuracy: float
    mean_iu: float
    frequency_weighted_iu: float


def semantic_scores(
    prediction: ArrayLike, truth: ArrayLike, ignore: ArrayLike | None = None
) -> SemanticScores:
    """Compare two class maps by the four scores of the FCN paper [1]_.

    Parameters
    ----------
    prediction, truth
        Integer or boolean arrays of the same shape holding class ids; 0 is a class like any other.
    ignore
        Boolean array of the same shape; its pixels are ignored.

    Notes
    -----
    With n_ij the pixels of class i predicted as class j and t_i the pixels of class i:

    - pixel accuracy = sum_i n_ii / sum_i t_i
    - mean accuracy = mean of n_ii / t_i over the classes in the reference
    - mean IU = mean of n_ii / (t_i + sum_j n_ji - n_ii) over the classes in either
    - frequency-weighted IU = sum_i t_i IU_i / sum_i t_i

    References
    ----------
    .. [1] Long, Shelhamer, Darrell, "Fully Convolutional Networks for Semantic Segmentation", CVPR (2015).
    """
    table = contingency(prediction, truth, ignore)
    if table.pixels == 0:
        return SemanticScores(*[float("nan")] * 4)
    classes = np.union1d(table.prediction_ids, table.truth_ids)
    predicted, reference, right = (np.zeros(classes.size) for _ in range(3))
    predicted[np.searchsorted(classes, table.prediction_ids)] = table.prediction_areas
    reference[np.searchsorted(classes, table.truth_ids)] = table.truth_areas
    same = table.prediction_ids[table.rows] == table.truth_ids[table.columns]
    right[np.searchsorted(classes, table.prediction_ids[table.rows[same]])] = table.counts[same]

    there, either = reference > 0, (predicted + reference) > 0
    iu = right[either] / (predicted + reference - right)[either]
    return SemanticScores(
        pixel_accuracy=float(right.sum() / table.pixels),
        mean_accuracy=float((right[there] / reference[there]).mean()),
        mean_iu=float(iu.mean()),
        frequency_weighted_iu=float(reference[either] @ iu / table.pixels),
    )
