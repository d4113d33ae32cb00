"""What the Click page looks like: its rows, buttons and words. It shows state; the page acts."""

from typing import cast

import napari.viewer
from qtpy.QtWidgets import (
    QButtonGroup,
    QCheckBox,
    QGridLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QWidget,
)

from napari_utile.engine.cells.instances import InstanceParams
from napari_utile.engine.segment_params import SegmentParams
from napari_utile.session.state import Session
from napari_utile.widgets.pages.click.classes import CellClasses
from napari_utile.widgets.parts.arrange import column, row
from napari_utile.widgets.parts.button import push_button
from napari_utile.widgets.parts.folded import folded
from napari_utile.widgets.parts.forms import Form
from napari_utile.widgets.parts.number_box import NumberBox
from napari_utile.widgets.parts.size_field import SizeField
from napari_utile.widgets.parts.status_line import StatusLine
from napari_utile.widgets.parts.words import Words
from napari_utile.widgets.preferences import preferred

# Name, button text, how to do it with the mouse, help.
GESTURES = (
    ("take", "Take", "click", "Outline and label the cell under the mouse, or select it if it has a label."),
    (
        "split",
        "Split",
        "Shift+click",
        "Split a cell: its first click stays in one part, this click in the other.",
    ),
    (
        "merge",
        "Merge",
        "Shift+drag across",
        "Hold Shift and drag from one cell into another; they become one.",
    ),
    ("background", "Background", "right click", "Mark this part of a cell as background."),
    ("remove", "Remove", "Ctrl+click", "Remove a cell's label."),
)


class ClickForm(QWidget):
    """The widgets of the Click page.

    Attributes
    ----------
    toggle : QPushButton
        On: clicks on the canvas are for cells.
    instances : Form
        Of `InstanceParams`.
    """

    def __init__(self, viewer: napari.viewer.Viewer, session: Session) -> None:
        super().__init__()
        self.classes = CellClasses(viewer, session)
        self.toggle = QPushButton("Click cells")
        self.toggle.setCheckable(True)
        self.toggle.setMinimumHeight(34)
        self.toggle.setObjectName("toggle")
        self.toggle.setToolTip(
            "While this is on, the cell under the mouse is outlined and a click labels it. Key: Ctrl+Enter."
        )
        self.gestures = QButtonGroup(self)
        self.smaller = push_button(
            "Smaller", "Shrink the selected cell along the probability (Shift+wheel down)."
        )
        self.larger = push_button("Larger", "Grow the selected cell along the probability (Shift+wheel up).")
        self.undo = push_button(
            "Undo", "Undo one step, clicks and painting alike, as Ctrl+Z does in the label layer."
        )
        self.redo = push_button("Redo", "Redo one step, as Ctrl+Shift+Z does in the label layer.")
        self.accept = push_button(
            "Accept all in view", "Label every cell in view that the model is this sure of; one step to undo."
        )
        self.confidence = NumberBox()
        self.confidence.setAccessibleName("How sure the model must be")
        self.confidence.setRange(0, 100)
        self.confidence.setDecimals(0)
        self.confidence.setValue(80)
        self.confidence.setPrefix("above ")
        self.confidence.setSuffix(" %")
        self.confidence.setToolTip("How sure the model must be of a cell.")
        self.unsure = push_button(
            "Next unsure cell (U)", "Go through the labelled cells, the least certain first. Key: U."
        )
        self.apply_again = push_button(
            "Apply markers again",
            "Compute all clicked cells again from their markers, for example after moving one or with another model.",
        )
        self.copy_command = push_button(
            "Copy command",
            "Copy the command line that makes the cells of the saved markers without a window.",
        )
        self.instances = Form(
            InstanceParams(), ("threshold", "split", "minimum_size"), slide={"minimum_size": (0, 500)}
        )
        self.compute = Form(preferred(SegmentParams()), ("diameter", "device", "precision"))
        self.diameter = cast(SizeField, self.compute["diameter"])
        self.overwrite = QCheckBox("New cells may overwrite others")
        self.overwrite.setToolTip("Otherwise a new cell takes only pixels without a label.")
        self.follow = QCheckBox("Follow new cells through z")
        self.follow.setToolTip(
            "A click takes the cell in the planes above and below as well, until the model is not sure; one Ctrl+Z "
            "takes it back from all of them."
        )
        self.follow.hide()
        self.cell = Words()
        self.status = StatusLine()
        self._arrange()
        self.show_cell("")
        self.status.say("")

    def _arrange(self) -> None:
        column(
            self.toggle,
            self._gesture_table(),
            self.follow,
            row(self.smaller, self.larger, self.undo, self.redo, spacing=4),
            self.cell,
            row(self.accept, self.confidence, spacing=4),
            row(self.unsure, self.apply_again, spacing=4),
            folded("Classes of cells", self.classes),
            folded("More options", self.instances.native, self.compute.native, self.overwrite),
            self.copy_command,
            None,
            on=self,
            margins=(8, 8, 8, 8),
            spacing=8,
        )

    def _gesture_table(self) -> QWidget:
        table = QWidget()
        grid = QGridLayout(table)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setVerticalSpacing(3)
        grid.setColumnStretch(1, 1)
        for place, (name, text, how, help_text) in enumerate(GESTURES):
            button = QPushButton(text)
            button.setObjectName(name)
            button.setCheckable(True)
            button.setChecked(name == "take")
            button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
            button.setToolTip(f"{help_text} Press to make this what a plain click does.")
            self.gestures.addButton(button)
            hint = QLabel(how)
            hint.setToolTip(help_text)
            grid.addWidget(button, place, 0)
            grid.addWidget(hint, place, 1)
        return table

    @property
    def gesture(self) -> str:
        """What a plain left click does."""
        button = self.gestures.checkedButton()
        return button.objectName() if button is not None else "take"

    def set_has_image(self, has_image: bool) -> None:
        """Offer what needs an image only where there is one."""
        self.toggle.setEnabled(has_image)
        self.copy_command.setEnabled(has_image)

    def set_has_depth(self, has_depth: bool) -> None:
        """Offer to follow cells through z where an image has planes along it."""
        self.follow.setVisible(has_depth)

    def set_on(self, on: bool) -> None:
        """Show whether clicks are for cells, and offer what works then."""
        self.toggle.setChecked(on)
        self.toggle.setText("Clicking cells: on" if on else "Click cells")
        for button in (*self.gestures.buttons(), self.smaller, self.larger, self.accept, self.unsure):
            button.setEnabled(on)
        for button in (self.undo, self.redo, self.apply_again):
            button.setEnabled(on)

    def show_cell(self, text: str) -> None:
        """Describe the selected cell."""
        self.cell.setText(text or "No cell is selected.")
