"""What the Train page looks like: its rows, groups and words. It shows state; the page acts."""

from typing import TYPE_CHECKING

from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_utile.engine.training.fine_tune_params import FineTuneParams
from napari_utile.session.fine_tuning import FineTuneResult
from napari_utile.session.state import Session
from napari_utile.widgets.pages.train.pair_list import PairList
from napari_utile.widgets.pages.train.plot import TrainingPlot
from napari_utile.widgets.pages.train.unfinished_panel import UnfinishedPanel
from napari_utile.widgets.parts.button import push_button
from napari_utile.widgets.parts.folded import folded
from napari_utile.widgets.parts.forms import Form, align_labels, narrow
from napari_utile.widgets.parts.layer_combo import LayerCombo
from napari_utile.widgets.parts.number_box import WholeNumberBox
from napari_utile.widgets.parts.run_bar import RunBar
from napari_utile.widgets.parts.status_line import StatusLine

if TYPE_CHECKING:
    import napari.viewer

__all__ = ["TrainForm"]

DENSE, BOXES, SPARSE = "dense", "boxes", "sparse"
# Scores of fewer held-out cells say little.
_FEW = 10
_STARTS = (
    ("The model above", ""),
    ("From scratch: a new U-Net", "unet"),
    ("From scratch: a new FCN-32s", "fcn32s"),
    ("From scratch: a new FCN-16s", "fcn16s"),
    ("From scratch: a new FCN-8s", "fcn8s"),
)


class TrainForm(QWidget):
    """The widgets of the Train page."""

    def __init__(
        self, viewer: "napari.viewer.Viewer", session: Session, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.start = narrow(QComboBox())
        for text, family in _STARTS:
            self.start.addItem(text, family)
        self.start.setToolTip(
            "Starting from a model takes minutes and a few cells; starting from scratch takes hours and many."
        )
        self.unfinished = UnfinishedPanel(viewer)
        self.pairs = PairList(viewer, session)
        self._make_annotation(viewer)
        self.params = Form(FineTuneParams(minutes=5.0), ("minutes", "held_out"))
        self.more_params = Form(
            FineTuneParams(minutes=5.0), ("recipe", "scale", "seed", "device", "precision"), sliders=False
        )
        self.watch = QCheckBox("Show the prediction while it learns")
        self.watch.setChecked(True)
        self.next_place = push_button(
            "Annotate here next",
            "Go to the part of the image, and then to the cell, on which the model is least sure.",
        )
        self.network_view = push_button(
            "What it sees",
            "Add one training sample as layers: augmented image, labels, weights and the frame of the valid output.",
        )
        self.run_bar = RunBar("Train", "Train the model on the painted cells.")
        self.run_bar.cancel_button.setToolTip("Stop and discard what was learnt.")
        self.pause = QPushButton("Pause")
        self.stop = push_button(
            "Stop and keep the best", "End the training now and review the best model so far."
        )
        self.copy_command = push_button(
            "Copy command", "Copy the command line that trains in the same way, on files."
        )
        self.plot = TrainingPlot()
        self.progress = _wrapped()
        self._make_result()
        self.status = StatusLine()
        self._arrange()
        self.set_running(False)
        self.result.hide()
        self.plot.hide()
        self.status.say("")

    def _make_annotation(self, viewer: "napari.viewer.Viewer") -> None:
        self.complete = narrow(QComboBox())
        self.complete.addItem("Only what I painted", SPARSE)
        self.complete.addItem("Inside drawn boxes", BOXES)
        self.complete.addItem("Fully annotated", DENSE)
        self.complete.setToolTip(
            "Only what I painted: some cells; background is the rim around each, and what you painted with a label of "
            "its own.\nInside drawn boxes: all cells inside the boxes of a Shapes layer are painted.\nFully annotated: "
            "all cells of the image are painted; everything else is background."
        )
        self.boxes = LayerCombo(viewer, ("Shapes",), empty_text="no boxes yet")
        self.draw_box = push_button(
            "Draw box", "Draw a box around a part of the image where all cells are painted."
        )
        self.background = WholeNumberBox()
        self.background.setRange(0, 2**31 - 1)
        self.background.setSpecialValueText("only the rim of each cell")
        self.background.setToolTip("The label you used to paint some background, if you did.")
        self.complete.currentIndexChanged.connect(self._annotation_chosen)

    def _make_result(self) -> None:
        self.verdict = _wrapped()
        self.name = QLineEdit("my-model")
        self.name.setToolTip("Name under which the model appears in every list.")
        self.keep = QPushButton("Keep")
        self.discard = QPushButton("Discard")
        self.compare = QPushButton("Compare before and after")
        self.result = QWidget()
        rows = QVBoxLayout(self.result)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.addWidget(self.verdict)
        rows.addWidget(self.compare)
        named = QHBoxLayout()
        named.addWidget(QLabel("Name"))
        named.addWidget(self.name, 1)
        rows.addLayout(named)
        buttons = QHBoxLayout()
        buttons.addWidget(self.keep)
        buttons.addWidget(self.discard)
        rows.addLayout(buttons)

    def _arrange(self) -> None:
        top = QFormLayout()
        top.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        top.addRow("Start from", self.start)
        where = QFormLayout()
        where.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        where.addRow("Annotation", self.complete)
        self._boxes_label, self._background_label = QLabel("Boxes"), QLabel("Background")
        boxes = QHBoxLayout()
        boxes.setContentsMargins(0, 0, 0, 0)
        boxes.addWidget(self.boxes, 1)
        boxes.addWidget(self.draw_box)
        self._box_row = QWidget()
        self._box_row.setLayout(boxes)
        where.addRow(self._boxes_label, self._box_row)
        where.addRow(self._background_label, self.background)
        more = folded("More options", self.more_params.native, self.copy_command)
        self._busy = QWidget()
        busy = QHBoxLayout(self._busy)
        busy.setContentsMargins(0, 0, 0, 0)
        busy.addWidget(self.pause)
        busy.addWidget(self.stop, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 8, 8, 8)
        layout.setSpacing(8)
        layout.addWidget(self.unfinished)
        layout.addLayout(top)
        layout.addWidget(self.pairs)
        layout.addLayout(where)
        layout.addWidget(self.params.native)
        layout.addWidget(more)
        layout.addWidget(self.watch)
        advice = QHBoxLayout()
        advice.addWidget(self.next_place)
        advice.addWidget(self.network_view)
        layout.addLayout(advice)
        for part in (self.run_bar, self._busy, self.plot, self.progress, self.result):
            layout.addWidget(part)
        layout.addStretch(1)
        align_labels(top, where, self.params.rows)
        self._annotation_chosen()

    def _annotation_chosen(self) -> None:
        kind = self.complete.currentData()
        self._box_row.setVisible(kind == BOXES)
        self._boxes_label.setVisible(kind == BOXES)
        self.background.setVisible(kind == SPARSE)
        self._background_label.setVisible(kind == SPARSE)

    def set_running(self, running: bool) -> None:
        """Show the buttons that go with a training under way, and lock what it was made of."""
        self._busy.setVisible(running)
        self.pause.setText("Pause")
        for widget in (self.start, self.pairs, self.complete, self.params.native, self.more_params.native):
            widget.setEnabled(not running)
        if running:
            self.result.hide()
            self.plot.show()
            self.plot.clear()
        else:
            self.run_bar.set_idle()

    def show_result(self, result: FineTuneResult) -> None:
        """Say whether the model became better, and let the user decide."""
        self.verdict.setText(verdict_of(result))
        better = result.tuned.improved
        self.keep.setText("Keep" if better is not False else "Keep anyway")
        self.compare.setVisible(bool(result.comparisons))
        self.result.show()


def verdict_of(result: FineTuneResult) -> str:
    """Say in plain words what the held-out tiles say.

    Parameters
    ----------
    result : FineTuneResult

    Returns
    -------
    str
    """
    tuned = result.tuned
    if tuned.before is None or tuned.after is None:
        return "Nothing was held out, so there is no telling whether the model is better. Check it before you keep it."
    count = tuned.after.objects
    cells = "1 cell" if count == 1 else f"{count} cells"
    numbers = (
        f"Cells found correctly (AP at IoU 0.5): {tuned.before.ap50:.2f} before, {tuned.after.ap50:.2f} after. "
        f"Overlap: {tuned.before.overlap:.2f} before, {tuned.after.overlap:.2f} after. "
        f"Judged on {cells} never trained on."
    )
    if count < _FEW:
        return f"{cells} held out: too few to say which is better. Paint more, or compare. {numbers}"
    if max(tuned.before.ap50, tuned.after.ap50) == 0:
        return f"Neither model finds a held-out cell correctly: paint more cells, or train longer. {numbers}"
    return ("The model is better. " if tuned.improved else "The model is not better than before. ") + numbers


def _wrapped() -> QLabel:
    label = QLabel()
    label.setWordWrap(True)
    return label
