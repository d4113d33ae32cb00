"""The curves of a training: the loss of every step, and how well the held-out tiles are recognised."""

import math
from typing import TYPE_CHECKING

import pyqtgraph as pg
from qtpy.QtWidgets import QWidget

from napari_utile.widgets.parts.arrange import column
from napari_utile.widgets.parts.plot import Plot

if TYPE_CHECKING:
    from napari_utile.engine.training.run import TrainStep

# Weight of the newest step in the running mean that is drawn over the noisy losses.
_SMOOTHING = 0.1
_LOSS, _MEAN, _OVERLAP = "grey", "blue", "orange"


class TrainingPlot(QWidget):
    """Loss on the left axis, overlap on held-out tiles (0 to 1) on the right one."""

    def __init__(self) -> None:
        super().__init__()
        self.plot = Plot("step", "loss")
        self.plot.setFixedHeight(190)
        self.plot.showGrid(x=False, y=False)
        self.plot.name_axis("left", "loss", _MEAN)
        self.plot.name_axis("right", "overlap, held out", _OVERLAP)
        self._loss = self.plot.curve(_LOSS, 1)
        self._mean = self.plot.curve(_MEAN, 2)
        item = self.plot.getPlotItem()
        self._right = pg.ViewBox()
        item.scene().addItem(self._right)
        item.getAxis("right").linkToView(self._right)
        self._right.setXLink(item)
        self._right.setYRange(0, 1, padding=0.02)
        self._right.setMouseEnabled(x=False, y=False)
        self._overlap = self.plot.drawn_in(pg.PlotDataItem(symbol="o", symbolSize=5), _OVERLAP, 2)
        self._right.addItem(self._overlap)
        item.vb.sigResized.connect(self._follow)
        column(self.plot, on=self)
        self.clear()

    def clear(self) -> None:
        """Start a new plot."""
        self.steps: list[int] = []
        self.losses: list[float] = []
        self.means: list[float] = []
        self.validated: list[int] = []
        self.overlaps: list[float] = []
        for curve in (self._loss, self._mean, self._overlap):
            curve.setData([], [])

    def add(self, step: "TrainStep") -> None:
        """Remember a step; `draw` shows it."""
        if math.isfinite(step.loss):
            self.steps.append(step.step)
            self.losses.append(step.loss)
            before = self.means[-1] if self.means else step.loss
            self.means.append(before + _SMOOTHING * (step.loss - before))
        if step.validation is not None:
            self.validated.append(step.step)
            self.overlaps.append(step.validation.overlap)

    def draw(self) -> None:
        """Show all steps so far."""
        every = max(1, len(self.steps) // 1000)
        self._loss.setData(self.steps[::every], self.losses[::every])
        self._mean.setData(self.steps[::every], self.means[::every])
        self._overlap.setData(self.validated, self.overlaps)
        self.plot.scene().prepareForPaint()  # else it finds its ranges while it paints, and so paints twice

    def _follow(self) -> None:
        item = self.plot.getPlotItem()
        self._right.setGeometry(item.vb.sceneBoundingRect())
        self._right.linkedViewChanged(item.vb, self._right.XAxis)
