"""A button with its tooltip, and names on buttons and in menus."""

from qtpy.QtWidgets import QPushButton


def push_button(text: str, tooltip: str) -> QPushButton:
    """Make a button; the tooltip says in the imperative what it does."""
    made = QPushButton(text)
    made.setToolTip(tooltip)
    return made


def as_it_is(name: str) -> str:
    """Return what a button or a menu has to be told to show a name such as H&E: Qt underlines what follows an &.

    Examples
    --------
    >>> as_it_is("Nuclei in H&E")
    'Nuclei in H&&E'
    """
    return name.replace("&", "&&")
