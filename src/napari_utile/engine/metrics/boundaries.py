"""Scores of boundaries and regions, as in the ISBI 2012 challenge on neuronal structures.

The challenge ranked by pixel, Rand and warping error, each at the best threshold of a probability map; its
organisers later preferred V-Rand and V-Info, restricted to the foreground, after thinning the predicted
borders.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from napari_utile.engine.metrics.contingency import Contingency, as_ignored, as_labels, contingency
from napari_utile.engine.metrics.regions import rand_error, v_info, v_rand
from napari_utile.engine.metrics.thinning import thin_borders
from napari_utile.engine.metrics.warping import warping_error

THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


@dataclass(frozen=True)
class BoundaryScores:
    """Scores of one segmentation; see `boundary_scores`.

    Attributes
    ----------
    pixel_error, rand_error, warping_error
        0 is best.
    v_rand, v_info
        1 is best.
    """

    pixel_error: float
    rand_error: float
    warping_error: float
    v_rand: float
    v_info: float


@dataclass(frozen=True)
class SweepScores:
    """Boundary scores of one probability map over thresholds.

    Attributes
    ----------
    thresholds
        The thresholds tried.
    scores
        One for each.
    best
        Each score at its own best threshold.
    best_thresholds
        Name of the score -> the lowest of its best thresholds.
    """

    thresholds: tuple[float, ...]
    scores: tuple[BoundaryScores, ...]
    best: BoundaryScores
    best_thresholds: dict[str, float]


def boundary_scores(
    prediction: ArrayLike,
    truth: ArrayLike,
    ignore: ArrayLike | None = None,
    max_displacement: int | None = 5,
    table: Contingency | None = None,
) -> BoundaryScores:
    """Compare the boundaries and regions of two label images.

    Parameters
    ----------
    prediction, truth
        (..., Y, X) integer label images of the same shape, 0 = background and borders. Warping and thinning
        look at one (Y, X) plane at a time.
    ignore
        Boolean array of the same shape; its pixels are ignored.
    max_displacement
        How far, in pixels, a boundary may be warped; see `warping.warping_error`.
    table
        The contingency table of just these arguments, where it was counted before.

    Notes
    -----
    - Pixel error: share of pixels that are foreground (id > 0) in one image and not in the other.
    - Rand error: see `regions.rand_error`.
    - Warping error: see `warping.warping_error`; touching labels are first separated by a line of background.
    - V-Rand and V-Info: see `regions.v_rand`; predicted borders are first thinned by `thinning.thin_borders`.
    """
    predicted, reference = as_labels(prediction, "prediction"), as_labels(truth, "truth")
    if predicted.ndim < 2:
        raise ValueError(f"boundaries need images of at least two axes, got shape {predicted.shape}")
    table = table or contingency(predicted, reference, ignore)
    thinned = contingency(_thinned_where_it_counts(predicted, reference), reference, ignore)
    return BoundaryScores(
        pixel_error=pixel_error(table),
        rand_error=rand_error(table),
        warping_error=_warping_error_of_labels(predicted, reference, ignore, max_displacement),
        v_rand=v_rand(thinned),
        v_info=v_info(thinned),
    )


def boundary_sweep(
    probability: ArrayLike,
    truth: ArrayLike,
    ignore: ArrayLike | None = None,
    thresholds: Sequence[float] = THRESHOLDS,
    max_displacement: int | None = 5,
) -> SweepScores:
    """Score a probability map at each threshold and find the best of each score.

    Parameters
    ----------
    probability
        (Y, X) probability of the foreground (of the cells, not of the borders).
    truth
        (Y, X) integer labels, or a boolean foreground whose 4-connected components are the objects.
    ignore, max_displacement
        See `boundary_scores`.
    thresholds
        The foreground is where the probability is above; its 4-connected components are the predicted
        objects.
    """
    if len(thresholds) == 0:
        raise ValueError("a sweep needs at least one threshold")
    values = np.asarray(probability)
    reference = as_labels(truth, "truth") if np.asarray(truth).dtype != bool else components(truth)
    scores = tuple(
        boundary_scores(components(values > threshold), reference, ignore, max_displacement)
        for threshold in thresholds
    )
    best, best_thresholds = {}, {}
    for field in fields(BoundaryScores):
        column = np.array([getattr(one, field.name) for one in scores])
        sign = 1 if field.name in ("v_rand", "v_info") else -1
        index = int(np.nanargmax(sign * column)) if not np.isnan(column).all() else 0
        best[field.name] = float(column[index])
        best_thresholds[field.name] = float(thresholds[index])
    return SweepScores(tuple(map(float, thresholds)), scores, BoundaryScores(**best), best_thresholds)


def pixel_error(table: Contingency) -> float:
    """Share of pixels that are foreground in one image and background in the other; NaN without a pixel."""
    differing = table.counts[(table.rows > 0) != (table.columns > 0)].sum()
    return float(differing / table.pixels) if table.pixels else float("nan")


def components(foreground: ArrayLike) -> NDArray[np.integer]:
    """Label the 4-connected components of a boolean image."""
    labels, _ = ndimage.label(np.asarray(foreground))
    return np.asarray(labels)


def separate(labels: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Return the foreground of (Y, X) labels with a line of background between labels that touch."""
    background: NDArray[np.bool_] = labels == 0
    foreground = ~background
    foreground[:-1] &= (labels[:-1] == labels[1:]) | background[1:]
    foreground[:, :-1] &= (labels[:, :-1] == labels[:, 1:]) | background[:, 1:]
    return foreground


def _warping_error_of_labels(
    predicted: NDArray[np.integer],
    reference: NDArray[np.integer],
    ignore: ArrayLike | None,
    max_displacement: int | None,
) -> float:
    masks = None if ignore is None else _planes(as_ignored(ignore))
    errors, pixels = [], []
    for index, (one, other) in enumerate(zip(_planes(predicted), _planes(reference), strict=True)):
        mask = None if masks is None else masks[index]
        counted = one.size if mask is None else one.size - int(mask.sum())
        if counted:
            errors.append(warping_error(separate(one), separate(other), mask, max_displacement))
            pixels.append(counted)
    return float(np.average(errors, weights=pixels)) if pixels else float("nan")


def _planes(array: NDArray[Any]) -> NDArray[Any]:
    """Return the (N, Y, X) planes of an array (..., Y, X); -1 for N would not do where there is no pixel."""
    return array.reshape(math.prod(array.shape[:-2]), *array.shape[-2:])


def _thinned_where_it_counts(
    predicted: NDArray[np.integer], reference: NDArray[np.integer]
) -> NDArray[np.integer]:
    """Thin the borders inside the reference's foreground, the only place where V-Rand and V-Info look."""
    if predicted.shape != reference.shape:
        raise ValueError(f"prediction has shape {predicted.shape} but truth has shape {reference.shape}")
    planes = [
        thin_borders(one, other > 0)
        for one, other in zip(_planes(predicted), _planes(reference), strict=True)
    ]
    if len(planes) == 1:
        return planes[0].reshape(predicted.shape)  # without a copy
    return np.stack(planes).reshape(predicted.shape) if planes else predicted
