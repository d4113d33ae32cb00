"""A plot of the weights along a line drawn in a Shapes layer."""

from typing import Any

import napari.layers
import napari.viewer
import numpy as np
from qtpy.QtCore import QSize, Signal
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_utile.engine.weights.pixel_weight import WeightProfile
from napari_utile.widgets.connections import Connections
from napari_utile.widgets.parts.arrange import column, fields
from napari_utile.widgets.parts.button import push_button
from napari_utile.widgets.parts.layer_combo import LayerCombo
from napari_utile.widgets.parts.plot import Plot
from napari_utile.widgets.viewer.layers import plain_viewer, space_of

_LINES = {"total": "strong", "border": "orange", "class balance": "blue"}


class WeightProfileTab(QWidget):
    """Plots a `WeightProfile`.

    Attributes
    ----------
    shapes : LayerCombo
        The Shapes layer; its selected line counts, or its last one.
    line_changed : Signal
        Emitted when the line may have moved.
    """

    line_changed = Signal()

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__()

        self._viewer = plain_viewer(viewer)
        self.shapes = LayerCombo(viewer, ("Shapes",), empty_text="no line yet")
        self.draw = push_button("Draw a line", "Draw a line on the image, across a gap for example.")
        self.draw.clicked.connect(self._draw)
        self.plot = Plot("along the line (pixels)", "weight")
        self.plot.setMinimumHeight(130)
        self.plot.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.plot.sizeHint = lambda: QSize(200, 160)
        self.plot.name_curves()
        self.curves = {
            name: self.plot.curve(colour, 3 if name == "total" else 1.5, name)
            for name, colour in _LINES.items()
        }
        form = fields(("Line in", self.shapes))
        column(form, self.draw, (self.plot, 1), on=self, margins=(4, 6, 4, 4))
        self._connections = Connections(self)
        self.shapes.layer_changed.connect(self._watch)
        self._watch(self.shapes.layer)

    def line(self) -> np.ndarray[Any, Any] | None:
        """Return the corners of the line, in the world, or None."""
        layer = self.shapes.layer
        if layer is None or not len(layer.data):
            return None
        which = max(layer.selected_data, default=len(layer.data) - 1)
        corners = np.asarray(layer.data[which], dtype=float)
        if str(layer.shape_type[which]) in ("rectangle", "ellipse"):
            return None
        return np.array([layer.data_to_world(corner) for corner in corners])

    def show_profile(self, profile: WeightProfile | None) -> None:
        """Plot a profile, or nothing."""
        terms: dict[str, Any] = dict.fromkeys(_LINES, np.zeros(0))
        distance = np.zeros(0)
        if profile is not None:
            distance = profile.distance
            terms = {"total": profile.total, "border": profile.border, "class balance": profile.class_balance}
        for name, values in terms.items():
            self.curves[name].setData(distance, values, connect="finite")
        top = float(np.nanmax(terms["total"], initial=1.0)) if len(distance) else 1.0
        self.plot.setYRange(0.0, top)

    def _watch(self, layer: Any) -> None:
        self._connections.disconnect_all()
        if layer is not None:
            self._connections.connect(layer.events.set_data, self._moved)
            self._connections.connect(layer.events.data, self._moved)
            self._connections.connect(layer.events.highlight, self._moved)
        self.line_changed.emit()

    def _moved(self, _: object = None) -> None:
        self.line_changed.emit()

    def _draw(self) -> None:
        layer = self.shapes.layer
        if layer is None:
            image = self._viewer.layers.selection.active
            space = space_of(image) if image is not None and image.ndim >= 2 else {}
            layer = self._viewer.add_shapes(
                ndim=2, name="profile line", edge_color="#4fd3ff", edge_width=1, **space
            )
            self.shapes.set_layer(layer)
        self._viewer.layers.selection.active = layer
        layer.mode = "add_line"
