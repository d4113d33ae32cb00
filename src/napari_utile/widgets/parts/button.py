"""A button with its tooltip."""

from qtpy.QtWidgets import QPushButton


def push_button(text: str, tooltip: str) -> QPushButton:
    """Make a button; the tooltip says in the imperative what it does."""
    made = QPushButton(text)
    made.setToolTip(tooltip)
    return made
