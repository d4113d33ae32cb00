"""The images that are trained on, each with the Labels layer in which its cells are painted."""

from collections.abc import Callable
from typing import Any

import napari.viewer
import numpy as np
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QGridLayout, QLabel, QWidget

from napari_utile.session.state import ChosenImage, Session
from napari_utile.widgets.parts import arrange
from napari_utile.widgets.parts.button import push_button
from napari_utile.widgets.parts.layer_combo import LayerCombo
from napari_utile.widgets.parts.room import room_for
from napari_utile.widgets.viewer.layers import plain_viewer, space_of
from napari_utile.widgets.viewer.own_pictures import is_cells
from napari_utile.widgets.viewer.source import image_place, read_alike
from napari_utile.widgets.viewer.unasked import chosen_unasked, lies_on

_Others = Callable[["ImageRow"], list[tuple[ChosenImage, Any]]]
"""Gives the image and the labels of every other row."""


class PairList(QWidget):
    """The chosen image with its cells, and a row for each further image.

    Attributes
    ----------
    changed : Signal
        Emitted when a row comes, goes or names other layers.
    """

    changed = Signal()

    def __init__(self, viewer: napari.viewer.Viewer, session: Session) -> None:
        super().__init__()
        self._viewer, self._session = plain_viewer(viewer), session
        self._boxes_shown = False
        self.rows: list[ImageRow] = []
        self._box = arrange.column()
        self.add = push_button("Add another image", "Train on several images at once.")
        self.paint = push_button(
            "New labels", "Add an empty Labels layer on the image, ready to paint cells into."
        )
        arrange.column(self._box, arrange.row(self.paint, self.add), on=self)
        self.add.clicked.connect(self.add_row)

    def pairs(self) -> list[tuple[ChosenImage, Any]]:
        """Return every image, read as the chosen one is, and its Labels layer; None where there is no layer."""
        chosen = self._session.image, self._session.cells
        return [chosen, *((row.chosen, row.labels.layer) for row in self.rows)]

    def add_row(self) -> None:
        """Add a row: for an image, and for labels, that no other row names."""
        row = ImageRow(self._viewer, self._session, self._others)
        row.show_boxes(self._boxes_shown)
        row.image.layer_changed.connect(lambda _: self.changed.emit())
        row.labels.layer_changed.connect(lambda _: self.changed.emit())
        row.remove.clicked.connect(lambda _: self.remove_row(row))
        self.rows.append(row)
        self._box.addWidget(row)
        row.choose()
        self.changed.emit()

    def remove_row(self, row: "ImageRow") -> None:
        """Take a row away."""
        self.rows.remove(row)
        row.hide()
        row.deleteLater()
        self.changed.emit()

    def show_boxes(self, shown: bool) -> None:
        """Ask for the boxes of every further image: those of one say nothing of another, wherever it lies."""
        self._boxes_shown = shown
        for row in self.rows:
            row.show_boxes(shown)

    def new_labels(self) -> None:
        """Add an empty Labels layer for the last image, and let the user paint.

        Raises
        ------
        ValueError
            If there is no image.
        """
        image = self.pairs()[-1][0]
        place = image_place(image, self._viewer)
        layer: Any = image.layer
        labels = self._viewer.add_labels(
            np.zeros(place.result_shape, np.int32),
            name=f"{layer.name} painted",
            **space_of(layer, place.result_axes),
        )
        labels.mode = "paint"
        if self.rows:
            self.rows[-1].labels.set_layer(labels)
        else:
            self._session.cells = labels

    def _others(self, row: "ImageRow") -> list[tuple[ChosenImage, Any]]:
        every = zip(self.pairs(), [None, *self.rows], strict=True)
        return [pair for pair, of in every if of is not row]


class ImageRow(QWidget):
    """A further image, its cells, and the boxes in which all of them are painted."""

    def __init__(self, viewer: napari.viewer.Viewer, session: Session, others: _Others) -> None:
        super().__init__()
        self._session, self._others = session, others
        self.image = LayerCombo(viewer, ("Image",), none_text="choose an image", prefer=self._is_free)
        self.labels = LayerCombo(
            viewer, ("Labels",), none_text="no labels yet", accept=is_cells, prefer=self._are_its_cells
        )
        self.boxes = LayerCombo(viewer, ("Shapes",), none_text="no boxes yet", prefer=lambda _: False)
        self.remove = push_button("✕", "Leave this image out.")
        self.remove.setAccessibleName("Leave this image out")
        room_for(self.remove, self.remove.text())
        self._boxes_label = QLabel("Its boxes")
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.addWidget(QLabel("Image"), 0, 0)
        grid.addWidget(self.image, 0, 1)
        grid.addWidget(self.remove, 0, 2)
        grid.addWidget(QLabel("Its cells"), 1, 0)
        grid.addWidget(self.labels, 1, 1)
        grid.addWidget(self._boxes_label, 2, 0)
        grid.addWidget(self.boxes, 2, 1)
        grid.setColumnStretch(1, 1)
        self.image.layer_changed.connect(lambda _: self._other_image())

    @property
    def chosen(self) -> ChosenImage:
        """Its image, of which the channels are read that are chosen in the header, where it has them."""
        return read_alike(self.image.layer, self._session.image)

    def choose(self) -> None:
        """Choose what no other row names, once the others can be seen."""
        self.image.choose_unasked()
        self.labels.choose_unasked()

    def show_boxes(self, shown: bool) -> None:
        """Show the choice of boxes, or hide it."""
        self.boxes.setVisible(shown)
        self._boxes_label.setVisible(shown)

    def _is_free(self, layer: Any) -> bool:
        return all(layer is not image.layer for image, _ in self._others(self))

    def _are_its_cells(self, layer: Any) -> bool:
        if self.image.layer is None or any(layer is labels for _, labels in self._others(self)):
            return False
        return chosen_unasked(layer, self.chosen)

    def _other_image(self) -> None:
        if self.labels.layer is None or not lies_on(self.labels.layer, self.chosen):
            self.labels.choose_unasked()
