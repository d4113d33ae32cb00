"""Outlines of labelled objects: their length, and what they touch."""

import math

import numpy as np
from numpy.typing import NDArray

from napari_utile.engine.arrays import Float64Array, Int64Array

_FORWARD = ((0, 1), (1, 0), (1, 1), (1, -1))
_REACH = 2
"""Rows and columns between pixels of neighbours, at most: room for a line of background."""


def perimeters(
    labels: NDArray[np.integer], ids: Int64Array, pixel_size: tuple[float, float] = (1.0, 1.0)
) -> Float64Array:
    """Measure the outline of each object by the Crofton formula [1]_.

    Lines in four directions are drawn through all pixel centres; the more of them an outline crosses, the
    longer it is. The outline of a hole counts too. Within some percent for shapes of more than a few pixels.

    Parameters
    ----------
    labels
        (Y, X) integer labels.
    ids
        (N,) sorted label ids without 0.
    pixel_size
        Height and width of a pixel.

    Returns
    -------
    (N,) float array
        In the unit of the pixel size.

    References
    ----------
    .. [1] Legland, Kiêu, Devaux, "Computation of Minkowski measures on 2D and 3D binary images", Image
       Analysis & Stereology 26:83 (2007).
    """
    height, width = pixel_size
    diagonal = math.atan2(height, width)
    spacing = height * width / math.hypot(height, width)
    # For each direction: the angle that it stands for times the distance of its lines.
    slanted = math.pi / 4 * spacing
    weights = (diagonal * height, (math.pi / 2 - diagonal) * width, slanted, slanted)
    padded = np.pad(labels, 1)
    length = np.zeros(ids.size)
    for (dy, dx), weight in zip(_FORWARD, weights, strict=True):
        here, there = _shifted(padded, dy, dx)
        differing = here != there
        length += weight / 2 * (_count(here[differing], ids) + _count(there[differing], ids))
    return length


def touching(labels: NDArray[np.integer], ids: Int64Array) -> tuple[Int64Array, Float64Array]:
    """Count the neighbours of each object and the share of its outline that touches another one.

    Parameters
    ----------
    labels
        (Y, X) integer labels.
    ids
        (N,) sorted label ids without 0.

    Returns
    -------
    neighbours : (N,) integer array
    fraction : (N,) float array
        Of the pixel edges of the outline, the share that other objects lie behind.
    """
    edges, shared = np.zeros(ids.size, np.int64), np.zeros(ids.size, np.int64)
    padded = np.pad(labels, 1)
    for dy, dx in _FORWARD[:2]:
        here, there = _shifted(padded, dy, dx)
        differing = here != there
        one, other = here[differing], there[differing]
        both = (one > 0) & (other > 0)
        edges += _count(one, ids) + _count(other, ids)
        shared += _count(one[both], ids) + _count(other[both], ids)
    neighbours = np.zeros(ids.size, np.int64)
    pairs = _neighbours(labels, ids)
    if pairs.size:
        neighbours += np.bincount(pairs.reshape(-1), minlength=ids.size)
    return neighbours, shared / np.maximum(edges, 1)


def _neighbours(labels: NDArray[np.integer], ids: Int64Array) -> Int64Array:
    """Return the indices (M, 2) of the pairs of objects that are neighbours, each once."""
    found = [np.zeros(0, np.int64)]
    for dy in range(_REACH + 1):
        for dx in range(-_REACH if dy else 1, _REACH + 1):
            here, there = _shifted(labels, dy, dx)
            meeting = (here != there) & (here > 0) & (there > 0)
            one, other = np.searchsorted(ids, here[meeting]), np.searchsorted(ids, there[meeting])
            found.append(np.unique(np.minimum(one, other) * ids.size + np.maximum(one, other)))
    both = np.unique(np.concatenate(found))
    return np.stack(np.divmod(both, max(ids.size, 1)), axis=1)


def _shifted(
    labels: NDArray[np.integer], dy: int, dx: int
) -> tuple[NDArray[np.integer], NDArray[np.integer]]:
    """Two views: each pixel, and the one `dy` rows down and `dx` columns to the right of it."""
    rows, columns = labels.shape
    here = labels[: max(rows - dy, 0), max(-dx, 0) : max(columns - max(dx, 0), 0)]
    there = labels[dy:, max(dx, 0) : max(columns + min(dx, 0), 0)]
    return here, there


def _count(values: NDArray[np.integer], ids: Int64Array) -> Int64Array:
    """How often each id occurs."""
    if not ids.size:
        return np.zeros(0, np.int64)
    if int(ids[-1]) <= 4 * values.size + 65536:
        return np.bincount(values.reshape(-1), minlength=int(ids[-1]) + 1)[ids]
    return np.bincount(np.searchsorted(ids, values[values > 0]), minlength=ids.size)
