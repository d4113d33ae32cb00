"""A label layer as the mask of a run: the pixels of an image that lie in its labels."""

from typing import Any

import napari.layers
import numpy as np

from napari_utile.engine.windows import Window
from napari_utile.session.store_jobs import MOST_IN_MEMORY
from napari_utile.widgets.viewer.layers import Place


class LabelMask:
    """Which pixels of a plane lie in the labels of a layer, read when it is asked for, by any thread.

    Parameters
    ----------
    levels : list of array-like
        Of the layer, the largest first.
    index : tuple of int or slice
        The plane of it, at full resolution.
    places : (array, array)
        For rows and columns of the mask, which row and column of the full resolution; those outside are no labels.
    turned : bool
        Whether the rows of the labels are the columns of the plane.

    Attributes
    ----------
    shape : (int, int)
    """

    def __init__(self, levels: list[Any], index: tuple[Any, ...], places: Any, *, turned: bool) -> None:
        self.shape = places[0].size, places[1].size
        self._levels, self._index, self._places, self._turned = levels, index, places, turned

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        shown = [axis for axis, entry in enumerate(self._index) if isinstance(entry, slice)]
        full = [self._levels[0].shape[axis] for axis in shown]
        level = next(
            (
                each
                for each in self._levels
                if np.prod([each.shape[axis] for axis in shown]) <= 4 * MOST_IN_MEMORY
            ),
            self._levels[-1],
        )
        places = self._places[::-1] if self._turned else self._places
        mask = np.zeros([each.size for each in places], bool)
        within = [(each >= 0) & (each < size) for each, size in zip(places, full, strict=True)]
        if all(each.any() for each in within):
            plane = np.asarray(level[self._index]) > 0
            at = [
                each[there] * size // of
                for each, there, size, of in zip(places, within, plane.shape, full, strict=True)
            ]
            mask[np.ix_(*within)] = plane[np.ix_(*at)]
        return (mask.T if self._turned else mask).astype(bool if dtype is None else dtype)


def label_mask(
    labels: napari.layers.Labels, layer: napari.layers.Layer, place: Place
) -> tuple[Window | None, Any]:
    """Say which pixels of a layer's plane lie in labels.

    Parameters
    ----------
    labels : Labels layer
        Of any resolution and place; where it has sliders, its plane at those of the layer counts.
    layer : Image layer
    place : Place
        The plane.

    Returns
    -------
    region : Window or None
        The rows and columns that have labels; None for all of the plane.
    inside : (h, w) bool array, LabelMask or None
        Of the region, the pixels that count: None for all. Of planes whose result goes to disk it is coarser.

    Raises
    ------
    ValueError
        If no label lies on the plane, or the layers are turned against each other.
    """
    height, width = place.plane_shape
    step = int(np.ceil(np.sqrt(height * width / MOST_IN_MEMORY)))
    index, places, turned = _places(labels, layer, place, step)
    levels = list(labels.data) if labels.multiscale else [labels.data]
    mask = LabelMask(levels, index, places, turned=turned)
    if step > 1:
        return None, mask
    inside = np.asarray(mask)
    region = Window.of_mask(inside)
    if region is None:
        raise ValueError(f"{labels.name} has no label on {layer.name}.")
    if any(isinstance(entry, int) and size > 1 for entry, size in zip(index, levels[0].shape, strict=True)):
        return None, None if inside.all() else inside  # its planes have other boxes
    inside = inside[region]
    whole = region == Window.whole(place.plane_shape)
    return None if whole else region, None if inside.all() else inside


def _places(
    labels: napari.layers.Labels, layer: napari.layers.Layer, place: Place, step: int
) -> tuple[tuple[Any, ...], tuple[Any, Any], bool]:
    """Return the plane of the labels, the rows and columns of it for every so many of the layer's, and if turned."""
    origin, *along = (
        _in_labels(labels, layer, place.plane.point(point)) for point in ((0, 0), (1, 0), (0, 1))
    )
    ways = [each - origin for each in along]
    axes = [int(np.abs(way).argmax()) for way in ways]
    if axes[0] == axes[1] or any(
        np.abs(np.delete(way, axis)).max(initial=0) > 1e-6 for way, axis in zip(ways, axes, strict=True)
    ):
        raise ValueError(
            f"{labels.name} is turned against {layer.name}: choose labels that lie as the image does."
        )
    shape = labels.data[0].shape if labels.multiscale else labels.data.shape
    index: list[Any] = [slice(None)] * len(shape)
    for axis in set(range(len(shape))) - set(axes):
        at = 0 if shape[axis] == 1 else int(np.floor(origin[axis] + 0.5))
        if not 0 <= at < shape[axis]:
            raise ValueError(f"{labels.name} has nothing on this plane of {layer.name}.")
        index[axis] = at
    middles = [np.minimum(np.arange(0, size, step) + step // 2, size - 1) for size in place.plane_shape]
    rows, columns = (
        np.floor(origin[axis] + way[axis] * middle + 0.5).astype(np.int64)
        for way, axis, middle in zip(ways, axes, middles, strict=True)
    )
    return tuple(index), (rows, columns), axes[0] > axes[1]


def _in_labels(labels: Any, layer: Any, point: Any) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return a point of the layer in pixels of the labels."""
    world = np.asarray(layer.data_to_world(point), float)
    more = labels.ndim - world.size
    world = np.pad(world, (more, 0)) if more > 0 else world[-labels.ndim :]
    return np.asarray(labels.world_to_data(world), float)
