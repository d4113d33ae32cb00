"""A dock that leaves the image its room."""

from qtpy.QtCore import QSize, Qt
from qtpy.QtWidgets import QFrame, QScrollArea, QVBoxLayout, QWidget

__all__ = ["NarrowDock"]

# Pixels.
_WIDTH, _LEAST_WIDTH, _HEIGHT = 330, 310, 600


class NarrowDock(QWidget):
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
