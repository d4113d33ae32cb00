"""Widgets as wide as what they are to show, whatever the size of the letters."""

from qtpy.QtCore import QEvent, QObject
from qtpy.QtWidgets import QWidget

FONT = (QEvent.Type.FontChange, QEvent.Type.StyleChange, QEvent.Type.Polish)
"""Events after which letters may have another size."""


class _Room(QObject):
    """Keeps a widget as wide as a text; it goes with the widget."""

    def __init__(self, widget: QWidget, text: str, beside: int, exactly: bool) -> None:
        super().__init__(widget)
        self._text, self._beside, self._exactly = text, beside, exactly
        widget.installEventFilter(self)
        self._fit(widget)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Measure the text again where the letters have another size; nothing is kept from the widget."""
        if isinstance(watched, QWidget) and event is not None and event.type() in FONT:
            self._fit(watched)
        return False

    def _fit(self, widget: QWidget) -> None:
        width = widget.fontMetrics().horizontalAdvance(self._text) + self._beside
        widget.setMinimumWidth(width)
        if self._exactly:
            widget.setMaximumWidth(width)


def room_for(widget: QWidget, text: str, beside: int = 16, exactly: bool = True) -> None:
    """Make a widget as wide as a text, now and whenever its font changes.

    Parameters
    ----------
    widget : QWidget
    text : str
        The longest that it usually shows.
    beside : int
        For its frame. Pixels.
    exactly : bool
        Whether it is no wider, either.
    """
    _Room(widget, text, beside, exactly)
