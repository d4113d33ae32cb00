"""Capture, on the GUI thread, all that a training depends on."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_utile.engine.training.fine_tune_params import FineTuneParams
from napari_utile.engine.weights.annotation import Annotation
from napari_utile.session.fine_tune_request import FineTuneRequest
from napari_utile.widgets.pages.train.form import BOXES, SPARSE, TrainForm
from napari_utile.widgets.viewer.layers import place_of, plane_of
from napari_utile.widgets.viewer.own_pictures import CELLS
from napari_utile.widgets.viewer.regions import boxes_of_shapes
from napari_utile.widgets.viewer.result_layers import own_layer

if TYPE_CHECKING:
    import napari.viewer

__all__ = ["capture"]

# Beside a painted cell so many pixels count as background.
_RIM = 3


def capture(form: TrainForm, viewer: "napari.viewer.Viewer", model: str) -> FineTuneRequest:
    """Capture what the button would do now.

    Parameters
    ----------
    form : TrainForm
    viewer : napari.viewer.Viewer
        Of each layer, the plane that it shows is meant.
    model : str
        Name or path of the model to start from.

    Raises
    ------
    ValueError, UtileError
        In one sentence, if something is missing.
    """
    from napari_utile.engine.training.annotated_image import AnnotatedImage

    images = []
    for image, labels in form.pairs.pairs():
        if image is None:
            raise ValueError("Open an image first.")
        if labels is None:
            raise ValueError("Paint some cells first: press New labels.")
        untouched = own_layer(viewer, CELLS, image, place_of(image, viewer))
        if untouched is not None and untouched is labels:
            raise ValueError(
                f"{labels.name} is what a model found: it would learn its own mistakes. Correct some cells, or press "
                "New labels and paint."
            )
        plane = plane_of(image, viewer)
        painted = np.array(plane_of(labels, viewer).data[0])
        if not painted.any():
            raise ValueError(f"{labels.name} is empty on this plane; paint some cells first.")
        pixels = np.array(plane.data)  # the user may close the image while it trains
        images.append(AnnotatedImage(replace(plane, data=pixels), painted, _annotation(form, labels, viewer)))
    few: FineTuneParams = form.params.value()
    more: FineTuneParams = form.more_params.value()
    params = replace(more, minutes=few.minutes, held_out=few.held_out)
    return FineTuneRequest(tuple(images), model, form.start.currentData(), params)


def _annotation(form: TrainForm, labels: Any, viewer: "napari.viewer.Viewer") -> Annotation:
    kind = form.complete.currentData()
    if kind == SPARSE:
        return Annotation("sparse", form.background.value() or None, rim=_RIM)
    if kind == BOXES:
        if form.boxes.layer is None:
            raise ValueError("Draw boxes in a Shapes layer first, around parts where all cells are painted.")
        boxes = boxes_of_shapes(form.boxes.layer, labels, viewer)
        return Annotation("boxes", boxes=[(y.start, x.start, y.stop, x.stop) for y, x in boxes])
    return Annotation()
