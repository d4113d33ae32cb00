"""The images that are trained on, each with the Labels layer in which its cells are painted."""

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QGridLayout, QLabel, QWidget

from napari_utile.session.state import Session
from napari_utile.widgets.parts import arrange
from napari_utile.widgets.parts.button import push_button
from napari_utile.widgets.parts.layer_combo import LayerCombo
from napari_utile.widgets.viewer.layers import full_resolution, plain_viewer, space_of
from napari_utile.widgets.viewer.own_pictures import is_cells

if TYPE_CHECKING:
    import napari.viewer

__all__ = ["PairList"]


class PairList(QWidget):
    """The chosen image with its cells, and a row for each further image.

    Attributes
    ----------
    changed : Signal
        Emitted when a row comes, goes or names other layers.
    """

    changed = Signal()

    def __init__(self, viewer: "napari.viewer.Viewer", session: Session) -> None:
        super().__init__()
        self._viewer, self._session = plain_viewer(viewer), session
        self.rows: list[_Row] = []
        self._box = arrange.column()
        self.add = push_button("Add another image", "Train on several images at once.")
        self.paint = push_button(
            "New labels", "Add an empty Labels layer on the image, ready to paint cells into."
        )
        arrange.column(self._box, arrange.row(self.paint, self.add), on=self)
        self.add.clicked.connect(self.add_row)
        self.paint.clicked.connect(self.new_labels)

    def pairs(self) -> list[tuple[Any, Any]]:
        """Return (image layer, labels layer) of every image, None where there is none."""
        chosen = self._session.image.layer, self._session.cells
        return [chosen, *((row.image.layer, row.labels.layer) for row in self.rows)]

    def add_row(self) -> None:
        """Add a row."""
        row = _Row(self._viewer)
        row.image.layer_changed.connect(lambda _: self.changed.emit())
        row.labels.layer_changed.connect(lambda _: self.changed.emit())
        row.remove.clicked.connect(lambda _: self.remove_row(row))
        self.rows.append(row)
        self._box.addWidget(row)
        self.changed.emit()

    def remove_row(self, row: "_Row") -> None:
        """Take a row away."""
        self.rows.remove(row)
        row.hide()
        row.deleteLater()
        self.changed.emit()

    def new_labels(self) -> None:
        """Add an empty Labels layer for the last image, and let the user paint."""
        image = self.pairs()[-1][0]
        if image is None:
            return
        shape = full_resolution(image).shape
        shape = shape[:-1] if image.rgb else shape
        labels = self._viewer.add_labels(
            np.zeros(shape, np.int32), name=f"{image.name} painted", **space_of(image, range(image.ndim))
        )
        labels.mode = "paint"
        if self.rows:
            self.rows[-1].labels.set_layer(labels)
        else:
            self._session.cells = labels


class _Row(QWidget):
    def __init__(self, viewer: "napari.viewer.Viewer") -> None:
        super().__init__()
        self.image = LayerCombo(viewer, ("Image",))
        self.labels = LayerCombo(viewer, ("Labels",), empty_text="no labels yet", accept=is_cells)
        self.remove = push_button("✕", "Leave this image out.")
        self.remove.setFixedWidth(24)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.addWidget(QLabel("Image"), 0, 0)
        grid.addWidget(self.image, 0, 1)
        grid.addWidget(self.remove, 0, 2)
        grid.addWidget(QLabel("Its cells"), 1, 0)
        grid.addWidget(self.labels, 1, 1)
        grid.setColumnStretch(1, 1)
