"""The planes of a stack, one at a time: on disk until the last one is there, so that memory holds one of them."""

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

AXIS_ORDER = "TZCYXS"
"""How axes follow one another in the TIFFs that are written."""

IN_MEMORY = 16 << 20
"""Bytes of a stack up to which it is not put on disk."""


@dataclass(frozen=True)
class Planes:
    """The planes of a stack, to be read one after the other, as often as one likes.

    Attributes
    ----------
    shape : tuple of int
        Of the whole stack.
    axes : str
        A letter an axis, in `AXIS_ORDER`.
    dtype : numpy.dtype
    read : callable
        Returns an iterator of the planes: arrays of the axes from Y on.
    corner : (int, int)
        Row and column of the image at which they begin.
    """

    shape: tuple[int, ...]
    axes: str
    dtype: np.dtype[Any]
    read: Callable[[], Iterator[NDArray[Any]]]
    corner: tuple[int, ...] = (0, 0)

    @property
    def nbytes(self) -> int:
        """Bytes of all pixels."""
        return int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize

    def mapped(self, function: Callable[[NDArray[Any]], NDArray[Any]], dtype: Any) -> "Planes":
        """Return the planes as a function makes them when they are read."""
        return replace(self, dtype=np.dtype(dtype), read=lambda: map(function, self.read()))


def planes_of(array: NDArray[Any], axes: str) -> Planes:
    """Take the planes of an array, whatever the order of its axes."""
    order = sorted(range(len(axes)), key=lambda position: AXIS_ORDER.index(axes[position]))
    ordered, axes = array.transpose(order), "".join(axes[position] for position in order)
    outer = ordered.shape[: axes.index("Y")]
    return Planes(ordered.shape, axes, array.dtype, lambda: (ordered[index] for index in np.ndindex(outer)))


def stacked_labels(
    labels: Sequence[NDArray[Any]], indices: Sequence[Mapping[str, int]], corner: tuple[int, ...] = (0, 0)
) -> Planes:
    """Give label planes (Y, X) in the order in which a file of labels has them.

    Parameters
    ----------
    labels : sequence of (Y, X) arrays
    indices : sequence of mappings
        Which entry of each axis each of them is, for example ``{"T": 3, "Z": 0}``.
    corner : (int, int)
        See `Planes`.
    """
    values = {axis: sorted({index[axis] for index in indices}) for axis in AXIS_ORDER if axis in indices[0]}
    sizes = {axis: len(each) for axis, each in values.items() if len(each) > 1}
    ordered = [labels[place] for place in file_order(indices)]
    shape = (*sizes.values(), *labels[0].shape)
    return Planes(shape, f"{''.join(sizes)}YX", labels[0].dtype, lambda: iter(ordered), corner)


def file_order(indices: Sequence[Mapping[str, int]]) -> list[int]:
    """Give the places of planes in the order in which a file of labels has them."""
    axes = [axis for axis in AXIS_ORDER if indices and axis in indices[0]]
    return sorted(range(len(indices)), key=lambda place: [indices[place][axis] for axis in axes])


class PlaneFile:
    """Planes (Y, X) of the same shape and type, kept in a temporary file that goes away when this is closed.

    Parameters
    ----------
    folder : path-like
        Where the file is made: beside the results, where there must be room for them anyway.
    axes : str
        The axes along which planes are stacked, in the image's order.
    sizes : sequence of int
        How many planes there are along each.
    """

    def __init__(self, folder: str | os.PathLike[str], axes: str, sizes: Sequence[int]) -> None:
        self._order = sorted(range(len(axes)), key=lambda position: AXIS_ORDER.index(axes[position]))
        self._axes = "".join(axes[position] for position in self._order)
        self._sizes = tuple(sizes[position] for position in self._order)
        self._file = tempfile.SpooledTemporaryFile(IN_MEMORY, dir=os.fspath(folder))  # noqa: SIM115 - see close
        self._plane: tuple[tuple[int, ...], np.dtype[Any]] | None = None

    def put(self, position: Sequence[int], plane: NDArray[Any]) -> None:
        """Keep a plane.

        Parameters
        ----------
        position : sequence of int
            Where it lies along each stacked axis.
        plane : (Y, X) array
        """
        self._plane = self._plane or (plane.shape, plane.dtype)
        if (plane.shape, plane.dtype) != self._plane:
            raise ValueError("All planes of a stack have the same shape and type.")
        number = 0
        for place, size in zip((position[axis] for axis in self._order), self._sizes, strict=True):
            number = number * size + place
        self._file.seek(number * plane.nbytes)
        self._file.write(np.ascontiguousarray(plane).data)

    @property
    def planes(self) -> Planes:
        """All planes that were kept; for as long as the file is open."""
        assert self._plane is not None
        shape, dtype = self._plane
        return Planes((*self._sizes, *shape), f"{self._axes}YX", dtype, self._read)

    def _read(self) -> Iterator[NDArray[Any]]:
        assert self._plane is not None
        shape, dtype = self._plane
        nbytes = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
        for number in range(int(np.prod(self._sizes, dtype=np.int64))):
            self._file.seek(number * nbytes)
            yield np.frombuffer(self._file.read(nbytes), dtype).reshape(shape)

    def close(self) -> None:
        """Remove the file."""
        self._file.close()

    def __enter__(self) -> "PlaneFile":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
