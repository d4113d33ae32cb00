"""Widgets beside each other, below each other, and behind their labels."""

from typing import TypeVar

from qtpy.QtWidgets import QBoxLayout, QFormLayout, QFrame, QHBoxLayout, QLabel, QLayout, QVBoxLayout, QWidget

Part = QWidget | QLayout | tuple[QWidget | QLayout, int] | None
"""A widget or a layout, perhaps with its share of the room that is left; None stands for empty room."""
Margins = tuple[int, int, int, int]
"""Left, top, right and bottom. Pixels."""

_NONE = (0, 0, 0, 0)
_Box = TypeVar("_Box", bound=QBoxLayout)


def column(
    *parts: Part, on: QWidget | None = None, margins: Margins | None = _NONE, spacing: int | None = None
) -> QVBoxLayout:
    """Put parts below each other.

    Parameters
    ----------
    *parts : QWidget, QLayout, (QWidget or QLayout, int), None
        A number is the part's share of the room that is left; None is empty room.
    on : QWidget, optional
        Which they fill; without it the layout is to be put into another one.
    margins : (int, int, int, int), optional
        Left, top, right, bottom, in pixels; None leaves them to the style.
    spacing : int, optional
        Pixels between two parts; by default the style says it.
    """
    return _filled(QVBoxLayout(on), parts, margins, spacing)


def row(
    *parts: Part, on: QWidget | None = None, margins: Margins | None = _NONE, spacing: int | None = None
) -> QHBoxLayout:
    """Put parts beside each other; see `column`."""
    return _filled(QHBoxLayout(on), parts, margins, spacing)


def fields(*rows: tuple[str | QLabel, QWidget | QLayout], on: QWidget | None = None) -> QFormLayout:
    """Put fields below each other, each behind its label and as wide as there is room; `on` as for `column`."""
    layout = QFormLayout(on)
    layout.setContentsMargins(*_NONE)
    layout.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
    for label, field in rows:
        layout.addRow(label, field)
    return layout


def line() -> QFrame:
    """Make a line between what is above and what is below."""
    made = QFrame()
    made.setFrameShape(QFrame.Shape.HLine)
    made.setObjectName("line")
    return made


def _filled(layout: _Box, parts: tuple[Part, ...], margins: Margins | None, spacing: int | None) -> _Box:
    if margins is not None:
        layout.setContentsMargins(*margins)
    if spacing is not None:
        layout.setSpacing(spacing)
    for each in parts:
        part, share = each if isinstance(each, tuple) else (each, 0)
        if part is None:
            layout.addStretch(1)
        elif isinstance(part, QWidget):
            layout.addWidget(part, share)
        else:
            layout.addLayout(part, share)
    return layout
