"""Exact Euclidean distance to the background up to a limit: quick, and the same in every window."""

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

_Types = tuple[type[np.unsignedinteger[Any]], type[np.unsignedinteger[Any]]]
# A strip of rows stays in the processor's cache.
_ROWS_AT_ONCE = 64


def distance_to_background(
    mask: npt.NDArray[np.bool_], limit: int = 64, depth: float = 1.0
) -> npt.NDArray[np.float32]:
    """Distance of every mask pixel to the nearest background pixel, in pixels, at most `limit`.

    What lies outside the array is unknown and does not count as background. Thanks to the limit a pixel's value
    depends on its surroundings alone, and the time on the number of pixels alone.

    Parameters
    ----------
    mask : (Y, X) or (Z, Y, X) bool array
    limit : int
        At least 1 pixel. Up to 127 it is quickest: twice the limit fits 8 bits, twice its square 16.
    depth : float
        From one plane of a volume to the next (pixels).

    Returns
    -------
    float32 array
        0 on the background.
    """
    if mask.ndim == 3:
        if mask.all():  # there is no background to be far from
            return np.full(mask.shape, limit, np.float32)
        far: npt.NDArray[Any] = ndimage.distance_transform_edt(mask, sampling=(depth, 1, 1))
        limited: npt.NDArray[np.float32] = np.minimum(far, limit).astype(np.float32)
        return limited
    narrow: _Types = (np.uint8, np.uint16) if limit <= 127 else (np.uint16, np.uint32)
    along_columns = _distance_along_columns(mask, limit, narrow[0])
    distance = np.empty(mask.shape, dtype=np.float32)
    for top in range(0, mask.shape[0], _ROWS_AT_ONCE):
        rows = slice(top, top + _ROWS_AT_ONCE)
        np.sqrt(_nearest_along_rows(along_columns[rows], limit, narrow[1]), out=distance[rows])
    return distance


def _distance_along_columns(
    mask: npt.NDArray[np.bool_], limit: int, dtype: type[np.unsignedinteger[Any]]
) -> npt.NDArray[np.unsignedinteger[Any]]:
    """Distance to the nearest background pixel in the same column."""
    distance: npt.NDArray[np.unsignedinteger[Any]] = mask * dtype(limit)
    step = 1
    while step < limit:  # exact below 2 * step after each round
        farther = distance + dtype(step)
        np.minimum(distance[step:], farther[:-step], out=distance[step:])
        np.minimum(distance[:-step], farther[step:], out=distance[:-step])
        step *= 2
    return distance


def _nearest_along_rows(
    along_columns: npt.NDArray[np.unsignedinteger[Any]], limit: int, dtype: type[np.unsignedinteger[Any]]
) -> npt.NDArray[np.unsignedinteger[Any]]:
    """Squared distances, the smallest over all columns, from the distances along each column."""
    squared: npt.NDArray[np.unsignedinteger[Any]] = np.square(along_columns, dtype=dtype)
    width = squared.shape[1]
    columns = np.full((squared.shape[0], width + 2 * limit), limit**2, dtype=dtype)
    columns[:, limit : limit + width] = squared
    trial = np.empty_like(squared)
    farthest = int(squared.max(initial=0))
    for offset in range(1, limit):
        if offset**2 >= farthest:
            break
        left, right = limit - offset, limit + offset
        np.minimum(columns[:, left : left + width], columns[:, right : right + width], out=trial)
        trial += dtype(offset**2)
        np.minimum(squared, trial, out=squared)
        if offset % 4 == 0:
            farthest = int(squared.max())
    return squared
