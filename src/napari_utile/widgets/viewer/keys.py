"""Keys of a viewer that a dock borrows: what was bound to them comes back."""

import weakref
from collections.abc import Callable, Mapping
from typing import Any

import napari.viewer
from napari.utils.key_bindings import coerce_keybinding

from napari_utile.widgets.viewer.layers import plain_viewer

_bindings: weakref.WeakKeyDictionary[Any, dict[Any, list[Any]]] = weakref.WeakKeyDictionary()
"""For each viewer and key: what was bound before it was borrowed, or None, and then each borrower's function."""


class BorrowedKeys:
    """Key bindings that can be taken and given back, any number of times and by several docks.

    Parameters
    ----------
    functions : mapping of str to callable
        What each key does; called with the viewer.
    """

    def __init__(
        self, viewer: napari.viewer.Viewer, functions: Mapping[str, Callable[[Any], object]]
    ) -> None:
        self._viewer = plain_viewer(viewer)
        self._functions = {coerce_keybinding(key): function for key, function in functions.items()}

    def take(self) -> None:
        """Bind the keys; twice does nothing."""
        keymap, viewer = self._viewer.keymap, _bindings.setdefault(self._viewer, {})
        for key, function in self._functions.items():
            before = viewer.setdefault(key, [keymap.get(key)])
            if function not in before:
                before.append(function)
                keymap[key] = function

    def give_back(self) -> None:
        """Bind the keys to what they were bound to before; one that was bound again meanwhile stays."""
        keymap, viewer = self._viewer.keymap, _bindings.get(self._viewer, {})
        for key, function in self._functions.items():
            before = viewer.get(key, [])
            if function not in before:
                continue
            before.remove(function)
            if keymap.get(key) == function:
                keymap[key] = before[-1]
            if keymap.get(key) is None:
                keymap.pop(key, None)
            if len(before) == 1:
                del viewer[key]
