"""How large cells are: measured, as the image is, or a number of pixels."""

from typing import Any

from qtpy.QtCore import QSignalBlocker, Qt
from qtpy.QtWidgets import QAbstractSpinBox, QComboBox, QSizePolicy

from napari_utile.engine.parameters import Parameter
from napari_utile.widgets.parts.arrange import row
from napari_utile.widgets.parts.number_box import NumberBox
from napari_utile.widgets.parts.parameter_field import ParameterField
from napari_utile.widgets.parts.room import room_for

_WAYS = (
    (
        "measured",
        "auto",
        "The cells are measured when image and model are chosen; you can change the number.",
    ),
    ("as in the image", None, "The model sees the image as it is."),
    ("given", "given", "You say how many pixels your cells are across."),
)


class SizeField(ParameterField):
    """A choice of where the cell diameter comes from, and a box for it.

    Typing a number, or setting one, makes it given.

    Parameters
    ----------
    parameter : Parameter
        The diameter.

    Attributes
    ----------
    line : QHBoxLayout
        That of the box, where a button can be put beside it.
    """

    def __init__(self, parameter: Parameter) -> None:
        bounds = parameter.bounds
        super().__init__(parameter, "vertical")
        self.way = QComboBox()
        self.way.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.way.setMinimumContentsLength(6)
        self.way.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        for place, (text, value, help_text) in enumerate(_WAYS):
            self.way.addItem(text, value)
            self.way.setItemData(place, help_text, Qt.ItemDataRole.ToolTipRole)
        self.box: Any = NumberBox()
        self.box.setDecimals(1)
        low, high = bounds.minimum or 0, bounds.maximum or 1e6
        self._unknown = low - 1
        self.box.setRange(self._unknown, high)
        self.box.setSingleStep(bounds.step or 1)
        self.box.setSpecialValueText("–")
        self.box.setSuffix(f" {bounds.unit}")
        self.box.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.box.setButtonSymbols(QAbstractSpinBox.ButtonSymbols.NoButtons)
        self.box.setValue(self._unknown)
        room_for(self.box, "0000.0 px")
        self.way.setToolTip(bounds.help)
        self.box.setToolTip(bounds.help)
        self.line = row(self.box, None)
        layout: Any = self.native.layout()
        layout.setSpacing(4)
        layout.addWidget(self.way)
        layout.addLayout(self.line)
        self.way.activated.connect(self._chosen)
        self.box.valueChanged.connect(self._typed)

    def get_value(self) -> Any:
        """Return ``"auto"``, None or the number."""
        way = self.way.currentData()
        if way != "given":
            return way
        return self.box.value() if self.box.value() > self._unknown else "auto"

    def set_value(self, value: Any) -> None:
        """Show ``"auto"``, None or a number."""
        number = self._unknown if value is None or isinstance(value, str) else value
        way = {"auto": 0, "same": 0, None: 1}.get(value, 2) if value is None or isinstance(value, str) else 2
        changed = value != self.get_value()
        with QSignalBlocker(self.box):
            self.way.setCurrentIndex(way)
            self.box.setValue(number)
        if changed:
            self.changed.emit(self.get_value())

    def show_measured(self, diameter: float | None) -> None:
        """Show what was measured, while that is what counts."""
        if self.way.currentData() == "auto":
            with QSignalBlocker(self.box):
                self.box.setValue(self._unknown if diameter is None else diameter)

    def _chosen(self, _: int = 0) -> None:
        if self.way.currentData() != "given":
            with QSignalBlocker(self.box):
                self.box.setValue(self._unknown)
        self.changed.emit(self.get_value())

    def _typed(self) -> None:
        self.way.setCurrentIndex(2 if self.box.value() > self._unknown else 0)
        self.changed.emit(self.get_value())
