"""Forms made from parameter dataclasses: names, bounds and help come from the fields' `Bounds`."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_origin

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import (
    QAbstractSpinBox,
    QCheckBox,
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLayout,
    QLineEdit,
    QSizePolicy,
    QSlider,
    QWidget,
)

from napari_utile.engine.parameters import Parameter, describe
from napari_utile.widgets.parts.number_box import NumberBox, WholeNumberBox

__all__ = ["Form", "NumberField", "align_labels", "narrow"]

_SLIDER_STEPS = 1000


def narrow(combo: QComboBox) -> QComboBox:
    """Let a combo box shrink below its longest entry, so that a long layer name cannot widen a dock."""
    combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    combo.setMinimumContentsLength(6)
    combo.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
    return combo


def align_labels(*layouts: QLayout | None) -> None:
    """Give the labels of several form layouts one width, so that their fields stand below each other."""
    labels = []
    for layout in layouts:
        if not isinstance(layout, QFormLayout):
            continue
        for row in range(layout.rowCount()):
            item = layout.itemAt(row, QFormLayout.ItemRole.LabelRole)
            widget = item.widget() if item is not None else None
            if widget is not None:
                labels.append(widget)
    width = max((label.sizeHint().width() for label in labels), default=0)
    for label in labels:
        label.setMinimumWidth(width)


class NumberField(QWidget):
    """A spin box, with a slider beside it where a range to slide over is given.

    Parameters
    ----------
    parameter : Parameter
        An int or float parameter, perhaps optional.
    slide : (float, float), optional
        Range of the slider; the spin box still takes everything within the bounds.
    none_text : str
        What an optional field shows for None.
    """

    changed = Signal()

    def __init__(
        self,
        parameter: Parameter,
        slide: tuple[float, float] | None = None,
        none_text: str = "automatic",
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._optional = parameter.optional
        whole = parameter.kind is int
        bounds = parameter.bounds
        low = bounds.minimum if bounds.minimum is not None else -1e9
        high = bounds.maximum if bounds.maximum is not None else 1e9
        step = bounds.step or (1 if whole else 0.1)
        self._none = low - step  # a value below the bounds stands for None
        self.box: WholeNumberBox | NumberBox = WholeNumberBox() if whole else NumberBox()
        convert: Callable[[float], Any] = int if whole else float
        if isinstance(self.box, NumberBox):
            self.box.setDecimals(max(_decimals(step), _decimals(low)))
        if self._optional:
            self.box.setSpecialValueText(none_text)
        self.box.setRange(convert(self._none if self._optional else low), convert(high))
        self.box.setSingleStep(convert(step))
        if bounds.unit:
            self.box.setSuffix(f" {bounds.unit}")
        self.box.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.box.setButtonSymbols(QAbstractSpinBox.ButtonSymbols.NoButtons)
        self.box.valueChanged.connect(self._box_changed)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self.slider: QSlider | None = None
        if slide is not None and not self._optional:
            self._slide = slide
            self.slider = QSlider(Qt.Orientation.Horizontal)
            self.slider.setRange(0, _SLIDER_STEPS)
            self.slider.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
            self.slider.valueChanged.connect(self._slider_changed)
            self.box.setFixedWidth(72)
            layout.addWidget(self.slider, 1)
        layout.addWidget(self.box, 0 if self.slider else 1)

    def value(self) -> Any:
        """Return the number, or None."""
        value = self.box.value()
        return None if self._optional and value <= self._none else value

    def set_value(self, value: Any) -> None:
        """Show a number, or None; emits nothing."""
        with QSignalBlocker(self.box):
            self.box.setValue(self._none if value is None else value)  # type: ignore[arg-type]
        self._move_slider()

    def _box_changed(self) -> None:
        self._move_slider()
        self.changed.emit()

    def _move_slider(self) -> None:
        if self.slider is not None:
            low, high = self._slide
            with QSignalBlocker(self.slider):
                self.slider.setValue(round((self.box.value() - low) / (high - low) * _SLIDER_STEPS))

    def _slider_changed(self, position: int) -> None:
        low, high = self._slide
        step = self.box.singleStep()
        value = round((low + (high - low) * position / _SLIDER_STEPS) / step) * step
        if value != self.box.value():
            with QSignalBlocker(self.box):
                self.box.setValue(value if isinstance(self.box, NumberBox) else round(value))  # type: ignore[arg-type]
            self.changed.emit()


@dataclass(frozen=True)
class _Field:
    widget: QWidget
    get: Callable[[], Any]
    set: Callable[[Any], None]
    label: QLabel | None


class Form(QWidget):
    """Rows for the fields of a parameter dataclass.

    Parameters
    ----------
    params : dataclass instance
        Its type gives the rows, its values are shown.
    names : sequence of str, optional
        Which fields, in this order; all that are not advanced by default. The others keep their values.
    slide : mapping of str to (float, float)
        Ranges of sliders where they should not cover all that is allowed. Numbers whose bounds are at
        most 1000 steps apart have a slider anyway.
    none_text : mapping of str to str
        What optional fields show for None.
    sliders : bool
        False shows boxes only.

    Attributes
    ----------
    changed : Signal
        Emitted when the user changed a value; not by `set_value`.
    """

    changed = Signal()

    def __init__(
        self,
        params: Any,
        names: Sequence[str] | None = None,
        slide: Mapping[str, tuple[float, float]] | None = None,
        none_text: Mapping[str, str] | None = None,
        sliders: bool = True,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._params = params
        described = {parameter.name: parameter for parameter in describe(type(params))}
        if names is None:
            names = [name for name, parameter in described.items() if not parameter.bounds.advanced]
        layout = QFormLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        layout.setRowWrapPolicy(QFormLayout.RowWrapPolicy.DontWrapRows)
        self._layout = layout
        self._fields: dict[str, _Field] = {}
        for name in names:
            parameter = described[name]
            range_ = (slide or {}).get(name) or _whole_range(parameter)
            none = (none_text or {}).get(name, "automatic")
            self._fields[name] = self._make(parameter, range_ if sliders else None, none)
        self.set_value(params)

    def value(self) -> Any:
        """Return the dataclass with the values shown.

        Raises
        ------
        ValueError
            If a value is out of bounds, for example in a text field.
        """
        return dataclasses.replace(
            self._params, **{name: field.get() for name, field in self._fields.items()}
        )

    def set_value(self, params: Any) -> None:
        """Show the values of `params`; emits nothing."""
        self._params = params
        for name, field in self._fields.items():
            field.set(getattr(params, name))

    def field(self, name: str) -> QWidget:
        """Return the widget of a field."""
        return self._fields[name].widget

    def _make(self, parameter: Parameter, slide: tuple[float, float] | None, none_text: str) -> _Field:
        field = _make_field(parameter, slide, none_text, self.changed.emit)
        field.widget.setObjectName(parameter.name)
        help_text = parameter.bounds.help
        field.widget.setToolTip(help_text)
        for child in field.widget.findChildren(QWidget):
            child.setToolTip(help_text)
        if isinstance(field.widget, QCheckBox):
            field.widget.setText(parameter.label)
            self._layout.addRow(field.widget)
            return field
        label = QLabel(parameter.label)
        label.setToolTip(help_text)
        label.setBuddy(getattr(field.widget, "box", field.widget))
        self._layout.addRow(label, field.widget)
        return dataclasses.replace(field, label=label)


def _make_field(
    parameter: Parameter, slide: tuple[float, float] | None, none_text: str, changed: Callable[[], None]
) -> _Field:
    bounds = parameter.bounds
    if parameter.kind is bool:
        check = QCheckBox()
        check.clicked.connect(lambda _: changed())
        return _Field(check, check.isChecked, check.setChecked, None)
    if bounds.choices:
        combo = narrow(QComboBox())
        combo.addItems(bounds.choices)
        combo.activated.connect(lambda _: changed())
        return _Field(combo, combo.currentText, combo.setCurrentText, None)
    if parameter.kind in (int, float):
        number = NumberField(parameter, slide, none_text)
        number.changed.connect(changed)
        return _Field(number, number.value, number.set_value, None)
    text = QLineEdit()
    text.setPlaceholderText(none_text if parameter.optional else "")
    text.editingFinished.connect(changed)
    if (get_origin(parameter.kind) or parameter.kind) is tuple:
        return _Field(text, lambda: _numbers(text.text()), lambda value: text.setText(_joined(value)), None)

    def written() -> str | None:
        return text.text() or None if parameter.optional else text.text()

    return _Field(text, written, lambda value: text.setText(value or ""), None)


def _whole_range(parameter: Parameter) -> tuple[float, float] | None:
    """Return a range to slide over where the bounds are narrow enough to slide over all of them."""
    bounds = parameter.bounds
    if bounds.minimum is None or bounds.maximum is None:
        return None
    steps = (bounds.maximum - bounds.minimum) / (bounds.step or 1)
    return (bounds.minimum, bounds.maximum) if steps <= _SLIDER_STEPS else None


def _decimals(step: float) -> int:
    text = f"{step:.6f}".rstrip("0")
    return max(1, len(text.partition(".")[2]))


def _numbers(text: str) -> tuple[int, ...] | None:
    try:
        return tuple(int(word) for word in text.replace(",", " ").split()) or None
    except ValueError:
        raise ValueError(f"Whole numbers separated by commas are expected; got {text!r}.") from None


def _joined(values: Sequence[int] | None) -> str:
    return ", ".join(str(value) for value in values or ())
