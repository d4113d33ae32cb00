"""The layer that fills tile by tile while a segmentation runs, and leaves no trace."""

import time
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_utile.engine.windows import Window
from napari_utile.widgets.viewer.layers import Place, plain_viewer, space_of

if TYPE_CHECKING:
    import napari.layers
    import napari.viewer

__all__ = ["PreviewLayer"]

# Every refresh uploads the whole layer to the graphics card. Seconds.
_REFRESH_EVERY = 0.15


class PreviewLayer:
    """A probability image of a region, at its place on the source.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
    source : napari layer
        What is being segmented.
    place : Place
        The plane.
    region : (slice, slice), optional
        Rows and columns; the whole plane by default.
    name : str
    """

    def __init__(
        self,
        viewer: "napari.viewer.Viewer",
        source: "napari.layers.Layer",
        place: Place,
        region: Window | None,
        name: str,
    ) -> None:
        from napari.layers import Image

        self._viewer = plain_viewer(viewer)
        self._place, self._space = place, space_of(source, place.result_axes)
        space = self._space
        self._linear = space["rotate"] @ space["shear"] @ np.diag(space["scale"])
        array, translate = self._over(Window.part_of(place.plane_shape, region))
        space = {**space, "translate": translate}
        active = self._viewer.layers.selection.active
        self.layer = Image(
            array, name=name, colormap="magma", blending="additive", contrast_limits=(0.0, 1.0), **space
        )
        self._viewer.add_layer(self.layer)
        self._viewer.layers.selection.active = active
        self._refreshed = time.perf_counter()

    def _over(self, region: Window) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """Make room for a region; return its pixels as the layer has them, and where they begin in the world."""
        self._region = region
        self._data = np.zeros(region.shape, np.float32)
        array, offset, place = self._data, [], self._place
        for axis in place.result_axes:
            if axis in place.axes:
                offset.append(float(region[place.axes.index(axis)].start))
            else:
                entry = place.index[axis]
                offset.append(0.0 if isinstance(entry, slice) else float(entry))
                array = np.expand_dims(array, len(offset) - 1)
        return array, self._space["translate"] + self._linear @ np.array(offset)

    def show(self, region: Window, foreground: np.ndarray[Any, Any]) -> None:
        """Show the probability of another region of the plane, in the same layer: a new one takes napari 100 ms."""
        if region != self._region:
            self.layer.data, self.layer.translate = self._over(region)
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
        """Take the layer away; nothing happens if the user did."""
        if self.layer in self._viewer.layers:
            self._viewer.layers.remove(self.layer)
