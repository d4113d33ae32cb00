"""A weight map that follows its label image while somebody paints."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_utile.engine.nearest_cells import nearest_two_within
from napari_utile.engine.touching import CellSizes, Labels, as_cells, centre_distances, part_cells
from napari_utile.engine.weight_map import (
    Float32,
    WeightMap,
    WeightMapParams,
    class_weights,
    pixel_aspect,
    weigh_distances,
)

Window = tuple[slice, slice]


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
        The label image with touching cells parted.
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
        self.cells: Labels = part_cells(self._seen, self._sizes).copy()
        self._inside = int(np.count_nonzero(self.cells))
        self.version = 0
        self._measure()

    def _measure(self) -> None:
        self._reach = self.params.reach
        self.d1, self.d2 = nearest_two_within(self.cells, self._reach, self.aspect, each=self.distances)
        self.border: Float32 = weigh_distances(self.d1, self.d2, self.params, self.cells)

    def adjust(self, params: WeightMapParams, distances: bool = False) -> None:
        """Take other parameters; distances are measured again only where they now reach farther."""
        measured = params.reach <= self._reach and (self.distances or not distances)
        self.params = params
        if measured:
            self.border[...] = weigh_distances(self.d1, self.d2, params, self.cells)
        else:
            self.distances = distances
            self._measure()

    def update(self, region: Window | None = None) -> Window | None:
        """Bring the map up to date after the labels changed within `region`.

        The work depends on the size of the change and of the cells it belongs to,
        not on the image. The result equals a new map bit for bit.

        Parameters
        ----------
        region : (slice, slice), optional
            Rows and columns that hold every change; the whole image if left out.

        Returns
        -------
        (slice, slice) or None
            The rows and columns in which the border term may have changed, None
            where no weight has. Class balance changes everywhere.
        """
        changed = self._take_changes(_clip(region or (slice(None), slice(None)), self._seen.shape))
        if changed is None:
            return None
        window = _grow(changed, (1, 1), self._seen.shape)
        around = _grow(window, (1, 1), self._seen.shape)
        crop = tuple(
            slice(inner.start - outer.start, inner.stop - outer.start)
            for inner, outer in zip(window, around, strict=True)
        )
        parted = part_cells(self._seen[around], self._sizes)[crop]
        differs = _box(parted != self.cells[window])
        if differs is None:
            return None
        self._inside += int(np.count_nonzero(parted)) - int(np.count_nonzero(self.cells[window]))
        self.cells[window] = parted
        rows, columns = _shift(differs, window)
        grown = int(np.ceil(self._reach / self.aspect[0])), int(np.ceil(self._reach / self.aspect[1]))
        touched = _grow((rows, columns), grown, self._seen.shape)
        self.d1[touched], self.d2[touched] = nearest_two_within(
            self.cells, self._reach, self.aspect, *touched, each=self.distances
        )
        self.border[touched] = weigh_distances(
            self.d1[touched], self.d2[touched], self.params, self.cells[touched]
        )
        return touched

    def _take_changes(self, region: Window) -> Window | None:
        """Copy the changed labels and give the box in which cells may now be parted otherwise."""
        new = as_cells(self.labels[region])
        old = self._seen[region]
        differs = new != old
        box = _box(differs)
        if box is None:
            return None
        y, x = np.nonzero(differs)
        rows, columns = y + region[0].start, x + region[1].start
        boxes = [_shift(box, region)]
        boxes += self._sizes.change(old[y, x], rows, columns, -1)
        boxes += self._sizes.change(new[y, x], rows, columns, 1)
        self._seen[region] = new
        self.version += 1
        return _union(boxes)

    @property
    def measured_reach(self) -> float:
        """How far distances were measured; parameters of a smaller reach cost next to nothing."""
        return self._reach

    @property
    def class_weights(self) -> Float32:
        """Weights of background and cells, (2,)."""
        return class_weights(self._inside, self.cells.size, self.params)

    def class_balance(self, window: Window = (slice(None), slice(None))) -> Float32:
        """Give the class term of a window, a new array."""
        outside, inside = self.class_weights
        cells = self.cells[window]
        weights = np.full(cells.shape, outside, np.float32)
        np.copyto(weights, inside, where=cells != 0)
        return weights

    def total(self, window: Window = (slice(None), slice(None))) -> Float32:
        """Give the weights of a window, a new array."""
        weights = self.class_balance(window)
        weights += self.border[window]
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
        counts = np.bincount(numbers.ravel(), minlength=len(ids))
        boxes = ndimage.find_objects(numbers + 1, len(ids))
        self._area: dict[int, int] = {}
        self._boxes: dict[int, Window] = {}
        for i, count, box in zip(ids, counts, boxes, strict=True):
            if i != 0 and box is not None:
                self._area[int(i)], self._boxes[int(i)] = int(count), box

    def change(
        self, ids: Labels, rows: NDArray[np.intp], columns: NDArray[np.intp], sign: int
    ) -> list[Window]:
        """Add (1) or take away (-1) pixels and give the boxes of the cells they belong to."""
        touched = []
        for i in np.unique(ids[ids != 0]):
            mine, key = ids == i, int(i)
            self._area[key] = self._area.get(key, 0) + sign * int(np.count_nonzero(mine))
            y, x = rows[mine], columns[mine]
            box = slice(int(y.min()), int(y.max()) + 1), slice(int(x.min()), int(x.max()) + 1)
            known = self._boxes.get(key)
            self._boxes[key] = box if known is None else _union([known, box])
            touched.append(self._boxes[key])
        return touched

    def areas(self, ids: Labels) -> NDArray[np.int64]:
        return np.array([self._area[int(i)] for i in ids], np.int64)

    def spreads(self, ids: Labels) -> NDArray[np.int64]:
        spreads = []
        for i in ids:
            box = self._boxes[int(i)]
            y, x = np.nonzero(self._cells[box] == i)
            spreads.append(centre_distances(y + box[0].start, x + box[1].start, self._cells.shape).sum())
        return np.array(spreads, np.int64)


def _box(mask: NDArray[np.bool_]) -> Window | None:
    """Smallest window that holds every True."""
    rows = np.flatnonzero(mask.any(axis=1))
    if not len(rows):
        return None
    columns = np.flatnonzero(mask.any(axis=0))
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def _shift(box: Window, origin: Window) -> Window:
    rows, columns = box
    top, left = origin[0].start, origin[1].start
    return slice(rows.start + top, rows.stop + top), slice(columns.start + left, columns.stop + left)


def _grow(box: Window, by: tuple[int, int], shape: tuple[int, ...]) -> Window:
    rows, columns = box
    return (
        slice(max(rows.start - by[0], 0), min(rows.stop + by[0], shape[0])),
        slice(max(columns.start - by[1], 0), min(columns.stop + by[1], shape[1])),
    )


def _clip(region: Window, shape: tuple[int, ...]) -> Window:
    (top, bottom, _), (left, right, _) = (
        part.indices(size) for part, size in zip(region, shape, strict=True)
    )
    return slice(top, max(bottom, top)), slice(left, max(right, left))


def _union(boxes: list[Window]) -> Window:
    rows, columns = zip(*boxes, strict=True)
    return (
        slice(min(r.start for r in rows), max(r.stop for r in rows)),
        slice(min(c.start for c in columns), max(c.stop for c in columns)),
    )
