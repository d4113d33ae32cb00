"""One plane made of a stack of planes, read window by window."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_utile.engine.planes.axes import ImagePlane

PROJECTIONS = {"max": "largest value", "mean": "mean", "focus": "the sharpest"}
"""Name of a projection -> what it takes, in words."""

_WINDOW, _LATTICE = 256, 6


def projected(planes: Sequence[ImagePlane], how: str) -> ImagePlane:
    """Make one plane of several of the same shape.

    Parameters
    ----------
    planes : sequence of ImagePlane
        In their order along the axis.
    how : {"max", "mean", "focus"}
        The largest value or the mean at each pixel; or the one plane that is sharpest, by the energy of its
        gradient beside that of its grey values, measured on a lattice of windows of the whole plane.

    Returns
    -------
    ImagePlane
        Of the type of the planes; the mean is float32.
    """
    if len(planes) == 1:
        return planes[0]
    if how == "focus":
        sharpness = [sharpness_of(plane.data) for plane in planes]
        return planes[int(np.argmax(sharpness))]
    return replace(planes[0], data=Projected([plane.data for plane in planes], how))


class Projected:
    """The largest or the mean value over (C, Y, X) arrays, read where it is indexed."""

    def __init__(self, stack: Sequence[Any], how: str) -> None:
        self._stack, self._how = list(stack), how
        self.shape = tuple(stack[0].shape)
        self.ndim = len(self.shape)
        self.dtype = np.dtype(np.float32) if how == "mean" else np.dtype(stack[0].dtype)

    def __getitem__(self, index: Any) -> NDArray[Any]:
        # One after the other, so that the sum does not depend on how the stack is stored.
        first: NDArray[Any] = np.asarray(self._stack[0][index])
        if self._how == "max":
            for each in self._stack[1:]:
                first = np.maximum(first, np.asarray(each[index]))
            return first
        total = first.astype(np.float64)
        for each in self._stack[1:]:
            total += np.asarray(each[index])
        return (total / len(self._stack)).astype(np.float32)


def sharpness_of(data: Any) -> float:
    """Give the energy of the gradient over the variance, the mean of all channels."""
    height, width = data.shape[1:]
    starts = [(y, x) for y in _lattice(height) for x in _lattice(width)]
    found = []
    for channel in range(data.shape[0]):
        windows = [np.asarray(data[channel, y : y + _WINDOW, x : x + _WINDOW], np.float64) for y, x in starts]
        windows = [np.nan_to_num(window) for window in windows]
        size = sum(window.size for window in windows)
        energy = sum(
            float((np.diff(window, axis=0) ** 2).sum() + (np.diff(window, axis=1) ** 2).sum())
            for window in windows
        )
        mean = sum(float(window.sum()) for window in windows) / size
        spread = sum(float(((window - mean) ** 2).sum()) for window in windows)
        found.append(energy / spread if spread > 0 else 0.0)
    return float(np.mean(found))


def _lattice(size: int) -> list[int]:
    if size <= _LATTICE * _WINDOW:
        return list(range(0, size, _WINDOW))
    return [round(number * (size - _WINDOW) / (_LATTICE - 1)) for number in range(_LATTICE)]
