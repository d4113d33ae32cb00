"""The prediction in view while a model learns: asked for every few seconds, shown in one layer."""

from contextlib import suppress
from typing import Any

import napari.viewer
from qtpy.QtCore import QObject, QTimer
from qtpy.QtWidgets import QAbstractButton

from napari_utile.session.fine_tuning import LookAt, Prediction
from napari_utile.session.state import ChosenImage
from napari_utile.widgets.pages.segment.preview_layer import PreviewLayer
from napari_utile.widgets.viewer.layers import Place, plain_viewer
from napari_utile.widgets.viewer.regions import region_in_view
from napari_utile.widgets.viewer.source import image_place, plane_of
from napari_utile.widgets.worker import NO_JOB, JobHandle

# The prediction is refreshed at most so often (milliseconds), and of at most so many pixels a side.
_EVERY = 5000
_MOST_PIXELS = 512


class LearningView:
    """The layer *learning*.

    Parameters
    ----------
    wanted : QAbstractButton
        Whether it is checked decides.
    owner : QObject
        The dock.
    """

    def __init__(self, viewer: napari.viewer.Viewer, wanted: QAbstractButton, owner: QObject) -> None:
        self._viewer, self._wanted = plain_viewer(viewer), wanted
        self._job = NO_JOB
        self._source = ChosenImage()
        self._asked: Place | None = None
        self._layer: PreviewLayer | None = None
        self._shown: Place | None = None
        self.timer = QTimer(owner)
        self.timer.setInterval(_EVERY)
        self.timer.timeout.connect(self._ask)

    def start(self, job: JobHandle, source: ChosenImage) -> None:
        """Watch a job learn; `source` is the image that it looks at."""
        self._job, self._source, self._asked = job, source, None
        self.timer.start()

    def stop(self) -> None:
        """Look no more and take the layer away."""
        self.timer.stop()
        self._job = NO_JOB
        if self._layer is not None:
            self._layer.remove()
            self._layer = None

    def _ask(self) -> None:
        """Ask the job for the prediction in view; it answers between two steps."""
        if not self._job.running or self._asked or self._job.paused or not self._wanted.isChecked():
            return
        layer: Any = self._source.layer
        if layer not in self._viewer.layers:
            return
        with suppress(ValueError):  # nothing of the image is in view
            place = image_place(self._source, self._viewer)
            region = region_in_view(layer, place).central(_MOST_PIXELS)
            self._job.send(LookAt(plane_of(self._source, place), region))
            self._asked = place

    def show(self, prediction: Prediction) -> None:
        """Show what the job answered."""
        place, self._asked = self._asked, None
        layer: Any = self._source.layer
        if place is None or layer not in self._viewer.layers:
            return
        kept = self._layer is not None and self._layer.layer in self._viewer.layers and place == self._shown
        if self._layer is None or not kept:
            if self._layer is not None:
                self._layer.remove()
            self._layer = PreviewLayer(self._viewer, layer, place, prediction.region, "learning")
            self._shown = place
        self._layer.show(prediction.region, prediction.foreground)
