"""How well two partitions of the pixels agree: Rand error, V-Rand, V-Info.

All are restricted to the foreground of the reference: pixels whose reference id is 0 (background, borders)
and ignored pixels are left out. What is undefined without any such pixel is NaN.
"""

import numpy as np

from napari_utile.engine.arrays import Float64Array
from napari_utile.engine.metrics.contingency import Contingency


def rand_error(table: Contingency) -> float:
    """Compute the adapted Rand error: 1 - F-score of the pairs of pixels that lie in one object [1]_ [2]_.

    Of all pairs of different foreground pixels, precision is the share of those together in the prediction
    that are together in the reference, recall the share of those together in the reference that are
    together in the prediction. Predicted background is one object, as in scikit-image's
    ``adapted_rand_error``.

    Returns
    -------
    float
        0 (the partitions are equal) to 1; NaN where the reference has no foreground.

    References
    ----------
    .. [1] Rand, "Objective criteria for the evaluation of clustering methods", JASA 66:846 (1971).
    .. [2] Arganda-Carreras et al., "Crowdsourcing the creation of image segmentation algorithms for
       connectomics", Front. Neuroanat. 9:142 (2015).
    """
    joint, predicted, reference, alone = _sizes(table, background_is_alone=False)
    pixels = joint.sum() + alone
    if pixels == 0:
        return float("nan")
    together = joint @ joint - pixels
    either = (predicted @ predicted + reference @ reference) / 2 - pixels
    return float(1 - together / either) if either > 0 else 0.0


def v_rand(table: Contingency) -> float:
    """Compute the foreground-restricted V-Rand [1]_; call it on a prediction with thinned borders.

    With p_ij, s_i and t_j the shares of the reference's foreground in both, in predicted and in reference
    objects, V-Rand = sum p_ij² / (sum s_i² / 2 + sum t_j² / 2). Each predicted background pixel is an
    object of its own, as in the organisers' program.

    References
    ----------
    .. [1] Arganda-Carreras et al., Front. Neuroanat. 9:142 (2015).
    """
    joint, predicted, reference, alone = _sizes(table, background_is_alone=True)
    if reference.size == 0:
        return float("nan")
    together = joint @ joint + alone
    return float(2 * together / (predicted @ predicted + alone + reference @ reference))


def v_info(table: Contingency) -> float:
    """Compute the foreground-restricted V-Info [1]_; call it on a prediction with thinned borders.

    V-Info = I(S; T) / (H(S) / 2 + H(T) / 2), with the mutual information I and the entropies H of the
    predicted (S) and the reference (T) partition; 1 where both have a single object. Each predicted
    background pixel is an object of its own.

    References
    ----------
    .. [1] Arganda-Carreras et al., Front. Neuroanat. 9:142 (2015).
    """
    joint, predicted, reference, alone = _sizes(table, background_is_alone=True)
    if reference.size == 0:
        return float("nan")
    pixels = reference.sum()
    singles = alone * np.log(pixels) / pixels
    predicted_entropy = _entropy(predicted, pixels) + singles
    reference_entropy = _entropy(reference, pixels)
    shared = max(predicted_entropy + reference_entropy - _entropy(joint, pixels) - singles, 0.0)
    whole = predicted_entropy + reference_entropy
    # Rounding leaves entropies of about 1e-16 where there is a single object.
    return float(min(2 * shared / whole, 1.0)) if whole > 1e-12 else 1.0


def _sizes(
    table: Contingency, background_is_alone: bool
) -> tuple[Float64Array, Float64Array, Float64Array, float]:
    """Pixels in both, in predicted and in reference objects; and how many are an object of their own."""
    inside = table.columns > 0
    rows, columns, counts = table.rows[inside], table.columns[inside], table.counts[inside].astype(float)
    reference = np.bincount(columns, counts).astype(float)
    kept = rows > 0 if background_is_alone else np.ones(rows.size, bool)
    predicted = np.bincount(rows[kept], counts[kept]).astype(float)
    return (
        counts[kept],
        predicted[predicted > 0],
        reference[reference > 0],
        float(counts[~kept].sum()),
    )


def _entropy(sizes: Float64Array, pixels: float) -> float:
    return float(-(sizes / pixels) @ np.log(sizes / pixels))
