"""Find the threshold and the minimum size that score best, and hand them to the Segment page."""

from typing import Any

import napari.viewer
import numpy as np
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QWidget

from napari_utile.engine.cells.instances import InstanceParams
from napari_utile.engine.parameters import from_json
from napari_utile.session.evaluation import PlaneLabels, SweepPoint, SweepRequest, best_point, sweep_job
from napari_utile.widgets.failures import sentence_of
from napari_utile.widgets.pages.evaluate.plots import SweepPlot
from napari_utile.widgets.parts.arrange import column, fields
from napari_utile.widgets.parts.bar_job import BarJob
from napari_utile.widgets.parts.button import push_button
from napari_utile.widgets.parts.layer_combo import LayerCombo
from napari_utile.widgets.parts.run_bar import RunBar
from napari_utile.widgets.parts.words import Words
from napari_utile.widgets.viewer.layers import Place, plane_data
from napari_utile.widgets.viewer.own_pictures import METADATA_KEY


class SweepPanel(BarJob, QWidget):
    """Scores of a probability layer over thresholds and minimum sizes.

    Attributes
    ----------
    run_asked : Signal
        The user pressed Find; `start` is to be called with what to compare with.
    offered : Signal
        Emitted with the best `InstanceParams` when the user takes them.
    """

    run_asked = Signal()
    offered = Signal(object)

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__()
        self._points: list[SweepPoint] = []
        self.probability = LayerCombo(
            viewer, ("Image",), empty_text="no probability layer", accept=_is_probability
        )
        self.probability.setToolTip("Cell probabilities from 0 to 1, as the Segment page shows them.")
        self.run_bar = RunBar(
            "Find the best threshold", "Score this probability map at nine thresholds and five minimum sizes."
        )
        self.plot = SweepPlot()
        self.best = Words("Compares with the reference chosen above.")
        self.use_button = push_button(
            "Use these in Segment", "Set threshold and minimum size in the Segment page to the best ones."
        )
        self.use_button.setEnabled(False)
        form = fields(("Probability", self.probability))
        parts = form, self.run_bar, (self.plot, 1), self.best, self.use_button
        column(*parts, on=self, margins=(0, 6, 0, 0))
        self.run_bar.run.connect(self.run_asked.emit)
        self.run_bar.cancel.connect(self.cancel)
        self.use_button.clicked.connect(self._offer)

    def start(self, place: Place, plane: PlaneLabels) -> None:
        """Score the chosen probability layer against a plane's reference.

        Raises
        ------
        ValueError
            In one sentence, if there is no probability layer or it does not fit.
        """
        if self.running:
            return
        layer = self.probability.layer
        if layer is None:
            raise ValueError("There is no probability layer; make one with the Segment page.")
        if tuple(layer.data.shape) == place.plane_shape:
            place = Place((slice(None), slice(None)), place.plane_shape, (0, 1))
        elif tuple(layer.data.shape) != place.shape:
            raise ValueError(f"{layer.name} and the reference differ in size.")
        probability = np.asarray(plane_data(layer, place)[0])
        request = SweepRequest(probability, plane.truth, plane.ignore, _params_of(layer))
        self._points = []
        self.use_button.setEnabled(False)
        self.begin(
            sweep_job(request),
            "starting…",
            on_progress=self._show_point,
            on_done=self._finish,
            on_error=lambda error: self.best.setText(sentence_of(error)),
            on_cancelled=lambda: self.best.setText("Cancelled."),
        )

    def _show_point(self, point: SweepPoint) -> None:
        self._points.append(point)
        self.run_bar.set_progress(point.done, point.total, f"{point.done} of {point.total}")
        if point.done % 5 == 0 or point.done == point.total:
            self.plot.show_points(self._points)

    def _finish(self, points: tuple[SweepPoint, ...]) -> None:
        best = best_point(points)
        self.best.setText(
            f"Best: threshold {best.params.threshold:g} and minimum size {best.params.minimum_size} px "
            f"with an average precision of {best.score:.3f} at IoU 0.5."
        )
        self.use_button.setEnabled(True)

    def _offer(self) -> None:
        if self._points:
            self.offered.emit(best_point(self._points).params)


def _is_probability(layer: Any) -> bool:
    return not layer.rgb and not layer.multiscale and np.dtype(layer.data.dtype).kind == "f"


def _params_of(layer: Any) -> InstanceParams:
    """Return the instance parameters that a probability layer's result was made with, or the defaults."""
    recipe = layer.metadata.get(METADATA_KEY, {}).get("recipe", {})
    instances = recipe.get("parameters", {}).get("instances")
    try:
        return from_json(InstanceParams, instances) if instances else InstanceParams()
    except (ValueError, TypeError):
        return InstanceParams()
