"""What the Train page looks like: its rows, groups and words. It shows state; the page acts."""

import napari.viewer
from qtpy.QtWidgets import (
    QCheckBox,
    QLabel,
    QPushButton,
    QWidget,
)

from napari_utile.engine.training.fine_tune_params import FineTuneParams
from napari_utile.session.state import Session
from napari_utile.widgets.pages.train.class_row import ClassRow
from napari_utile.widgets.pages.train.decision import Decision
from napari_utile.widgets.pages.train.pair_list import PairList
from napari_utile.widgets.pages.train.plot import TrainingPlot
from napari_utile.widgets.pages.train.set_panel import SetPanel
from napari_utile.widgets.pages.train.start_picker import StartPicker
from napari_utile.widgets.pages.train.unfinished_panel import UnfinishedPanel
from napari_utile.widgets.parts.arrange import column, fields, row
from napari_utile.widgets.parts.button import push_button
from napari_utile.widgets.parts.folded import folded
from napari_utile.widgets.parts.forms import Form, align_labels, choice
from napari_utile.widgets.parts.layer_combo import LayerCombo
from napari_utile.widgets.parts.number_box import WholeNumberBox
from napari_utile.widgets.parts.run_bar import RunBar
from napari_utile.widgets.parts.status_line import StatusLine
from napari_utile.widgets.parts.words import Words

DENSE, BOXES, SPARSE = "dense", "boxes", "sparse"


class TrainForm(QWidget):
    """The widgets of the Train page."""

    def __init__(self, viewer: napari.viewer.Viewer, session: Session) -> None:
        super().__init__()
        self.status = StatusLine()
        self.start = StartPicker(session)
        self.set = SetPanel()
        self.unfinished = UnfinishedPanel(viewer)
        self.pairs = PairList(viewer, session)
        self._make_annotation(viewer)
        self.classes = ClassRow()
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
        self.run_bar = RunBar("Train", "Train the model on the painted cells. Key: Ctrl+Enter.")
        self.run_bar.cancel_button.setToolTip("Stop and discard what was learnt.")
        self.pause = QPushButton("Pause")
        self.stop = push_button(
            "Stop and keep the best", "End the training now and review the best model so far."
        )
        self.copy_command = push_button(
            "Copy command", "Copy the command line that trains in the same way, on files."
        )
        self.plot = TrainingPlot()
        self.progress = Words()
        self.result = Decision(viewer, session, self.status)
        self._arrange()
        self.set_running(False)
        self.say_progress("")
        self.plot.hide()
        self.status.say("")

    def _make_annotation(self, viewer: napari.viewer.Viewer) -> None:
        self.complete = choice(
            "Annotation",
            "Only what I painted: some cells; background is the rim around each, and what you painted with a label of "
            "its own.\nInside drawn boxes: all cells inside the boxes of a Shapes layer are painted.\nFully annotated: "
            "all cells of the image are painted; everything else is background.",
            (("Only what I painted", SPARSE), ("Inside drawn boxes", BOXES), ("Fully annotated", DENSE)),
        )
        self.boxes = LayerCombo(viewer, ("Shapes",), empty_text="no boxes yet")
        self.draw_box = push_button(
            "Draw box", "Draw a box around a part of the image where all cells are painted."
        )
        self.background = WholeNumberBox()
        self.background.setRange(0, 2**31 - 1)
        self.background.setSpecialValueText("rim of each cell")
        self.background.setToolTip("The label you used to paint some background, if you did.")
        self.complete.currentIndexChanged.connect(self._annotation_chosen)

    def _arrange(self) -> None:
        first, then = QWidget(), QWidget()
        top = fields(("Start from", self.start), ("Training set", self.set.combo), on=first)
        self._boxes_label, self._background_label = QLabel("Boxes"), QLabel("Background")
        self._box_row, self._busy = QWidget(), QWidget()
        row((self.boxes, 1), self.draw_box, on=self._box_row)
        row(self.pause, (self.stop, 1), on=self._busy)
        self.running = QWidget()
        column(self.run_bar, self._busy, self.progress, self.plot, on=self.running, spacing=8)
        where = fields(
            ("Classes", self.classes),
            ("Annotation", self.complete),
            (self._boxes_label, self._box_row),
            (self._background_label, self.background),
            on=then,
        )
        column(
            self.unfinished,
            first,
            self.set,
            self.pairs,
            then,
            self.params.native,
            folded("More options", self.more_params.native, self.copy_command),
            self.watch,
            row(self.next_place, self.network_view),
            self.running,
            self.result,
            None,
            on=self,
            margins=(8, 8, 8, 8),
            spacing=8,
        )
        align_labels(top, where, self.params.rows)
        # What a training is made of; whole groups, so that a new field is locked with its group.
        self._made_of = (first, self.set, self.pairs, then, self.params.native, self.more_params.native)
        self._annotation_chosen()

    def _annotation_chosen(self) -> None:
        kind = self.complete.currentData()
        self._box_row.setVisible(kind == BOXES)
        self.pairs.show_boxes(kind == BOXES)
        self._boxes_label.setVisible(kind == BOXES)
        self.background.setVisible(kind == SPARSE)
        self._background_label.setVisible(kind == SPARSE)

    def say_progress(self, text: str) -> None:
        """Say how far the training is, or, where there is nothing to say, keep no room for it."""
        self.progress.setText(text)
        self.progress.setVisible(bool(text))

    def set_running(self, running: bool) -> None:
        """Show the buttons that go with a training under way, and lock what it was made of."""
        self._busy.setVisible(running)
        self.pause.setText("Pause")
        for widget in self._made_of:
            widget.setEnabled(not running)
        if running:
            self.result.hide()
            self.plot.show()
            self.plot.clear()
        else:
            self.run_bar.set_idle()
