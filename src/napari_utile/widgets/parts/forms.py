"""Forms made from parameter dataclasses: magicgui widgets with names, bounds and help from the fields' `Bounds`."""

import dataclasses
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from magicgui.widgets import CheckBox, ComboBox, Container, LineEdit, create_widget
from magicgui.widgets.bases import BaseValueWidget
from qtpy.QtCore import QEvent, QObject, QSignalBlocker, Qt
from qtpy.QtGui import QKeyEvent
from qtpy.QtWidgets import (
    QAbstractSpinBox,
    QComboBox,
    QFormLayout,
    QLabel,
    QLayout,
    QLayoutItem,
    QSizePolicy,
    QSlider,
    QStyle,
    QStyleOptionComboBox,
    QStylePainter,
    QWidget,
)

from napari_utile.engine.parameters import Parameter, describe
from napari_utile.widgets.parts.arrange import fields
from napari_utile.widgets.parts.number_box import NumberBox, WholeNumberBox
from napari_utile.widgets.parts.parameter_field import ParameterField
from napari_utile.widgets.parts.preprocess_field import PercentilesField, PreprocessField
from napari_utile.widgets.parts.room import room_for
from napari_utile.widgets.parts.size_field import SizeField

_POSITIONS = 1000
"""Places of a slider."""
_BESIDE = 4
"""Pixels beside the entry of a combo box."""


def narrow(combo: QComboBox) -> QComboBox:
    """Let a combo box shrink below its longest entry, so that a long layer name cannot widen a dock.

    Of an entry that does not fit the middle is left out: layers of one image differ in their ends. Keys with Ctrl go to
    the window, as Ctrl+Z: Qt's combo boxes take them for letters to search their entries by.
    """
    combo.installEventFilter(_Narrow(combo))
    combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    combo.setMinimumContentsLength(6)
    combo.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
    return combo


def choice(name: str, tip: str = "", entries: Iterable[tuple[str, object]] = ()) -> QComboBox:
    """Make a combo box that is `narrow`.

    Parameters
    ----------
    name : str
        For screen readers.
    tip : str
        What it is for.
    entries : iterable of (str, object)
        The words of each, and what it stands for.
    """
    made = narrow(QComboBox())
    made.setAccessibleName(name)
    made.setToolTip(tip)
    for text, data in entries:
        made.addItem(text, data)
    return made


class _Narrow(QObject):
    """Paints a combo box, and leaves keys with Ctrl to the widgets around it."""

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Paint in the widget's place; take such a key from it, without accepting it."""
        if event is None or not isinstance(watched, QComboBox):
            return False
        if event.type() == QEvent.Type.Paint:
            _paint(watched)
            return True
        if not isinstance(event, QKeyEvent) or event.type() != QEvent.Type.KeyPress:
            return False
        if not event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            return False
        event.ignore()
        return True


def _paint(combo: QComboBox) -> None:
    """Paint a combo box as Qt does, but for the middle of an entry that does not fit."""
    box, style = QStyleOptionComboBox(), combo.style()
    combo.initStyleOption(box)
    assert style is not None
    edit = QStyle.SubControl.SC_ComboBoxEditField
    room = style.subControlRect(QStyle.ComplexControl.CC_ComboBox, box, edit, combo).width() - _BESIDE
    middle = Qt.TextElideMode.ElideMiddle
    box.currentText = combo.fontMetrics().elidedText(box.currentText, middle, room)
    painter = QStylePainter(combo)
    painter.drawComplexControl(QStyle.ComplexControl.CC_ComboBox, box)
    painter.drawControl(QStyle.ControlElement.CE_ComboBoxLabel, box)


def align_labels(*layouts: QLayout | None) -> None:
    """Give the labels of several form layouts one width, so that their fields stand below each other."""
    _Aligned([layout for layout in layouts if isinstance(layout, QFormLayout)]).align()


class _Aligned(QObject):
    """Form layouts whose labels have one width, also in the letters of a theme that comes later."""

    def __init__(self, layouts: list[QFormLayout]) -> None:
        super().__init__(layouts[0])
        self._layouts = layouts
        for label in self._labels():
            label.installEventFilter(self)

    def _labels(self) -> list[QWidget]:
        role = QFormLayout.ItemRole.LabelRole
        items = [layout.itemAt(row, role) for layout in self._layouts for row in range(layout.rowCount())]
        widgets = [item.widget() for item in items if item is not None]
        return [widget for widget in widgets if widget is not None]

    def align(self) -> None:
        labels = self._labels()
        width = max((label.sizeHint().width() for label in labels), default=0)
        for label in labels:
            label.setMinimumWidth(width)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        if event is not None and event.type() in (QEvent.Type.FontChange, QEvent.Type.StyleChange):
            self.align()
        return False


def name_fields(part: QWidget) -> None:
    """Give fields that have no name for screen readers that of their row."""
    for rows in part.findChildren(QFormLayout):
        for row in range(rows.rowCount()):
            label, field = (
                rows.itemAt(row, role)
                for role in (QFormLayout.ItemRole.LabelRole, QFormLayout.ItemRole.FieldRole)
            )
            named: Any = None if label is None else label.widget()
            if field is None or not isinstance(named, QLabel):
                continue
            for widget in _widgets_of(field):
                if not widget.accessibleName():
                    widget.setAccessibleName(named.text())


def _widgets_of(item: QLayoutItem) -> Iterator[QWidget]:
    """Give the widgets of an item of a layout, and all inside them."""
    widget, layout = item.widget(), item.layout()
    if widget is not None:
        yield widget
        yield from widget.findChildren(QWidget)
    for place in range(0 if layout is None else layout.count()):
        inner = None if layout is None else layout.itemAt(place)
        if inner is not None:
            yield from _widgets_of(inner)


class Number(ParameterField):
    """A box for a number, behind a slider where there is a range to slide over.

    Parameters
    ----------
    parameter : Parameter
        An int or float parameter, perhaps optional.
    slide : (float, float), optional
        Usual range of the slider; the box takes everything within the bounds.

    Attributes
    ----------
    box : NumberBox
        magicgui's own boxes show neither a unit nor a word for None, and know one decimal mark only.
    """

    def __init__(self, parameter: Parameter, slide: tuple[float, float] | None = None) -> None:
        super().__init__(parameter, "horizontal")
        bounds, whole = parameter.bounds, parameter.kind is int
        step = bounds.step or (1 if whole else 0.1)
        low = -1e9 if bounds.minimum is None else bounds.minimum
        high = 1e9 if bounds.maximum is None else bounds.maximum
        self._per = 100 if bounds.share else 1  # of what the box shows
        low, high, step = low * self._per, high * self._per, step * self._per
        self._none = low - step if parameter.optional else None
        self.box = WholeNumberBox() if whole else NumberBox()
        if not whole:
            self.box.setDecimals(0 if bounds.share else max(_decimals(step), _decimals(low)))
        self.box.setRange(low if self._none is None else self._none, high)
        self.box.setSingleStep(step)
        self.box.setSpecialValueText("automatic" if parameter.optional else "")  # one step below the bounds
        suffix = f"% {bounds.share}" if bounds.share else bounds.unit
        self.box.setSuffix(f" {suffix}" if suffix else "")
        self.box.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.box.setButtonSymbols(QAbstractSpinBox.ButtonSymbols.NoButtons)
        self.box.valueChanged.connect(self._typed)
        self.slider: QSlider | None = None
        if slide is not None and not parameter.optional:
            self._slide = self._usual = slide[0] * self._per, slide[1] * self._per
            self.slider = QSlider(Qt.Orientation.Horizontal)
            self.slider.setRange(0, _POSITIONS)
            self.slider.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
            self.slider.valueChanged.connect(self._slid)
            room_for(self.box, f"100{self.box.suffix()}" if bounds.share else "00000 px²")
        for widget in filter(None, (self.slider, self.box)):
            widget.setToolTip(bounds.help)
            self.native.layout().addWidget(widget, 0 if self.slider and widget is self.box else 1)

    def get_value(self) -> Any:
        """Return the number, or None."""
        value = self.box.value()
        if self._none is not None and value <= self._none:
            return None
        return value / self._per if self._per > 1 else value

    def set_value(self, value: Any) -> None:
        """Show a number, or None; the slider reaches beyond one that lies past its end."""
        shown: Any = self._none if value is None else value * self._per
        if self.slider is not None:
            low, high = self._usual
            self._slide = (low, high if shown <= high else 3 * shown)
        self.box.setValue(shown)

    def _typed(self) -> None:
        if self.slider is not None:
            low, high = self._slide
            with QSignalBlocker(self.slider):
                self.slider.setValue(round((self.box.value() - low) / (high - low) * _POSITIONS))
        self.changed.emit(self.value)

    def _slid(self, position: int) -> None:
        low, high = self._slide
        step = self.box.singleStep()
        value = round((low + (high - low) * position / _POSITIONS) / step) * step
        with QSignalBlocker(self.box):
            self.box.setValue(value)
        self.changed.emit(self.value)


class Form(Container[BaseValueWidget[Any]]):
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
    sliders : bool
        False shows boxes only.

    Attributes
    ----------
    changed : psygnal.Signal
        Emitted when the user changed a value; not by `set_value`.
    """

    def __init__(
        self,
        params: Any,
        names: Sequence[str] | None = None,
        slide: Mapping[str, tuple[float, float]] | None = None,
        sliders: bool = True,
    ) -> None:
        self._params = params
        described = {parameter.name: parameter for parameter in describe(type(params))}
        if names is None:
            names = [name for name, parameter in described.items() if not parameter.bounds.advanced]
        widgets = []
        for name in names:
            parameter = described[name]
            range_ = (slide or {}).get(name) or _whole_range(parameter)
            widgets.append(_field(parameter, range_ if sliders else None))
        super().__init__(widgets=widgets, labels=False)
        self.margins = (0, 0, 0, 0)
        # Qt's own form: its labels stay aligned when a theme changes their size.
        self.rows = fields()
        self.native.layout().addLayout(self.rows)
        for field in widgets:
            if isinstance(field, CheckBox | PreprocessField):  # they say themselves what they are
                self.rows.addRow(field.native)
                continue
            label = QLabel(field.label)
            label.setToolTip(field.tooltip)
            self.rows.addRow(label, field.native)
            for part in (field.native, *field.native.findChildren(QWidget)):
                part.setAccessibleName(part.accessibleName() or field.label)
        self.set_value(params)

    def value(self) -> Any:
        """Return the dataclass with the values shown.

        Raises
        ------
        ValueError
            If a value is out of bounds, for example in a text field.
        """
        return dataclasses.replace(self._params, **{field.name: field.value for field in self})

    def show_rows(self, names: Collection[str]) -> None:
        """Show the rows of these fields only; the others keep their values."""
        for field in self:
            for part in (self.rows.labelForField(field.native), field.native):
                if part is not None:
                    part.setVisible(field.name in names)
        self.native.setVisible(bool(names))

    def set_value(self, params: Any) -> None:
        """Show the values of `params`; emits nothing."""
        self._params = params
        with self.changed.blocked():
            for field in self:
                value = getattr(params, field.name)
                field.value = "" if value is None and isinstance(field, LineEdit) else value


def _field(parameter: Parameter, slide: tuple[float, float] | None) -> BaseValueWidget[Any]:
    if parameter.name == "preprocess":
        return PreprocessField(parameter)
    if parameter.kind is tuple and parameter.item is float:
        return PercentilesField(parameter)
    if parameter.bounds.words:
        return SizeField(parameter)
    if parameter.kind in (int, float):
        return Number(parameter, slide)
    options: dict[str, Any] = {"tooltip": parameter.bounds.help}
    if parameter.bounds.choices:
        options["choices"] = parameter.bounds.choices
    made = create_widget(
        annotation=parameter.kind, name=parameter.name, label=parameter.label, options=options
    )
    assert isinstance(made, BaseValueWidget)
    if isinstance(made, ComboBox):
        narrow(made.native)
    return made


def _whole_range(parameter: Parameter) -> tuple[float, float] | None:
    """Return a range to slide over where the bounds are narrow enough to slide over all of them."""
    bounds = parameter.bounds
    if bounds.minimum is None or bounds.maximum is None:
        return None
    steps = (bounds.maximum - bounds.minimum) / (bounds.step or 1)
    return (bounds.minimum, bounds.maximum) if steps <= _POSITIONS else None


def _decimals(step: float) -> int:
    return max(1, len(f"{step:.6f}".rstrip("0").partition(".")[2]))
