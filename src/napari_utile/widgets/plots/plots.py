"""One histogram and one scatter plot of the cells on screen, linked with the selected cell."""

from typing import Any

import numpy as np
import pyqtgraph
from qtpy.QtCore import Signal

from napari_utile.widgets.parts.plot import Plot

_KEPT, _TAKEN, _CHOSEN = "blue", "orange", "chosen"
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
        self._bars = pyqtgraph.BarGraphItem(x=[], height=[], width=1)
        self._counts, self._edges, self._taken = np.zeros(0), np.zeros(1), np.zeros(0, dtype=bool)
        super().__init__("", "cells")
        self.setMinimumHeight(130)
        self._line = self.drawn_in(pyqtgraph.InfiniteLine(movable=True), "words", 2)
        self._chosen = self.drawn_in(pyqtgraph.InfiniteLine(), _CHOSEN, 2)
        for item in (self._bars, self._line, self._chosen):
            self.addItem(item)
        self._line.sigPositionChanged.connect(lambda line: self.cut.emit(float(line.value())))

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
        self._taken = taken
        self.recolour()
        self._line.blockSignals(True)
        self._line.setVisible(value is not None)
        if value is not None:
            self._line.setValue(value)
        self._line.blockSignals(False)

    def recolour(self) -> None:
        """Draw the bars."""
        centres = (self._edges[1:] + self._edges[:-1]) / 2
        self._bars.setOpts(
            x=centres,
            height=self._counts,
            width=float(np.diff(self._edges).mean()) if centres.size else 1,
            brushes=[self.colour(_TAKEN if each else _KEPT) for each in self._taken],
        )

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
        self.points = pyqtgraph.ScatterPlotItem(size=7, pen=None)
        self._ids = self._x = self._y = np.zeros(0)
        self._taken: Any = ()
        super().__init__("", "")
        self.ring = self.drawn_in(pyqtgraph.ScatterPlotItem(size=13, brush=None), _CHOSEN, 2)
        for item in (self.points, self.ring):
            self.addItem(item)
        self.points.sigClicked.connect(self._clicked)

    def show_points(
        self, names: tuple[str, str], ids: Any, x: np.ndarray[Any, Any], y: np.ndarray[Any, Any], taken: Any
    ) -> None:
        """Draw a point for each cell, those that would be taken away in another colour."""
        self.name_axes(*names)
        known = np.isfinite(x) & np.isfinite(y)
        self._ids, self._x, self._y = np.asarray(ids)[known], x[known], y[known]
        self._taken = taken
        self.recolour()

    def recolour(self) -> None:
        """Draw the points."""
        kept, taken = (pyqtgraph.mkBrush(self.colour(name)) for name in (_KEPT, _TAKEN))
        out = np.isin(self._ids, self._taken)
        self.points.setData(
            x=self._x, y=self._y, data=self._ids, brush=[taken if each else kept for each in out]
        )

    def show_chosen(self, label: int) -> None:
        """Ring the point of the selected cell."""
        here = self._ids == label
        self.ring.setData(x=self._x[here], y=self._y[here])

    def _clicked(self, _: object, points: Any, *_more: object) -> None:
        if len(points):
            self.clicked.emit(int(points[0].data()))
