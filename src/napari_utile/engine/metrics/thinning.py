"""Borders thinned to one pixel: each background pixel is given to its nearest label."""

import numpy as np
from numpy.typing import NDArray

# So many stay in the processor's cache.
_ROWS_AT_ONCE = 64
_PIXELS_AT_ONCE = 1 << 15


def thin_borders(labels: NDArray[np.integer], where: NDArray[np.bool_] | None = None) -> NDArray[np.integer]:
    """Grow (Y, X) labels into the background until borders one pixel wide are left between them.

    Each background pixel goes to the label that is fewest steps along pixel edges away, which is what a
    watershed on a flat background does.

    Parameters
    ----------
    labels
        (Y, X) integer labels.
    where
        (Y, X) boolean: the pixels that matter; others may stay background.
    """
    background = labels == 0
    wanted = background if where is None else background & where
    if background.all() or not wanted.any():
        return labels
    width = labels.shape[1]
    asked = wanted.copy()  # and what lies below and to the right of a wanted pixel
    asked[1:] |= wanted[:-1]
    asked[:, 1:] |= wanted[:, :-1]
    asked &= background
    asked_places, places = np.flatnonzero(asked), np.flatnonzero(wanted)
    grown = labels.copy()
    flat = grown.reshape(-1)
    flat[asked_places] = labels.reshape(-1)[_nearest_label(background, asked_places)]

    values = flat[places]
    below = np.where(places < flat.size - width, places + width, places)
    right = np.where((places + 1) % width, places + 1, places)
    border = (values != flat[below]) | (values != flat[right])
    flat[asked_places] = 0
    flat[places] = np.where(border, 0, values)
    return grown


def _nearest_label(background: NDArray[np.bool_], places: NDArray[np.intp]) -> NDArray[np.intp]:
    """Find, for some pixels, the labelled pixel that is fewest steps along pixel edges away.

    Rows are looked at one by one, outwards from a pixel's own, until they are farther away than what was found. Of
    several labelled pixels at the same distance the one that SciPy's `distance_transform_cdt` names is taken: above
    left, the farthest above first; then below left, the nearest below first; below right, the farthest below first;
    above right, the farthest above first.

    Parameters
    ----------
    background
        (Y, X) boolean, false at labelled pixels; not true everywhere.
    places
        Flat indices.

    Returns
    -------
    Flat indices, one for each of `places`.
    """
    offsets = _nearest_in_row(background, sum(background.shape))
    blocks = [places[start : start + _PIXELS_AT_ONCE] for start in range(0, places.size, _PIXELS_AT_ONCE)]
    return np.concatenate([places[:0], *(_search_rows(offsets, block) for block in blocks)])


def _search_rows(offsets: NDArray[np.signedinteger], places: NDArray[np.intp]) -> NDArray[np.intp]:
    """Do `_nearest_label` with what `_nearest_in_row` gave."""
    height, width = offsets.shape
    flat_offsets = offsets.reshape(-1)
    order = height + width  # more than any distance
    number = np.int32 if 4 * order * (order + 1) < np.iinfo(np.int32).max else np.int64

    # What was found, as one number to be minimised: its distance, then which it is of those at this distance.
    found = np.zeros(places.size, number)
    active, here, column = np.arange(places.size), places, places % width
    best = np.full(places.size, np.iinfo(number).max, number)
    for step in range(height):
        for up in (True, False) if step else (True,):
            # Beyond the image its first or last row is looked at again, as if it were farther away: no harm.
            if up:
                index = np.maximum(here - step * width, column)
            else:
                index = np.minimum(here + step * width, column + (height - 1) * width)
            offset = flat_offsets[index].astype(number, copy=False)
            aside = np.abs(offset)
            to_left = aside if up else number(order + step)
            rank = np.where(offset > 0, aside + number(3 * order if up else 2 * order), to_left)
            np.minimum(best, (aside + number(step)) * number(4 * order) + rank, out=best)
        farther = best >= (step + 1) * 4 * order
        found[active[~farther]] = best[~farther]
        active, here, column, best = active[farther], here[farther], column[farther], best[farther]
        if not active.size:
            break
    found[active] = best

    distance, rank = np.divmod(found, number(4 * order))
    which, part = np.divmod(rank, number(order))
    down = np.choose(which, [part - distance, part, distance - part, part - distance])
    right = np.choose(which, [-part, part - distance, part, part])
    return np.asarray(places + down.astype(np.intp) * width + right)


def _nearest_in_row(background: NDArray[np.bool_], far: int) -> NDArray[np.signedinteger]:
    """Return how far to the right the nearest labelled pixel of the row is; negative to the left, which wins ties.

    In rows without a label it is `far`.
    """
    height, width = background.shape
    number = np.int16 if 2 * far < np.iinfo(np.int16).max else np.int32
    columns = np.arange(width, dtype=number)
    offsets = np.empty((height, width), number)
    for top in range(0, height, _ROWS_AT_ONCE):
        strip = background[top : top + _ROWS_AT_ONCE]
        left = np.where(strip, number(-far), columns)
        np.maximum.accumulate(left, axis=1, out=left)
        right = np.where(strip, number(2 * far), columns)
        np.minimum.accumulate(right[:, ::-1], axis=1, out=right[:, ::-1])
        left -= columns
        right -= columns
        nearest = np.where(-left <= right, left, right)
        offsets[top : top + _ROWS_AT_ONCE] = np.where(np.abs(nearest) < far, nearest, number(far))
    return offsets
