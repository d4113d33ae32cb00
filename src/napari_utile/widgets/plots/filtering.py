"""Take cells out of a label layer, as one step that napari undoes."""

from collections.abc import Iterator
from typing import Any

import napari.layers
import numpy as np

from napari_utile.session.cell_filter import at_border
from napari_utile.session.plane_index import PlaneIndex
from napari_utile.widgets.viewer.layers import Place


def erase(
    layer: napari.layers.Labels, place: Place, labels: np.ndarray[Any, Any], every_plane: bool = False
) -> None:
    """Set the pixels of some labels to 0, on one plane or on all, and drop their rows.

    Parameters
    ----------
    layer : Labels layer
    place : Place
        Its plane on screen.
    labels : (N,) int array
    """
    pixels = []
    for plane in _planes(place, every_plane):
        rows, columns = np.nonzero(np.isin(np.asarray(layer.data[plane.index]), labels))
        if rows.size:
            pixels.append(plane.pixels(rows, columns))
    if pixels:
        with layer.block_history():
            layer.data_setitem(tuple(np.concatenate(axis) for axis in zip(*pixels, strict=True)), 0)
    table = layer.features
    layer.features = table[~table["index"].isin(labels)].reset_index(drop=True)


def border_labels(
    layer: napari.layers.Labels, place: Place, every_plane: bool = False
) -> np.ndarray[Any, Any]:
    """Return the labels that touch the border of the image, on one plane or on all."""
    found = [at_border(np.asarray(layer.data[plane.index])) for plane in _planes(place, every_plane)]
    return np.unique(np.concatenate(found))


def _planes(place: Place, every: bool) -> Iterator[PlaneIndex]:
    if not every:
        yield place.plane
        return
    for steps in np.ndindex(*(place.shape[axis] for axis in place.plane.sliders)):
        yield place.plane.at(steps)
