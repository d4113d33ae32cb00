"""The layer that fills tile by tile while a segmentation runs, and leaves no trace."""

import time
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_utile.widgets.viewer.layers import Place, plain_viewer, space_of
from napari_utile.widgets.viewer.regions import Window

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
        height, width = place.plane_shape
        self._region = region or (slice(0, height), slice(0, width))
        rows, columns = self._region
        self._data = np.zeros((rows.stop - rows.start, columns.stop - columns.start), np.float32)
        array, space = self._data, space_of(source, place.result_axes)
        offset = []
        for axis in place.result_axes:
            if axis in place.axes:
                offset.append(float(self._region[place.axes.index(axis)].start))
            else:
                entry = place.index[axis]
                offset.append(0.0 if isinstance(entry, slice) else float(entry))
                array = np.expand_dims(array, len(offset) - 1)
        linear = space["rotate"] @ space["shear"] @ np.diag(space["scale"])
        space["translate"] = space["translate"] + linear @ np.array(offset)
        active = self._viewer.layers.selection.active
        self.layer = Image(
            array, name=name, colormap="magma", blending="additive", contrast_limits=(0.0, 1.0), **space
        )
        self._viewer.add_layer(self.layer)
        self._viewer.layers.selection.active = active
        self._refreshed = time.perf_counter()

    def paint(self, window: Window, foreground: np.ndarray[Any, Any]) -> None:
        """Show the probability of a finished tile; `window` is in pixels of the plane."""
        rows, columns = (
            slice(part.start - whole.start, part.stop - whole.start)
            for part, whole in zip(window, self._region, strict=True)
        )
        self._data[rows, columns] = foreground
        now = time.perf_counter()
        if now - self._refreshed >= _REFRESH_EVERY:
            self._refreshed = now
            self.layer.refresh(thumbnail=False)

    def remove(self) -> None:
        """Take the layer away; nothing happens if the user did."""
        if self.layer in self._viewer.layers:
            self._viewer.layers.remove(self.layer)
