"""One line at the bottom of a dock that says what happened or what to do."""

from qtpy.QtCore import Qt
from qtpy.QtGui import QGuiApplication
from qtpy.QtWidgets import QLabel, QSizePolicy, QWidget

__all__ = ["StatusLine"]

# Readable in napari's dark and light theme.
_COLOURS = {"info": "", "good": "#2f9e5f", "problem": "#e0662a"}


class StatusLine(QLabel):
    """A wrapped label; problems stand out."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWordWrap(True)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Minimum)
        self.setObjectName("status")
        self.kind = "info"

    def say(self, text: str, kind: str = "info") -> None:
        """Show a sentence; `kind` is ``"info"``, ``"good"`` or ``"problem"``."""
        self.kind = kind
        self.setStyleSheet(f"color: {_COLOURS[kind]};" if _COLOURS[kind] else "")
        self.setText(text)
        self.setVisible(bool(text))

    def copied(self, text: str, hint: str = "", what: str = "The command") -> None:
        """Put a text, a command by default, on the clipboard and say so, with what is left to do."""
        clipboard = QGuiApplication.clipboard()
        if clipboard is not None:
            clipboard.setText(text)
        self.say(f"{what} is on the clipboard. {hint}".rstrip(), "good")

    def problem(self, text: str) -> None:
        """Show what went wrong."""
        self.say(text, "problem")
