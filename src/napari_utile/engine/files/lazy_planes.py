"""Images whose planes are decoded one at a time, where they are indexed."""

import itertools
import threading
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import dask.array
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class PlaneSeries:
    """One image of a file: `read` gives the plane (Y, X) or (Y, X, S) at an index of the other axes."""

    name: str
    sizes: Mapping[str, int]
    dtype: np.dtype[Any]
    read: Callable[[dict[str, int]], NDArray[Any]]
    close: Callable[[], None]
    spacing: Mapping[str, float | None] = field(default_factory=dict)
    """Micrometres between entries of Z, Y and X; seconds between those of T."""
    notes: tuple[str, ...] = ()
    missing: tuple[int, int] = (0, 1)
    """How many planes were never written, of how many."""
    fixed: dict[str, int] = field(default_factory=dict)
    """Where along axes that images do not have it lies: `read` is told this, too."""


class _Planes:
    """What dask reads from: an array of planes, one of which is decoded at a time."""

    def __init__(self, series: PlaneSeries) -> None:
        self._series, self._lock = series, threading.Lock()
        self._outer = [axis for axis in series.sizes if axis in "TZC"]
        self.shape = tuple(series.sizes.values())
        self.dtype, self.ndim = series.dtype, len(self.shape)

    def __getitem__(self, key: tuple[slice | int, ...]) -> NDArray[Any]:
        count = len(self._outer)
        whole = tuple(slice(each, each + 1) if isinstance(each, int) else each for each in key)
        picked = [range(*each.indices(size)) for each, size in zip(whole[:count], self.shape, strict=False)]
        places = (dict(zip(self._outer, index, strict=True)) for index in itertools.product(*picked))
        with self._lock:
            planes = [self._series.read(self._series.fixed | place)[whole[count:]] for place in places]
        made = np.stack(planes).reshape(*map(len, picked), *planes[0].shape).astype(self.dtype, copy=False)
        return made[tuple(0 if isinstance(each, int) else slice(None) for each in key)]


def lazy_planes(series: PlaneSeries) -> "dask.array.Array":
    """Give a series as a dask array of planes; its file is closed when nothing reads from it any more."""
    planes = _Planes(series)
    weakref.finalize(planes, series.close)
    chunks = tuple(1 if axis in "TZC" else size for axis, size in series.sizes.items())
    array: dask.array.Array = dask.array.from_array(planes, chunks=chunks, name=False)
    return array
