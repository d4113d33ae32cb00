"""Steps before the network, as a tick and a box for each; and the two percentiles that are black and white."""

from typing import Any

from qtpy.QtCore import QSignalBlocker, Qt
from qtpy.QtWidgets import QAbstractSpinBox, QCheckBox, QGridLayout, QLabel

from napari_utile.engine.parameters import Parameter
from napari_utile.engine.planes.preprocessing import LARGEST, STEPS, parse_steps, steps_in_words
from napari_utile.widgets.parts.arrange import row
from napari_utile.widgets.parts.number_box import NumberBox
from napari_utile.widgets.parts.parameter_field import ParameterField

_ROWS = {
    "background": (
        "Remove background",
        "Removes what is wider than a cell: give the radius of the largest one.",
    ),
    "smooth": ("Smooth", "Blurs noise: the standard deviation of a Gaussian."),
    "median": ("Median", "Removes single bright or dark pixels: half the side of the square."),
    "contrast": ("Even out contrast", "Divides by the contrast around each pixel, as far as this radius."),
}

_NARROWEST = 60
"""Pixels, whatever word a box may show."""


def _box(help_text: str, unset: str, high: float) -> Any:
    box: Any = NumberBox()
    box.setRange(0, high)
    box.setDecimals(1)
    box.setSpecialValueText(unset)
    box.setAlignment(Qt.AlignmentFlag.AlignRight)
    box.setButtonSymbols(QAbstractSpinBox.ButtonSymbols.NoButtons)
    box.setToolTip(help_text)
    box.setMinimumWidth(_NARROWEST)
    return box


class PreprocessField(ParameterField):
    """Which steps are done before the network, and how far they look; the value is their text, or None.

    Steps that were set by a text keep their order; one that is added goes where it usually belongs.

    Attributes
    ----------
    boxes : dict of str to NumberBox
        By the name of the step; 0 is off.
    """

    def __init__(self, parameter: Parameter) -> None:
        super().__init__(parameter, "vertical")
        self._steps: list[tuple[str, float]] = []
        self.invert = QCheckBox("Invert")
        self.invert.setToolTip("Dark cells on a bright background become bright.")
        self.invert.toggled.connect(lambda on: self._set("invert", float(on)))
        self.boxes: dict[str, Any] = {}
        grid = QGridLayout()
        grid.setContentsMargins(0, 0, 0, 0)
        grid.addWidget(self.invert, 0, 0, 1, 2)
        for place, (step, (words, help_text)) in enumerate(_ROWS.items(), start=1):
            box = self.boxes[step] = _box(help_text, "off", LARGEST)
            box.setSuffix(" px")
            box.setAccessibleName(words)
            box.valueChanged.connect(lambda value, step=step: self._set(step, value))
            label = QLabel(words)
            label.setToolTip(help_text)
            grid.addWidget(label, place, 0)
            grid.addWidget(box, place, 1)
        layout: Any = self.native.layout()
        layout.addLayout(grid)

    def get_value(self) -> str | None:
        """Return the steps as text, such as ``"invert,background:50"``; None for none."""
        return steps_in_words(self._steps) or None

    def set_value(self, value: str | None) -> None:
        """Show steps."""
        self._steps = list(parse_steps(value))
        shown = dict(reversed(self._steps))
        with QSignalBlocker(self.invert):
            self.invert.setChecked("invert" in shown)
        for step, box in self.boxes.items():
            with QSignalBlocker(box):
                box.setDecimals(1 if STEPS[step].takes.startswith("the standard") else 0)
                box.setValue(shown.get(step, 0))

    def _set(self, step: str, value: float) -> None:
        places = [place for place, (name, _) in enumerate(self._steps) if name == step]
        number = 0.0 if step == "invert" else value
        if places and value:
            self._steps[places[0]] = (step, number)
        elif places:
            del self._steps[places[0]]
        elif value:
            order = ["invert", *_ROWS]
            after = [at for at, (name, _) in enumerate(self._steps) if order.index(name) > order.index(step)]
            self._steps.insert(after[0] if after else len(self._steps), (step, number))
        self.changed.emit(self.get_value())


class PercentilesField(ParameterField):
    """Two percentiles, or None while one of them is not set."""

    def __init__(self, parameter: Parameter) -> None:
        bounds = parameter.bounds
        super().__init__(parameter, "horizontal")
        self.low, self.high = (_box(bounds.help, "model's", bounds.maximum or 100) for _ in range(2))
        for box, words in ((self.low, "Black percentile"), (self.high, "White percentile")):
            box.setMinimum(-1)
            box.setDecimals(2)
            box.setValue(-1)
            box.setSuffix(f" {bounds.unit}")
            box.setAccessibleName(words)
            box.valueChanged.connect(lambda _: self.changed.emit(self.get_value()))
        layout: Any = self.native.layout()
        layout.addLayout(row(self.low, self.high))

    def get_value(self) -> tuple[float, float] | None:
        """Return the two, or None."""
        low, high = self.low.value(), self.high.value()
        return (low, high) if low >= 0 and high >= 0 else None

    def set_value(self, value: tuple[float, float] | None) -> None:
        """Show two, or none."""
        for box, number in zip((self.low, self.high), value or (-1, -1), strict=True):
            with QSignalBlocker(box):
                box.setValue(number)
