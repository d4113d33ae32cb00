"""Ctrl+Z and Ctrl+Shift+Z for the clicked cells, whichever layer is active."""

from collections.abc import Callable
from typing import Any

import napari.viewer
from qtpy.QtCore import QObject

from napari_utile.session.state import Session
from napari_utile.widgets.connections import Connections
from napari_utile.widgets.viewer.keys import BorrowedKeys


class UndoKeys:
    """Undo and redo in the clicked cells; or in the active labels, if those were painted in last.

    napari asks the active layer before the viewer, and each label layer undoes in itself.

    Parameters
    ----------
    owner : QObject
        All ends with it.
    """

    def __init__(self, viewer: napari.viewer.Viewer, session: Session, owner: QObject) -> None:
        self._viewer, self._session = viewer, session
        self._keys: list[BorrowedKeys] = []
        self._painted: Any = None
        self._connections = Connections(owner)

    def take(self) -> None:
        """Take the keys, for the layers as they are now."""
        self.give_back()
        cells, active = self._session.cells, self._viewer.layers.selection.active
        others = [active] if active is not cells and hasattr(active, "undo") else []
        for holder in (self._viewer, *others):
            keys = BorrowedKeys(holder, {"Control-Z": self._undo, "Control-Shift-Z": self._redo})
            keys.take()
            self._keys.append(keys)
        for layer in (cells, *others):
            if layer is not None:
                self._connections.connect(layer.events.paint, self._remember(layer))

    def give_back(self) -> None:
        """Give the keys back."""
        self._connections.disconnect_all()
        while self._keys:
            self._keys.pop().give_back()

    def _remember(self, layer: Any) -> Callable[[Any], None]:
        def painted(_: Any) -> None:
            self._painted = layer

        return painted

    @property
    def _layer(self) -> Any:
        active = self._viewer.layers.selection.active
        return active if active is self._painted else self._session.cells

    def _undo(self, _: Any) -> None:
        """Undo the last step in the clicked cells, whichever layer is active."""
        if self._layer is not None:
            self._layer.undo()

    def _redo(self, _: Any) -> None:
        """Redo the last step in the clicked cells."""
        if self._layer is not None:
            self._layer.redo()
