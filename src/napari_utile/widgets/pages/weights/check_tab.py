"""What is likely wrong in an annotation, as a table with fixes."""

from collections.abc import Sequence

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QWidget

from napari_utile.engine.weights.annotation_check import AnnotationCheckParams, Finding
from napari_utile.widgets.parts import arrange
from napari_utile.widgets.parts.button import push_button
from napari_utile.widgets.parts.forms import Form
from napari_utile.widgets.parts.place_table import PlaceTable
from napari_utile.widgets.parts.words import Words

_NAMES = {"touching": "no gap", "pieces": "in pieces", "hole": "hole", "speck": "speck"}
_COUNTED = (
    ("pair without a gap", "pairs without a gap"),
    ("cell in pieces", "cells in pieces"),
    ("hole", "holes"),
    ("speck", "specks"),
)


class AnnotationCheckTab(QWidget):
    """Shows findings and asks for their fixes.

    Attributes
    ----------
    form : Form
        Of `AnnotationCheckParams`.
    place_chosen : Signal
        Emitted with row and column, in pixels of the window.
    fixes_wanted : Signal
        Emitted with a list of findings.
    """

    place_chosen = Signal(float, float)
    fixes_wanted = Signal(list)

    def __init__(self) -> None:
        super().__init__()
        self.form = Form(AnnotationCheckParams())
        self.text = Words()
        self.table = PlaceTable(("Cells", "What", "Pixels"), numbers=(2,))
        self.table.chosen.connect(self._go)
        self.table.itemSelectionChanged.connect(self._enable)
        self.fix = push_button(
            "Fix selected", "Fix the selected findings in the labels; one Ctrl+Z undoes it."
        )
        self.fix.clicked.connect(self._fix_selected)
        self.fix_all = push_button("Fix all", "Fix everything in this table; one Ctrl+Z undoes it.")
        self.fix_all.clicked.connect(lambda: self.fixes_wanted.emit(list(self.findings)))
        buttons = arrange.row(self.fix, self.fix_all)
        parts = self.form.native, self.text, (self.table, 1), buttons
        arrange.column(*parts, on=self, margins=(4, 6, 4, 4))
        self.findings: tuple[Finding, ...] = ()
        self.clear()

    def show_findings(self, findings: Sequence[Finding]) -> None:
        """Show what was found."""
        self.findings = tuple(findings)
        self.table.set_rows(
            [(" and ".join(map(str, each.cells)), _NAMES[each.kind], str(each.size)) for each in findings],
            [f"{each.text} Fix: {each.fix}" for each in findings],
        )
        counts = [sum(each.kind == kind for each in findings) for kind in _NAMES]
        if findings:
            listed = ", ".join(
                f"{count} {words[count > 1]}" for count, words in zip(counts, _COUNTED, strict=True) if count
            )
            self.text.setText(f"Found {listed}. Click one to go there.")
        else:
            self.text.setText("Nothing looks wrong: gaps everywhere, no pieces, holes or specks.")
        self._enable()

    def clear(self, checking: bool = False) -> None:
        """Show that nothing was checked, or not yet."""
        self.findings = ()
        self.table.set_rows([])
        self.text.setText("Checking…" if checking else "Choose labels to check them.")
        self._enable()

    def _enable(self) -> None:
        self.fix.setEnabled(bool(self.table.chosen_rows()))
        self.fix_all.setEnabled(bool(self.findings))

    def _go(self, row: int) -> None:
        if row < len(self.findings):
            self.place_chosen.emit(*self.findings[row].position)

    def _fix_selected(self) -> None:
        chosen = [self.findings[row] for row in self.table.chosen_rows() if row < len(self.findings)]
        self.fixes_wanted.emit(chosen)
