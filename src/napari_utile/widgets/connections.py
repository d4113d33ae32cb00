"""One list of a widget's connections to the viewer, undone when Qt deletes the widget."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from qtpy.QtCore import QObject

__all__ = ["Connections"]


class Connections:
    """Connections of a widget to objects that outlive it: a viewer, its layers, a session.

    An event that reaches a method of a deleted Qt object raises; so all are undone before.

    Parameters
    ----------
    owner : QObject
        When Qt deletes it, everything is disconnected.
    """

    def __init__(self, owner: QObject) -> None:
        self._connected: list[tuple[Any, Callable[..., object]]] = []
        owner.destroyed.connect(self.disconnect_all)

    def connect(self, emitter: Any, callback: Callable[..., object]) -> None:
        """Connect a callback to a napari or psygnal emitter."""
        emitter.connect(callback)
        self._connected.append((emitter, callback))

    def disconnect_all(self, _: object = None) -> None:
        """Undo every connection; twice does nothing."""
        connected, self._connected = self._connected, []
        for emitter, callback in connected:
            with suppress(ValueError, KeyError, RuntimeError):  # gone already
                emitter.disconnect(callback)
