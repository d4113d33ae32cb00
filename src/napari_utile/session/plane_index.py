"""One plane of an array of any number of axes: all arithmetic between its rows and columns and the array's indices."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class PlaneIndex:
    """Where a plane lies in an array.

    Attributes
    ----------
    index : tuple of int or slice
        One entry per axis of the array; slices for the two axes of the plane, and for one that holds channels.
    axes : (int, int)
        Of rows and of columns.

    Examples
    --------
    >>> plane = PlaneIndex((3, slice(None), slice(None)), (1, 2))
    >>> plane.window(Window(slice(0, 2), slice(4, 6)))
    (3, slice(0, 2, None), slice(4, 6, None))
    >>> plane.point((7, 8)), plane.expanded(np.zeros((5, 5))).shape
    ((3, 7, 8), (1, 5, 5))
    >>> plane.sliders, plane.steps, plane.at((4,)).index
    ((0,), (3,), (4, slice(None, None, None), slice(None, None, None)))
    >>> plane.channel_axis, PlaneIndex((3, slice(None), slice(None), slice(None)), (2, 3)).channel_axis
    (None, 1)
    """

    index: tuple[int | slice, ...]
    axes: tuple[int, int]

    @classmethod
    def of(cls, index: Sequence[int | slice]) -> "PlaneIndex":
        """Return the plane at an index with two slices.

        Raises
        ------
        ValueError
            If it has more or fewer.
        """
        axes = [axis for axis, entry in enumerate(index) if isinstance(entry, slice)]
        if len(axes) != 2:
            raise ValueError(f"A plane has two axes; the index {tuple(index)} leaves {len(axes)}.")
        return cls(tuple(index), (axes[0], axes[1]))

    @property
    def channel_axis(self) -> int | None:
        """The axis that holds channels, None where there is none."""
        whole = (axis for axis, entry in enumerate(self.index) if isinstance(entry, slice))
        return next((axis for axis in whole if axis not in self.axes), None)

    @property
    def sliders(self) -> tuple[int, ...]:
        """The axes on which the plane has one position."""
        return tuple(axis for axis, entry in enumerate(self.index) if not isinstance(entry, slice))

    @property
    def steps(self) -> tuple[int, ...]:
        """The positions on them."""
        return tuple(entry for entry in self.index if not isinstance(entry, slice))

    def at(self, steps: Sequence[int]) -> "PlaneIndex":
        """Return the same plane at other positions of the sliders."""
        given = iter(steps)
        entries = (entry if isinstance(entry, slice) else int(next(given)) for entry in self.index)
        return PlaneIndex(tuple(entries), self.axes)

    def window(self, window: Sequence[slice] | None) -> tuple[int | slice, ...]:
        """Return the index of a window of the plane; None is all of it."""
        return self.index if window is None else self._filled(self.index, window)

    def point(self, point: Sequence[float]) -> tuple[Any, ...]:
        """Return the index of a pixel of the plane, 0 on further axes."""
        return self._filled([0 if isinstance(entry, slice) else entry for entry in self.index], point)

    def pixels(self, rows: Any, columns: Any) -> tuple[npt.NDArray[np.intp], ...]:
        """Return the index of pixels of the plane: an array of integers per axis."""
        count = len(rows)
        full = [np.full(count, 0 if isinstance(entry, slice) else entry, np.intp) for entry in self.index]
        return self._filled(full, (np.asarray(rows, np.intp), np.asarray(columns, np.intp)))

    def expanded(self, data: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return (y, x) data with all axes of the array, those beside the plane's with one entry."""
        return np.expand_dims(data, [axis for axis in range(len(self.index)) if axis not in self.axes])

    def _filled(self, entries: Sequence[Any], parts: Sequence[Any]) -> tuple[Any, ...]:
        filled = list(entries)
        for axis, part in zip(self.axes, parts, strict=True):
            filled[axis] = part
        return tuple(filled)
