"""A plane at another scale, read window by window, with values that do not depend on the window.

Each output pixel is a weighted mean of source pixels, by a triangle (linear interpolation) that widens when the image
is made smaller, so that nothing is skipped. The weights depend on the pixel's place in the whole plane alone: that
keeps tiling exact on rescaled images.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from napari_utile.engine.planes.mirror import mirror_indices
from napari_utile.engine.planes.normalize import IntensityLimits


class NormalizedPlane:
    """A plane (C, Y, X) whose grey values are scaled to float32 as they are read."""

    def __init__(self, data: Any, limits: IntensityLimits) -> None:
        self._data, self._limits = data, limits
        self.shape = tuple(data.shape)
        self.dtype = np.dtype(np.float32)

    def __getitem__(self, window: tuple[slice, slice, slice]) -> NDArray[np.float32]:
        return self._limits.apply(np.asarray(self._data[window]))


class ScaledPlane:
    """A float32 plane (C, Y, X) seen at another scale.

    Parameters
    ----------
    data : (C, Y, X) float array-like
    shape : (int, int)
        Rows and columns at the new scale; the corners of the image stay its corners.
    """

    def __init__(self, data: Any, shape: tuple[int, ...]) -> None:
        self._data = data
        self.shape = (data.shape[0], *shape)
        self.dtype = np.dtype(np.float32)

    def __getitem__(self, window: tuple[slice, slice, slice]) -> NDArray[np.float32]:
        channels, *parts = window
        bounds = [part.indices(size)[:2] for part, size in zip(parts, self.shape[1:], strict=True)]
        (rows, y), (columns, x) = (
            interpolation_weights(source, size, start, stop)
            for source, size, (start, stop) in zip(self._data.shape[1:], self.shape[1:], bounds, strict=True)
        )
        block = np.asarray(self._data[channels, y, x], np.float32)
        return np.stack([(columns @ (rows @ channel).T).T for channel in block]).astype(
            np.float32, copy=False
        )


def nearest(image: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """Give labels or a mask (Y, X) another shape: each pixel takes the nearest; the corners stay the corners."""
    rows, columns = (
        np.minimum(((np.arange(size) + 0.5) * source / size).astype(np.intp), source - 1)
        for size, source in zip(shape, image.shape, strict=True)
    )
    taken: NDArray[Any] = image[rows[:, None], columns]
    return taken


def interpolation_weights(source: int, size: int, start: int, stop: int) -> tuple[csr_matrix, slice]:
    """Return the weights that make pixels `start` to `stop` of `size` from those of `source`, along one axis.

    Returns
    -------
    weights : (stop - start, n) sparse matrix
        Rows sum to 1.
    part : slice
        The n source pixels they apply to.
    """
    ratio = source / size
    width = max(ratio, 1.0)
    centres = (np.arange(start, stop) + 0.5) * ratio - 0.5
    reach = int(np.ceil(width))
    offsets = np.arange(-reach, reach + 2)
    pixels = np.floor(centres).astype(np.int64)[:, None] + offsets
    weights = np.maximum(0.0, 1.0 - np.abs(pixels - centres[:, None]) / width)
    weights /= weights.sum(axis=1, keepdims=True)
    table = mirror_indices(int(pixels.min()), int(pixels.max()) + 1, source)
    mirrored = table[pixels - pixels.min()]
    first, last = int(mirrored.min()), int(mirrored.max()) + 1
    rows = np.repeat(np.arange(stop - start), offsets.size)
    matrix = csr_matrix(
        (weights.astype(np.float32).ravel(), (rows, mirrored.ravel() - first)),
        shape=(stop - start, last - first),
    )
    return matrix, slice(first, last)


def scaled_shape(shape: tuple[int, int], factor: float) -> tuple[int, int]:
    """Return rows and columns of a plane made larger by `factor`, at least 1 x 1."""
    return max(1, round(shape[0] * factor)), max(1, round(shape[1] * factor))
