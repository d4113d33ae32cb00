"""The levels of a store as arrays for layers, which show what is there when they are read."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["CELLS", "GrowingLevel", "levels"]

CELLS = "labels/cells"


class GrowingLevel:
    """One level of a store's image, which shows what is there when it is read.

    Parameters
    ----------
    array : zarr.Array
        (..., Y, X).
    outer : sequence of int or None
        What the axes of a layer before Y and X are: axes of the array, or None for those of length 1 that it lacks.
    """

    def __init__(self, array: Any, outer: Sequence[int | None] = ()) -> None:
        self._array, self.outer = array, tuple(outer)
        sizes = (1 if axis is None else array.shape[axis] for axis in self.outer)
        self.shape = (*sizes, *array.shape[-2:])
        self.dtype, self.ndim, self.size = np.dtype(array.dtype), len(self.shape), int(np.prod(self.shape))

    def __getitem__(self, key: Any) -> np.ndarray[Any, Any]:
        key = key if isinstance(key, tuple) else (key,)
        key = (*key, *(slice(None),) * (self.ndim - len(key)))
        outer, plane = key[: len(self.outer)], key[len(self.outer) :]
        here = [axis for axis in self.outer if axis is not None]
        read = {
            axis: slice(int(each), int(each) + 1) if isinstance(each, int | np.integer) else each
            for axis, each in zip(self.outer, outer, strict=True)
            if axis is not None
        }
        pixels = np.asarray(self._array[(*(read[axis] for axis in sorted(here)), *plane)])
        places = [sorted(here).index(axis) for axis in here]
        pixels = pixels.transpose(*places, *range(len(here), pixels.ndim))
        pixels = np.expand_dims(pixels, [place for place, axis in enumerate(self.outer) if axis is None])
        lead = tuple(0 if isinstance(each, int | np.integer) else slice(None) for each in outer)
        return np.asarray(pixels[lead])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        return np.asarray(self[()], dtype)


def levels(place: Path, what: str = "", outer: Sequence[int | None] = ()) -> list[GrowingLevel]:
    """Return the levels of a store's image, the largest first.

    Parameters
    ----------
    place : Path
    what : str
        Empty for the probability, `CELLS` for the cells.
    outer : sequence of int or None
        See `GrowingLevel`.
    """
    import zarr

    folder = place / what
    found: list[GrowingLevel] = []
    while (folder / str(len(found)) / "zarr.json").is_file():
        found.append(GrowingLevel(zarr.open_array(folder / str(len(found)), mode="r"), outer))
    return found
