"""Offers the pixel size and the axes that an image's file names, where napari shows the image without them."""

from typing import Any

import napari.viewer
import numpy as np
from qtpy.QtCore import Signal

from napari_utile.engine.planes.units import shown_unit
from napari_utile.session.file_space import FileSpace
from napari_utile.session.state import ChosenImage
from napari_utile.widgets.parts.offer import Offer
from napari_utile.widgets.viewer.layers import plain_viewer, shape_of
from napari_utile.widgets.viewer.result_layers import source_of
from napari_utile.widgets.viewer.unasked import lies_on


class FileOffer(Offer):
    """One sentence on what the file says, and *Use it*; the image is changed only then.

    Attributes
    ----------
    used : Signal
        The image has the pixel size and axes of its file now.
    """

    used = Signal()

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__(
            ("Use it", "Give this image, and what lies on it, the axes and pixel size of its file.", self.use)
        )
        self._viewer = plain_viewer(viewer)
        self._layer: Any = None
        self._space = FileSpace()

    def show_file(self, layer: Any, space: FileSpace) -> None:
        """Offer what the file of a layer says and the layer does not."""
        self._layer, self._space = layer, space
        said = str(self._lacking())
        self.offer(f"napari does not show what the file says: {said}." if said else "")

    def use(self) -> None:
        """Give it to the image and to the layers that lie on it."""
        layer, space = self._layer, self._lacking()
        self.offer("")
        if layer not in self._viewer.layers:
            return
        chosen = ChosenImage(layer)
        together = [layer, *(each for each in self._viewer.layers if _goes_along(each, chosen))]
        steps = layer.world_to_data(self._viewer.dims.point[-layer.ndim :])
        for each in together:
            each.scale = [1.0 if step is None else step[0] for step in space.steps]
            each.units = ["pixel" if step is None else shown_unit(step[1]) for step in space.steps]
            if space.axes:
                each.axis_labels = [letter.lower() for letter in space.axes]
        self._show_plane(layer, steps)
        self._viewer.reset_view()
        self.used.emit()

    def _show_plane(self, layer: Any, steps: Any) -> None:
        """Show the plane that was shown: napari 0.9 draws none after other units until a slider has moved."""
        dims = self._viewer.dims
        here = np.clip(np.round(steps), 0, np.array(shape_of(layer)) - 1)
        for axis in range(-layer.ndim, -2):
            beside = here.copy()
            beside[axis] = (here[axis] + 1) % shape_of(layer)[axis]
            for point in (beside, here):
                dims.set_point(dims.ndim + axis, layer.data_to_world(point)[axis])

    def _lacking(self) -> FileSpace:
        """Return what the layer does not say itself, nothing where its pixels are not those of the file."""
        layer, space = self._layer, self._space
        if layer is None or shape_of(layer) != space.shape:
            return FileSpace()
        named = not all(str(label).lstrip("-").isdigit() for label in layer.axis_labels)
        # Results of all planes lie on the axes as they were.
        used = any(source_of(each) is layer for each in self._viewer.layers)
        scaled = not (
            np.allclose(layer.scale, 1) and np.allclose(layer.affine.linear_matrix, np.eye(layer.ndim))
        )
        placed = scaled or any(str(unit) != "pixel" for unit in layer.units)
        axes = "" if named or used else space.axes
        steps = (None,) * layer.ndim if placed else space.steps
        return FileSpace((), space.shape, axes, steps)


def _goes_along(layer: Any, image: ChosenImage) -> bool:
    """Say whether a layer covers the very pixels of an image, so that it has to move with it."""
    if layer is image.layer or layer._type_string not in ("image", "labels"):
        return False
    return shape_of(layer) == shape_of(image.layer) and lies_on(layer, image)
