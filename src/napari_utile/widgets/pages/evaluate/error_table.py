"""The mistakes as a table, worst first; click one, or step through them."""

from collections.abc import Sequence

from qtpy.QtCore import QItemSelectionModel, QSignalBlocker, Qt, Signal
from qtpy.QtGui import QColor, QIcon, QPixmap
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QLabel, QWidget

from napari_utile.engine.metrics.cell_kinds import CellKind
from napari_utile.engine.words import counted
from napari_utile.session.evaluation import FoundError
from napari_utile.widgets.pages.evaluate.error_colours import KIND_COLOURS, KIND_HELP, KIND_WORDS
from napari_utile.widgets.parts import arrange
from napari_utile.widgets.parts.button import push_button
from napari_utile.widgets.parts.place_table import PlaceTable
from napari_utile.widgets.parts.words import Words

# A table of more rows than anyone reads takes seconds to fill.
_MOST_ROWS = 2000
_MARK = 9
_COLUMNS = ("Kind", "Ref.", "Pred.", "Area", "IoU")
_COLUMN_HELP = (
    "What went wrong.",
    "Ids of the reference cells concerned.",
    "Ids of the predicted cells concerned.",
    "Area of the cells concerned, in pixels.",
    "Best overlap that one of these cells has with any other.",
)


class ErrorTable(QWidget):
    """Counts by kind, the list of mistakes, and buttons to walk through it.

    Attributes
    ----------
    chosen : Signal
        Emitted with a `FoundError` when the user goes to it.
    """

    chosen = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self._errors: tuple[FoundError, ...] = ()
        self._went_to: tuple[object, ...] = ()
        self._gone_before = 0  # row whose error took the place of the one last gone to
        self.counts = Words(rich=True)
        self.table = PlaceTable(_COLUMNS, numbers=(3, 4))
        self.table.setAccessibleName("Errors")
        for column, text in enumerate(_COLUMN_HELP):
            item = self.table.horizontalHeaderItem(column)
            if item is not None:
                item.setToolTip(text)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        header = self.table.horizontalHeader()
        if header is not None:
            header.setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        self.table.setMinimumHeight(160)
        self.previous_button = push_button("◀ Previous", "Go to the error before this one (key: comma).")
        self.next_button = push_button("Next ▶", "Go to the next error (key: full stop).")
        self.position = QLabel()
        self.position.setAlignment(Qt.AlignmentFlag.AlignCenter)
        walk = arrange.row(self.previous_button, (self.position, 1), self.next_button)
        arrange.column(self.counts, (self.table, 1), walk, on=self, margins=(0, 6, 0, 0))
        self.table.itemSelectionChanged.connect(self._row_chosen)
        self.table.cellClicked.connect(lambda *_: self._row_chosen())
        self.previous_button.clicked.connect(lambda _: self.step(-1))
        self.next_button.clicked.connect(lambda _: self.step(1))
        self.show_errors((), {})

    @property
    def row(self) -> int:
        """The chosen row, or -1."""
        return min(self.table.chosen_rows(), default=-1)

    def show_errors(self, errors: Sequence[FoundError], kinds: dict[CellKind, int]) -> None:
        """List mistakes in the order given; the one last gone to stays chosen while it is there."""
        before = self.row if self.row >= 0 else self._gone_before
        self._errors = tuple(errors)[:_MOST_ROWS]
        row = next((row for row, found in enumerate(self._errors) if _which(found) == self._went_to), -1)
        self._gone_before = before if row < 0 else 0
        with QSignalBlocker(self.table):
            self.table.set_rows(list(map(_words, self._errors)), list(map(_tip, self._errors)))
            for number, found in enumerate(self._errors):
                item = self.table.item(number, 0)
                if item is not None:
                    item.setIcon(_square(KIND_COLOURS[found.error.kind]))
            if row >= 0:
                self.table.selectRow(row)
            else:  # arrow keys go on from there
                self.table.setCurrentCell(before, 0, QItemSelectionModel.SelectionFlag.NoUpdate)
        self.counts.setText(_counts_text(kinds))
        for button in (self.previous_button, self.next_button):
            button.setEnabled(bool(self._errors))
        self._show_position(len(errors))

    def step(self, by: int) -> None:
        """Go `by` rows on, round the ends; after a fixed error on to the one that took its place."""
        if not self._errors:
            return
        row = self.row
        if row >= 0:
            following = (row + by) % len(self._errors)
        else:
            following = (self._gone_before + (by - 1 if by > 0 else by)) % len(self._errors)
        if following == row:
            self._row_chosen()
        else:
            self.table.selectRow(following)

    def _row_chosen(self) -> None:
        row = self.row
        self._show_position(len(self._errors))
        if 0 <= row < len(self._errors):
            self._went_to = _which(self._errors[row])
            self.chosen.emit(self._errors[row])

    def _show_position(self, total: int) -> None:
        if not total:
            self.position.setText("no errors" if self.counts.text() else "")
        elif self.row < 0:
            self.position.setText(counted(total, "error"))
        else:
            self.position.setText(f"{self.row + 1} of {total}")


def _which(found: FoundError) -> tuple[object, ...]:
    """Give what a mistake has in common with itself in another evaluation."""
    return found.index, found.error.kind, found.error.truth_ids, found.error.prediction_ids


def _words(found: FoundError) -> tuple[str, ...]:
    error = found.error
    ids = (", ".join(map(str, each)) or "–" for each in (error.truth_ids, error.prediction_ids))
    return KIND_WORDS[error.kind], *ids, str(error.pixels), f"{error.iou:.2f}"


def _tip(found: FoundError) -> str:
    where = f" Plane {', '.join(map(str, found.index))}." if found.index else ""
    return KIND_HELP[found.error.kind] + where


def _counts_text(kinds: dict[CellKind, int]) -> str:
    return "&nbsp; ".join(
        f'<span style="color:{KIND_COLOURS[kind]}">■</span>&nbsp;{count}&nbsp;{KIND_WORDS[kind]}'
        for kind, count in kinds.items()
    )


def _square(colour: str) -> QIcon:
    """Make a mark of a colour, beside which words keep theirs, which can be read in every theme."""
    mark = QPixmap(_MARK, _MARK)
    mark.fill(QColor(colour))
    return QIcon(mark)
