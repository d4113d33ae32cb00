"""A plane, or a volume, as runs of equal pixels along its rows: what counts objects costs runs instead of pixels."""

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

IndexArray = npt.NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Runs:
    """The runs of a plane or a volume, in raster order; none goes on in the next row.

    Attributes
    ----------
    shape : tuple of int
        Of the plane or volume; rows lie along the last axis.
    starts : (R,) integer array
        Flat index of the first pixel of each run.
    values : (R,) array
        What the pixels of each run have in common.
    """

    shape: tuple[int, ...]
    starts: IndexArray
    values: npt.NDArray[Any]

    @cached_property
    def lengths(self) -> IndexArray:
        """Pixels of each run (R,)."""
        return np.diff(self.starts, append=math.prod(self.shape))

    @property
    def nbytes(self) -> int:
        """Bytes that it keeps in memory."""
        return int(2 * self.starts.nbytes + self.values.nbytes)

    def paint(self, per_run: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return the plane or volume whose pixels have their run's value (R,)."""
        return np.repeat(per_run, self.lengths).reshape(self.shape)

    def with_values(self, values: npt.NDArray[Any]) -> "Runs":
        """Give the runs other values (R,); neighbours in a row that are equal now become one run."""
        differs = self.starts % max(self.shape[-1], 1) == 0
        differs[1:] |= values[1:] != values[:-1]
        return Runs(self.shape, self.starts[differs], values[differs])


def runs_of(plane: npt.NDArray[Any]) -> Runs:
    """Find the runs of a (Y, X) or (Z, Y, X) array."""
    changes = np.empty(plane.shape, dtype=bool)
    changes[..., :1] = True
    np.not_equal(plane[..., 1:], plane[..., :-1], out=changes[..., 1:])
    starts = np.flatnonzero(changes)
    return Runs(plane.shape, starts, plane.reshape(-1)[starts])


def connected_runs(
    runs: Runs, wanted: npt.NDArray[np.bool_], *, diagonally: bool = False
) -> tuple[int, npt.NDArray[np.int32]]:
    """Find the connected components that some of the runs form.

    Parameters
    ----------
    runs : Runs
    wanted : (R,) bool array
        The runs of the foreground; two that follow each other in a row count as apart, so they must not touch.
    diagonally : bool
        Whether pixels that only share a corner are connected.

    Returns
    -------
    count : int
    component : (F,) int32 array
        Of each wanted run, 0 to ``count - 1``.
    """
    *outer, width = runs.shape
    first = runs.starts[wanted]
    if first.size == 0:
        return 0, np.zeros(0, dtype=np.int32)
    # As if there were an empty pixel behind each row and an empty row behind each plane: the end of one then
    # touches the beginning of the next in no direction.
    row = first // width
    apart = np.ravel_multi_index(np.unravel_index(row, outer), tuple(size + 1 for size in outer))
    first = first - row * width + apart * (width + 1)
    after = first + runs.lengths[wanted]
    corner = int(diagonally)
    one, other = [], []
    for rows in _rows_after(tuple(outer), diagonally):
        step = rows * (width + 1)
        lowest = np.searchsorted(after, first + (step - corner), side="right")
        highest = np.searchsorted(first, after + (step + corner), side="left")
        below = np.maximum(highest - lowest, 0)  # how many runs of that row each run touches
        ends = np.cumsum(below)
        one.append(np.repeat(np.arange(first.size), below))
        other.append(np.arange(ends[-1]) + np.repeat(lowest - (ends - below), below))
    return connected(np.concatenate(one), np.concatenate(other), first.size)


def _rows_after(outer: tuple[int, ...], diagonally: bool) -> Iterator[int]:
    """Yield how many rows after a row those follow that touch it, with an empty row behind each plane."""
    for way in itertools.product((-1, 0, 1), repeat=len(outer)):
        rows = 0
        for size, step in zip(outer, way, strict=True):
            rows = rows * (size + 1) + step
        if way > (0,) * len(way) and (diagonally or sum(map(abs, way)) == 1):
            yield rows


def connected(
    one: npt.NDArray[np.integer[Any]], other: npt.NDArray[np.integer[Any]], count: int
) -> tuple[int, npt.NDArray[np.int32]]:
    """Find the connected components of `count` things, of which each pair (E,) touches; as `connected_runs`."""
    touching = np.ones(one.size, dtype=np.int8)
    graph = coo_matrix((touching, (one, other)), shape=(count, count))
    components, component = connected_components(graph, directed=False)
    return int(components), component


def sums(groups: npt.NDArray[np.integer[Any]], values: IndexArray, count: int) -> IndexArray:
    """Sum whole numbers (R,) over the runs of each of `count` groups."""
    return np.bincount(groups, values, minlength=count).astype(np.intp)
