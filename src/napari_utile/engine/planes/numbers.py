"""Images without a number in them, of which nothing can be found."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from napari_utile.engine.errors import UtileError
from napari_utile.engine.planes.axes import ImagePlane, WithZeros
from napari_utile.engine.planes.preprocessing import Preprocessed

_READ_AT_ONCE = 1 << 22
"""Pixels."""


def refuse_without_numbers(planes: Sequence[ImagePlane]) -> None:
    """Refuse planes that hold only NaN and infinities, in all channels that they have.

    Parameters
    ----------
    planes : sequence of ImagePlane
        Of an image; they are read until there is a number.

    Raises
    ------
    UtileError
    """
    for plane in planes:
        data = plane.data
        while isinstance(data, (Preprocessed, WithZeros)):  # not computed for that
            data = data.source
        if np.dtype(data.dtype).kind != "f" or any(
            np.isfinite(np.asarray(part)).any() for part in _parts(data)
        ):
            return
    raise UtileError(f"{planes[0].name} has no finite values: all its pixels are NaN or infinite.")


def _parts(data: Any) -> Iterator[Any]:
    rows = max(1, _READ_AT_ONCE // data.shape[2])
    return (
        data[channel, start : start + rows]
        for start in range(0, data.shape[1], rows)
        for channel in range(data.shape[0])
    )
