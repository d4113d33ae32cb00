"""A combo box that lists the viewer's layers of some type and follows additions, removals and renames."""

from typing import Any

import napari.layers
import napari.viewer
from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import QComboBox

from napari_utile.widgets.connections import Connections
from napari_utile.widgets.parts.forms import narrow
from napari_utile.widgets.viewer.layers import plain_viewer
from napari_utile.widgets.viewer.own_pictures import is_own


class LayerCombo(QComboBox):
    """Choose one of the viewer's layers.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Whose layers are listed, the topmost first.
    kinds : tuple of str
        Types of layers, for example ``("Image",)`` or ``("Labels",)``.
    none_text : str
        Entry that stands for no layer; without it there is none, and an empty list says `empty_text`.
    empty_text : str
        Shown while there is no such layer.
    accept : callable, optional
        Says of a layer whether it is listed; by default all are that the plugin did not make itself.
    prefer : callable, optional
        Says of a layer whether it is chosen unasked, the topmost one first, until the user chooses none; where it says
        so of no layer, the first entry is.

    Attributes
    ----------
    layer_changed : Signal
        Emitted with the layer, or None, when another one is chosen, by the user or because it was removed.
    """

    layer_changed = Signal(object)

    def __init__(
        self,
        viewer: napari.viewer.Viewer,
        kinds: tuple[str, ...],
        none_text: str = "",
        empty_text: str = "no image open",
        accept: Any = None,
        prefer: Any = None,
    ) -> None:
        super().__init__()
        self._viewer = plain_viewer(viewer)
        self._kinds = kinds
        self._none_text = none_text
        self._empty_text = empty_text
        self._accept = accept or (lambda layer: not is_own(layer))
        self._prefer = prefer
        self._none_wanted = bool(none_text) and prefer is None
        self._layer: Any = None
        narrow(self)
        self._connections = Connections(self)
        events = self._viewer.layers.events
        for emitter in (events.inserted, events.removed, events.reordered):
            self._connections.connect(emitter, self.list_again)
        self._connections.connect(events.inserted, self._watch_name)
        for layer in self._viewer.layers:
            self._connections.connect(layer.events.name, self.list_again)
        self.activated.connect(lambda _: self._activated())
        self.list_again()

    @property
    def layer(self) -> Any:
        """The chosen layer, or None."""
        return self._layer

    def set_layer(self, layer: napari.layers.Layer | None) -> None:
        """Choose a layer of the list."""
        index = self._index_of(layer)
        if index >= 0:
            self._none_wanted = layer is None
            with QSignalBlocker(self):
                self.setCurrentIndex(index)
            self._choose(layer)

    def choose_unasked(self) -> None:
        """Choose as at first, whatever is chosen; but none where the user chose none."""
        self.list_again(unasked=True)

    def _activated(self) -> None:
        self._none_wanted = self.currentData() is None
        self._choose(self.currentData())

    def _watch_name(self, event: Any) -> None:
        self._connections.connect(event.value.events.name, self.list_again)

    def _is_listed(self, layer: Any) -> bool:
        return layer._type_string.capitalize() in self._kinds and self._accept(layer)

    def list_again(self, _: object = None, *, unasked: bool = False) -> None:
        """Ask `accept` again for every layer; with `unasked`, choose as at first."""
        listed = [layer for layer in reversed(self._viewer.layers) if self._is_listed(layer)]
        with QSignalBlocker(self):
            self.clear()
            if self._none_text:
                self.addItem(self._none_text, None)
            for layer in listed:
                self.addItem(layer.name, layer)
            if not listed and not self._none_text:
                self.addItem(self._empty_text, None)
            index = -1 if self._layer is None or unasked else self._index_of(self._layer)
            self.setCurrentIndex(self._first() if index < 0 else index)
        self.setEnabled(bool(listed))
        self._choose(self.currentData())

    def _first(self) -> int:
        """Return the entry that is chosen unasked."""
        if self._none_wanted or self._prefer is None:
            return 0
        layers = ((index, self.itemData(index)) for index in range(self.count()))
        return next((index for index, layer in layers if layer is not None and self._prefer(layer)), 0)

    def _index_of(self, layer: Any) -> int:
        return next((index for index in range(self.count()) if self.itemData(index) is layer), -1)

    def _choose(self, layer: Any) -> None:
        self.setToolTip(layer.name if layer is not None else self._empty_text)
        if layer is not self._layer:
            self._layer = layer
            self.layer_changed.emit(layer)
