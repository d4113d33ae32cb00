"""A sentence with a few buttons under it, shown while there is something to decide."""

from collections.abc import Callable

from qtpy.QtWidgets import QWidget

from napari_utile.widgets.parts.arrange import column, row
from napari_utile.widgets.parts.button import push_button
from napari_utile.widgets.parts.words import Words


class Offer(QWidget):
    """Hidden until something is offered.

    Parameters
    ----------
    choices : tuple of (str, str, callable)
        Text, tooltip and function of each button.
    """

    def __init__(self, *choices: tuple[str, str, Callable[[], object]]) -> None:
        super().__init__()
        self.text = Words()
        self.buttons = tuple(push_button(text, tooltip) for text, tooltip, _ in choices)
        column(self.text, row(*self.buttons, spacing=4), on=self, spacing=4)
        for button, (_, _, function) in zip(self.buttons, choices, strict=True):
            button.clicked.connect(lambda _=False, function=function: function())
        self.hide()

    def offer(self, sentence: str) -> None:
        """Show a sentence with the buttons; "" hides them."""
        self.text.setText(sentence)
        self.setVisible(bool(sentence))
