"""Shows what training would see and goes where annotating helps most."""

from typing import Any

import napari.viewer
from qtpy.QtCore import QObject

from napari_utile.session.annotation_advice import NetworkView, Unsure, training_sample_job, unsure_places_job
from napari_utile.session.fine_tune_request import FineTuneRequest
from napari_utile.session.state import ChosenImage, Session
from napari_utile.widgets.failures import failures_to
from napari_utile.widgets.pages.train.network_view_layers import show_network_view
from napari_utile.widgets.parts.status_line import StatusLine
from napari_utile.widgets.viewer.layers import labels_on, place_of, take_away
from napari_utile.widgets.viewer.regions import go_to, look_closer
from napari_utile.widgets.viewer.source import image_place, plane_of
from napari_utile.widgets.worker import LatestJob

# Pixels around a place, at least, that are looked at closely: a cell of a model that does not fit may be a speck.
_LEAST = 64


class AnnotationAdvisor:
    """Samples as the network sees them, and the places on which the model is least sure.

    Parameters
    ----------
    status : StatusLine
        Where it says what happened.
    owner : QObject
        The dock.
    """

    def __init__(
        self, viewer: napari.viewer.Viewer, session: Session, status: StatusLine, owner: QObject
    ) -> None:
        self._viewer, self._session, self._status = viewer, session, status
        self._jobs = LatestJob(owner)
        self._samples_seen = 0
        self._sample_layers: list[Any] = []
        self._places: list[Unsure] = []
        self._places_of: Any = None

    def drop(self) -> None:
        """Forget what is being computed."""
        self._jobs.drop()

    def show_sample(self, request: FineTuneRequest, source: Any) -> None:
        """Show the next augmented sample beside `source`, in the place of the one before."""
        self._samples_seen += 1

        def show(view: NetworkView) -> None:
            take_away(self._viewer, *self._sample_layers)
            if source in self._viewer.layers:
                self._sample_layers = show_network_view(self._viewer, view, source)
                self._viewer.reset_view()
                self._status.say(
                    "Beside the image is one sample as the network sees it. It answers inside the yellow frame; the "
                    "brighter a pixel glows there, the more it counts. Press again for another one."
                )

        job = training_sample_job(self._session, request, self._samples_seen)
        self._jobs.run(job, on_done=show, on_error=self._status.failed)

    def take_away(self) -> None:
        """Take the sample away."""
        if take_away(self._viewer, *self._sample_layers):
            self._viewer.reset_view()
        self._sample_layers = []

    def go_to_next_place(self, image: ChosenImage, labels: Any) -> None:
        """Move the camera to the next part, or cell, on which the model is least sure."""
        with failures_to(self._status.failed):
            self._go_on(image, labels)

    def _go_on(self, image: ChosenImage, labels: Any) -> None:
        place = image_place(image, self._viewer)
        source: Any = image.layer
        key = (source.unique_id, place.key, place.channel_axis, image.channels, self._session.model)
        if self._places and self._places_of == key:
            self._visit(source)
            return
        painted = None if labels is None else labels_on(labels, place_of(labels, self._viewer))
        if painted is not None and painted.shape != place.plane_shape:
            painted = None

        def ranked(places: tuple[Unsure, ...]) -> None:
            self._places, self._places_of = list(places), key
            self._visit(source)

        self._status.say("Looking for places where the model is unsure…")
        job = unsure_places_job(self._session, plane_of(image, place), self._session.model, painted)
        self._jobs.run(job, on_done=ranked, on_error=self._status.failed)

    def _visit(self, source: Any) -> None:
        if not self._places:
            self._status.say("Every part of this image holds painted cells already.")
            return
        if source not in self._viewer.layers:
            return
        where = self._places.pop(0)
        go_to(self._viewer, source, where.position)
        look_closer(self._viewer, source, max(where.size, _LEAST))
        what = "part of the image" if where.kind == "tile" else "cell"
        self._status.say(
            f"The model is unsure about the {what} in the middle of the view (doubt {where.doubt:.2f}). Paint the "
            "cells there, or press again for the next place."
        )
