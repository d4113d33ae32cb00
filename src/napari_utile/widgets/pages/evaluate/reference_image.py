"""A reference that was opened as an image is offered to become labels."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_utile.widgets.connections import Connections
from napari_utile.widgets.parts.offer import Offer
from napari_utile.widgets.viewer.layers import plain_viewer, space_of
from napari_utile.widgets.viewer.own_pictures import is_own
from napari_utile.widgets.viewer.unasked import looks_like_a_reference

if TYPE_CHECKING:
    import napari.layers
    import napari.viewer

__all__ = ["ReferenceImage"]


class ReferenceImage(Offer):
    """Offers to open an image of whole numbers that is named like a reference as labels; the image stays.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
    choose : callable
        Called with the labels.
    """

    def __init__(self, viewer: "napari.viewer.Viewer", choose: Callable[[Any], object]) -> None:
        super().__init__(
            ("Use it as labels", "Add its values as a labels layer; the image stays.", self.convert)
        )
        self._viewer, self._choose = plain_viewer(viewer), choose
        self._image: Any = None
        self._connections = Connections(self)
        for emitter in (self._viewer.layers.events.inserted, self._viewer.layers.events.removed):
            self._connections.connect(emitter, self._look)
        self._look()

    def convert(self) -> None:
        """Add the labels, in the place of the image in space."""
        from napari.layers import Labels

        image = self._image
        labels = Labels(np.array(image.data), name=image.name, **space_of(image, range(image.ndim)))
        self._viewer.add_layer(labels)
        image.visible = False
        self._choose(labels)
        self._look()

    def _look(self, _: object = None) -> None:
        layers = self._viewer.layers
        done = {
            tuple(each.data.shape)
            for each in layers
            if each._type_string == "labels" and looks_like_a_reference(each)
        }
        self._image = next(
            (
                each
                for each in reversed(layers)
                if _may_be_labels(each) and tuple(each.data.shape) not in done
            ),
            None,
        )
        name = "" if self._image is None else self._image.name
        self.offer(f"“{name}” is open as an image, not as labels." if name else "")


def _may_be_labels(layer: "napari.layers.Layer") -> bool:
    return (
        layer._type_string == "image"
        and not layer.multiscale
        and not layer.rgb
        and not is_own(layer)
        and looks_like_a_reference(layer)
        and np.issubdtype(layer.data.dtype, np.integer)
    )
