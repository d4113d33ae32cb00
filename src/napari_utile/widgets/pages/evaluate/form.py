"""What the Evaluate page looks like: its rows, tabs and words. It shows state; the page acts."""

from typing import Any

import napari.viewer
from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QCheckBox,
    QSizePolicy,
    QSplitter,
    QTabWidget,
    QWidget,
)

from napari_utile.session.evaluation import EvaluationResult
from napari_utile.session.state import Session
from napari_utile.widgets.pages.evaluate.architectures import Architectures
from napari_utile.widgets.pages.evaluate.compared_layers import ComparedLayers
from napari_utile.widgets.pages.evaluate.error_table import ErrorTable
from napari_utile.widgets.pages.evaluate.outlines import PREDICTION, REFERENCE
from napari_utile.widgets.pages.evaluate.plots import PrecisionPlot
from napari_utile.widgets.pages.evaluate.score_table import ScoreTable
from napari_utile.widgets.pages.evaluate.sweep_panel import SweepPanel
from napari_utile.widgets.parts.arrange import column, fields, row
from napari_utile.widgets.parts.button import push_button
from napari_utile.widgets.parts.folded import folded
from napari_utile.widgets.parts.labels_offer import ReferenceImage
from napari_utile.widgets.parts.layer_checklist import LayerChecklist
from napari_utile.widgets.parts.layer_combo import LayerCombo
from napari_utile.widgets.parts.run_bar import RunBar
from napari_utile.widgets.parts.status_line import StatusLine
from napari_utile.widgets.parts.words import Words
from napari_utile.widgets.viewer.own_pictures import is_cells
from napari_utile.widgets.viewer.unasked import looks_like_a_reference

_HOW_TO = "Choose the cells above and the reference here, then press Evaluate."


class EvaluateForm(QWidget):
    """The widgets of the Evaluate page.

    Attributes
    ----------
    others : LayerChecklist
        Further predictions to compare with the chosen cells.
    """

    def __init__(self, viewer: napari.viewer.Viewer, session: Session) -> None:
        super().__init__()
        self._session = session
        self.truth = LayerCombo(
            viewer,
            ("Labels",),
            empty_text="no other labels open",
            accept=lambda layer: is_cells(layer) and layer is not session.cells,
            prefer=looks_like_a_reference,
        )
        self.as_labels = ReferenceImage(viewer, self.truth.set_layer)
        self.ignore = LayerCombo(viewer, ("Labels", "Shapes"), none_text="nothing", accept=is_cells)
        self.others = LayerChecklist(viewer, self._is_other)
        self.others.setToolTip("Further predictions, shown beside the first with their difference from it.")
        self.architectures = Architectures(viewer, session)
        self.every_plane = QCheckBox("All planes of the stack")
        self.every_plane.setToolTip(
            "Score every plane and show the mean, instead of the plane on screen only."
        )
        self.run_bar = RunBar("Evaluate", "Compare the prediction with the reference. Key: Ctrl+Enter.")
        self.run_bar.cancel_button.setToolTip("Stop after the plane that is being scored.")
        self.scores = ScoreTable()
        self.plot = PrecisionPlot()
        self.errors = ErrorTable()
        self.sweep = SweepPanel(viewer)
        self.export_csv = push_button("CSV…", "Save all scores, plane by plane, as a table.")
        self.export_report = push_button(
            "Report…",
            "Save one web page with scores, plots, pictures and the worst errors; a browser prints it.",
        )
        self.copy_command = push_button(
            "Copy command", "Copy the command line that scores the files of these layers as they were saved."
        )
        self.legend = Words(
            f"Outlines: <span style='color: {PREDICTION}'>\u2501</span> the cells, "
            f"<span style='color: {REFERENCE}'>\u2588</span> the reference",
            rich=True,
        )
        self.status = StatusLine()
        self._arrange()
        self.truth.layer_changed.connect(lambda _: self.others.list_again())
        self.show_has_result(False)
        self.status.say(_HOW_TO)

    @property
    def layers(self) -> ComparedLayers:
        """The chosen layers.

        Raises
        ------
        ValueError
            In one sentence, if something is missing.
        """
        prediction, truth = self._session.cells, self.truth.layer
        if prediction is None or truth is None:
            raise ValueError("Choose the cells to evaluate above, and the reference labels here first.")
        return ComparedLayers((prediction, *self.others.layers), truth, self.ignore.layer)

    @property
    def scores_every_plane(self) -> bool:
        """Whether all planes of a stack are asked for."""
        return self.every_plane.isVisibleTo(self) and self.every_plane.isChecked()

    def show_result(self, result: EvaluationResult) -> None:
        """Fill tables and plots."""
        self.show_scores(result)
        self.errors.show_errors(result.errors, result.kinds)
        self.show_has_result(True)

    def show_scores(self, result: EvaluationResult) -> None:
        """Fill what shows the scores of each prediction under its name."""
        self.scores.show_result(result)
        self.plot.show_result(result)

    def show_has_result(self, has_result: bool) -> None:
        """Enable what needs a result."""
        self.let_export(has_result)
        self.legend.setVisible(has_result)

    def let_export(self, may: bool) -> None:
        """Enable what writes the result into files, which is not done where it is no longer that of the layers."""
        for button in (self.export_csv, self.export_report):
            button.setEnabled(may)

    def list_layers_again(self) -> None:
        """Leave out a layer that has become one of errors."""
        for chooser in (self.truth, self.ignore, self.others):
            chooser.list_again()

    def follow_cells(self, _: object = None) -> None:
        """Leave the cells that were chosen above out of what they are compared with."""
        self.truth.list_again()
        self.others.list_again()

    def follow_stack(self) -> None:
        """Offer all planes only where there are several."""
        truth = self.truth.layer
        self.every_plane.setVisible(truth is not None and truth.data.ndim > 2)

    def _arrange(self) -> None:
        top = fields(("Reference", self.truth))
        top.addRow(self.as_labels)
        self.truth.setToolTip("The reference: labels that are known to be correct.")
        top.addRow("Ignore", self.ignore)
        self.ignore.setToolTip("Pixels to ignore: labels above 0, or inside shapes.")
        compare = folded("Compare with other predictions", self.others, self.architectures)
        compare.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        self.compare = compare
        self.tabs = QTabWidget()
        numbers = QSplitter(Qt.Orientation.Vertical)
        numbers.addWidget(self.scores)
        numbers.addWidget(self.plot)
        numbers.setSizes([330, 160])
        self.tabs.addTab(numbers, "Scores")
        self.tabs.addTab(self.errors, "Errors")
        self.tabs.addTab(self.sweep, "Best threshold")
        column(
            top,
            compare,
            self.every_plane,
            self.run_bar,
            self.legend,
            (self.tabs, 1),
            row(self.export_csv, self.export_report, self.copy_command),
            on=self,
            margins=(8, 8, 8, 8),
            spacing=6,
        )

    def _is_other(self, layer: Any) -> bool:
        chosen = (self._session.cells, self.truth.layer)
        return layer._type_string == "labels" and is_cells(layer) and all(layer is not one for one in chosen)
