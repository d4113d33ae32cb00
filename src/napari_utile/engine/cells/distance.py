"""Exact Euclidean distance to the background up to a limit: quick, and the same in every window."""

import numpy as np
import numpy.typing as npt

# A strip of rows stays in the processor's cache.
_ROWS_AT_ONCE = 64


def distance_to_background(mask: npt.NDArray[np.bool_], limit: int = 64) -> npt.NDArray[np.float32]:
    """Distance of every mask pixel to the nearest background pixel, in pixels, at most `limit`.

    What lies outside the array is unknown and does not count as background. Thanks to the limit a pixel's value
    depends on its surroundings alone, and the time on the number of pixels alone.

    Parameters
    ----------
    mask : (Y, X) bool array
    limit : int
        1 to 180 pixels: twice its square fits 16 bits.

    Returns
    -------
    (Y, X) float32 array
        0 on the background.
    """
    along_columns = _distance_along_columns(mask, limit)
    squared = along_columns * along_columns
    for top in range(0, mask.shape[0], _ROWS_AT_ONCE):
        _sweep_rows(squared[top : top + _ROWS_AT_ONCE], limit)
    distance: npt.NDArray[np.float32] = np.sqrt(squared, dtype=np.float32)
    return distance


def _distance_along_columns(mask: npt.NDArray[np.bool_], limit: int) -> npt.NDArray[np.uint16]:
    """Distance to the nearest background pixel in the same column."""
    distance = np.empty(mask.shape, dtype=np.uint16)
    row = np.full(mask.shape[1], limit, dtype=np.uint16)
    for y in range(mask.shape[0]):
        row = np.minimum(row + np.uint16(1), np.uint16(limit)) * mask[y]
        distance[y] = row
    row = np.full(mask.shape[1], limit, dtype=np.uint16)
    for y in reversed(range(mask.shape[0])):
        row = np.minimum(row + np.uint16(1), distance[y])
        distance[y] = row
    return distance


def _sweep_rows(squared: npt.NDArray[np.uint16], limit: int) -> None:
    """Lower squared distances along columns to the smallest over all columns, in place."""
    if squared.size == 0:
        return
    columns = squared.copy()
    trial = np.empty_like(columns)
    for offset in range(1, min(columns.shape[1], limit)):
        step = np.uint16(offset**2)
        if squared.max() <= step:
            return
        there, here = trial[:, offset:], squared[:, offset:]
        np.minimum(here, np.add(columns[:, :-offset], step, out=there), out=here)
        there, here = trial[:, :-offset], squared[:, :-offset]
        np.minimum(here, np.add(columns[:, offset:], step, out=there), out=here)
