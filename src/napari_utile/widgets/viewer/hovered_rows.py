"""Hovering over a cell names its row of the plane on screen, where a table says which plane its rows belong to."""

import weakref
from typing import Any

import napari.layers
import napari.viewer
import numpy as np
from qtpy.QtCore import QObject

from napari_utile.session.plane_rows import of_other_planes
from napari_utile.widgets.connections import Connections
from napari_utile.widgets.viewer.cell_tables import plane_columns
from napari_utile.widgets.viewer.layers import plain_viewer, slider_name, window_of

_followed: "weakref.WeakKeyDictionary[Any, HoveredRows]" = weakref.WeakKeyDictionary()


def hover_by_plane(viewer: napari.viewer.Viewer) -> None:
    """Let hovering name rows of the plane on screen in this viewer, from now on until its window closes."""
    viewer = plain_viewer(viewer)
    if viewer not in _followed:
        _followed[viewer] = HoveredRows(viewer)


class HoveredRows(QObject):
    """Tells napari which row belongs to an id, whenever another plane is shown or a table changes.

    napari takes the last row of an id, whatever plane it belongs to.
    """

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__(window_of(viewer))
        self._viewer = weakref.ref(viewer)
        self._layers: weakref.WeakSet[napari.layers.Labels] = weakref.WeakSet()  # whose rows say their plane
        self._connections = Connections(self)
        self._connections.connect(viewer.layers.events.inserted, lambda event: self._watch(event.value))
        for emitter in (viewer.dims.events.current_step, viewer.dims.events.order):
            self._connections.connect(emitter, self._plane_changed)
        for layer in viewer.layers:
            self._watch(layer)

    def _watch(self, layer: napari.layers.Layer) -> None:
        if isinstance(layer, napari.layers.Labels):
            held = weakref.ref(layer)
            self._connections.connect(layer.events.features, lambda _: self._table_changed(held()))
            self._table_changed(layer)

    def _table_changed(self, layer: napari.layers.Labels | None) -> None:
        if layer is None:
            return
        self._layers.discard(layer)  # napari has counted the rows again
        if {slider_name(layer, axis) for axis in range(layer.ndim)} & {*layer.features}:
            self._layers.add(layer)
            self._point(layer)

    def _plane_changed(self, _: object = None) -> None:
        for layer in [*self._layers]:
            self._point(layer)

    def _point(self, layer: napari.layers.Labels) -> None:
        viewer = self._viewer()
        if viewer is None or layer not in viewer.layers:
            return
        table = layer.features
        rows = np.flatnonzero(~of_other_planes(table, plane_columns(layer, viewer)))
        ids = np.asarray(table["index"])[rows]
        layer._label_index = dict(zip(ids.tolist(), rows.tolist(), strict=True))
