"""Notices that the pixels of a layer may have changed in place, where they are too many to be compared.

napari says that a layer is drawn again in the same way after ``layer.refresh()``, after a step of a slider, and when
another part of a multiscale image comes into view. A layer that is drawn again although the same part of it is shown
was refreshed: then its pixels count as new ones.
"""

import weakref
from collections.abc import Hashable
from typing import Any

import napari.layers
import napari.viewer

from napari_utile.widgets.viewer.layers import plain_viewer


class _Watched:
    """The part of a layer that is shown, and how often its pixels may have changed."""

    def __init__(self, viewer: napari.viewer.Viewer, layer: napari.layers.Layer) -> None:
        self._viewer = weakref.ref(viewer)
        self._shown = self._what_is_shown(layer)
        self.version = 0
        layer.events.set_data.connect(self.drawn)

    def drawn(self, event: Any) -> None:
        """Look whether the same part is drawn again."""
        shown = self._what_is_shown(event.source)
        if shown == self._shown:
            self.version += 1
        self._shown = shown

    def _what_is_shown(self, layer: Any) -> Hashable:
        viewer = self._viewer()
        place = (tuple(viewer.dims.point), tuple(viewer.dims.displayed)) if viewer is not None else ()
        # Only of a multiscale layer is another part read when the camera moves.
        part = (layer.data_level, layer.corner_pixels.tobytes()) if layer.multiscale else ()
        return place, part


_watched: weakref.WeakKeyDictionary[Any, _Watched] = weakref.WeakKeyDictionary()


def version_of(viewer: napari.viewer.Viewer, layer: napari.layers.Layer) -> int:
    """Return a number that counts up when the layer is refreshed; it is watched from the first call on.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        The one that shows the layer.
    layer : Image or Labels layer
    """
    if layer not in _watched:
        _watched[layer] = _Watched(plain_viewer(viewer), layer)
    return _watched[layer].version
