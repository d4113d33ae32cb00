"""A weight map that follows its label image while somebody paints."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_utile.engine.arrays import Float32Array, Labels
from napari_utile.engine.weights.nearest_cells import nearest_two_within
from napari_utile.engine.weights.touching import CellSizes, as_cells, centre_distances, separate_cells
from napari_utile.engine.weights.weight_map import (
    WeightMap,
    WeightMapParams,
    class_weights,
    pixel_aspect,
    weigh_distances,
)
from napari_utile.engine.windows import Window

_MOST_WINDOWS = 40
"""More places to look at than this are looked at as one."""


class LiveWeightMap:
    """The weight map of a label image that changes in places.

    Parameters
    ----------
    labels : (Y, X) integer array
        Kept by reference; after a change to it call `update`.
    params : WeightMapParams
    pixel_size : (height, width), optional
    distances : bool
        Keep d1 and d2 wherever they are within reach, not only where their sum is.

    Attributes
    ----------
    labels : (Y, X) integer array
        The label image itself, not a copy.
    cells : (Y, X) integer array
        The label image with touching cells separated.
    border : (Y, X) float32 array
        The border term; written in place.
    d1, d2 : (Y, X) float32 arrays
        Infinite beyond reach; written in place.
    version : int
        Grows with every update that found other labels, even if no weight has changed.

    Raises
    ------
    ValueError
        As `weight_map`.
    """

    def __init__(
        self,
        labels: Labels,
        params: WeightMapParams | None = None,
        pixel_size: Sequence[float] | None = None,
        distances: bool = False,
    ) -> None:
        self.params = params or WeightMapParams()
        self.aspect = pixel_aspect(pixel_size)
        self.distances = distances
        self.labels = labels
        self._seen = as_cells(labels).copy()
        self._sizes = _KnownSizes(self._seen)
        self.cells: Labels = separate_cells(self._seen, self._sizes).copy()
        self._inside = int(np.count_nonzero(self.cells))
        self.version = 0
        self._measure()

    def _measure(self) -> None:
        self._reach = self.params.reach
        self.d1, self.d2 = nearest_two_within(self.cells, self._reach, self.aspect, each=self.distances)
        self.border: Float32Array = weigh_distances(self.d1, self.d2, self.params, self.cells)

    def adjust(self, params: WeightMapParams, distances: bool = False) -> None:
        """Take other parameters; distances are measured again only where they now reach farther."""
        measured = params.reach <= self._reach and (self.distances or not distances)
        self.params = params
        if measured:
            self.border[...] = weigh_distances(self.d1, self.d2, params, self.cells)
        else:
            self.distances = distances
            self._measure()

    def update(self, region: Sequence[slice] | None = None) -> Window | None:
        """Bring the map up to date after the labels changed within `region`.

        The work depends on the size of the change and of the cells it belongs to,
        not on the image. The result equals a new map bit for bit.

        Parameters
        ----------
        region : Window or (slice, slice), optional
            Rows and columns that hold every change; the whole image if left out.

        Returns
        -------
        Window or None
            The rows and columns in which the border term may have changed, None
            where no weight has. Class balance changes everywhere.
        """
        region = Window.part_of(self._seen.shape, region).clipped(self._seen.shape)
        windows = self._take_changes(region)
        changed = [box for box in map(self._separate, windows) if box is not None]
        if not changed:
            return None
        grown = int(np.ceil(self._reach / self.aspect[0])), int(np.ceil(self._reach / self.aspect[1]))
        touched = [box.grown(grown).clipped(self._seen.shape) for box in changed]
        for window in _joined(touched):
            self.d1[window], self.d2[window] = nearest_two_within(
                self.cells, self._reach, self.aspect, window, each=self.distances
            )
            self.border[window] = weigh_distances(
                self.d1[window], self.d2[window], self.params, self.cells[window]
            )
        return Window.around(touched)

    def _separate(self, window: Window) -> Window | None:
        """Separate the cells of a window again and give the box in which that changed anything."""
        around = window.grown(1).clipped(self._seen.shape)
        separated = separate_cells(self._seen[around], self._sizes)[window.relative_to(around)]
        differs = Window.of_mask(separated != self.cells[window])
        if differs is None:
            return None
        self._inside += int(np.count_nonzero(separated)) - int(np.count_nonzero(self.cells[window]))
        self.cells[window] = separated
        return differs.moved(window.start)

    def _take_changes(self, region: Window) -> list[Window]:
        """Copy the changed labels and give the windows in which cells may now be separated otherwise."""
        new = as_cells(self.labels[region])
        old = self._seen[region]
        differs = new != old
        box = Window.of_mask(differs)
        if box is None:
            return []
        y, x = np.nonzero(differs)
        rows, columns = y + region[0].start, x + region[1].start
        windows = self._sizes.change(old[y, x], new[y, x], rows, columns)
        self._seen[region] = new
        self.version += 1
        windows = [box.moved(region.start), *windows]
        if len(windows) > _MOST_WINDOWS:
            windows = [Window.around(windows)]
        return [window.grown(1).clipped(self._seen.shape) for window in windows]

    @property
    def measured_reach(self) -> float:
        """How far distances were measured; parameters of a smaller reach cost next to nothing."""
        return self._reach

    @property
    def class_weights(self) -> Float32Array:
        """Weights of background and cells, (2,)."""
        return class_weights(self._inside, self.cells.size, self.params)

    def class_balance(self, window: Window | None = None) -> Float32Array:
        """Give the class term of a window, a new array."""
        outside, inside = self.class_weights
        cells = self.cells[Window.part_of(self.cells.shape, window)]
        weights = np.full(cells.shape, outside, np.float32)
        np.copyto(weights, inside, where=cells != 0)
        return weights

    def total(self, window: Window | None = None) -> Float32Array:
        """Give the weights of a window, a new array."""
        weights = self.class_balance(window)
        weights += self.border[Window.part_of(self.border.shape, window)]
        return weights

    def snapshot(self) -> WeightMap:
        """Copy the map as it is now."""
        return WeightMap(
            self.total(),
            self.class_balance(),
            self.border.copy(),
            self.cells.copy(),
            self.params,
            self.aspect,
        )


class _KnownSizes(CellSizes):
    """Areas and boxes of all cells, kept up to date instead of measured again.

    A box never shrinks; it holds at least its cell.
    """

    def __init__(self, cells: Labels) -> None:
        super().__init__(cells)
        largest = int(cells.max(initial=0))
        if largest <= cells.size:
            ids, numbers = np.arange(largest + 1), cells.astype(np.intp)
        else:  # a table with a place for every id would not fit
            ids, numbers = np.unique(cells, return_inverse=True)
            numbers = numbers.reshape(cells.shape)  # NumPy before 2 gives them in one row
        counts = np.bincount(numbers.ravel(), minlength=len(ids))
        boxes = ndimage.find_objects(numbers + 1, len(ids))
        self._area: dict[int, int] = {}
        self._boxes: dict[int, Window] = {}
        for i, count, box in zip(ids, counts, boxes, strict=True):
            if i != 0 and box is not None:
                self._area[int(i)], self._boxes[int(i)] = int(count), Window(*box)

    def change(
        self, old: Labels, new: Labels, rows: NDArray[np.intp], columns: NDArray[np.intp]
    ) -> list[Window]:
        """Move pixels from the cells `old` to the cells `new`.

        Returns
        -------
        list of Window
            Where the boxes of two cells meet, of which the other one may now be the larger.
        """
        before: dict[int, int] = {}
        for ids, sign in ((old, -1), (new, 1)):
            for i in np.unique(ids[ids != 0]):
                mine, key = ids == i, int(i)
                before.setdefault(key, self._area.get(key, 0))
                self._area[key] = self._area.get(key, 0) + sign * int(np.count_nonzero(mine))
                y, x = rows[mine], columns[mine]
                box = Window.span((y.min(), x.min()), (y.max() + 1, x.max() + 1))
                self._boxes[key] = Window.around([box, self._boxes.get(key, box)])
        windows = []
        for key, was in before.items():
            here, now = self._boxes[key].grown(1).clipped(self._cells.shape), self._area[key]
            for other, area in self._area.items():
                if other == key or (was - before.get(other, area)) * (now - area) > 0:
                    continue
                meeting = here & self._boxes[other]
                if meeting.size:
                    windows.append(meeting)
        return windows

    def areas(self, ids: Labels) -> NDArray[np.int64]:
        return np.array([self._area[int(i)] for i in ids], np.int64)

    def spreads(self, ids: Labels) -> NDArray[np.int64]:
        spreads = []
        for i in ids:
            box = self._boxes[int(i)]
            y, x = np.nonzero(self._cells[box] == i)
            spreads.append(centre_distances(y + box[0].start, x + box[1].start, self._cells.shape).sum())
        return np.array(spreads, np.int64)


def _joined(boxes: list[Window]) -> list[Window]:
    """Make one of boxes that lie close together."""
    whole = Window.around(boxes)
    return [whole] if whole.size <= 2 * sum(box.size for box in boxes) else boxes
