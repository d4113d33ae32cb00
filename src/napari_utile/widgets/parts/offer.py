"""A sentence with a few buttons under it, shown while there is something to decide."""

from collections.abc import Callable

from qtpy.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from napari_utile.widgets.parts.button import push_button
from napari_utile.widgets.parts.words import Words

__all__ = ["Offer"]


class Offer(QWidget):
    """Hidden until something is offered.

    Parameters
    ----------
    choices : tuple of (str, str, callable)
        Text, tooltip and function of each button.

    Attributes
    ----------
    text : QLabel
    buttons : tuple of QPushButton
    """

    def __init__(
        self, *choices: tuple[str, str, Callable[[], object]], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.text = Words()
        self.buttons = tuple(push_button(text, tooltip) for text, tooltip, _ in choices)
        row = QHBoxLayout()
        row.setSpacing(4)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.text)
        layout.addLayout(row)
        for button, (_, _, function) in zip(self.buttons, choices, strict=True):
            button.clicked.connect(lambda _=False, function=function: function())
            row.addWidget(button)
        self.hide()

    def offer(self, sentence: str) -> None:
        """Show a sentence with the buttons; "" hides them."""
        self.text.setText(sentence)
        self.setVisible(bool(sentence))
