"""How sure the model is of each labelled cell, whoever drew it."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_utile.engine.arrays import IntArray
from napari_utile.engine.cells.instances import CutSides
from napari_utile.engine.planes.spread import spread
from napari_utile.engine.windows import Window

# Probability this near outside a cell counts as cell that the label misses. Pixels.
RING = 2

MOST_PIXELS = 4_000_000
"""Of larger results only blocks are rated, so that rating costs next to nothing."""
BLOCK = 1024

# Chosen on images of `../shared/data` (see benchmarks/cell_size.py).
SIZE_WEIGHT = 0.05
"""What an octave between the cells found and the cells that the model knows takes from the score."""
FEW_WEIGHT = 0.3
"""What is taken from the score of a single cell; of n cells, that over the root of n."""
FEW_OF_DEPTH = 0.1
"""The same, where cells are rated by their depth."""


def confidences(
    labels: IntArray, probability: NDArray[np.floating[Any]]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Rate how well each labelled cell agrees with the probability.

    The confidence of a cell is the expected overlap of its label and the cell that the model sees: the
    probability summed over the label, divided by the number of its pixels plus the probability in the
    unlabelled ring around it. 1 is a cell whose every pixel is certain and that nothing likely surrounds;
    a missed half, a doubtful border or a label on background lower it.

    Parameters
    ----------
    labels : (Y, X) integer array
        0 is background.
    probability : (Y, X) float array
        Cell probability, 0..1; NaN counts as 0.

    Returns
    -------
    ids : (N,) int64 array
        The labels found, ascending.
    confidence : (N,) float64 array
        0..1.

    Raises
    ------
    ValueError
        If the shapes differ.
    """
    labels = np.asarray(labels)
    if labels.shape != np.shape(probability):
        raise ValueError(f"The labels have shape {labels.shape}, the probability {np.shape(probability)}.")
    likely = np.clip(np.nan_to_num(np.asarray(probability, dtype=np.float64)), 0, 1)
    ids, inverse = np.unique(labels, return_inverse=True)
    numbers = inverse.reshape(labels.shape)
    if ids.size and ids[0] != 0:
        numbers = numbers + 1
        ids = np.concatenate([[0], ids])
    count = ids.size
    area = np.bincount(numbers.ravel(), minlength=count)
    inside = np.bincount(numbers.ravel(), weights=likely.ravel(), minlength=count)
    owner = _with_ring(numbers, RING)
    ring = np.bincount(owner.ravel(), weights=likely.ravel(), minlength=count) - inside
    confidence = inside / np.maximum(area + ring, 1e-9)
    return ids[1:].astype(np.int64), np.clip(confidence[1:], 0, 1)


def depths(
    labels: IntArray, edge: NDArray[np.floating[Any]]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Say how deep a network sees each labelled cell: its largest predicted distance to an edge.

    A network that knows a cell predicts 1 in its middle, as it was taught; of what it does not know it predicts
    less, however likely it holds it for a cell.

    Parameters
    ----------
    labels : (Y, X) integer array
        0 is background.
    edge : (Y, X) float array
        The output B, the distance to the edge as a share of the largest in a cell; NaN counts as 0.

    Returns
    -------
    ids : (N,) int64 array
        The labels found, ascending.
    depth : (N,) float64 array
        0..1.
    """
    inside = np.flatnonzero(labels)
    ids, cell = np.unique(np.asarray(labels).ravel()[inside], return_inverse=True)
    deepest = np.zeros(ids.size)
    np.maximum.at(deepest, cell.ravel(), np.nan_to_num(np.asarray(edge).ravel()[inside]))
    return ids.astype(np.int64), np.clip(deepest, 0, 1)


def depth_score(depth: NDArray[np.float64], share: float = 1.0) -> float:
    """Rate cells by how deep a model sees them: the mean, less for few cells.

    Parameters
    ----------
    depth : (N,) float array
        Of at least one cell, see `depths`.
    share : float
        As for `score_of`.
    """
    return float(depth.mean()) - FEW_OF_DEPTH / math.sqrt(depth.size / math.sqrt(share))


def score_of(
    confidence: NDArray[np.float64],
    area: NDArray[np.floating[Any]],
    expected: float | None,
    share: float = 1.0,
) -> tuple[float, float]:
    """Rate cells that a model found: their mean confidence, less for a size that is not the model's, and for few cells.

    Parameters
    ----------
    confidence, area : (N,) float array
        Of at least one cell; see `confidences`. Pixels.
    expected : float or None
        Diameter (pixels) of the cells that the model knows; None where it does not say.
    share : float
        The part of the image in which they were looked for, 0..1. There are more in all of it, but they were not
        seen: n cells count as n over the root of the share.

    Returns
    -------
    score : float
    diameter : float
        The median. Pixels.
    """
    diameter = float(np.median(2 * np.sqrt(area / np.pi)))
    off = abs(math.log2(diameter / expected)) if expected is not None else 0.0
    score = (
        float(confidence.mean()) - SIZE_WEIGHT * off - FEW_WEIGHT / math.sqrt(area.size / math.sqrt(share))
    )
    return score, diameter


def confidence_of(
    labels: IntArray,
    foreground: NDArray[np.floating[Any]],
    expected: float | None,
    edge: NDArray[np.floating[Any]] | None = None,
) -> tuple[float | None, int]:
    """Rate the cells of a result; of large ones, those in blocks of it.

    Parameters
    ----------
    labels : (Y, X) integer array
    foreground : (Y, X) float array
        That a pixel belongs to a cell, 0..1.
    expected : float or None
        Diameter (pixels) of the cells that the model knows.
    edge : (Y, X) float array, optional
        The output B of models that predict distances.

    Returns
    -------
    score : float or None
        See `depth_score` where there is an edge, else `score_of`; None where no cell was found.
    cells : int
        How many were rated.
    """
    shape = labels.shape
    blocks = [Window.whole(shape)]
    if labels.size > MOST_PIXELS:
        every = [each.clipped(shape) for each in Window.whole(shape).blocks(BLOCK)]
        blocks = [every[place] for place in spread(len(every), MOST_PIXELS // BLOCK**2)]
    rated, area = [np.zeros(0)], [np.zeros(0)]
    for block in blocks:
        inside = np.asarray(labels[block])
        (top, left), (bottom, right) = block.start, block.stop
        rim = CutSides(top > 0, bottom < shape[0], left > 0, right < shape[1]).rim(inside.shape)
        ids, rating = confidences(inside, foreground[block]) if edge is None else depths(inside, edge[block])
        pixels = np.bincount(np.searchsorted(ids, inside[inside > 0]), minlength=ids.size)
        whole = ~np.isin(ids, inside[rim])
        rated.append(rating[whole])
        area.append(pixels[whole].astype(np.float64))
    values = np.concatenate(rated)
    if not values.size:
        return None, 0
    score = depth_score(values) if edge is not None else score_of(values, np.concatenate(area), expected)[0]
    return score, int(values.size)


def _with_ring(numbers: NDArray[np.intp], width: int) -> NDArray[np.intp]:
    """Give background pixels within `width` steps of a label to it; the lowest number where several are as near."""
    grown = numbers.copy()
    far = np.iinfo(grown.dtype).max
    for _ in range(width):
        padded = np.pad(np.where(grown > 0, grown, far), 1, constant_values=far)
        nearest = np.minimum.reduce(
            [padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:]]
        )
        grown = np.where((grown == 0) & (nearest < far), nearest, grown)
    return grown
