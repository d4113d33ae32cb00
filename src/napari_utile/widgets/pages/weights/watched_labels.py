"""The part of a Labels layer whose weight map is shown: its current plane, or of large planes what is in view."""

from dataclasses import dataclass
from typing import Any

import napari.layers
import napari.viewer
import numpy as np

from napari_utile.engine.weights.live_weight_map import LiveWeightMap
from napari_utile.engine.weights.weight_map import WeightMapParams
from napari_utile.engine.windows import Window
from napari_utile.widgets.viewer.layers import Place, place_of, plane_data
from napari_utile.widgets.viewer.lengths import pixel_size_of, step_lengths
from napari_utile.widgets.viewer.regions import region_in_view

# Larger planes are weighed where they are in view. Pixels.
WHOLE_BELOW = 2**24
# Lazy planes are read from disk, perhaps from afar. Pixels.
_WHOLE_LAZY_BELOW = 2**20


@dataclass(frozen=True, eq=False)
class WatchedLabels:
    """Captured on the GUI thread.

    Attributes
    ----------
    layer : Labels layer
    place : Place
        Its plane on screen.
    window : Window
        Rows and columns of the plane.
    whole : bool
        Whether the window is the plane.
    plane : (Y, X) array-like
        The whole plane; a view of the layer's array where that is a NumPy array.
    """

    layer: napari.layers.Labels
    place: Place
    window: Window
    whole: bool
    plane: Any

    @property
    def shares_memory(self) -> bool:
        """Whether painting changes the array that `read` returned."""
        return isinstance(self.plane, np.ndarray)

    @property
    def pixel_size(self) -> tuple[float, float]:
        """Height and width of a pixel; only their ratio counts."""
        size, _ = pixel_size_of(self.layer, self.place.axes)
        lengths = step_lengths(self.layer, self.place.axes)
        height, width = size or (lengths[axis] for axis in self.place.axes)
        return height, width

    @property
    def origin(self) -> tuple[int, int]:
        """Row and column of the window's first pixel in the plane."""
        top, left = self.window.start
        return top, left

    def is_current(self, viewer: napari.viewer.Viewer) -> bool:
        """Whether the layer still shows this plane, in the same array."""
        if self.layer not in viewer.layers:
            return False
        try:
            place = place_of(self.layer, viewer)
        except ValueError:
            return False
        if (place.index, place.shape, place.axes) != (self.place.index, self.place.shape, self.place.axes):
            return False
        return not self.shares_memory or np.may_share_memory(plane_data(self.layer, place)[0], self.plane)

    def read(self, region: Window | None = None) -> np.ndarray[Any, Any]:
        """Read the window, or a region of it given in pixels of the window."""
        return np.asarray(self.plane[self.window if region is None else region.moved(self.origin)])

    def weigh(self, params: WeightMapParams, distances: bool = False) -> LiveWeightMap:
        """Compute the weight map of the window; works in any thread."""
        return LiveWeightMap(self.read(), params, self.pixel_size, distances)

    def point_in_plane(self, row: float, column: float) -> list[float]:
        """Turn a pixel of the window into data coordinates of the layer, an entry for each axis."""
        top, left = self.origin
        return [float(entry) for entry in self.place.plane.point((row + top, column + left))]

    def pixel_at(self, world: Any) -> tuple[int, int] | None:
        """Find the pixel of the window under a position in the viewer's world, None outside it."""
        data = np.asarray(self.layer.world_to_data(world), dtype=float)
        row, column = (
            int(np.floor(data[axis] + 0.5)) - start
            for axis, start in zip(self.place.axes, self.origin, strict=True)
        )
        return (row, column) if Window.whole(self.window.shape).holds_point((row, column)) else None

    def indices(self, rows: Any, columns: Any) -> tuple[np.ndarray[Any, Any], ...]:
        """Turn pixels of the window into an index of the layer's array."""
        top, left = self.origin
        return self.place.plane.pixels(np.asarray(rows) + top, np.asarray(columns) + left)


def watch_labels(viewer: napari.viewer.Viewer, layer: napari.layers.Labels, reach: float) -> WatchedLabels:
    """Choose what of a Labels layer is weighed: all of its plane, or what is in view and `reach` pixels around.

    Raises
    ------
    ValueError
        If nothing of the layer is in view, or too much at once.
    """
    place = place_of(layer, viewer)
    plane = plane_data(layer, place)[0]
    height, width = place.plane_shape
    lazy = not isinstance(plane, np.ndarray) or bool(layer.multiscale)
    if height * width <= (_WHOLE_LAZY_BELOW if lazy else WHOLE_BELOW):
        return WatchedLabels(layer, place, Window.whole(place.plane_shape), True, plane)
    window = region_in_view(layer, place).grown(int(np.ceil(reach))).clipped(place.plane_shape)
    if window.size > WHOLE_BELOW:
        raise ValueError("These labels are large: zoom in to see the weights of what is in view.")
    return WatchedLabels(layer, place, window, False, plane)
