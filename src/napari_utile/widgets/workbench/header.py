"""The header of the dock: image, channel, model and cells, chosen once for all pages."""

from typing import Any

import napari.viewer
from qtpy.QtWidgets import QWidget

from napari_utile.session.jobs import Choices, choices_job
from napari_utile.session.state import ChosenImage, Session
from napari_utile.widgets.connections import Connections
from napari_utile.widgets.parts.arrange import column, fields
from napari_utile.widgets.parts.forms import align_labels
from napari_utile.widgets.parts.labels_offer import ChosenLabels
from napari_utile.widgets.parts.layer_combo import LayerCombo
from napari_utile.widgets.parts.offer import Offer
from napari_utile.widgets.parts.words import Words
from napari_utile.widgets.viewer.cell_tables import CellTables
from napari_utile.widgets.viewer.layers import plain_viewer
from napari_utile.widgets.viewer.own_pictures import image_of, is_cells
from napari_utile.widgets.viewer.unasked import chosen_unasked, lies_on
from napari_utile.widgets.workbench.model_picker import ModelPicker
from napari_utile.widgets.workbench.source_picker import SourcePicker
from napari_utile.widgets.workbench.unsaved_edits import UnsavedEdits
from napari_utile.widgets.worker import run_job

_NO_IMAGE = (
    "Open an image to start: drop a file on the window, or choose File ▸ Open Sample ▸ U-Tile for one to try."
)


class Header(QWidget):
    """Shows and sets what the session holds.

    Attributes
    ----------
    labels : ChosenLabels
        Where the chosen image looks like labels.
    outdated : Offer
        To measure cells that were edited again.
    """

    def __init__(self, viewer: napari.viewer.Viewer, session: Session) -> None:
        super().__init__()
        self._viewer, self._session = plain_viewer(viewer), session
        self.empty = Words(_NO_IMAGE)
        self.unsaved = UnsavedEdits(viewer)
        self.source = SourcePicker(viewer, session)
        self.labels = ChosenLabels(viewer, session)
        self.model = ModelPicker(session)
        self.tables = CellTables(viewer, session, self)
        self.outdated = Offer(
            ("Measure again", "Measure the cells on screen again, into their table.", self.tables.measure)
        )
        self.tables.outdated.connect(self.outdated.offer)
        self._image = session.image.layer
        before = session.cells
        self.cells = LayerCombo(
            viewer,
            ("Labels",),
            none_text="New layer",
            accept=is_cells,
            prefer=lambda layer: chosen_unasked(layer, session.image),
        )
        self.cells.setAccessibleName("Cells")
        if before is not None:
            self.cells.set_layer(before)
        rows = fields(("Model", self.model), ("Cells", self.cells))
        self.cells.setToolTip(
            "The labels that you click, train on, weigh and evaluate: a result, or your own. Labels that are hidden, "
            "lie elsewhere, or are named like a reference are taken only if you choose them."
        )
        parts = self.unsaved, self.empty, self.source, self.labels, self.source.file, rows, self.outdated
        column(*parts, on=self, margins=(8, 8, 8, 4), spacing=6)
        align_labels(rows, self.source.layout())
        self.cells.layer_changed.connect(self._choose_cells)
        self._connections = Connections(self)
        self._connections.connect(session.events.image, self._image_chosen)
        self._connections.connect(session.events.cells, self._show_cells)
        self._connections.connect(session.events.models_changed, self._list_models)
        self._choose_cells(self.cells.layer)
        self._image_chosen(session.image)
        self._list_models()

    def _list_models(self) -> None:
        run_job(choices_job(), on_progress=self._take, on_done=self._take, owner=self)

    def _take(self, found: Choices) -> None:
        self._session.models, self._session.devices = found.models, found.devices

    def _choose_cells(self, layer: Any) -> None:
        self._session.cells = layer

    def _show_cells(self, layer: Any) -> None:
        if layer is not self.cells.layer and (layer is not None or self.cells.layer in self._viewer.layers):
            self.cells.set_layer(layer)

    def _image_chosen(self, chosen: ChosenImage) -> None:
        self.empty.setVisible(chosen.layer is None)
        self.source.setVisible(chosen.layer is not None)
        if chosen.layer is not self._image or self._session.cells is None:
            self._image = chosen.layer
            if not self._belongs(self._session.cells, chosen):
                self.cells.choose_unasked()

    def _belongs(self, cells: Any, chosen: ChosenImage) -> bool:
        """Say whether the chosen cells can stay chosen with another image."""
        if cells is None:
            return False
        if chosen.layer is None:
            return True
        found_on = image_of(cells)
        return lies_on(cells, chosen) if found_on is None else found_on is chosen.layer
