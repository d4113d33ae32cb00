"""Choose where to work: the whole plane, what is in view, what the user draws, or where there are labels."""

from typing import Any

import napari.viewer
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QWidget

from napari_utile.engine.windows import Window
from napari_utile.session.chosen import ChosenRegion
from napari_utile.widgets.connections import Connections
from napari_utile.widgets.later import later
from napari_utile.widgets.parts.arrange import column, row
from napari_utile.widgets.parts.button import push_button
from napari_utile.widgets.parts.forms import choice
from napari_utile.widgets.parts.layer_combo import LayerCombo
from napari_utile.widgets.viewer.label_mask import label_mask
from napari_utile.widgets.viewer.layers import plain_viewer, space_of
from napari_utile.widgets.viewer.own_pictures import is_cells
from napari_utile.widgets.viewer.regions import camera_of, inside_shapes, region_in_view, region_of_shapes
from napari_utile.widgets.viewer.source import Source

WHOLE, VIEW, SHAPES, LABELS = "whole", "view", "shapes", "labels"
_KINDS = (
    ("Whole image", WHOLE),
    ("What is in view", VIEW),
    ("Drawn shapes", SHAPES),
    ("Inside labels", LABELS),
)
# Milliseconds.
_DRAWN_AFTER = 1000


class RegionPicker(QWidget):
    """Whole image, what is in view, drawn shapes, or the labels of a layer.

    Parameters
    ----------
    chosen : ChosenRegion
        What is chosen at first.

    Attributes
    ----------
    changed : Signal
        Emitted when the user chooses another kind of region or another layer that says where.
    moved : Signal
        Emitted when what was chosen lies elsewhere: the view was zoomed or moved, a shape was drawn or changed.
    """

    changed = Signal()
    moved = Signal()

    def __init__(self, viewer: napari.viewer.Viewer, chosen: ChosenRegion) -> None:
        super().__init__()
        self._viewer = plain_viewer(viewer)
        self.kind = choice("Where", "Large images: try a small part first.", _KINDS)
        self.shapes = LayerCombo(viewer, ("Shapes",), empty_text="no shapes yet")
        self.labels = LayerCombo(viewer, ("Labels",), empty_text="no labels yet", accept=is_cells)
        self.labels.setAccessibleName("Labels to segment in")
        self.draw = push_button("Draw", "Add a shapes layer and draw a rectangle on the image.")
        self._row = QWidget()
        row((self.shapes, 1), self.draw, on=self._row)
        column(self.kind, self._row, self.labels, on=self, spacing=4)
        self._source_layer: Any = None
        self.kind.setCurrentIndex(self.kind.findData(chosen.kind))
        if chosen.layer is not None:
            (self.shapes if chosen.kind == SHAPES else self.labels).set_layer(chosen.layer)
        self.kind.activated.connect(self._kind_changed)
        self.shapes.layer_changed.connect(lambda _: self.changed.emit())
        self.draw.clicked.connect(self.start_drawing)
        self.labels.layer_changed.connect(self._labels_changed)
        self._show_kind()
        self._camera, self._drawn = Connections(self), Connections(self)
        # Before it is drawn again, napari gives what was in view before.
        self._once_drawn = later(self, _DRAWN_AFTER, self.moved.emit)
        camera = camera_of(self._viewer).events
        for emitter in (camera.zoom, camera.center):
            self._camera.connect(emitter, lambda _: self._move(VIEW))
        self.shapes.layer_changed.connect(self._watch)
        self._watch(self.shapes.layer)

    @property
    def chosen(self) -> ChosenRegion:
        """What is chosen."""
        kind = self.kind.currentData()
        layers = {SHAPES: self.shapes.layer, LABELS: self.labels.layer}
        return ChosenRegion(kind, layers.get(kind))

    def set_source_layer(self, layer: Any) -> None:
        """Name the layer on which shapes are drawn."""
        self._source_layer = layer

    def read(self, source: Source) -> tuple[Window | None, Any]:
        """Return the region in pixels of the plane, and which of its pixels count; None stands for all.

        Of labels on a large plane the second is a `LabelMask`, coarser than the plane.

        Raises
        ------
        ValueError
            In one sentence, if nothing was drawn or nothing is in view.
        """
        kind = self.kind.currentData()
        if kind == WHOLE:
            return None, None
        if kind == VIEW:
            region = region_in_view(source.layer, source.place)
            return (None if region == Window.whole(source.place.plane_shape) else region), None
        if kind == LABELS:
            if self.labels.layer is None:
                raise ValueError("Paint or open labels first: the cells are looked for inside them.")
            return label_mask(self.labels.layer, source.layer, source.place)
        if self.shapes.layer is None:
            raise ValueError("Draw a shape on the image first: press Draw.")
        region = region_of_shapes(self.shapes.layer, source.layer, source.place)
        inside = inside_shapes(self.shapes.layer, source.layer, source.place, region)
        return region, None if inside.all() else inside

    def start_drawing(self) -> None:
        """Add a shapes layer in the space of the image, ready to draw rectangles."""
        layer = self.shapes.layer
        if layer is None:
            space = space_of(self._source_layer) if self._source_layer is not None else {}
            layer = self._viewer.add_shapes(
                name="region", ndim=2, face_color="#ffffff20", edge_color="#f5d020", edge_width=2, **space
            )
            self.shapes.set_layer(layer)
        layer.visible = True
        self._viewer.layers.selection.active = layer
        layer.mode = "add_rectangle"

    def _labels_changed(self, _: object) -> None:
        if self.kind.currentData() == LABELS:
            self.changed.emit()

    def _watch(self, shapes: Any) -> None:
        self._drawn.disconnect_all()
        if shapes is not None:
            self._drawn.connect(shapes.events.data, lambda _: self._move(SHAPES))

    def _move(self, kind: str) -> None:
        if self.kind.currentData() == kind:
            self.moved.emit()
            self._once_drawn.start()

    def _kind_changed(self) -> None:
        self._show_kind()
        self.changed.emit()

    def _show_kind(self) -> None:
        self._row.setVisible(self.kind.currentData() == SHAPES)
        self.labels.setVisible(self.kind.currentData() == LABELS)
