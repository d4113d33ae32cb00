"""A bar of colours with the numbers at its ends."""

import numpy as np
from napari.utils.colormaps import ensure_colormap
from qtpy.QtCore import QRect, QSize, Qt
from qtpy.QtGui import QImage, QPainter, QPaintEvent
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_utile.engine.words import three_digits

_BAR_HEIGHT = 12


class ColourLegend(QWidget):
    """Shows what the colours of an image layer stand for.

    Parameters
    ----------
    colormap : str
        Name of a napari colormap.
    """

    def __init__(self, colormap: str) -> None:
        super().__init__()

        colours = (ensure_colormap(colormap).map(np.linspace(0, 1, 256)) * 255).astype(np.uint8)
        self._pixels = colours.tobytes()
        self.limits = (0.0, 1.0)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def set_limits(self, low: float, high: float) -> None:
        """Show these numbers."""
        self.limits = (low, high)
        self.update()

    def sizeHint(self) -> QSize:
        """Wish for a low bar."""
        return QSize(120, _BAR_HEIGHT + self.fontMetrics().height() + 2)

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Draw the colours and what they mean."""
        del event
        painter = QPainter(self)
        image = QImage(self._pixels, 256, 1, 4 * 256, QImage.Format.Format_RGBA8888)
        painter.drawImage(QRect(0, 0, self.width(), _BAR_HEIGHT), image)
        painter.setPen(self.palette().text().color())
        low, high = self.limits
        below = QRect(0, _BAR_HEIGHT + 1, self.width(), self.height() - _BAR_HEIGHT - 1)
        for value, side in (
            (low, Qt.AlignmentFlag.AlignLeft),
            ((low + high) / 2, Qt.AlignmentFlag.AlignHCenter),
            (high, Qt.AlignmentFlag.AlignRight),
        ):
            painter.drawText(below, int(side | Qt.AlignmentFlag.AlignTop), three_digits(value))
        painter.end()
