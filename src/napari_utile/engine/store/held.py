"""A part of a plane, read once."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_utile.engine.errors import UtileError
from napari_utile.engine.windows import Window


class Held:
    """A plane (C, Y, X) of which a window was read once.

    Raises
    ------
    UtileError
        If it cannot be read.
    """

    def __init__(self, data: Any, window: Window, name: str) -> None:
        self._data, self._window = data, window
        try:
            self._pixels = np.asarray(data[(slice(None), *window)])
        except (OSError, ValueError, RuntimeError) as error:  # what decoders raise at damaged chunks
            (top, bottom), (left, right) = window.bounds
            raise UtileError(
                f"Rows {top} to {bottom - 1}, columns {left} to {right - 1} of {name} cannot be read ({error})."
            ) from error
        self.shape, self.dtype = tuple(data.shape), self._pixels.dtype
        self.ndim = 3

    def __getitem__(self, index: Any) -> NDArray[Any]:
        index = index if isinstance(index, tuple) else (index,)
        parts = (*index[1:], *(slice(None),) * (3 - len(index)))
        if all(isinstance(part, slice) for part in parts):
            asked = Window(
                *(slice(*part.indices(size)[:2]) for part, size in zip(parts, self.shape[1:], strict=True))
            )
            if self._window.holds(asked):
                held: NDArray[Any] = self._pixels[(index[0], *asked.relative_to(self._window))]
                return held
        return np.asarray(self._data[index])
