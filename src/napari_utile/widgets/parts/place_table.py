"""A table whose rows are places in an image: click one to go there."""

from collections.abc import Sequence

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem

_LEFT, _RIGHT = Qt.AlignmentFlag.AlignLeft, Qt.AlignmentFlag.AlignRight


class PlaceTable(QTableWidget):
    """Rows of text, each with a place.

    Parameters
    ----------
    headings : sequence of str
        Of the columns; the first one stretches.
    numbers : sequence of int
        Columns of numbers, which are aligned on the right.

    Attributes
    ----------
    chosen : Signal
        Emitted with the number of the row that was clicked, or reached with the arrow keys.
    """

    chosen = Signal(int)

    def __init__(self, headings: Sequence[str], numbers: Sequence[int] = ()) -> None:
        super().__init__(0, len(headings))
        self._sides = [_RIGHT if column in numbers else _LEFT for column in range(len(headings))]
        for column, heading in enumerate(headings):
            self.setHorizontalHeaderItem(column, self._item(column, heading))
        self.setAccessibleName(f"Table: {', '.join(headings)}")
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setWordWrap(True)
        self.setMinimumHeight(130)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        rows = self.verticalHeader()
        if rows is not None:
            rows.setVisible(False)
            rows.setDefaultSectionSize(self.fontMetrics().height() + 6)
        columns = self.horizontalHeader()
        if columns is not None:
            columns.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
            columns.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.cellClicked.connect(lambda row, _: self.chosen.emit(row))
        self.currentCellChanged.connect(self._moved)

    def set_rows(self, rows: Sequence[Sequence[str]], tips: Sequence[str] = ()) -> None:
        """Show these rows; none is chosen."""
        with QSignalBlocker(self):
            self.clearSelection()
            self.setCurrentCell(-1, -1)
            self.setRowCount(len(rows))
            for row, words in enumerate(rows):
                for column, word in enumerate(words):
                    item = self._item(column, word)
                    item.setToolTip(tips[row] if row < len(tips) else word)
                    self.setItem(row, column, item)

    def chosen_rows(self) -> list[int]:
        """Numbers of the selected rows."""
        model = self.selectionModel()
        return sorted(index.row() for index in model.selectedRows()) if model is not None else []

    def _item(self, column: int, word: str) -> QTableWidgetItem:
        item = QTableWidgetItem(word)
        item.setTextAlignment(self._sides[column] | Qt.AlignmentFlag.AlignVCenter)
        return item

    def _moved(self, row: int, _column: int, before: int, _before_column: int) -> None:
        if row >= 0 and row != before and self.hasFocus():
            self.chosen.emit(row)
