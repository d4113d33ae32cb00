"""Why one pixel weighs what it does, and the weights along a line."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_utile.engine.arrays import Float32Array, Labels

_FIRST_REACH = 32


@dataclass(frozen=True)
class NearCell:
    """A cell near a pixel: its id, its distance in pixels, and its pixel (row, column) that is nearest."""

    cell: int
    distance: float
    point: tuple[int, int]


def nearest_cells_at(
    cells: Labels, row: int, column: int, aspect: tuple[float, float] = (1.0, 1.0)
) -> tuple[NearCell, ...]:
    """Find the nearest and second nearest cell of one pixel, however far.

    Parameters
    ----------
    cells : (Y, X) integer array
        0 is background.
    row, column : int
        A pixel of the image.
    aspect : (float, float)
        Height and width of a pixel.

    Returns
    -------
    tuple of NearCell
        Two, or fewer where there are fewer cells; of equally near ones that with the smaller id first.

    Raises
    ------
    ValueError
        If the pixel is outside the image.
    """
    height, width = cells.shape
    if not (0 <= row < height and 0 <= column < width):
        raise ValueError(f"The pixel ({row}, {column}) is outside the image of shape {cells.shape}.")
    reach = _FIRST_REACH
    while True:
        top, left = max(row - reach, 0), max(column - reach, 0)
        window = cells[top : row + reach + 1, left : column + reach + 1]
        found = _nearest_two_of(window, row - top, column - left, aspect)
        found = tuple(
            NearCell(near.cell, near.distance, (near.point[0] + top, near.point[1] + left)) for near in found
        )
        # What lies outside the window is farther away than its sides.
        if len(found) == 2 and found[1].distance <= reach * min(aspect):
            return found
        if window.shape == cells.shape:
            return found
        reach *= 2


def _nearest_two_of(
    window: Labels, row: int, column: int, aspect: tuple[float, float]
) -> tuple[NearCell, ...]:
    y, x = np.nonzero(window)
    ids = window[y, x]
    squares = ((y - row) * aspect[0]) ** 2 + ((x - column) * aspect[1]) ** 2
    found: list[NearCell] = []
    for _ in range(2):
        if not len(ids):
            break
        best = np.flatnonzero(squares == squares.min())
        at = best[np.argmin(ids[best])]
        near = NearCell(int(ids[at]), float(np.sqrt(squares[at])), (int(y[at]), int(x[at])))
        found.append(near)
        rest = ids != ids[at]
        ids, squares, y, x = ids[rest], squares[rest], y[rest], x[rest]
    return tuple(found)


@dataclass(frozen=True)
class WeightProfile:
    """Weights along a line.

    Attributes
    ----------
    distance : (N,) float array
        Along the line, in pixels.
    total, class_balance, border : (N,) float32 arrays
        NaN outside the image.
    """

    distance: NDArray[np.float64]
    total: Float32Array
    class_balance: Float32Array
    border: Float32Array


def profile_along(points: Any, class_balance: Float32Array, border: Float32Array) -> WeightProfile:
    """Read the weights along a line of straight pieces, every half a pixel, from the nearest pixels.

    Parameters
    ----------
    points : (M, 2) array
        Rows and columns of the line's corners.
    class_balance, border : (Y, X) float32 arrays
        The terms of a weight map.

    Raises
    ------
    ValueError
        Unless there are two points or more.
    """
    corners = np.asarray(points, dtype=float)
    if corners.ndim != 2 or corners.shape[1] != 2 or len(corners) < 2:
        raise ValueError(f"A line has at least two points (row, column); got the shape {corners.shape}.")
    lengths = np.linalg.norm(np.diff(corners, axis=0), axis=1)
    at = np.concatenate([[0.0], np.cumsum(lengths)])
    distance = np.linspace(0, at[-1], int(np.ceil(at[-1] / 0.5)) + 1)
    rows, columns = (np.floor(np.interp(distance, at, corners[:, axis]) + 0.5).astype(int) for axis in (0, 1))
    inside = (rows >= 0) & (rows < border.shape[0]) & (columns >= 0) & (columns < border.shape[1])
    terms = []
    for term in (class_balance, border):
        values = np.full(len(distance), np.nan, np.float32)
        values[inside] = term[rows[inside], columns[inside]]
        terms.append(values)
    return WeightProfile(distance, terms[0] + terms[1], terms[0], terms[1])
