"""Dask arrays that are computed apart from what else the process computes with dask."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Computed:
    """A dask array, which is computed without the callbacks that are registered with dask.

    napari registers a cache while it draws, for all threads at once. That cache is made for one computation at a
    time: with ours beside it, ours or napari's ended in a `KeyError`.
    """

    def __init__(self, array: Any) -> None:
        self._array = array
        self.shape: tuple[int, ...] = tuple(array.shape)
        self.ndim = len(self.shape)
        self.dtype: np.dtype[Any] = array.dtype

    def __getitem__(self, index: Any) -> "Computed":
        return Computed(self._array[index])

    def transpose(self, *axes: Any) -> "Computed":
        """Give the array with its axes in another order, unread."""
        return Computed(self._array.transpose(*axes))

    def read(self, indices: Sequence[Any]) -> Sequence[NDArray[Any]]:
        """Read several windows together: planning one at a time takes longer than reading."""
        from dask.base import compute  # whoever has a dask array has imported it

        of_dask: Any = compute
        return [
            np.asarray(block) for block in of_dask(*(self._array[each] for each in indices), callbacks=())
        ]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.asarray(self.read([...])[0], dtype)


def computed(data: Any) -> Any:
    """Let a dask array be computed apart; anything else is itself."""
    return Computed(data) if hasattr(data, "dask") and hasattr(data, "transpose") else data
