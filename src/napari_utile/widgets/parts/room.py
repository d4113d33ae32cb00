"""Widgets as wide as what they are to show, whatever the size of the letters."""

from qtpy.QtCore import QEvent, QObject
from qtpy.QtWidgets import QWidget

_FONT = (QEvent.Type.FontChange, QEvent.Type.StyleChange, QEvent.Type.Polish)


class _Room(QObject):
    """Keeps a widget as wide as a text; it goes with the widget."""

    def __init__(self, widget: QWidget, text: str, beside: int) -> None:
        super().__init__(widget)
        self._text, self._beside = text, beside
        widget.installEventFilter(self)
        self._fit(widget)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Measure the text again where the letters have another size; nothing is kept from the widget."""
        if isinstance(watched, QWidget) and event is not None and event.type() in _FONT:
            self._fit(watched)
        return False

    def _fit(self, widget: QWidget) -> None:
        widget.setFixedWidth(widget.fontMetrics().horizontalAdvance(self._text) + self._beside)


def room_for(widget: QWidget, text: str, beside: int = 16) -> None:
    """Make a widget as wide as a text, now and whenever its font changes.

    Parameters
    ----------
    widget : QWidget
    text : str
        The longest that it usually shows.
    beside : int
        For its frame. Pixels.
    """
    _Room(widget, text, beside)
