"""Intensity limits of a whole stack: its planes seen as one tall plane."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_utile.engine.planes.axes import ImagePlane
from napari_utile.engine.planes.normalize import IntensityLimits, Normalization, measure_limits


def stack_limits(planes: Sequence[ImagePlane], normalization: Normalization) -> IntensityLimits:
    """Measure the limits that all planes of a stack share, as `measure_limits` does those of one.

    Parameters
    ----------
    planes : sequence of ImagePlane
        Of the same shape, with the channels of the network; at least one.
    normalization : Normalization
    """
    if len(planes) == 1:
        return measure_limits(planes[0].data, normalization)
    return measure_limits(_Tall([plane.data for plane in planes]), normalization)


class _Tall:
    """Planes (C, Y, X) one below the other, read where they are indexed."""

    def __init__(self, planes: Sequence[Any]) -> None:
        self._planes = planes
        channels, self._rows, columns = planes[0].shape
        self.shape = (channels, self._rows * len(planes), columns)
        self.dtype = planes[0].dtype

    def __getitem__(self, index: Any) -> NDArray[Any]:
        channel, rows, columns = (
            *(index if isinstance(index, tuple) else (index,)),
            slice(None),
            slice(None),
        )[:3]
        start, stop, _ = rows.indices(self.shape[1])
        pieces = []
        for number in range(start // self._rows, -(-stop // self._rows)):
            first = number * self._rows
            part = slice(max(start - first, 0), min(stop - first, self._rows))
            pieces.append(np.asarray(self._planes[number][(slice(None), part, columns)])[channel])
        return np.concatenate(pieces, axis=-2)
