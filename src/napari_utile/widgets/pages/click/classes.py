"""Number keys give the selected cell a class: names, colours and counts of the classes."""

from typing import Any

import napari.viewer
from napari.utils.notifications import show_warning
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QGridLayout, QLabel, QLineEdit, QWidget

from napari_utile.session.cell_classes import CLASS, MOST_CLASSES, class_counts, with_class
from napari_utile.session.state import Session
from napari_utile.widgets.connections import Connections
from napari_utile.widgets.failures import failures_to, sentence_of
from napari_utile.widgets.pages.click.aim import refuse_multiscale
from napari_utile.widgets.parts.arrange import column
from napari_utile.widgets.parts.button import push_button
from napari_utile.widgets.viewer.cell_colours import CLASS_COLOURS, colour_by, coloured_by
from napari_utile.widgets.viewer.cell_tables import plane_columns
from napari_utile.widgets.viewer.keys import BorrowedKeys
from napari_utile.widgets.viewer.layers import plain_viewer
from napari_utile.widgets.viewer.measured_tables import rename_class


class CellClasses(QWidget):
    """While *Number keys give classes* is on, 1 to 9 give the selected cell a class and 0 takes it away.

    Attributes
    ----------
    said : Signal(str, str)
        A sentence and its kind.
    given : Signal(int)
        Label of a cell that was given a class.
    """

    said = Signal(str, str)
    given = Signal(int)

    def __init__(self, viewer: napari.viewer.Viewer, session: Session) -> None:
        super().__init__()
        self._viewer, self._session = plain_viewer(viewer), session
        self._keys: list[BorrowedKeys] = []
        self._covered = False
        self.on = QCheckBox("Number keys give classes")
        self.on.setToolTip(
            "While this is on, click on a cell and press 1 to 9 to give it that class, 0 for none. "
            "Otherwise the keys choose napari's painting tools."
        )
        self.more = push_button("Add a class", "Add a class for the next number key.")
        self.names: list[QLineEdit] = []
        self.counts: list[QLabel] = []
        self._grid = QGridLayout()
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setVerticalSpacing(3)
        column(self.on, self._grid, self.more, on=self)
        for name in session.classes:
            self._add_row(name)
        self.on.toggled.connect(self._turned)
        self.more.clicked.connect(self._add_class)
        self._connections = Connections(self)
        self._connections.connect(session.events.cells, self._cells_changed)
        self._connections.connect(session.events.measured, self._show)
        self._show()

    def give(self, number: int) -> None:
        """Give the selected cell the class of a number key; 0 for none."""
        layer = self._session.cells
        if layer is None or number > len(self.names):
            return
        with failures_to(lambda error: self.said.emit(sentence_of(error), "problem")):
            refuse_multiscale(layer)
            self._give(layer, number)

    def _give(self, layer: Any, number: int) -> None:
        label = int(layer.selected_label)
        if label < 1 or not (layer.data == label).any():
            self.said.emit("Click on a cell first, then press a number key.", "info")
            return
        name = self._session.classes[number - 1] if number else ""
        where = plane_columns(layer, self._viewer)
        layer.features = with_class(dict(layer.features.items()), label, name, where)
        self._colour()
        self._show()
        self.given.emit(label)
        self.said.emit(f"Cell {label}: {name or 'no class'}.", "good")

    def rest(self, covered: bool) -> None:
        """Give the keys back while the page is out of sight, and take them again."""
        self._covered = covered
        self._switch()

    def give_back(self) -> None:
        """Give all keys back."""
        while self._keys:
            self._keys.pop().give_back()

    def _turned(self, on: bool) -> None:
        self._switch()
        if on:
            self._colour()

    def _switch(self) -> None:
        self.give_back()
        if not self.on.isChecked() or self._covered:
            return
        # Those of the active layer come before those of the viewer.
        for holder in (self._viewer, self._session.cells):
            if holder is not None:
                keys = BorrowedKeys(holder, {str(n): _giver(self, n) for n in range(len(self.names) + 1)})
                keys.take()
                self._keys.append(keys)
        self._show()

    def _cells_changed(self, _: object = None) -> None:
        self._switch()
        self._show()

    def _show(self, _: object = None) -> None:
        layer = self._session.cells
        table = {} if layer is None else dict(layer.features.items())
        for count, number in zip(self.counts, class_counts(table, self._session.classes), strict=True):
            count.setText(str(number))

    def _colour(self) -> None:
        layer = self._session.cells
        if layer is not None and CLASS in layer.features:
            with failures_to(lambda error: show_warning(sentence_of(error))):
                colour_by(self._viewer, layer, CLASS)

    def _add_class(self) -> None:
        name = f"class {len(self.names) + 1}"
        self._session.classes = (*self._session.classes, name)
        self._add_row(name)
        self._switch()
        if self._session.cells is not None and coloured_by(self._session.cells) == CLASS:
            self._colour()  # there may be cells of this name

    def _add_row(self, name: str) -> None:
        row = len(self.names)
        key = QLabel(f"{row + 1}")
        key.setStyleSheet(f"background: {CLASS_COLOURS[row]}; color: black; padding: 1px 6px;")
        edit = QLineEdit(name)
        edit.setAccessibleName(f"Name of class {row + 1}")
        edit.setToolTip("The name of the class, as it stands in the table.")
        edit.editingFinished.connect(lambda row=row: self._rename(row))
        count = QLabel("0")
        self.names.append(edit)
        self.counts.append(count)
        for place, widget in enumerate((key, edit, count)):
            self._grid.addWidget(widget, row, place)
        self.more.setVisible(len(self.names) < MOST_CLASSES)

    def _rename(self, row: int) -> None:
        names = [*self._session.classes]
        new = self.names[row].text().strip()
        if not new or new in names:
            self.names[row].setText(names[row])
            return
        old, names[row] = names[row], new
        self._session.classes = tuple(names)
        rename_class(self._viewer, old, new)
        self._show()


def _giver(classes: CellClasses, number: int) -> Any:
    def give_class(_: Any) -> None:
        """Give the selected cell a class."""
        classes.give(number)

    return give_class
