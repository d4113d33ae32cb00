"""A list of the viewer's layers of some type with a box to tick before each."""

from collections.abc import Callable
from typing import Any

import napari.viewer
from qtpy.QtCore import QSignalBlocker, QSize, Qt
from qtpy.QtWidgets import QListWidget, QListWidgetItem

from napari_utile.widgets.connections import Connections
from napari_utile.widgets.viewer.layers import plain_viewer

_HEIGHT = 84


class LayerChecklist(QListWidget):
    """Tick any number of the viewer's layers.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Whose layers are listed, the topmost first.
    accept : callable
        Says of a layer whether it is listed.
    """

    def __init__(self, viewer: napari.viewer.Viewer, accept: Callable[[Any], bool]) -> None:
        super().__init__()
        self._viewer = plain_viewer(viewer)
        self._accept = accept
        self.setAccessibleName("Layers to compare")
        self._listed: list[Any] = []
        self._ticked: list[Any] = []
        self.setMaximumHeight(_HEIGHT)
        self._connections = Connections(self)
        events = self._viewer.layers.events
        for emitter in (events.inserted, events.removed, events.reordered):
            self._connections.connect(emitter, self.list_again)
        self.itemChanged.connect(self._item_changed)
        self.list_again()

    def sizeHint(self) -> QSize:
        """Be low: there are few layers."""
        return QSize(super().sizeHint().width(), _HEIGHT)

    @property
    def layers(self) -> list[Any]:
        """The ticked layers, in the order of the list."""
        return [layer for layer in self._listed if layer in self._ticked]

    def tick(self, layer: Any) -> None:
        """Tick a layer of the list."""
        if layer in self._listed:
            item = self.item(self._listed.index(layer))
            if item is not None:
                item.setCheckState(Qt.CheckState.Checked)

    def list_again(self, _: object = None) -> None:
        """Ask `accept` again for every layer."""
        self._listed = [layer for layer in reversed(self._viewer.layers) if self._accept(layer)]
        self._ticked = [layer for layer in self._ticked if layer in self._listed]
        with QSignalBlocker(self):
            self.clear()
            for layer in self._listed:
                item = QListWidgetItem(layer.name)
                item.setToolTip(layer.name)
                item.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsUserCheckable)
                ticked = layer in self._ticked
                item.setCheckState(Qt.CheckState.Checked if ticked else Qt.CheckState.Unchecked)
                self.addItem(item)

    def _item_changed(self, item: QListWidgetItem) -> None:
        layer = self._listed[self.row(item)]
        if item.checkState() == Qt.CheckState.Checked:
            self._ticked.append(layer)
        else:
            self._ticked = [each for each in self._ticked if each is not layer]
