"""The row that starts a job, shows how far it is, and cancels it."""

from qtpy.QtCore import QSize, Qt, Signal
from qtpy.QtWidgets import QProgressBar, QPushButton, QWidget

from napari_utile.widgets.parts.arrange import column, row

_HEIGHT = 32
"""Pixels."""


class _Tall(QPushButton):
    """A button that is easy to hit, and higher still where the letters are large."""

    def sizeHint(self) -> QSize:
        return super().sizeHint().expandedTo(QSize(0, _HEIGHT))


class RunBar(QWidget):
    """Run, or, while a job is under way, a progress bar with Cancel beside it.

    Attributes
    ----------
    run, cancel : Signal
        Emitted when the user presses the buttons.
    """

    run = Signal()
    cancel = Signal()

    def __init__(self, text: str, help_text: str) -> None:
        super().__init__()
        self.run_button = _Tall(text)
        self.run_button.setObjectName("run")
        self.run_button.setToolTip(help_text)
        self.cancel_button = QPushButton("Cancel")
        self.cancel_button.setObjectName("cancel")
        self.cancel_button.setToolTip(
            "Stop after the tile that is being computed; the layers stay as they were."
        )
        self.bar = QProgressBar()
        self.bar.setTextVisible(True)
        self.bar.setMinimumHeight(24)
        self._busy = QWidget()
        row((self.bar, 1), self.cancel_button, on=self._busy)
        column(self.run_button, self._busy, on=self)
        self.run_button.clicked.connect(lambda _: self.run.emit())
        self.cancel_button.clicked.connect(lambda _: self.cancel.emit())
        self.set_idle()

    @property
    def busy(self) -> bool:
        """Whether the progress bar is shown."""
        return not self.cancel_button.isHidden() and not self._busy.isHidden()

    def set_busy(self, text: str) -> None:
        """Show an empty bar, while nobody knows how far the job is.

        Qt's bar for that, which moves, is drawn sixty times a second, and with each frame all of napari's window:
        without a graphics card that takes the processor from the job.
        """
        self.run_button.hide()
        self._busy.show()
        self.cancel_button.setEnabled(True)
        self.bar.setRange(0, 1)
        self.bar.setValue(0)
        self._say(text)

    def set_progress(self, done: int, total: int, text: str) -> None:
        """Show how far the job is."""
        self.bar.setUpdatesEnabled(False)  # setValue paints at once; with the rest of the window costs half
        self.bar.setRange(0, total)
        self.bar.setValue(done)
        self._say(text)
        self.bar.setUpdatesEnabled(True)

    def _say(self, text: str) -> None:
        """Show a text that begins at its beginning: Qt cuts off both ends of what is too long."""
        elided = self.bar.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, self.bar.width() - 8)
        self.bar.setFormat(elided if self.bar.isVisible() else text)
        self.bar.setToolTip(text)

    def set_cancelling(self) -> None:
        """Say that cancel was heard."""
        self.cancel_button.setEnabled(False)
        self.bar.setFormat("stopping…")

    def set_idle(self) -> None:
        """Show the button again."""
        self._busy.hide()
        self.run_button.show()
