"""One line at the bottom of a dock that says what happened or what to do."""

from qtpy.QtCore import Qt
from qtpy.QtGui import QGuiApplication

from napari_utile.widgets.failures import sentence_of
from napari_utile.widgets.parts.theme import lightness
from napari_utile.widgets.parts.words import Words

# With a contrast of 4.5 and more to the background of napari's dark and light theme.
COLOURS = {
    "dark": {"info": "", "good": "#5cc98a", "problem": "#ff8a4c"},
    "light": {"info": "", "good": "#1a6b3b", "problem": "#a84008"},
}


class StatusLine(Words):
    """What happened; problems stand out."""

    def __init__(self) -> None:
        super().__init__()
        self.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.setObjectName("status")
        self.kind = "info"

    def say(self, text: str, kind: str = "info") -> None:
        """Show a sentence; `kind` is ``"info"``, ``"good"`` or ``"problem"``."""
        self.kind = kind
        colour = COLOURS[lightness()][kind]
        self.setStyleSheet(f"color: {colour};" if colour else "")
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

    def failed(self, error: Exception) -> None:
        """Show an error as a sentence."""
        self.problem(sentence_of(error))
