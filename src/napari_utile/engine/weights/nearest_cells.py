"""Distances from every pixel to its nearest and second nearest cell."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from scipy import ndimage

from napari_utile.engine.arrays import Float32Array, IntArray
from napari_utile.engine.windows import Window


def nearest_two_within(
    cells: IntArray,
    reach: float,
    aspect: tuple[float, float] = (1.0, 1.0),
    window: Sequence[slice] | None = None,
    each: bool = False,
) -> tuple[Float32Array, Float32Array]:
    """Measure the distances to the two nearest cells, where their sum is within `reach`.

    Parameters
    ----------
    cells : (Y, X) array of non-negative integers
        0 is background.
    reach : float
        Pixels whose two distances sum to no more than this get both, exactly.
    aspect : (float, float)
        Height and width of a pixel in the unit of `reach`.
    window : Window or (slice, slice), optional
        Measure only there; cells outside it within reach still count.
    each : bool
        Give every distance up to `reach`, whatever the sum.

    Returns
    -------
    d1, d2 : (Y, X) float32 arrays
        Distances to the nearest and second nearest cell, 0 inside a cell, both
        infinite where the sum is beyond `reach` (with `each`, each where it is itself).
    """
    window = Window.part_of(cells.shape, window).clipped(cells.shape)
    d1, d2 = np.full((2, *window.shape), np.inf, np.float32)
    for _, place, distance in _distances(cells, reach, aspect, window):
        near, second = d1[place], d2[place]
        np.minimum(second, np.maximum(near, distance), out=second)
        np.minimum(near, distance, out=near)
    limit = np.float32(reach)
    beyond = (d1 > limit, d2 > limit) if each else (d1 + d2 > limit,) * 2
    d1[beyond[0]] = d2[beyond[1]] = np.inf
    return d1, d2


def nearest_ids_within(
    cells: IntArray, reach: float, aspect: tuple[float, float] = (1.0, 1.0)
) -> tuple[IntArray, IntArray]:
    """Name the two nearest cells of every pixel where the sum of their distances is within `reach`.

    Parameters
    ----------
    cells, reach, aspect
        As for `nearest_two_within`.

    Returns
    -------
    first, second : (Y, X) arrays of the type of `cells`
        Ids of the nearest and second nearest cell, any of them where several are as near; both 0 where the
        sum is beyond `reach`.
    """
    first, second = np.zeros((2, *cells.shape), cells.dtype)
    d1, d2 = np.full((2, *cells.shape), np.inf, np.float32)
    for cell, place, distance in _distances(cells, reach, aspect, Window.whole(cells.shape)):
        nearest = distance < d1[place]
        nearer = distance < d2[place]
        second[place] = np.where(nearest, first[place], np.where(nearer, cell, second[place]))
        d2[place] = np.where(nearest, d1[place], np.where(nearer, distance, d2[place]))
        first[place][nearest] = cell
        d1[place][nearest] = distance[nearest]
    first[d1 + d2 > np.float32(reach)] = 0
    second[first == 0] = 0
    return first, second


def _distances(
    cells: IntArray, reach: float, aspect: tuple[float, float], window: Window
) -> Iterator[tuple[Any, Window, Float32Array]]:
    """Give the id of each cell that may be in reach, a part of the window, and the cell's distance from there.

    One distance transform a cell, of its own box and reach. Pixels beyond the reach may be told or not.
    """
    steps = [math.floor(reach / side) for side in aspect]
    around = window.grown(steps).clipped(cells.shape)
    near = cells[around]
    if int(near.max(initial=0)) <= near.size:
        numbers, ids = near, None
    else:  # a box for every id up to the largest would not fit
        ids = np.unique(np.append(near.reshape(-1), np.zeros(1, near.dtype)))
        numbers = np.searchsorted(ids, near)
    for number, box in enumerate(ndimage.find_objects(numbers) if near.size else [], start=1):
        if box is None:
            continue
        slab = Window(*box).grown(steps).clipped(near.shape)
        place = slab.moved(around.start) & window
        if place.size:
            distance = ndimage.distance_transform_edt(numbers[slab] != number, sampling=aspect)
            wanted = place.relative_to(around).relative_to(slab)
            yield (
                number if ids is None else ids[number],
                place.relative_to(window),
                distance[wanted].astype(np.float32),
            )


def nearest_two(
    cells: IntArray, aspect: tuple[float, float] = (1.0, 1.0)
) -> tuple[Float32Array, Float32Array]:
    """Measure the distances from every pixel to its two nearest cells, however far.

    The second nearest cell is the nearest among those whose number differs from the
    nearest one's in some bit, so that two distance transforms per bit are enough.

    Parameters
    ----------
    cells : (Y, X) array of non-negative integers
        0 is background.
    aspect : (float, float)
        Height and width of a pixel; distances are in the same unit.

    Returns
    -------
    d1, d2 : (Y, X) float32 arrays
        Infinite where there is no such cell.
    """
    d1 = np.full(cells.shape, np.inf, np.float32)
    d2 = np.full(cells.shape, np.inf, np.float32)
    ids, numbers = np.unique(cells, return_inverse=True)
    numbers = numbers.reshape(cells.shape) - int(ids[:1].sum() == 0)
    inside = cells != 0
    if not inside.any():
        return d1, d2
    d1[...], nearest = ndimage.distance_transform_edt(~inside, sampling=aspect, return_indices=True)
    own = numbers[tuple(nearest)]
    for bit in range(int(own.max()).bit_length()):
        own_bit = (own >> bit) & 1
        for value in (0, 1):
            others = inside & ((numbers >> bit) & 1 == value)
            if others.any():
                distance = ndimage.distance_transform_edt(~others, sampling=aspect).astype(np.float32)
                np.minimum(d2, distance, out=d2, where=own_bit != value)
    return d1, d2
