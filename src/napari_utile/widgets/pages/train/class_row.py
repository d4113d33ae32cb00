"""Which class a painted cell is of: none, a column of the cells' table, or the painted number itself."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from qtpy.QtWidgets import QLineEdit, QWidget

from napari_utile.engine.cells.classes import cells_of_classes
from napari_utile.engine.training.annotated_image import AnnotatedImage, class_names
from napari_utile.widgets.parts.arrange import column
from napari_utile.widgets.parts.forms import choice

NONE, TABLE, NUMBERS = "none", "table", "numbers"


class ClassRow(QWidget):
    """A combo box, and a field for the names of painted numbers.

    Attributes
    ----------
    names : QLineEdit
        Of the classes 1, 2, ..., with commas between.
    """

    def __init__(self) -> None:
        super().__init__()
        self.combo = choice(
            "Classes",
            "One: all cells are of the same kind.\nAs in the cells' table: the column class of the Cells layer, which "
            "the number keys of the Click page fill.\nEach number is a class: all cells of a class are painted with "
            "one number; those that touch count as one.",
            (("One: cells", NONE), ("As in the cells' table", TABLE), ("Each number is a class", NUMBERS)),
        )
        self.names = QLineEdit()
        self.names.setAccessibleName("Names of the classes")
        self.names.setPlaceholderText("names of 1, 2, …: tumour, lymphocyte")
        self.names.hide()
        column(self.combo, self.names, on=self, spacing=2)
        self.combo.currentIndexChanged.connect(lambda _: self.names.setVisible(self.kind == NUMBERS))

    @property
    def kind(self) -> str:
        """What is chosen: ``"none"``, ``"table"`` or ``"numbers"``."""
        return str(self.combo.currentData())

    def read(
        self, painted: np.ndarray[Any, Any], table: Mapping[str, Any], background: int | None
    ) -> tuple[np.ndarray[Any, Any], dict[int, str]]:
        """Return cells (Y, X) and the class of each.

        Parameters
        ----------
        painted : (Y, X) integer array
        table : mapping of str to columns
            Of the Cells layer.
        background : int or None
            The number that marks background; it is no class.

        Raises
        ------
        ValueError
            If the table has no classes.
        """
        if self.kind == NUMBERS:
            return cells_of_classes(painted, self._names, background)
        if self.kind == TABLE:
            return painted, _from_table(painted, table)
        return painted, {}

    def numbered(self, images: Sequence[AnnotatedImage]) -> tuple[str, ...]:
        """Name the classes 1, 2, ... of label images that hold their numbers; none where none are learnt."""
        if self.kind == NUMBERS:
            return tuple(name or f"class {number}" for number, name in self._names.items())
        return class_names(images)

    @property
    def _names(self) -> dict[int, str]:
        return dict(enumerate((name.strip() for name in self.names.text().split(",")), 1))


def _from_table(painted: np.ndarray[Any, Any], table: Mapping[str, Any]) -> dict[int, str]:
    if "class" not in table or "index" not in table:
        raise ValueError(
            "The cells have no classes yet: give them some with the number keys of the Click page, or paint each class "
            "with a number of its own."
        )
    present = set(np.unique(painted).tolist())
    words = zip(np.asarray(table["index"]).tolist(), np.asarray(table["class"]).tolist(), strict=True)
    return {
        int(label): word for label, word in words if isinstance(word, str) and word and int(label) in present
    }
