"""What ends with a widget: its connections to the viewer, and whatever else waits for Qt to delete it."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from qtpy.QtCore import QObject, Qt, Slot


class _Farewell(QObject):
    """Calls a function by a slot that Qt itself knows."""

    def __init__(self, function: Callable[[], object]) -> None:
        super().__init__()
        self._function = function

    @Slot()
    def say(self) -> None:
        """Call the function."""
        _waiting.discard(self)
        _said.append(self)  # an object must outlive its own slot
        self._function()


_waiting: set[_Farewell] = set()
_said: list[_Farewell] = []


def when_deleted(owner: QObject, function: Callable[[], object]) -> None:
    """Call a function once, when Qt deletes `owner`.

    Qt deletes a closed widget at its next turn, and Python's collector may find what is left of the widget
    before that, even in the thread of a job. A plain function connected to ``destroyed`` is then lost, or
    called after the collector has emptied it, which crashes.
    """
    _said.clear()
    farewell = _Farewell(function)
    _waiting.add(farewell)
    owner.destroyed.connect(farewell.say, Qt.ConnectionType.DirectConnection)  # type: ignore[call-arg]


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
