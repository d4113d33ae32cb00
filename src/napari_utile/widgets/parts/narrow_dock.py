"""What docks share: an end that leaves nothing behind, and a form that leaves the image its room."""

from collections.abc import Callable

from qtpy.QtCore import QEvent, QSize, Qt
from qtpy.QtWidgets import QDockWidget, QFrame, QScrollArea, QVBoxLayout, QWidget

from napari_utile.widgets.connections import when_deleted

__all__ = ["Dock", "NarrowDock"]

# Pixels.
_WIDTH, _LEAST_WIDTH, _HEIGHT = 330, 310, 600


class Dock(QWidget):
    """A dock that ends when its X is pressed, and rests while it is hidden or covered by another tab.

    napari's X takes the widget out of its dock and leaves it to Python's collector, which may come much later.
    For a hidden dock and a covered tab Qt emits the same signal.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.covered = False
        self._last: list[Callable[[], object]] = []
        last = self._last
        when_deleted(self, lambda: _call_all(last))

    def at_end(self, function: Callable[[], object]) -> None:
        """Call a function once: when the X is pressed, or when Qt deletes the dock. It must not refer to the dock."""
        self._last.append(function)

    def rest(self, covered: bool) -> None:
        """Give mouse and keys back while the dock is hidden, and take them again; jobs go on."""

    def let_go(self) -> bool:
        """End the jobs, as the X was pressed; return whether the dock may be deleted."""
        return True

    def changeEvent(self, event: QEvent | None) -> None:
        """Listen to the dock around this widget, and end when it is gone."""
        super().changeEvent(event)
        if event is None or event.type() != QEvent.Type.ParentChange:
            return
        frame = self.parent()
        if isinstance(frame, QDockWidget):
            frame.visibilityChanged.connect(self._frame_seen)
        elif frame is None:
            may_go = self.let_go()
            _call_all(self._last)
            if may_go:
                self.deleteLater()

    def _frame_seen(self, seen: bool) -> None:
        if self.covered is seen and self.parent() is not None:
            self.covered = not seen
            self.rest(self.covered)


def _call_all(functions: list[Callable[[], object]]) -> None:
    while functions:
        functions.pop()()


class NarrowDock(Dock):
    """A narrow dock: a form that scrolls where the window is low."""

    def show_form(self, form: QWidget, below: QWidget | None = None) -> None:
        """Fill the dock; to be called once.

        Parameters
        ----------
        form : QWidget
        below : QWidget, optional
            Stays in sight under the form, however low the window is.
        """
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(form)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(scroll)
        if below is not None:
            below.setContentsMargins(8, 4, 8, 8)
            layout.addWidget(below)
        self.setMinimumWidth(_LEAST_WIDTH)

    def sizeHint(self) -> QSize:
        """Be narrow, so that the image keeps its room."""
        return QSize(_WIDTH, max(super().sizeHint().height(), _HEIGHT))
