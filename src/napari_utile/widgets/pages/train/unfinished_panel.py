"""Offers to go on with a training that a crash or a closed window interrupted."""

import time
from collections.abc import Sequence
from typing import Any

import napari.viewer
import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import Signal

from napari_utile.session.fine_tune_request import FineTuneRequest
from napari_utile.session.state import ChosenImage
from napari_utile.session.unfinished import Unfinished, remove, unfinished_job
from napari_utile.widgets.connections import Connections
from napari_utile.widgets.deleting import may_delete
from napari_utile.widgets.parts.offer import Offer
from napari_utile.widgets.viewer.layers import (
    Place,
    full_resolution,
    place_at,
    plain_viewer,
    shape_of,
    space_of,
)
from napari_utile.widgets.worker import run_job


class UnfinishedPanel(Offer):
    """One sentence, *Continue* and *Discard*; hidden unless the images of such a training are open.

    Attributes
    ----------
    chosen : Signal(Unfinished)
        Emitted when the user wants to go on.
    """

    chosen = Signal(object)

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__(
            ("Continue", "Resume the training where it was interrupted.", self._choose),
            ("Discard", "Delete that training for good, after asking.", self._discard),
        )
        self._viewer = plain_viewer(viewer)
        self.found: tuple[Unfinished, ...] = ()
        self._offered: Unfinished | None = None
        self._connections = Connections(self)
        events = self._viewer.layers.events
        for event in (events.inserted, events.removed):
            self._connections.connect(event, self._offer)

    def look(self) -> None:
        """Look for interrupted trainings, and offer one whose images are open."""
        run_job(unfinished_job(), on_done=self._show_found, owner=self)

    def clear(self) -> None:
        """Offer nothing, until the next look."""
        self.found = ()
        self._offer()

    def _show_found(self, found: tuple[Unfinished, ...]) -> None:
        self.found = found
        self._offer()

    def _offer(self, _: object = None) -> None:
        open_ones = (each for each in self.found if images_of(each, self._viewer) is not None)
        self._offered = next(open_ones, None)
        self.offer("" if self._offered is None else _sentence(self._offered))

    def _choose(self) -> None:
        if self._offered is not None:
            self.chosen.emit(self._offered)

    def _discard(self) -> None:
        offered = self._offered
        if offered is not None and may_delete(self, _in_words(offered)):
            remove(offered.folder)
            self.found = tuple(each for each in self.found if each is not offered)
            self._offer()


def images_of(unfinished: Unfinished, viewer: napari.viewer.Viewer) -> list[tuple[ChosenImage, Place]] | None:
    """Find the open images that a training learns from, and where in them, whatever the sliders show.

    They go by name, and by the size of the plane; None unless all are there.
    """
    found = []
    for kept in unfinished.images:
        named = (
            layer for layer in viewer.layers if layer.name == kept.name and layer._type_string == "image"
        )
        places = ((layer, place_at(layer, kept.read.index)) for layer in named)
        for layer, place in places:
            if place is not None and place.plane_shape == kept.shape:
                found.append((ChosenImage(layer, place.channel_axis, kept.read.channels), place))
                break
        else:
            return None
    return found


def give_back(
    request: FineTuneRequest, found: Sequence[tuple[ChosenImage, Place]], viewer: napari.viewer.Viewer
) -> None:
    """Add the painted cells of an interrupted training, each on its plane, unless a Labels layer has them there."""
    for image, (chosen, place) in zip(request.images, found, strict=True):
        if any(_has_cells(layer, place, image.labels) for layer in viewer.layers):
            continue
        source: Any = chosen.layer
        data = np.zeros(place.result_shape, image.labels.dtype)
        data[place.result.index] = image.labels
        classes = {"index": [*image.classes], "class": [*image.classes.values()]} if image.classes else None
        space = space_of(source, place.result_axes)
        viewer.add_labels(data, name=f"{source.name} painted", features=classes, **space)


def _has_cells(layer: Any, place: Place, labels: NDArray[Any]) -> bool:
    if layer._type_string != "labels" or shape_of(layer) != place.result_shape:
        return False
    return np.array_equal(full_resolution(layer)[place.result.index], labels)


def _sentence(unfinished: Unfinished) -> str:
    after = f"after {unfinished.steps} steps" if unfinished.steps else "before its first steps were kept"
    return f"A training from {_when(unfinished)} was interrupted {after}."


def _in_words(unfinished: Unfinished) -> str:
    steps = f"{unfinished.steps} steps and " if unfinished.steps else ""
    return f"the training from {_when(unfinished)}, with its {steps}painted cells"


def _when(unfinished: Unfinished) -> str:
    began = time.localtime(unfinished.started)
    today = began[:3] == time.localtime()[:3]
    return time.strftime("%H:%M" if today else "%d %B, %H:%M", began)
