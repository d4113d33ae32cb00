"""One histogram and one scatter plot of the cells on screen, linked with the selected cell."""

from typing import Any

import numpy as np
import pyqtgraph
from qtpy.QtCore import Signal

from napari_utile.widgets.parts.plot import FOREGROUND, PLOT_COLOURS, Plot

__all__ = ["Histogram", "Scatter"]

_KEPT, _TAKEN, _CHOSEN = PLOT_COLOURS[0], PLOT_COLOURS[1], "#ffe14d"
# Bars of the histogram, at most.
_MOST_BARS = 40


class Histogram(Plot):
    """How many cells have which value; a line that can be dragged cuts between them.

    Attributes
    ----------
    cut : Signal(float)
        The line was dragged there.
    """

    cut = Signal(float)

    def __init__(self) -> None:
        super().__init__("", "cells")
        self.setMinimumHeight(130)
        self._bars = pyqtgraph.BarGraphItem(x=[], height=[], width=1)
        self._line = pyqtgraph.InfiniteLine(movable=True, pen=pyqtgraph.mkPen(FOREGROUND, width=2))
        self._chosen = pyqtgraph.InfiniteLine(pen=pyqtgraph.mkPen(_CHOSEN, width=2))
        for item in (self._bars, self._line, self._chosen):
            self.addItem(item)
        self._line.sigPositionChanged.connect(lambda line: self.cut.emit(float(line.value())))
        self._counts, self._edges = np.zeros(0), np.zeros(1)

    def show_values(self, name: str, values: np.ndarray[Any, Any]) -> None:
        """Draw the bars of a column."""
        self.name_axes(name, "cells")
        finite = values[np.isfinite(values)]
        bars = int(np.clip(2 * np.sqrt(finite.size), 5, _MOST_BARS))
        self._counts, self._edges = (
            np.histogram(finite, bins=bars) if finite.size else (np.zeros(0), np.zeros(1))
        )

    def show_cut(self, value: float | None, taken_below: bool) -> None:
        """Colour the bars on the side of the line that would be taken away; None draws no line."""
        centres = (self._edges[1:] + self._edges[:-1]) / 2
        taken = np.zeros(centres.size, dtype=bool)
        if value is not None:
            taken = centres < value if taken_below else centres > value
        brushes = [_TAKEN if each else _KEPT for each in taken]
        self._bars.setOpts(
            x=centres,
            height=self._counts,
            width=float(np.diff(self._edges).mean()) if centres.size else 1,
            brushes=brushes,
        )
        self._line.blockSignals(True)
        self._line.setVisible(value is not None)
        if value is not None:
            self._line.setValue(value)
        self._line.blockSignals(False)

    def show_chosen(self, value: float | None) -> None:
        """Mark the value of the selected cell."""
        known = value is not None and bool(np.isfinite(value))
        self._chosen.setVisible(known)
        if known:
            self._chosen.setValue(value)


class Scatter(Plot):
    """Two columns against each other; a click chooses a cell.

    Attributes
    ----------
    clicked : Signal(int)
        Label of the cell.
    points, ring : ScatterPlotItem
        All cells, and the selected one.
    """

    clicked = Signal(int)

    def __init__(self) -> None:
        super().__init__("", "")
        self.points = pyqtgraph.ScatterPlotItem(size=7, pen=None)
        self.ring = pyqtgraph.ScatterPlotItem(size=13, brush=None, pen=pyqtgraph.mkPen(_CHOSEN, width=2))
        for item in (self.points, self.ring):
            self.addItem(item)
        self.points.sigClicked.connect(self._clicked)
        self._ids = self._x = self._y = np.zeros(0)

    def show_points(
        self, names: tuple[str, str], ids: Any, x: np.ndarray[Any, Any], y: np.ndarray[Any, Any], taken: Any
    ) -> None:
        """Draw a point for each cell, those that would be taken away in another colour."""
        self.name_axes(*names)
        known = np.isfinite(x) & np.isfinite(y)
        self._ids, self._x, self._y = np.asarray(ids)[known], x[known], y[known]
        out = np.isin(self._ids, taken)
        self.points.setData(
            x=self._x,
            y=self._y,
            data=self._ids,
            brush=[pyqtgraph.mkBrush(_TAKEN if each else _KEPT) for each in out],
        )

    def show_chosen(self, label: int) -> None:
        """Ring the point of the selected cell."""
        here = self._ids == label
        self.ring.setData(x=self._x[here], y=self._y[here])

    def _clicked(self, _: object, points: Any, *_more: object) -> None:
        if len(points):
            self.clicked.emit(int(points[0].data()))
