"""What the Evaluate dock looks like: its rows, tabs and words. It shows state; the dock acts."""

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QCheckBox,
    QFormLayout,
    QHBoxLayout,
    QPushButton,
    QSizePolicy,
    QSplitter,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)
from superqt import QCollapsible

from napari_utile.session.evaluation import EvaluationResult
from napari_utile.widgets.evaluate.compared_layers import ComparedLayers
from napari_utile.widgets.evaluate.error_table import ErrorTable
from napari_utile.widgets.evaluate.plots import PrecisionPlot
from napari_utile.widgets.evaluate.score_table import ScoreTable
from napari_utile.widgets.evaluate.sweep_panel import SweepPanel
from napari_utile.widgets.parts.layer_checklist import LayerChecklist
from napari_utile.widgets.parts.layer_combo import LayerCombo
from napari_utile.widgets.parts.run_bar import RunBar
from napari_utile.widgets.parts.status_line import StatusLine
from napari_utile.widgets.viewer.result_layers import METADATA_KEY

if TYPE_CHECKING:
    import napari.viewer

__all__ = ["EvaluateForm"]

_HOW_TO = "Choose the labels to evaluate and the reference labels, then press Evaluate."


class EvaluateForm(QWidget):
    """The widgets of the Evaluate dock.

    Attributes
    ----------
    prediction, truth, ignore : LayerCombo
    others : LayerChecklist
        Further predictions to compare with the first.
    every_plane : QCheckBox
    run_bar : RunBar
    scores : ScoreTable
    plot : PrecisionPlot
    errors : ErrorTable
    sweep : SweepPanel
    export_csv, export_report, copy_command : QPushButton
    status : StatusLine
    """

    def __init__(self, viewer: "napari.viewer.Viewer", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.prediction = LayerCombo(viewer, ("Labels",), empty_text="no labels open", accept=_is_judged)
        self.prediction.setToolTip("The labels to evaluate.")
        self.truth = LayerCombo(viewer, ("Labels",), empty_text="no labels open", accept=_is_judged)
        self.ignore = LayerCombo(viewer, ("Labels", "Shapes"), none_text="nothing", accept=_is_judged)
        self.others = LayerChecklist(viewer, self._is_other)
        self.others.setToolTip("Further predictions, shown beside the first with their difference from it.")
        self.every_plane = QCheckBox("All planes of the stack")
        self.every_plane.setToolTip(
            "Score every plane and show the mean, instead of the plane on screen only."
        )
        self.run_bar = RunBar("Evaluate", "Compare the prediction with the reference.")
        self.run_bar.cancel_button.setToolTip("Stop after the plane that is being scored.")
        self.scores = ScoreTable()
        self.plot = PrecisionPlot()
        self.errors = ErrorTable()
        self.sweep = SweepPanel(viewer)
        self.export_csv = QPushButton("CSV…")
        self.export_csv.setToolTip("Save all scores, plane by plane, as a table.")
        self.export_report = QPushButton("Report…")
        self.export_report.setToolTip(
            "Save one web page with scores, plots, pictures and the worst errors; a browser prints it."
        )
        self.copy_command = QPushButton("Copy command")
        self.copy_command.setToolTip(
            "Copy the command line that gives the same numbers for files and folders."
        )
        self.status = StatusLine()
        self._arrange()
        self.prediction.layer_changed.connect(lambda _: self.others.list_again())
        self.truth.layer_changed.connect(lambda _: self.others.list_again())
        self._guess_layers()
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
        prediction, truth = self.prediction.layer, self.truth.layer
        if prediction is None or truth is None:
            raise ValueError("Open the labels to evaluate and the reference labels first.")
        if prediction is truth:
            raise ValueError("Prediction and reference are the same layer; choose two different ones.")
        return ComparedLayers((prediction, *self.others.layers), truth, self.ignore.layer)

    def show_result(self, result: EvaluationResult) -> None:
        """Fill tables and plots."""
        self.scores.show_result(result)
        self.plot.show_result(result)
        self.errors.show_errors(result.errors, result.kinds)
        self.show_has_result(True)

    def show_has_result(self, has_result: bool) -> None:
        """Enable what needs a result."""
        for button in (self.export_csv, self.export_report):
            button.setEnabled(has_result)

    def list_layers_again(self) -> None:
        """Leave out a layer that has become one of errors."""
        for chooser in (self.prediction, self.truth, self.ignore, self.others):
            chooser.list_again()

    def follow_stack(self) -> None:
        """Offer all planes only where there are several."""
        truth = self.truth.layer
        self.every_plane.setVisible(truth is not None and truth.data.ndim > 2)

    def _arrange(self) -> None:
        top = QFormLayout()
        top.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        top.addRow("Prediction", self.prediction)
        top.addRow("Reference", self.truth)
        self.truth.setToolTip("The reference: labels that are known to be correct.")
        top.addRow("Ignore", self.ignore)
        self.ignore.setToolTip("Pixels to ignore: labels above 0, or inside shapes.")
        compare = QCollapsible("Compare with other predictions")
        compare.setObjectName("compare")
        compare.setDuration(0)
        compare.setContent(self.others)
        compare.collapse(animate=False)
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
        buttons = QHBoxLayout()
        for button in (self.export_csv, self.export_report, self.copy_command):
            buttons.addWidget(button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 8, 8, 8)
        layout.setSpacing(6)
        layout.addLayout(top)
        layout.addWidget(compare)
        layout.addWidget(self.every_plane)
        layout.addWidget(self.run_bar)
        layout.addWidget(self.tabs, 1)
        layout.addLayout(buttons)
        layout.addWidget(self.status)

    def _is_other(self, layer: Any) -> bool:
        chosen = (self.prediction.layer, self.truth.layer)
        return (
            layer._type_string == "labels" and _is_judged(layer) and all(layer is not one for one in chosen)
        )

    def _guess_layers(self) -> None:
        """Start with the plugin's own instances as prediction and a layer named like a reference as such."""
        listed = [self.truth.itemData(index) for index in range(self.truth.count())]
        listed = [layer for layer in listed if layer is not None]
        own = [layer for layer in listed if _role(layer) == "instances"]
        if own:
            self.prediction.set_layer(own[0])
        words = ("truth", "reference", "gt", "annot", "manual")
        named = [layer for layer in listed if any(word in layer.name.lower() for word in words)]
        rest = [layer for layer in [*named, *listed] if layer is not self.prediction.layer]
        if rest:
            self.truth.set_layer(rest[0])


def _role(layer: Any) -> str:
    return str(layer.metadata.get(METADATA_KEY, {}).get("role", ""))


def _is_judged(layer: Any) -> bool:
    """Leave out what only shows errors, and masks that the plugin made."""
    return _role(layer) not in ("errors", "mask")
