"""Windows: boxes of a grid of pixels, and all arithmetic with them.

>>> window = Window(slice(2, 6), slice(0, 4))
>>> window.shape, window & Window(slice(4, 9), slice(1, 3))
((4, 4), Window(4:6, 1:3))
>>> np.arange(64).reshape(8, 8)[window].shape
(4, 4)
"""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from math import floor, prod
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Window(tuple[slice, ...]):
    """A box of a grid, a slice an axis, of any number of axes: an index of an array, and a value.

    Starts and stops are integers. They may lie outside the array that the window is meant for, where it is read
    by mirroring; as an index only a window inside the array is right.

    Parameters
    ----------
    *parts : slice
        One an axis, with start and stop and without a step.

    Raises
    ------
    ValueError
        If a part has a step.
    """

    __slots__ = ()

    def __new__(cls, *parts: slice) -> "Window":
        """Make a window of a slice an axis."""
        if any(part.step not in (None, 1) for part in parts):
            raise ValueError("A window holds every pixel between its start and its stop: leave the step out.")
        return super().__new__(cls, (slice(int(part.start), int(part.stop)) for part in parts))

    @classmethod
    def span(cls, start: Iterable[int], stop: Iterable[int]) -> "Window":
        """Return the window between two corners; an axis whose stop lies before its start is empty."""
        return cls(*(slice(a, max(a, b)) for a, b in zip(start, stop, strict=True)))

    @classmethod
    def whole(cls, shape: Iterable[int]) -> "Window":
        """Return the window that is all of an array."""
        return cls(*(slice(0, size) for size in shape))

    @classmethod
    def part_of(cls, shape: Sequence[int], region: Sequence[slice] | None = None) -> "Window":
        """Return the window of an array that a user names; ends may be left out, None is all of it.

        Raises
        ------
        ValueError
            If the region has another number of axes, or a step.
        """
        if region is None:
            return cls.whole(shape)
        ends = zip(region, shape, strict=True)
        return cls(*(slice(p.start or 0, n if p.stop is None else p.stop, p.step) for p, n in ends))

    @classmethod
    def of_mask(cls, mask: NDArray[np.bool_]) -> "Window | None":
        """Return the smallest window that holds every True; None where there is none."""
        axes = range(mask.ndim)
        found = [np.flatnonzero(mask.any(axis=tuple(set(axes) - {axis}))) for axis in axes]
        if any(not each.size for each in found):
            return None
        return cls.span((int(each[0]) for each in found), (int(each[-1]) + 1 for each in found))

    @classmethod
    def around(cls, windows: Iterable["Window"]) -> "Window":
        """Return the smallest window that holds several, at least one."""
        axes = list(zip(*windows, strict=True))
        starts = (min(part.start for part in parts) for parts in axes)
        return cls.span(starts, (max(part.stop for part in parts) for parts in axes))

    @property
    def start(self) -> tuple[int, ...]:
        """The first pixel."""
        return tuple(part.start for part in self)

    @property
    def stop(self) -> tuple[int, ...]:
        """The pixel behind the last."""
        return tuple(part.stop for part in self)

    @property
    def shape(self) -> tuple[int, ...]:
        """Pixels along each axis."""
        return tuple(part.stop - part.start for part in self)

    @property
    def size(self) -> int:
        """Number of pixels."""
        return prod(self.shape)

    @property
    def bounds(self) -> tuple[tuple[int, int], ...]:
        """Start and stop along each axis, as JSON can hold them."""
        return tuple((part.start, part.stop) for part in self)

    def __and__(self, other: Sequence[slice]) -> "Window":
        """Return what lies in both; empty, with a size of 0, where that is nothing."""
        return Window.span(
            (max(a.start, b.start) for a, b in zip(self, other, strict=True)),
            (min(a.stop, b.stop) for a, b in zip(self, other, strict=True)),
        )

    def holds(self, other: Sequence[slice]) -> bool:
        """Say whether another window lies inside this one."""
        return all(a.start <= b.start and b.stop <= a.stop for a, b in zip(self, other, strict=True))

    def holds_point(self, point: Sequence[float]) -> bool:
        """Say whether a pixel lies inside."""
        return all(part.start <= place < part.stop for part, place in zip(self, point, strict=True))

    def grown(self, by: int | Sequence[int]) -> "Window":
        """Return the window with a margin on every side: one for all axes, or one an axis."""
        margins = (by,) * len(self) if isinstance(by, int) else by
        return Window.span(
            (part.start - margin for part, margin in zip(self, margins, strict=True)),
            (part.stop + margin for part, margin in zip(self, margins, strict=True)),
        )

    def clipped(self, shape: Iterable[int]) -> "Window":
        """Return what lies inside an array."""
        return self & Window.whole(shape)

    def moved(self, by: Sequence[int]) -> "Window":
        """Return the window moved along each axis."""
        return Window(*(slice(part.start + n, part.stop + n) for part, n in zip(self, by, strict=True)))

    def central(self, side: int, point: Sequence[float] | None = None) -> "Window":
        """Return the part of the window around a point; where that lies near the rim, it is moved inside.

        >>> Window(slice(0, 9), slice(10, 14)).central(4)
        Window(2:6, 10:14)
        >>> Window(slice(0, 9), slice(10, 14)).central(2, (1.5, 99))
        Window(0:2, 12:14)

        Parameters
        ----------
        side : int
            Its pixels along each axis; all of them along an axis that has fewer.
        point : sequence of float, optional
            The middle of the window by default.
        """
        middle = [(part.start + part.stop) / 2 for part in self] if point is None else point
        starts = [
            min(max(floor(at - side / 2), part.start), max(part.start, part.stop - side))
            for at, part in zip(middle, self, strict=True)
        ]
        return Window.span(starts, (start + side for start in starts)) & self

    def relative_to(self, other: Sequence[slice]) -> "Window":
        """Return the window as an array that begins where another window does has it."""
        return self.moved([-part.start for part in other])

    def blocks(self, side: int | Sequence[int]) -> Iterator["Window"]:
        """Yield the blocks of a grid that the window touches, in raster order; those at its rim reach beyond it.

        Parameters
        ----------
        side : int or sequence of int
            Pixels a block; the grid's corner is the array's.
        """
        sides = (side,) * len(self) if isinstance(side, int) else side
        axes = (
            [slice(start, start + n) for start in range(part.start // n * n, part.stop, n)]
            for part, n in zip(self, sides, strict=True)
        )
        for parts in itertools.product(*axes):
            yield Window(*parts)

    def __getnewargs__(self) -> Any:
        return tuple(self)

    def __hash__(self) -> int:
        return hash(self.bounds)  # slices have a hash from Python 3.12 on only

    def __repr__(self) -> str:
        return f"Window({', '.join(f'{start}:{stop}' for start, stop in self.bounds)})"
