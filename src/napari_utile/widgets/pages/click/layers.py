"""The layers that clicks work with: the label layer they edit, the markers, and the outline under the mouse."""

from collections.abc import Sequence
from typing import Any

import napari.layers
import napari.viewer
import numpy as np
from napari.layers import Labels, Points
from napari.utils.colormaps import DirectLabelColormap
from napari.utils.colormaps.standardize_color import transform_color
from numpy.typing import NDArray

from napari_utile.engine.arrays import BoolArray
from napari_utile.engine.windows import Window
from napari_utile.session.clicks.marker_store import MarkerStore
from napari_utile.session.plane_index import PlaneIndex
from napari_utile.widgets.viewer.layers import Place, plain_viewer, space_of, take_away
from napari_utile.widgets.viewer.own_pictures import add_own
from napari_utile.widgets.viewer.result_layers import empty_data

_COLOURS = {"cell": "#4cc9f0", "split": "#f9c74f", "background": "#f94144"}
_HOVER, _SELECTED = 1, 2
_OUTLINES = {_HOVER: "#ffffff", _SELECTED: "#ffe14d", None: "transparent"}
# Hovered and selected cell are shown together where one picture of at most this many pixels holds both.
_LARGEST_OUTLINE = 1 << 20
# A picture of the same shape as the one before is shown in a fifth of the time.
_SIDE = 64
# Planes up to this many pixels get labels of 32 bits.
_LARGEST_WIDE = 1 << 22


def new_labels(
    viewer: napari.viewer.Viewer, source: napari.layers.Layer, place: Place
) -> napari.layers.Labels:
    """Add an empty label layer on the grid of an image, with all of its axes but channels.

    On large planes it holds 65,535 labels: napari draws 16-bit labels as they are, and maps wider ones to colours
    first, all pixels of the plane at every undo (3 s instead of 0.01 s at 16384 x 16384).
    """
    viewer = plain_viewer(viewer)
    height, width = place.plane_shape
    dtype = np.dtype(np.int32 if height * width <= _LARGEST_WIDE else np.uint16)
    layer = Labels(
        empty_data(place, dtype),
        name=f"{source.name} cells",
        opacity=0.5,
        **space_of(source, place.result_axes),
    )
    viewer.add_layer(layer)
    return layer


class OutlineLayer:
    """A small label layer that shows outlines of the hovered and the selected cell; it holds no data."""

    NAME = "U-Tile outline"

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        self._viewer = plain_viewer(viewer)
        self._layer: Any = None
        self._space: dict[str, Any] = {}

    def show(
        self,
        labels: napari.layers.Labels,
        plane: PlaneIndex,
        hover: tuple[Window, BoolArray] | None,
        selected: tuple[Window, BoolArray] | None,
    ) -> None:
        """Outline up to two masks, each given with its window in a plane of a label layer."""
        parts = [
            (part, value) for part, value in ((selected, _SELECTED), (hover, _HOVER)) if part is not None
        ]
        if not parts:
            self.clear()
            return
        height, width = (int(labels.data.shape[axis]) for axis in plane.axes)
        window = _around([part[0] for part, _ in parts], (height, width))
        if len(parts) > 1 and window.size > _LARGEST_OUTLINE:
            parts = parts[1:]
            window = _around([parts[0][0][0]], (height, width))
        picture = np.zeros(window.shape, dtype=np.uint8)
        for (where, mask), value in parts:
            picture[where.relative_to(window)][mask] = value
        self._draw(labels, plane, window, picture)

    def clear(self) -> None:
        """Show nothing."""
        if self._layer is not None and self._layer in self._viewer.layers and self._layer.data.any():
            self._fill(np.zeros_like(self._layer.data))

    def remove(self) -> None:
        """Take the layer away."""
        take_away(self._viewer, self._layer)
        self._layer = None

    def _draw(
        self,
        labels: napari.layers.Labels,
        plane: PlaneIndex,
        window: Window,
        picture: NDArray[np.uint8],
    ) -> None:
        data = plane.expanded(picture)
        space = space_of(labels, range(labels.ndim), plane.point(window.start))
        if self._layer is None or self._layer not in self._viewer.layers or self._layer.ndim != labels.ndim:
            self.remove()
            self._make(data, space)
            return
        # Every assignment goes through the whole viewer, so only what changed is assigned.
        for name, value in space.items():
            if name not in ("units", "axis_labels") and not np.array_equal(value, self._space[name]):
                setattr(self._layer, name, value)
        self._space = space
        if data.shape != self._layer.data.shape:
            self._layer.data = data
        elif not np.array_equal(data, self._layer.data):
            self._fill(data)

    def _fill(self, data: NDArray[np.uint8]) -> None:
        """Show another picture of the same shape."""
        self._layer.data[...] = data
        self._layer.refresh(thumbnail=False, highlight=False, extent=False)

    def _make(self, data: NDArray[np.uint8], space: dict[str, Any]) -> None:
        self._space = space
        self._layer = Labels(
            data, name=self.NAME, opacity=1.0, colormap=DirectLabelColormap(color_dict=_OUTLINES), **space
        )
        self._layer.contour = 1
        add_own(self._viewer, self._layer, "outline")


class MarkerLayer:
    """A layer of points that shows the markers; what a user moves or deletes there counts."""

    def __init__(self, viewer: napari.viewer.Viewer, store: MarkerStore) -> None:
        self._viewer = plain_viewer(viewer)
        self._store = store
        self._writing = False
        self.layer: Any = None

    def show(self, labels: napari.layers.Labels) -> None:
        """Show the markers that stand."""
        positions, columns = self._store.table()
        if self.layer is None or self.layer not in self._viewer.layers:
            if len(positions) == 0:
                return
            self._make(labels)
        if self._shows(positions, columns):
            return
        self._writing = True
        try:
            layer = self.layer
            if len(positions) == 0:
                layer.data = np.empty((0, labels.ndim))
                return
            layer.data = positions
            layer.features = columns
            layer.face_color = np.array([_rgba(kind) for kind in columns["kind"]])
            layer.selected_data = set()
            layer.refresh()
        finally:
            self._writing = False

    def _shows(self, positions: NDArray[Any], columns: dict[str, NDArray[Any]]) -> bool:
        """Whether the layer shows these markers already; drawing points again is slow."""
        shown = self.layer.features
        return np.array_equal(np.asarray(self.layer.data).reshape(-1), positions.reshape(-1)) and all(
            name in shown and list(shown[name]) == list(column)
            for name, column in columns.items()
            if name != "threshold"
        )

    def _make(self, labels: napari.layers.Labels) -> None:
        active = self._viewer.layers.selection.active
        self.layer = Points(
            np.empty((0, labels.ndim)),
            ndim=labels.ndim,
            name=f"{labels.name} markers",
            size=5,
            border_color="black",
            border_width=0.15,
            **space_of(labels, range(labels.ndim)),
        )
        self.layer.events.data.connect(self._changed)
        self._viewer.add_layer(self.layer)
        self._viewer.layers.selection.active = active

    def adopt_opened(self, labels: napari.layers.Labels) -> None:
        """Take over the topmost layer of points that holds markers, for example one that was saved."""
        for layer in reversed(self._viewer.layers):
            columns = dict(getattr(layer, "features", {}))
            is_points = type(layer).__name__ == "Points" and layer.ndim == labels.ndim
            if is_points and {"kind", "cell", "order"} <= set(columns):
                self._store.read_table(np.asarray(layer.data), columns)
                self.layer = layer
                layer.events.data.connect(self._changed)
                return

    def _changed(self, event: Any = None) -> None:
        if self._writing or self.layer is None or str(getattr(event, "action", "")).endswith("ing"):
            return
        self._store.read_table(np.asarray(self.layer.data), dict(self.layer.features))


def _rgba(kind: str) -> NDArray[Any]:
    return np.asarray(transform_color(_COLOURS[kind])[0])


def _around(windows: Sequence[Window], plane: Sequence[int]) -> Window:
    """Return a window with a margin of a pixel: outlines are not drawn at the border of a picture.

    Its sides are multiples of `_SIDE` where the plane is large enough, so that most pictures have the same shape.
    """
    around = Window.around(windows)
    return Window(*(_widened(part.start, part.stop, size) for part, size in zip(around, plane, strict=True)))


def _widened(start: int, stop: int, size: int) -> slice:
    needed = stop - start + 2
    length = max(min(-(-needed // _SIDE) * _SIDE, size + 2), needed)
    first = start - 1 if length == needed else min(start - 1, size + 1 - length)
    return slice(first, first + length)
