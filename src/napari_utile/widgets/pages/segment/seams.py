"""Verify seams: a part of the view computed twice, on shifted tiles and blocks, and their difference as a layer."""

from collections.abc import Callable

import napari.viewer
import numpy as np
from qtpy.QtWidgets import QWidget

from napari_utile.engine.store.verify import SeamProof
from napari_utile.engine.words import capitalised
from napari_utile.session.jobs import seams_job
from napari_utile.session.results import SegmentRequest
from napari_utile.session.state import Session
from napari_utile.widgets.failures import failures_to, sentence_of
from napari_utile.widgets.parts.arrange import column
from napari_utile.widgets.parts.button import push_button
from napari_utile.widgets.parts.status_line import StatusLine
from napari_utile.widgets.viewer.layers import plain_viewer, space_of
from napari_utile.widgets.viewer.own_pictures import add_own, glow
from napari_utile.widgets.viewer.regions import region_in_view
from napari_utile.widgets.viewer.source import Source
from napari_utile.widgets.worker import OneJob, run_job

_IDLE, _BUSY = "Verify seams", "Stop verifying"


class Seams(OneJob, QWidget):
    """Proves on the image that is shown that tiles and blocks leave no seams.

    Attributes
    ----------
    button : QPushButton
        Starts, and stops.
    """

    def __init__(self, viewer: napari.viewer.Viewer, session: Session, status: StatusLine) -> None:
        super().__init__()
        self._viewer, self._session, self._status = plain_viewer(viewer), session, status
        self._request: Callable[[], tuple[Source, SegmentRequest]] | None = None
        self.button = push_button(
            _IDLE,
            "Compute 512 x 512 pixels in the middle of the view twice, in one piece and on shifted tiles and blocks, "
            "and show how far they differ.",
        )
        column(self.button, on=self)
        self.button.clicked.connect(lambda _: self._clicked())

    def ask(self, request: Callable[[], tuple[Source, SegmentRequest]]) -> None:
        """Say what gives the image and the settings to verify."""
        self._request = request

    def _clicked(self) -> None:
        if self.running:
            self.cancel()
            return
        with failures_to(self._fail):
            assert self._request is not None
            source, request = self._request()
            view = region_in_view(source.layer, source.place)
            middle = tuple((part.start + part.stop) / 2 for part in view)
            self.button.setText(_BUSY)
            self._status.say("Computing a part of the view twice…")
            self.job = run_job(
                seams_job(self._session, request, (middle[0], middle[1])),
                on_done=lambda proof: self._show(source, proof),
                on_error=self._fail,
                on_cancelled=lambda: self._end("Stopped."),
                owner=self,
            )

    def _show(self, source: Source, proof: SeamProof) -> None:
        self._end(f"{capitalised(str(proof))}.", "good" if proof.holds else "problem")
        if source.layer not in self._viewer.layers:
            return
        plane = source.place.result
        picture = glow(
            plane.expanded(np.asarray(proof.difference)),
            contrast_limits=(0.0, 1e-4),
            name=f"{source.plane.name} |difference|",
            **space_of(source.layer, source.place.result_axes, plane.point(proof.window.start)),
        )
        add_own(self._viewer, picture, "difference")

    def _end(self, text: str, kind: str = "info") -> None:
        self.button.setText(_IDLE)
        self._status.say(text, kind)

    def _fail(self, error: Exception) -> None:
        self._end(sentence_of(error), "problem")

    def drop(self) -> None:
        """Stop, and say nothing any more."""
        self.button.setText(_IDLE)
        super().drop()
