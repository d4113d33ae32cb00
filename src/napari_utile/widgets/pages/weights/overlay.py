"""The layers that show a weight map: the map itself, and lines from the mouse to the two nearest cells."""

from collections.abc import Sequence
from typing import Any

import napari.layers
import napari.viewer
import numpy as np
from napari.layers import Image, Vectors
from napari.utils.colormaps import Colormap, ensure_colormap

from napari_utile.engine.parameters import to_json
from napari_utile.engine.weights.weight_map import WeightMapParams
from napari_utile.widgets.pages.weights.watched_labels import WatchedLabels
from napari_utile.widgets.viewer.layers import plain_viewer, space_of, take_away
from napari_utile.widgets.viewer.lengths import shorter_side
from napari_utile.widgets.viewer.own_pictures import METADATA_KEY, add_own, clearing, mark_own
from napari_utile.widgets.viewer.regions import camera_of

ROLE = "live weight map"
COLORMAP = "inferno"
_LINE_WIDTH = 2.0
_LINE_COLOURS = ("#4fd3ff", "#ffffff")


def _space_of_window(watched: WatchedLabels) -> dict[str, Any]:
    """Place of an array that holds the window, with axes of length 1 where the layer has sliders."""
    return space_of(watched.layer, range(watched.layer.ndim), watched.point_in_plane(0, 0))


class WeightMapOverlay:
    """One image layer above the labels; the user may hide or delete it at any time."""

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        self._viewer = plain_viewer(viewer)
        self.layer: napari.layers.Image | None = None
        self._watched: WatchedLabels | None = None

    @property
    def shown(self) -> bool:
        """Whether the layer is in the viewer."""
        return self.layer is not None and self.layer in self._viewer.layers

    def show(
        self,
        data: np.ndarray[Any, Any],
        watched: WatchedLabels,
        limits: tuple[float, float],
        params: WeightMapParams,
        term: str,
    ) -> None:
        """Show an array of the window; later changes to the array need only `refresh`."""
        metadata = {METADATA_KEY: {"role": ROLE, "term": term, "weight_map": to_json(params)}}
        name = f"{watched.layer.name} weight map"
        array = watched.place.plane.expanded(data)
        if self.shown and self.layer is not None and self.layer.ndim != array.ndim:
            self.remove()
        if not self.shown or self.layer is None:
            self.layer = Image(
                array,
                name=name,
                colormap=_colours(term),
                opacity=0.9,
                interpolation2d="nearest",
                contrast_limits=limits,
                metadata=metadata,
                **_space_of_window(watched),
            )
            mark_own(self.layer, ROLE)
            active = self._viewer.layers.selection.active
            self._viewer.layers.insert(self._viewer.layers.index(watched.layer) + 1, self.layer)
            self._viewer.layers.selection.active = active
            self._watched = watched
            return
        if watched is not self._watched:
            self._watched = watched
            for key, value in _space_of_window(watched).items():
                setattr(self.layer, key, value)
            self.layer.name = name
        if self.layer.metadata.get(METADATA_KEY, {}).get("term") != term:
            self.layer.colormap = _colours(term)
        self.layer.metadata = metadata
        if self.layer.data.base is not data and self.layer.data is not array:
            self.layer.data = array
        else:
            self.refresh()
        if tuple(self.layer.contrast_limits) != limits:
            self.layer.contrast_limits_range = limits
            self.layer.contrast_limits = limits

    def refresh(self) -> None:
        """Draw the array again after it changed in place."""
        if self.shown and self.layer is not None:
            self.layer.refresh(thumbnail=False, extent=False, highlight=False)

    def remove(self) -> None:
        """Take the layer away; nothing happens if the user did."""
        take_away(self._viewer, self.layer)
        self.layer = None
        self._watched = None


def _colours(term: str) -> Colormap:
    """Say how a map is drawn: one that weighs cells too would mix with their colours, were it clear."""
    return clearing(COLORMAP) if term == "border" else ensure_colormap(COLORMAP)


class NearestLines:
    """Two lines from a pixel to its nearest and second nearest cell."""

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        self._viewer = plain_viewer(viewer)
        self.layer: napari.layers.Vectors | None = None

    def show(self, watched: WatchedLabels, pixel: tuple[int, int], points: Sequence[tuple[int, int]]) -> None:
        """Draw lines from a pixel of the window to points of it."""
        start = np.array(watched.point_in_plane(*pixel))
        vectors = np.array(
            [[start, np.array(watched.point_in_plane(*point)) - start] for point in points], float
        ).reshape(len(points), 2, watched.layer.ndim)
        # Vectors are as wide as pixels of the layer; these are to be as wide as pixels of the screen.
        side = shorter_side(watched.layer, watched.place.axes)
        width = _LINE_WIDTH / (float(camera_of(self._viewer).zoom) * side)
        if self.layer is not None and self.layer in self._viewer.layers and self.layer.ndim == len(start):
            self.layer.data = vectors
            self.layer.edge_width = width
            if len(vectors):
                self.layer.edge_color = list(_LINE_COLOURS[: len(vectors)])
            return
        if not len(vectors):
            return
        self.remove()

        self.layer = Vectors(
            vectors,
            name="nearest cells",
            edge_width=width,
            edge_color=list(_LINE_COLOURS[: len(vectors)]),
            vector_style="line",
            **space_of(watched.layer, range(watched.layer.ndim)),
        )
        add_own(self._viewer, self.layer, "nearest cells")

    def clear(self) -> None:
        """Draw no lines."""
        if self.layer is not None and self.layer in self._viewer.layers and len(self.layer.data):
            self.layer.data = np.zeros((0, 2, self.layer.ndim))

    def remove(self) -> None:
        """Take the layer away; nothing happens if the user did."""
        take_away(self._viewer, self.layer)
        self.layer = None
