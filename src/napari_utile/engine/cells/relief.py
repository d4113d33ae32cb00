"""The relief whose basins are cells: from the cell probability, or from predicted distances.

Distances to a cell's edge (B) and centre (C), each as a share of its largest in the cell [1]_, make a hill of every
cell, however crowded and whatever its size; the probability dips between cells only where the network learnt a gap.

References
----------
.. [1] K. J. Cutler et al., "Omnipose: a high-precision morphology-independent solution for bacterial cell
       segmentation", Nature Methods 19, 2022, for distances as outputs of a network.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_utile.engine.arrays import BoolArray, Float32Array
from napari_utile.engine.cells.distance import distance_to_background

# How much a dip of the probability counts beside a narrow outline; chosen on training images.
PROBABILITY_POWER = 2.0
# A strip of rows stays in the processor's cache.
_ROWS_AT_ONCE = 64

HEIGHT_SIGMA = 1.0
"""Predicted distances are smoothed that much (pixels): noise must not make summits of its own."""
HEIGHT_REACH = 4
"""Pixels around a pixel that its height depends on."""


def climbing_relief(
    mask: BoolArray,
    probability: Float32Array,
    outside: float = 0,
    height: Float32Array | None = None,
    limit: int = 64,
    depth: float = 1.0,
) -> Float32Array:
    """Return the relief of a mask, by default the distance to the background times the cell probability squared.

    Parameters
    ----------
    mask : (Y, X) or (Z, Y, X) bool array
    probability : float32 array
        Cell probability, 0..1.
    outside : float
        Height of the background.
    height : float32 array, optional
        From `height_of`; it is the relief then, and neither distance nor probability counts.
    limit : int
        Distances are counted up to this (pixels).
    depth : float
        From one plane of a volume to the next (pixels).

    Returns
    -------
    float32 array
    """
    if height is not None:
        return np.where(mask, height, np.float32(outside))
    relief = distance_to_background(mask, limit, depth)
    for top in range(0, mask.shape[0], _ROWS_AT_ONCE):
        rows = slice(top, top + _ROWS_AT_ONCE)
        likely = np.minimum(np.fmax(probability[rows], 0), 1)  # NaN is 0
        relief[rows] *= likely**PROBABILITY_POWER
        if outside:
            relief[rows] += ~mask[rows] * np.float32(outside)
    return relief


def height_of(edge: NDArray[Any], centre: NDArray[Any], depth: float = 1.0) -> Float32Array:
    """Return how high a pixel lies on its cell's hill: ``(B + 1 - C) / 2``, lightly smoothed.

    A pixel's height depends on the pixels within `HEIGHT_REACH` and not on where it lies in the array, so a window
    with that margin gives the same bits as the whole plane. Beyond the array its border is mirrored.

    Parameters
    ----------
    edge : (Y, X) or (Z, Y, X) float array
        B: 0 at a cell's edge, 1 where it is deepest.
    centre : float array
        C: 0 at a cell's centre, 1 where it is farthest from it and on the background.
    depth : float
        From one plane of a volume to the next (pixels).

    Returns
    -------
    float32 array
        0..1.
    """
    return smoothed(unsmoothed_height(edge, centre), depth)


def unsmoothed_height(edge: NDArray[Any], centre: NDArray[Any]) -> Float32Array:
    """Return ``(B + 1 - C) / 2``, pixel by pixel: what `smoothed` makes the height of."""
    height: Float32Array = ((1 + edge - centre) / 2).astype(np.float32)
    return np.nan_to_num(height, copy=False)


def smoothed(height: Float32Array, depth: float = 1.0) -> Float32Array:
    """Smooth a height (Y, X) or (Z, Y, X): each pixel by itself, by those within `HEIGHT_REACH`."""
    for axis in range(height.ndim):
        step = depth if axis == height.ndim - 3 else 1.0
        weights = np.exp(-0.5 * (np.arange(-HEIGHT_REACH, HEIGHT_REACH + 1) * step / HEIGHT_SIGMA) ** 2)
        height = ndimage.correlate1d(height, weights / weights.sum(), axis=axis, mode="reflect")
    return height
