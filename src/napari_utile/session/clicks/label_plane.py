"""A label array: one plane of it, read by windows; edits as lists of pixels; its largest label, labels of pixels."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_utile.engine.arrays import BoolArray, IntArray
from napari_utile.engine.clicks.prompts import windows_around
from napari_utile.engine.windows import Window
from napari_utile.session.plane_index import PlaneIndex

Point = tuple[int, ...]

# Planes up to this size are searched whole for the pieces of a label. Pixels.
_SEARCHED_BELOW = 1 << 22
# The largest label is looked for in blocks of about this many pixels.
_BLOCK = 1 << 24


@dataclass(frozen=True, eq=False)
class Edit:
    """Pixels of a plane and the labels they get: one step to undo.

    Attributes
    ----------
    rows, columns : (N,) int arrays
        Each pixel at most once.
    values : (N,) int64 array
    """

    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    values: NDArray[np.int64]

    @property
    def window(self) -> Window:
        """Bounding box in the plane."""
        stop = self.rows.max() + 1, self.columns.max() + 1
        return Window.span((self.rows.min(), self.columns.min()), stop)

    def __len__(self) -> int:
        return int(self.rows.size)


def edit_of(mask: BoolArray, corner: Sequence[int], value: int) -> Edit:
    """Make the edit that gives one label to the pixels of a mask whose first pixel lies at `corner`."""
    rows, columns = np.nonzero(mask)
    return Edit(rows + corner[0], columns + corner[1], np.full(rows.size, value, dtype=np.int64))


def joined_edits(edits: list[Edit]) -> Edit:
    """Join edits to one; where several set a pixel, the last one counts."""
    rows = np.concatenate([edit.rows for edit in edits])
    columns = np.concatenate([edit.columns for edit in edits])
    values = np.concatenate([edit.values for edit in edits])
    backwards = slice(None, None, -1)
    key = rows.astype(np.int64) << 32 | columns
    _, last = np.unique(key[backwards], return_index=True)
    last = rows.size - 1 - last
    return Edit(rows[last], columns[last], values[last])


class LabelPlane:
    """The plane of a label array that is being edited; reads go to the array itself.

    Parameters
    ----------
    data : array-like
        NumPy or zarr, any number of axes.
    index : tuple of int or slice
        One entry per axis; ``slice(None)`` for the two axes of the plane.
    offset : (int, int)
        Where the array begins, for arrays that cover a part of the plane.
    shape : (int, int), optional
        Rows and columns of the plane; those of the array by default.
    """

    def __init__(
        self,
        data: Any,
        index: tuple[int | slice, ...],
        offset: tuple[int, ...] = (0, 0),
        shape: tuple[int, int] | None = None,
    ) -> None:
        self.data = data
        self.place = PlaneIndex.of(index)
        self.offset = offset
        axes = self.place.axes
        self._extent = int(data.shape[axes[0]]), int(data.shape[axes[1]])
        self.shape = shape or self._extent

    @property
    def index(self) -> tuple[int | slice, ...]:
        """Where the plane lies in the array."""
        return self.place.index

    @property
    def covered(self) -> Window:
        """The window of the plane that the array covers."""
        return Window.whole(self._extent).moved(self.offset).clipped(self.shape)

    def holds(self, point: Point) -> bool:
        """Whether a pixel can be labelled."""
        return self.covered.holds_point(point)

    def read(self, window: Window) -> IntArray:
        """Return the labels (y, x) of a window, 0 where the array does not reach; not to be written to."""
        there = window & self.covered
        index = self.place.window(self.in_array(there))
        if there == window:
            return np.asarray(self.data[index])
        found = np.zeros(window.shape, dtype=self.data.dtype)
        if there.size:
            found[there.relative_to(window)] = np.asarray(self.data[index])
        return found

    def reached(self, window: Window) -> BoolArray:
        """Say which pixels (y, x) of a window can be labelled."""
        reached = np.zeros(window.shape, dtype=bool)
        both = window & self.covered
        if both.size:
            reached[both.relative_to(window)] = True
        return reached

    def in_array(self, window: Window) -> Window:
        """Express a window of the plane in pixels of the array."""
        return window.moved([-start for start in self.offset])

    def of(self, data: Any) -> "LabelPlane":
        """Return the same plane of another array of the same shape."""
        return LabelPlane(data, self.index, self.offset, self.shape)

    def at(self, point: Point) -> int:
        """Return the label of a pixel."""
        y, x = point
        return int(self.read(Window.span(point, (y + 1, x + 1)))[0, 0])

    def object_at(self, point: Point) -> tuple[Window, BoolArray]:
        """Return the bounding box of the label at a point, and which of its pixels have that label.

        On planes of more than four million pixels only what hangs together with the point within a window is
        searched; pieces far away are left out.
        """
        label = self.at(point)
        if self.shape[0] * self.shape[1] <= _SEARCHED_BELOW:
            window = self.covered
            mask = self.read(window) == label
        else:
            for window in windows_around(self.shape, point):
                mask = self.read(window) == label
                sides = ((mask[0], window[0].start > 0), (mask[-1], window[0].stop < self.shape[0]))
                more = ((mask[:, 0], window[1].start > 0), (mask[:, -1], window[1].stop < self.shape[1]))
                if not any(cut and side.any() for side, cut in (*sides, *more)):
                    break
        box = Window.of_mask(mask)
        assert box is not None
        return box.moved(window.start), np.ascontiguousarray(mask[box])

    def around(self, window: Window, margin: int) -> Window:
        """Return a window with a margin, inside the plane."""
        return window.grown(margin).clipped(self.shape)

    def full_index(self, edit: Edit) -> tuple[NDArray[np.intp], ...]:
        """Return the pixels of an edit, all of which can be labelled, as one index array per axis of the array."""
        return self.place.pixels(edit.rows - self.offset[0], edit.columns - self.offset[1])

    def position(self, point: Point) -> tuple[int, ...]:
        """Return the index of a pixel on every axis of the array."""
        return self.place.point((point[0] - self.offset[0], point[1] - self.offset[1]))

    def point_of(self, position: Sequence[int]) -> tuple[int, int] | None:
        """Return the pixel at an index of the array; None where it lies on another plane, or outside this one."""
        if self.place.steps != tuple(position[axis] for axis in self.place.sliders):
            return None
        rows, columns = self.place.axes
        point = position[rows] + self.offset[0], position[columns] + self.offset[1]
        return point if self.holds(point) else None

    def changed(self, edit: Edit) -> Edit:
        """Return the part of an edit that changes something and can be carried out."""
        rows, columns = self.covered
        inside = (edit.rows >= rows.start) & (edit.rows < rows.stop)
        inside &= (edit.columns >= columns.start) & (edit.columns < columns.stop)
        if not inside.all():
            edit = Edit(edit.rows[inside], edit.columns[inside], edit.values[inside])
        if not len(edit):
            return edit
        window = edit.window
        now = self.read(window)[edit.rows - window[0].start, edit.columns - window[1].start]
        differs = now != edit.values
        return Edit(edit.rows[differs], edit.columns[differs], edit.values[differs])


def label_range(data: Any) -> Generator[None, None, tuple[int, int]]:
    """Find the lowest and the highest number of an array and 0, block by block; every yield is a point to stop at."""
    lowest = highest = 0
    step = max(1, _BLOCK // max(1, int(np.prod(data.shape[1:], dtype=np.int64))))
    for start in range(0, data.shape[0], step):
        yield
        block = np.asarray(data[start : start + step])
        lowest, highest = min(lowest, int(block.min(initial=0))), max(highest, int(block.max(initial=0)))
    return lowest, highest


def labels_at(data: Any, positions: Sequence[tuple[int, ...]]) -> NDArray[np.int64]:
    """Read the labels of pixels, all in one go: reading a chunk of an array for each would take long.

    Parameters
    ----------
    data : array-like
        NumPy or zarr.
    positions : sequence of N tuples of int
        One entry per axis.

    Returns
    -------
    (N,) int64 array
        0 for positions outside the array.
    """
    found = np.zeros(len(positions), dtype=np.int64)
    if not positions:
        return found
    places = np.asarray(positions, dtype=np.intp)
    inside = ((places >= 0) & (places < np.asarray(data.shape))).all(axis=1)
    if inside.any():
        found[inside] = np.asarray(data[tuple(places[inside].T)])
    return found
