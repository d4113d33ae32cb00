"""Take cells out of a label layer, as one step that napari undoes."""

from collections.abc import Iterator
from typing import Any

import napari.layers
import numpy as np
from numpy.typing import NDArray

from napari_utile.session.cell_filter import CellFilter, at_border, taken_by
from napari_utile.session.plane_index import PlaneIndex
from napari_utile.session.plane_rows import of_other_planes
from napari_utile.widgets.viewer.layers import Place
from napari_utile.widgets.viewer.measured_tables import set_measured
from napari_utile.widgets.viewer.result_layers import slider_columns


def is_by_plane(layer: napari.layers.Labels, place: Place) -> bool:
    """Say whether rows of a layer's feature table are of cells of a plane each, not of objects or tracks."""
    return any(name in layer.features for name in slider_columns(layer, place.plane))


def taken_rows(
    layer: napari.layers.Labels, place: Place, wanted: CellFilter, every_plane: bool = False
) -> NDArray[np.bool_]:
    """Return which rows of a layer's feature table a filter takes away.

    Parameters
    ----------
    layer : Labels layer
    place : Place
        Its plane on screen.
    every_plane : bool
        Whether cells of all planes are taken, not just those of the plane on screen. Objects and tracks are taken
        from all of theirs in any case.

    Returns
    -------
    (N,) bool array
    """
    table, here = layer.features, np.ones(len(layer.features), bool)
    for name, step in ({} if every_plane else slider_columns(layer, place.plane)).items():
        if name in table:
            here &= np.asarray(table[name] == step)
    border = np.zeros(here.size, bool)
    if wanted.kind == "border":
        for plane, rows in _planes(layer, place, every_plane):
            border |= rows & np.isin(table["index"], at_border(np.asarray(layer.data[plane.index])))
    taken: NDArray[np.bool_] = here & taken_by(wanted, dict(table.items()), border)
    return taken


def erase(
    layer: napari.layers.Labels, place: Place, taken: NDArray[np.bool_], every_plane: bool = False
) -> None:
    """Set the pixels of some cells to 0, on one plane or on all, and drop their rows.

    Parameters
    ----------
    layer, place, every_plane
        As for `taken_rows`, which gives `taken`.
    """
    pixels, ids = [], np.asarray(layer.features["index"])
    for plane, rows in _planes(layer, place, every_plane):
        labels = ids[taken & rows]
        if labels.size:
            pixels.append(plane.pixels(*np.nonzero(np.isin(np.asarray(layer.data[plane.index]), labels))))
    if any(axes[0].size for axes in pixels):
        with layer.block_history():
            layer.data_setitem(tuple(np.concatenate(axis) for axis in zip(*pixels, strict=True)), 0)
    set_measured(layer, {name: np.asarray(column)[~taken] for name, column in layer.features.items()})


def _planes(
    layer: napari.layers.Labels, place: Place, every: bool
) -> Iterator[tuple[PlaneIndex, NDArray[np.bool_]]]:
    """Give planes, and which rows mean cells there: those of the one on screen, as far as rows say where they are."""
    table: Any = layer.features
    here = {name: step for name, step in slider_columns(layer, place.plane).items() if name in table}
    for each in place.every:
        columns = slider_columns(layer, each.plane)
        if every or all(columns[name] == step for name, step in here.items()):
            yield each.plane, ~of_other_planes(table, columns)
