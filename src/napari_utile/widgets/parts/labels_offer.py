"""What was opened as an image is offered to become labels: a reference, or an image that is named like labels."""

from collections.abc import Callable
from typing import Any

import napari.layers
import napari.viewer
import numpy as np
from napari.layers import Labels

from napari_utile.session.state import ChosenImage, Session
from napari_utile.widgets.connections import Connections
from napari_utile.widgets.parts.offer import Offer
from napari_utile.widgets.viewer.layers import plain_viewer, space_of
from napari_utile.widgets.viewer.own_pictures import is_own
from napari_utile.widgets.viewer.unasked import looks_like_a_reference, looks_like_labels


class _LabelsOffer(Offer):
    """Offers to open an image as labels; the image stays."""

    def __init__(self, viewer: napari.viewer.Viewer, choose: Callable[[Any], object]) -> None:
        super().__init__(
            ("Use it as labels", "Add its values as a labels layer; the image stays.", self.convert)
        )
        self._viewer, self._choose = plain_viewer(viewer), choose
        self._image: Any = None
        self._connections = Connections(self)

    def convert(self) -> None:
        """Add the labels, in the place of the image in space."""
        image = self._image
        labels = Labels(np.array(image.data), name=image.name, **space_of(image, range(image.ndim)))
        self._viewer.add_layer(labels)
        image.visible = False
        self._choose(labels)
        self.ask_about(None)

    def ask_about(self, image: Any) -> None:
        """Offer it of an image; None takes the offer back."""
        self._image = image
        self.offer("" if image is None else f"“{image.name}” is open as an image, not as labels.")


class ChosenLabels(_LabelsOffer):
    """Offers it where the chosen image looks like labels: segmenting it means nothing.

    Parameters
    ----------
    session : Session
        Its cells become the labels, and its image another one, where there is one.
    """

    def __init__(self, viewer: napari.viewer.Viewer, session: Session) -> None:
        super().__init__(viewer, self._use)
        self._session = session
        self._connections.connect(session.events.image, self._follow)
        self._follow(session.image)

    def _use(self, labels: Any) -> None:
        images = [each for each in self._viewer.layers if each._type_string == "image" and not is_own(each)]
        other = next((each for each in reversed(images) if not looks_like_labels(each)), None)
        if other is not None:
            self._session.image = ChosenImage(other)
        self._session.cells = labels

    def _follow(self, chosen: ChosenImage) -> None:
        layer = chosen.layer
        self.ask_about(layer if layer is not None and _may_be_labels(layer) else None)


class ReferenceImage(_LabelsOffer):
    """Offers it of the topmost image that is named like a reference.

    Parameters
    ----------
    choose : callable
        Called with the labels.
    """

    def __init__(self, viewer: napari.viewer.Viewer, choose: Callable[[Any], object]) -> None:
        super().__init__(viewer, choose)
        for emitter in (self._viewer.layers.events.inserted, self._viewer.layers.events.removed):
            self._connections.connect(emitter, self._look)
        self._look()

    def convert(self) -> None:
        """Add the labels, and look for another such image."""
        super().convert()
        self._look()

    def _look(self, _: object = None) -> None:
        layers = self._viewer.layers
        done = {
            tuple(each.data.shape)
            for each in layers
            if each._type_string == "labels" and looks_like_a_reference(each)
        }
        open_as_images = (
            each for each in reversed(layers) if looks_like_a_reference(each) and _may_be_labels(each)
        )
        self.ask_about(next((each for each in open_as_images if tuple(each.data.shape) not in done), None))


def _may_be_labels(layer: napari.layers.Layer) -> bool:
    return (
        layer._type_string == "image"
        and not layer.multiscale
        and not is_own(layer)
        and looks_like_labels(layer)
    )
