"""FCN-32s, FCN-16s, FCN-8s and U-Net side by side on the image of the header."""

from typing import Any

import napari.viewer
import numpy as np
from napari.layers import Labels
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QWidget

from napari_utile.engine.segment_params import SegmentParams
from napari_utile.session.jobs import ArchitectureStep, architectures_job
from napari_utile.session.results import SegmentRequest, SegmentResult
from napari_utile.session.state import Session
from napari_utile.widgets.failures import failures_to, sentence_of
from napari_utile.widgets.parts.arrange import column
from napari_utile.widgets.parts.bar_job import BarJob
from napari_utile.widgets.parts.run_bar import RunBar
from napari_utile.widgets.viewer.beside import show_beside
from napari_utile.widgets.viewer.layers import Place, plain_viewer, space_of, take_away
from napari_utile.widgets.viewer.own_pictures import CELLS, add_own
from napari_utile.widgets.viewer.result_layers import empty_data
from napari_utile.widgets.viewer.source import Source, axes_of, read_source


class Architectures(BarJob, QWidget):
    """One button with progress; it adds the cells of each network, and the four pictures beside the image.

    Attributes
    ----------
    found : Signal(list)
        Emitted with the Labels layers: FCN-32s, FCN-16s, FCN-8s, U-Net.
    problem : Signal(str)
    """

    found = Signal(list)
    problem = Signal(str)

    def __init__(self, viewer: napari.viewer.Viewer, session: Session) -> None:
        super().__init__()
        self._viewer, self._session = plain_viewer(viewer), session
        self._shown: list[Any] = []
        self.run_bar = RunBar(
            "FCN-32s, 16s, 8s and U-Net",
            "Segment the plane on screen by the three FCNs and by the model above, and show them side by side.",
        )
        column(self.run_bar, on=self)
        self.run_bar.run.connect(self.run)
        self.run_bar.cancel.connect(self.cancel)

    def run(self) -> None:
        """Segment by all four."""
        if self.running:
            return
        with failures_to(self._say):
            source = read_source(self._viewer, self._session)
            asked = self._session.asked or SegmentParams()
            params = SegmentParams(
                self._session.model,
                source.channels,
                asked.diameter,
                device=asked.device,
                precision=asked.precision,
            )
            request = SegmentRequest(
                source.plane, params, data_key=source.data_key, axes=axes_of(source), stack=source.stack
            )
            self.begin(
                architectures_job(self._session, request),
                "U-Net…",
                on_progress=self._show_step,
                on_done=lambda found: self._show(source, found),
                on_error=self._say,
            )

    def _show_step(self, step: ArchitectureStep) -> None:
        self.run_bar.set_progress(step.done, step.total, f"{step.network}, {step.done + 1} of {step.total}")

    def _say(self, error: Exception) -> None:
        self.problem.emit(sentence_of(error))

    def _show(self, source: Source, found: dict[str, SegmentResult]) -> None:
        take_away(self._viewer, *self._shown)
        self._shown = []
        if source.layer not in self._viewer.layers:
            return
        cells = [self._cells(source.layer, source.place, name, result) for name, result in found.items()]
        columns = [(name, _grey(result), "gray") for name, result in found.items()]
        beside = show_beside(
            self._viewer,
            source.layer,
            columns,
            [result.segmentation.labels for result in found.values()],
            title="networks",
            outlined="outlines",
            in_a_row=2,
        )
        self._shown = [*cells, *beside]
        self._viewer.reset_view()
        self.found.emit(cells)

    def _cells(self, image: Any, place: Place, network: str, result: SegmentResult) -> Any:
        data = empty_data(place, np.dtype(np.int32))
        data[place.result.index] = result.segmentation.labels
        layer = Labels(
            data, name=f"{image.name} {network}", visible=False, **space_of(image, place.result_axes)
        )
        return add_own(self._viewer, layer, CELLS)


def _grey(result: SegmentResult) -> np.ndarray[Any, Any]:
    """Return the image as the networks see it: grey values from 0 to 1."""
    made = result.segmentation
    pixels = np.asarray(made.plane.data[0], np.float32)
    low, high = (float(each) for each in np.percentile(pixels, (0.5, 99.8)))
    grey: np.ndarray[Any, Any] = np.clip((pixels - low) / max(high - low, 1e-9), 0, 1)
    return grey
