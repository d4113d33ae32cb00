"""What is done a moment later, once nothing changes any more."""

from collections.abc import Callable

from qtpy.QtCore import QObject, QTimer


def later(owner: QObject, milliseconds: int, function: Callable[[], object]) -> QTimer:
    """Make a timer that calls a function once, so long after it was started last; it ends with its owner."""
    made = QTimer(owner)
    made.setSingleShot(True)
    made.setInterval(milliseconds)
    made.timeout.connect(function)
    return made
