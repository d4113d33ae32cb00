"""Plots of the Evaluate page: average precision over IoU, and score over threshold and minimum size."""

from collections.abc import Mapping, Sequence

import pyqtgraph

from napari_utile.engine.metrics.cells import IOU_THRESHOLDS
from napari_utile.session.evaluation import EvaluationResult, SweepPoint
from napari_utile.widgets.parts.plot import CURVES, Plot


class _Plot(Plot):
    """A plot of values from 0 to 1."""

    def __init__(self, x_label: str, y_label: str) -> None:
        self._drawn: Mapping[str, tuple[Sequence[float], Sequence[float]]] = {}
        super().__init__(x_label, y_label)
        self.setYRange(0, 1)

    def draw(self, curves: Mapping[str, tuple[Sequence[float], Sequence[float]]]) -> None:
        """Draw named curves; more than one get a legend."""
        self._drawn = curves
        self.clear()
        if self.plotItem.legend is not None:
            self.plotItem.legend.scene().removeItem(self.plotItem.legend)
            self.plotItem.legend = None
        if len(curves) > 1:
            self.name_curves()
        for number, (name, (x, y)) in enumerate(curves.items()):
            colour = self.colour(CURVES[number % len(CURVES)])
            pen = pyqtgraph.mkPen(colour, width=2)
            self.plot(x, y, pen=pen, name=name, symbol="o", symbolSize=5, symbolBrush=colour, symbolPen=None)

    def recolour(self) -> None:
        """Draw the same curves."""
        self.draw(self._drawn)


class PrecisionPlot(_Plot):
    """Average precision over the IoU from which a cell counts as found, one curve a prediction."""

    def __init__(self) -> None:
        super().__init__("IoU", "AP")
        self.setXRange(IOU_THRESHOLDS[0], IOU_THRESHOLDS[-1])
        self.setToolTip(
            "Share of cells that are correct, from a lenient to a strict demand on their overlap."
        )

    def show_result(self, result: EvaluationResult) -> None:
        """Draw a curve for each prediction."""
        curves = {}
        for which, name in enumerate(result.names):
            scores = result.scores(which)
            values = [scores[f"ap{round(100 * threshold)}"] for threshold in IOU_THRESHOLDS]
            curves[name] = (IOU_THRESHOLDS, values)
        self.draw(curves)


class SweepPlot(_Plot):
    """Average precision over the threshold, one curve a minimum size."""

    def __init__(self) -> None:
        super().__init__("threshold", "AP")
        self.setXRange(0, 1)

    def show_points(self, points: Sequence[SweepPoint]) -> None:
        """Draw what is known so far."""
        curves: dict[str, tuple[list[float], list[float]]] = {}
        for point in points:
            x, y = curves.setdefault(f"≥ {point.params.minimum_size} px", ([], []))
            x.append(point.params.threshold)
            y.append(point.score)
        self.draw(curves)
