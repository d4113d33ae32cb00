"""From seeds to whole cells: each seed, for example a nucleus, grows to one cell that keeps its id.

Where a model knows the cells its relief and its cell probability decide; elsewhere the image itself does, within a
distance of the seeds, as in CellProfiler's secondary objects [1]_. Each pixel climbs in a relief until it stands on a
seed; what a seed's relief is at a pixel depends on the pixels around it alone, so a plane grows in one piece or block
by block (see `blocks.seeded`) to the same cells.

References
----------
.. [1] A. E. Carpenter et al., "CellProfiler: image analysis software for identifying and quantifying cell
       phenotypes", Genome Biology 7:R100, 2006.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage
from skimage.filters import sobel, threshold_otsu

from napari_utile.engine.arrays import Float64Array
from napari_utile.engine.cells.blocks.seeded import find_seeded
from napari_utile.engine.cells.distance import distance_to_background
from napari_utile.engine.cells.relief import HEIGHT_REACH, climbing_relief
from napari_utile.engine.planes.finite import finite
from napari_utile.engine.planes.narrowed import narrowed
from napari_utile.engine.planes.normalize import sampled_windows
from napari_utile.engine.windows import Window

Labels = NDArray[np.integer[Any]]
FloatArray = NDArray[np.float32]

SMOOTHING = 1.5
"""Sigma in pixels of the smoothing before intensities are compared: noise must not stop a cell."""
SMOOTHING_REACH = 7
"""Pixels around a pixel that its smoothed edge depends on."""
EDGE_WEIGHT = 0.3
"""How much a strong edge counts against the whole distance. In dense tissue distance alone is as good as any edge."""
CLEARLY_APART = 0.75
"""Share of the variance that two kinds of grey values must explain, for one of them to be the background."""
HILL_WEIGHT = 6.0
"""How much the height of a model's hills counts against the distance from a seed in radii of a cell: measured."""
FARTHEST = 512
"""Pixels from a seed beyond which all are as far."""
NEAR, TILT = 32, 2.0**-10
"""Of equal heights those are higher that lie nearer to a seed: by this share in so many pixels."""
NOWHERE = float(np.finfo(np.float32).max)
"""No grey value is above it."""
_QUICK = 127


@dataclass(frozen=True)
class Stain:
    """What is measured once of a stain that cells grow in.

    Attributes
    ----------
    strong : float
        What counts as a strong edge.
    level : float or None
        The grey value below which there is no cell; None where that is not clear. Where no pixel holds a number it is
        `NOWHERE`, so that seeds stay what they are.
    """

    strong: float
    level: float | None


def grow_in_model(
    seeds: Labels,
    likely: FloatArray,
    height: FloatArray | None,
    *,
    threshold: float = 0.5,
    limit: int = 64,
    distance: float | None = None,
    diameter: float | None = None,
) -> Labels:
    """Grow seeds in what a model sees; where two meet lies the valley between them, or the middle where there is none.

    Parameters
    ----------
    seeds : (Y, X) int array
        0 is background; every other id is kept.
    likely, height, threshold, limit, distance, diameter
        As for `relief_of_model`; seeds keep their own pixels, whatever the probability.

    Returns
    -------
    (Y, X) int array
        With the ids and the type of the seeds. Foreground without a seed is background.

    Raises
    ------
    ValueError
        If the shapes differ.

    Examples
    --------
    >>> seeds = np.array([[1, 0, 0, 0, 0, 2]])
    >>> hills = np.array([[0.9, 0.1, 0.5, 0.6, 0.7, 0.8]], np.float32)
    >>> grow_in_model(seeds, np.ones((1, 6), np.float32), hills, diameter=3).tolist()
    [[1, 1, 2, 2, 2, 2]]
    """
    if not seeds.shape == likely.shape == (likely if height is None else height).shape:
        raise ValueError(f"Seeds {seeds.shape} and what a model sees {likely.shape} differ.")
    return _grown(seeds, relief_of_model(likely, height, seeds, threshold, limit, distance, diameter))


def grow_in_intensity(seeds: Labels, image: ArrayLike, distance: float) -> Labels:
    """Grow seeds to the edges of the cells in an image, within a distance.

    Where the image is clearly made of bright cells on a dark ground, the cells end with the bright. They meet half-way
    between their seeds, drawn towards the edges in the image.

    Parameters
    ----------
    seeds : (Y, X) int array
        0 is background; every other id is kept.
    image : (Y, X) array
        A stain of the whole cells.
    distance : float
        Pixels that a cell reaches beyond its seed at most.

    Returns
    -------
    (Y, X) int array
        With the ids and the type of the seeds.

    Raises
    ------
    ValueError
        If the shapes differ.

    Examples
    --------
    >>> image = np.array([[0, 0, 9, 9, 9, 9, 0, 0]]) * np.ones((5, 1))
    >>> seeds = np.zeros((5, 8), int)
    >>> seeds[2, 3] = 7
    >>> grow_in_intensity(seeds, image, distance=2)[2].tolist()
    [0, 0, 7, 7, 7, 7, 0, 0]
    """
    grey = np.asarray(image)
    if grey.shape != seeds.shape:
        raise ValueError(f"The seeds have shape {seeds.shape}, the image {grey.shape}.")
    stain = stain_of(lambda window: grey[window], lambda window: seeds[window], seeds.shape, distance)
    return _grown(seeds, relief_in_stain(grey, seeds, stain, distance))


def distance_from_areas(areas: NDArray[np.integer[Any]]) -> float:
    """Return how far cells reach beyond seeds of so many pixels where nobody says it: half the median diameter.

    Examples
    --------
    >>> distance_from_areas(np.array([314, 315, 900])), distance_from_areas(np.zeros(0, int))
    (10.0, 1.0)
    """
    return 1.0 if areas.size == 0 else round(max(1.0, float(np.sqrt(np.median(areas) / np.pi))), 1)


def relief_of_model(
    likely: FloatArray,
    height: FloatArray | None,
    seeds: Labels,
    threshold: float,
    limit: int,
    distance: float | None = None,
    diameter: float | None = None,
) -> FloatArray:
    """Return the relief (y, x) in which seeds grow in what a model sees; -1 where no cell may be.

    A model that is unsure puts valleys where there are none, and behind one a seed would lose half of its cell to
    another seed. So a pixel is the higher the nearer to a seed it lies, too: to be a cell's radius farther away
    counts as much as to be lower by a sixth of the hill.

    Parameters
    ----------
    likely : (y, x) float32 array
        Cell probability.
    height : (y, x) float32 array, optional
        As for `climbing_relief`.
    seeds : (y, x) int array
    threshold : float
        Of the probability: above it cells may be.
    limit : int
        As for `climbing_relief`.
    distance : float, optional
        Pixels that a cell reaches beyond its seed at most.
    diameter : float, optional
        Of the cells (pixels). Where it is not known the relief of the model alone decides.
    """
    inside = likely > threshold
    relief = climbing_relief(inside, likely, height=height, limit=limit)
    away = distance_to(seeds, max(_cap(distance), _nearby(diameter)))
    if diameter is not None:
        # In the middle of a disc the distance to the background is half of the diameter.
        hill = relief if height is not None else relief / np.float32(diameter)
        radii = np.minimum(away, _nearby(diameter)) / np.float32(diameter / 2)
        far = 1 + radii + np.float32(HILL_WEIGHT) * (1 - np.minimum(hill, 1))
        relief = np.reciprocal(far, dtype=np.float32)
    return _tilted(relief, inside, seeds, away, distance)


def reach_in_model(limit: int, distance: float | None, diameter: float | None, *, by_height: bool) -> int:
    """Return how many pixels around a pixel `relief_of_model` depends on."""
    return max(HEIGHT_REACH if by_height else limit, _cap(distance), _nearby(diameter))


def _nearby(diameter: float | None) -> int:
    """Up to where nearness to a seed counts in what a model sees."""
    return 0 if diameter is None else min(math.ceil(2 * diameter), FARTHEST)


def relief_in_stain(image: NDArray[Any], seeds: Labels, stain: Stain, distance: float) -> FloatArray:
    """Return the relief (y, x) in which seeds grow in intensities; -1 where no cell may be.

    Parameters
    ----------
    image : (y, x) array
    seeds : (y, x) int array
    stain : Stain
    distance : float
    """
    grey, smooth, edges = _edges(image)
    away = distance_to(seeds, _cap(distance))
    heights = away / max(distance, 1) + EDGE_WEIGHT * edges / (stain.strong or 1)
    inside = np.ones(seeds.shape, bool)
    if stain.level is not None:
        inside = (grey > stain.level) | (smooth > stain.level)
    return _tilted((1 / (1 + heights)).astype(np.float32), inside, seeds, away, distance)


def reach_in_stain(distance: float) -> int:
    """Return how many pixels around a pixel `relief_in_stain` depends on."""
    return max(SMOOTHING_REACH, _cap(distance))


def stain_of(
    image: Callable[[Window], NDArray[Any]],
    seeds: Callable[[Window], Labels],
    shape: tuple[int, ...],
    distance: float,
) -> Stain:
    """Measure a stain around seeds: in all of a plane, or of a large one in windows that depend on its shape alone.

    Parameters
    ----------
    image, seeds : callable
        Give a window (y, x) of the plane.
    shape : (int, int)
    distance : float
    """
    edges_near, grey_near, grey_in, any_number = [], [], [], False
    for window in sampled_windows(shape):
        around = window.grown(reach_in_stain(distance)).clipped(shape)
        here, there = window.relative_to(around), seeds(around)
        pixels = image(around)
        any_number = any_number or bool(np.isfinite(pixels).any())
        grey, _, edges = _edges(pixels)
        near = _within(distance_to(there, _cap(distance)), distance)[here]
        edges_near.append(edges[here][near])
        grey_near.append(grey[here][near])
        grey_in.append(grey[here][there[here] > 0])
    # As float64: float32 holds no 256 steps of a narrow range, nor the squares of large values.
    every, inside = (np.concatenate(each).astype(np.float64) for each in (grey_near, grey_in))
    if not any_number:
        return Stain(0.0, NOWHERE)
    if not inside.size:
        return Stain(0.0, None)
    level = _clear_level(every)
    bright = level is not None and float(inside.mean()) > level
    return Stain(float(np.percentile(np.concatenate(edges_near), 90)), level if bright else None)


def _tilted(
    relief: FloatArray,
    inside: NDArray[np.bool_],
    seeds: Labels,
    away: FloatArray,
    distance: float | None = None,
) -> FloatArray:
    """Keep a relief (y, x) where cells may be, -1 elsewhere; of equal heights those nearer to a seed become higher."""
    allowed = inside if distance is None else inside & _within(away, distance)
    relief = relief * (1 - np.minimum(away, NEAR) * np.float32(TILT / NEAR))
    return np.where(allowed | (seeds > 0), relief, np.float32(-1))


def distance_to(seeds: Labels, limit: int) -> FloatArray:
    """Return the distance (y, x) to the nearest seed, up to a limit: it depends on the pixels within that alone."""
    bare = seeds == 0
    if limit <= _QUICK:
        return distance_to_background(bare, limit)
    if bare.all():
        return np.full(seeds.shape, limit, np.float32)
    away: FloatArray = np.minimum(ndimage.distance_transform_edt(bare), limit).astype(np.float32)
    return away


def _within(away: FloatArray, distance: float) -> NDArray[np.bool_]:
    """Compare distances of pixels, whose squares are whole numbers, to the last bit of the limit."""
    within: NDArray[np.bool_] = np.sqrt(np.rint(np.square(away, dtype=np.float64))) <= distance
    return within


def _cap(distance: float | None) -> int:
    """Up to where the distance to seeds is measured."""
    return NEAR if distance is None or not math.isfinite(distance) else max(NEAR, math.ceil(distance) + 1)


def _grown(seeds: Labels, relief: FloatArray) -> Labels:
    """Grow seeds in one piece, of which the ids may be of any size."""
    ids, numbered = np.unique(seeds, return_inverse=True)
    first = 0 if ids.size and ids[0] == 0 else 1
    plane = Window.whole(seeds.shape)
    small = numbered.reshape(seeds.shape).astype(np.int32) + first
    cells, _ = find_seeded(relief, small, plane, plane, (seeds.shape[0], seeds.shape[1]))
    table = np.concatenate([np.zeros(first, dtype=seeds.dtype), ids])
    labels: Labels = table[cells]
    return labels


def _edges(image: NDArray[Any]) -> tuple[FloatArray, FloatArray, Float64Array]:
    """Return the grey values of an image, smoothed ones, and how strong the edges in these are."""
    grey = finite(narrowed(image))
    smooth = ndimage.gaussian_filter(grey, SMOOTHING)
    return grey, smooth, sobel(smooth.astype(np.float64))  # which holds the squares of all values


def _clear_level(values: Float64Array) -> float | None:
    """Return the grey value half-way between two kinds of pixels, where they are clearly apart (Otsu), else None."""
    if values.min() == values.max():
        return None
    bright = values > threshold_otsu(values)
    share, high, low = float(bright.mean()), float(values[bright].mean()), float(values[~bright].mean())
    between = share * (1 - share) * (high - low) ** 2
    return (high + low) / 2 if between >= CLEARLY_APART * float(values.var()) else None
