"""Where the loss would push: how the weight of a map is shared out, and which gaps carry most of it."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_utile.engine.arrays import Float32Array
from napari_utile.engine.weights.nearest_cells import nearest_ids_within
from napari_utile.engine.weights.weight_map import WeightMap

_SMALLEST_PROBABILITY = 1e-7
"""Keeps the logarithm of a probability that was rounded to 0 finite."""


@dataclass(frozen=True)
class GapShare:
    """The share of one gap between two cells.

    Attributes
    ----------
    cells : (int, int)
        Their ids, the smaller one first.
    position : (float, float)
        Row and column of the gap's heaviest pixel.
    share : float
        Of the whole sum, 0 to 1.
    peak : float
        The largest border weight in the gap.
    """

    cells: tuple[int, int]
    position: tuple[float, float]
    share: float
    peak: float


@dataclass(frozen=True)
class LossBudget:
    """How the sum over all pixels of weight, or of weighted cross-entropy, is shared out.

    Attributes
    ----------
    sum : float
        Over all pixels.
    mean : float
        Per pixel.
    borders, background, cells : float
        Shares of the border term and of the class term outside and inside cells; they sum to 1.
    gaps : tuple of GapShare
        The pairs of cells whose gaps carry most, the heaviest first.
    loss : (Y, X) float32 array or None
        Weighted cross-entropy of each pixel, where probabilities were given.
    """

    sum: float
    mean: float
    borders: float
    background: float
    cells: float
    gaps: tuple[GapShare, ...]
    loss: Float32Array | None = field(default=None, repr=False, compare=False)


def loss_budget(weights: WeightMap, probabilities: Any = None, largest: int = 50) -> LossBudget:
    """Share out the weights, or with probabilities the weighted cross-entropy.

    Parameters
    ----------
    weights : WeightMap
    probabilities : (Y, X) or (2, Y, X) array, optional
        The probability of being a cell, or of background and cell, 0 to 1.
    largest : int
        The number of gaps to list.

    Returns
    -------
    LossBudget

    Raises
    ------
    ValueError
        Where the probabilities have another shape or lie outside 0 to 1.
    """
    inside = weights.cells != 0
    entropy = None if probabilities is None else cross_entropy(inside, probabilities)
    border = weights.border if entropy is None else weights.border * entropy
    class_term = weights.class_balance if entropy is None else weights.class_balance * entropy
    borders = float(border.sum(dtype=np.float64))
    cells = float(class_term.sum(dtype=np.float64, where=inside))
    background = float(class_term.sum(dtype=np.float64, where=~inside))
    total = borders + cells + background
    scale = 1 / total if total > 0 else 0.0
    return LossBudget(
        total,
        total / max(inside.size, 1),
        borders * scale,
        background * scale,
        cells * scale,
        _heaviest_gaps(weights, border, scale, largest),
        None if entropy is None else border + class_term,
    )


def cross_entropy(inside: NDArray[np.bool_], probabilities: Any) -> Float32Array:
    """Give ``-log p`` of every pixel's true class.

    Parameters
    ----------
    inside : (Y, X) bool array
        True for cells.
    probabilities : (Y, X) or (2, Y, X) array
        As for `loss_budget`.
    """
    cell = np.asarray(probabilities, dtype=np.float32)
    if cell.ndim == 3:
        cell = cell[-1]
    if cell.shape != inside.shape:
        raise ValueError(
            f"The probabilities have the shape {cell.shape}, the labels {inside.shape}; they must agree."
        )
    if cell.size and not (np.min(cell) >= 0 and np.max(cell) <= 1):
        raise ValueError(f"Probabilities lie between 0 and 1; got {np.min(cell):g} to {np.max(cell):g}.")
    right = np.where(inside, cell, 1 - cell)
    return np.asarray(-np.log(np.maximum(right, np.float32(_SMALLEST_PROBABILITY))), np.float32)


def _heaviest_gaps(
    weights: WeightMap, border: Float32Array, scale: float, largest: int
) -> tuple[GapShare, ...]:
    flat = np.flatnonzero(border)
    if not len(flat) or largest <= 0:
        return ()
    first, second = nearest_ids_within(weights.cells, weights.params.reach, weights.aspect)
    ids, numbers = np.unique(np.stack([first.ravel()[flat], second.ravel()[flat]]), return_inverse=True)
    low, high = np.sort(numbers.reshape(2, -1), axis=0)
    pairs, group = np.unique(low * len(ids) + high, return_inverse=True)
    mass = border.ravel()[flat]
    sums = np.bincount(group, weights=mass, minlength=len(pairs))
    gaps = []
    for place in np.argsort(-sums, kind="stable")[:largest]:
        members = flat[group == place]
        peak = members[np.argmax(border.ravel()[members])]
        row, column = divmod(int(peak), border.shape[1])
        cells = int(ids[pairs[place] // len(ids)]), int(ids[pairs[place] % len(ids)])
        height = float(weights.border.ravel()[members].max())
        gaps.append(GapShare(cells, (float(row), float(column)), float(sums[place]) * scale, height))
    return tuple(gaps)
