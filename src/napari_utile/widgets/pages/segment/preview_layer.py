"""The layer that fills tile by tile while a segmentation runs, and leaves no trace."""

import gc
import time
from typing import Any

import napari.layers
import napari.viewer
import numpy as np

from napari_utile.engine.windows import Window
from napari_utile.widgets.viewer.layers import Place, plain_viewer, space_of, take_away
from napari_utile.widgets.viewer.own_pictures import add_own, glow

# Every refresh uploads the whole layer to the graphics card. Seconds.
_REFRESH_EVERY = 0.15


class PreviewLayer:
    """A probability image of a region, at its place on the source.

    Parameters
    ----------
    source : napari layer
        What is being segmented.
    place : Place
        The plane.
    region : Window, optional
        Rows and columns; the whole plane by default.
    """

    def __init__(
        self,
        viewer: napari.viewer.Viewer,
        source: napari.layers.Layer,
        place: Place,
        region: Window | None,
        name: str,
    ) -> None:
        self._viewer = plain_viewer(viewer)
        self._source, self._place = source, place
        array, space = self._over(region or Window.whole(place.plane_shape))
        self.layer = add_own(self._viewer, glow(array, name=name, **space), "preview")
        self._refreshed = time.perf_counter()

    def _over(self, region: Window) -> tuple[np.ndarray[Any, Any], dict[str, Any]]:
        """Make room for a region; return its pixels as the layer has them, and where it lies."""
        self._region, plane = region, self._place.result
        self._data = np.zeros(region.shape, np.float32)
        space = space_of(self._source, self._place.result_axes, plane.point(region.start))
        return plane.expanded(self._data), space

    def show(self, region: Window, foreground: np.ndarray[Any, Any]) -> None:
        """Show the probability of another region of the plane, in the same layer: a new one takes napari 100 ms."""
        if region != self._region:
            self.layer.data, space = self._over(region)
            self.layer.translate = space["translate"]
        self._data[...] = foreground
        self.layer.refresh()

    def paint(self, window: Window, foreground: np.ndarray[Any, Any]) -> None:
        """Show the probability of a finished tile; `window` is in pixels of the plane."""
        self._data[window.relative_to(self._region)] = foreground
        now = time.perf_counter()
        if now - self._refreshed >= _REFRESH_EVERY:
            self._refreshed = now
            self.layer.refresh(thumbnail=False)

    def remove(self) -> None:
        """Take the layer away; nothing happens if the user did.

        napari lets Python look through all its objects when a layer goes, 200 ms in which a window stands still; that
        of a preview can wait until Python does so by itself.
        """
        gc.freeze()
        try:
            take_away(self._viewer, self.layer)
        finally:
            gc.unfreeze()
        self.layer.data = self._place.result.expanded(np.zeros((1, 1), np.float32))  # its pixels go at once
