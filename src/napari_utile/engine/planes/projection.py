"""One plane made of a stack of planes, read window by window."""

import functools
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_utile.engine.planes.axes import ImagePlane
from napari_utile.engine.planes.computed import computed
from napari_utile.engine.planes.finite import exponent_of, finite
from napari_utile.engine.planes.narrowed import narrowed

if TYPE_CHECKING:
    import dask.array

PROJECTIONS = {"max": "largest value", "mean": "mean", "focus": "the sharpest"}
"""Name of a projection -> what it takes, in words."""

_WINDOW, _LATTICE = 256, 6
_CHUNK = 1024


def projected(planes: Sequence[ImagePlane], how: str) -> ImagePlane:
    """Make one plane of several of the same shape.

    Parameters
    ----------
    planes : sequence of ImagePlane
        In their order along the axis.
    how : {"max", "mean", "focus"}
        The largest value or the mean at each pixel, of the planes that hold a number there; or the one plane that is
        sharpest, by the energy of its gradient beside that of its grey values, measured on a lattice of windows of
        the whole plane.

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
        planes = (np.asarray(each[index]) for each in self._stack)
        if self._how == "max":
            return functools.reduce(np.fmax, (_without_infinity(each) for each in planes))
        first = next(planes)
        total, count = finite(first.astype(np.float64)), np.isfinite(first).astype(np.int64)
        for each in planes:
            total += finite(each)
            count += np.isfinite(each)
        return narrowed(np.where(count > 0, total / np.maximum(count, 1), np.nan))


def _without_infinity(plane: NDArray[Any]) -> NDArray[Any]:
    """Give a plane in which infinite pixels are missing, as NaN."""
    return np.where(np.isfinite(plane), plane, np.nan) if plane.dtype.kind == "f" else plane


def sharpness_of(data: Any) -> float:
    """Give the energy of the gradient over the variance, the mean of all channels."""
    height, width = data.shape[1:]
    starts = [(y, x) for y in _lattice(height) for x in _lattice(width)]
    found = []
    for channel in range(data.shape[0]):
        windows = [np.asarray(data[channel, y : y + _WINDOW, x : x + _WINDOW], np.float64) for y, x in starts]
        windows = [finite(window) for window in windows]
        exponent = max(exponent_of(window) for window in windows)
        windows = [np.ldexp(window, -exponent) for window in windows]
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


def project_stack(data: Any, axis: int, how: str, channel: int | None = None) -> "dask.array.Array":
    """Make of an array the one without an axis, of which each plane is `projected`; computed where it is read.

    Parameters
    ----------
    data : (..., Y, X) or (..., Y, X, S) array-like
    axis : int
        The one that goes.
    how : {"max", "mean", "focus"}
    channel : int, optional
        The axis of channels or colours: the sharpest plane is one for all of them.
    """
    from dask.array import from_array

    stack = _Stack(data, axis, how, channel)
    last = len(stack.shape) - (3 if channel == data.ndim - 1 else 2)
    chunks = [
        min(size, _CHUNK) if at >= last or at == stack.channel else 1 for at, size in enumerate(stack.shape)
    ]
    made: dask.array.Array = from_array(stack, chunks=tuple(chunks), name=False)
    return made


class _Stack:
    """What `project_stack` reads block by block."""

    def __init__(self, data: Any, axis: int, how: str, channel: int | None) -> None:
        self._data, self._axis, self._how = computed(data), axis, how
        self.channel = None if channel is None else channel - (channel > axis)
        self._sharpest: dict[tuple[int, ...], int] = {}
        self.shape = (*data.shape[:axis], *data.shape[axis + 1 :])
        self.ndim = len(self.shape)
        self.dtype = np.dtype(np.float32) if how == "mean" else np.dtype(data.dtype)

    def __getitem__(self, window: tuple[slice, ...]) -> NDArray[Any]:
        if self._how == "focus":
            return np.asarray(self._data[self._at(window, self._focus(window))])
        entries = range(self._data.shape[self._axis])
        return Projected([np.asarray(self._data[self._at(window, entry)]) for entry in entries], self._how)[
            ...
        ]

    def _at(self, window: Sequence[Any], entry: int) -> tuple[Any, ...]:
        return (*window[: self._axis], entry, *window[self._axis :])

    def _focus(self, window: tuple[slice, ...]) -> int:
        """Give the sharpest entry of the plane that a block lies in."""
        colours = self.channel == self.ndim - 1
        plane = {self.ndim - 2 - colours, self.ndim - 1 - colours, self.channel}
        place = tuple(part.start for at, part in enumerate(window) if at not in plane)
        if place not in self._sharpest:
            whole = [slice(None) if at in plane else part.start for at, part in enumerate(window)]
            planes = (
                np.asarray(self._data[self._at(whole, entry)])
                for entry in range(self._data.shape[self._axis])
            )
            if self.channel is None:
                planes = (each[None] for each in planes)
            else:
                before = sum(at not in plane for at in range(self.channel))
                planes = (np.moveaxis(each, self.channel - before, 0) for each in planes)
            self._sharpest[place] = int(np.argmax([sharpness_of(each) for each in planes]))
        return self._sharpest[place]
