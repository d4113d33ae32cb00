"""Sentences on a page: as wide as the page, however long a name in them is."""

import re

from qtpy.QtCore import QEvent, QSize, Qt
from qtpy.QtGui import QResizeEvent
from qtpy.QtWidgets import QLabel, QSizePolicy

from napari_utile.widgets.parts.room import FONT

_MOST = 20
"""Letters in a row that fit the narrowest page."""
_LONG = re.compile(rf"\S{{{_MOST + 1},}}")
_BREAK = "\u200b"


class Words(QLabel):
    """A wrapped label. Names and paths that are longer than a line are broken as well, where they have a mark.

    Parameters
    ----------
    rich : bool
        Whether the text is HTML, which is broken between words only.
    lines : int
        Room that is kept also for a shorter text.
    """

    def __init__(self, text: str = "", rich: bool = False, lines: int = 0) -> None:
        super().__init__()
        self._said, self._lines = "", lines
        self.setWordWrap(True)
        self.setTextFormat(Qt.TextFormat.RichText if rich else Qt.TextFormat.PlainText)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Minimum)
        self.setText(text)

    def text(self) -> str:
        """Return what is said, without the places to break."""
        return self._said

    def setText(self, text: str | None) -> None:
        """Say something."""
        self._said = text or ""
        rich = self.textFormat() == Qt.TextFormat.RichText
        super().setText(self._said if rich else _LONG.sub(lambda found: breakable(found[0]), self._said))
        self._keep_height()

    def hasHeightForWidth(self) -> bool:
        """Leave the height to `resizeEvent`: else a scroll area takes what a page wishes for as its least height."""
        return False

    def sizeHint(self) -> QSize:
        """Wish for the lines that the text takes."""
        return QSize(super().sizeHint().width(), self.minimumHeight())

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Ask for as many lines as the text takes now: tabs and stacks of widgets do not."""
        super().resizeEvent(event)
        self._keep_height()

    def changeEvent(self, event: QEvent | None) -> None:
        """Ask anew where the letters have another size."""
        super().changeEvent(event)
        if event is not None and event.type() in FONT:
            self._keep_height()

    def _keep_height(self) -> None:
        self.setMinimumHeight(0)  # Qt counts it among what the text takes
        least = self._lines * self.fontMetrics().lineSpacing()
        self.setMinimumHeight(max(least, self.heightForWidth(self.width())))


def breakable(word: str) -> str:
    """Let a long word be broken behind its marks, and within parts that are still too long.

    Examples
    --------
    >>> breakable("plate_1/A01").split(_BREAK)
    ['plate_', '1/', 'A01']
    """
    parts = re.findall(r"[^\W_]+[\W_]*|[\W_]+", word)
    return _BREAK.join(part[at : at + _MOST] for part in parts for at in range(0, len(part), _MOST))
