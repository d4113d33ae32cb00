"""Capture, on the GUI thread, all that a training depends on."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import napari.viewer
import numpy as np
from napari.layers import Labels

from napari_utile.engine.training.annotated_image import AnnotatedImage
from napari_utile.engine.training.fine_tune_params import FineTuneParams
from napari_utile.engine.weights.annotation import Annotation
from napari_utile.session.fine_tune_request import FineTuneRequest, PaintedPlane, PlaneRead
from napari_utile.session.state import ChosenImage
from napari_utile.widgets.pages.train.form import BOXES, SPARSE, TrainForm
from napari_utile.widgets.parts.plane_picker import plane_in_words
from napari_utile.widgets.viewer.cell_tables import table_on_screen
from napari_utile.widgets.viewer.layers import Place, labels_on, place_of, shape_of
from napari_utile.widgets.viewer.linked_layers import as_found
from napari_utile.widgets.viewer.regions import boxes_of_shapes
from napari_utile.widgets.viewer.source import image_place, plane_of

# Beside a painted cell so many pixels count as background.
_RIM = 3


def capture(
    form: TrainForm, viewer: napari.viewer.Viewer
) -> tuple[FineTuneRequest, list[tuple[ChosenImage, Place]]]:
    """Capture what the button would do now, and which images on screen it learns from, and where in them.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Of each layer, the plane that it shows is meant.

    Raises
    ------
    ValueError, UtileError
        In one sentence, if something is missing. With a training set that holds images, what is not painted is left
        out instead.
    """
    painted, learnt = [], []
    boxes = [form.boxes.layer, *(row.boxes.layer for row in form.pairs.rows)]
    for (image, labels), drawn in zip(form.pairs.pairs(), boxes, strict=True):
        try:
            painted.append(_painted(form, viewer, image, labels, drawn))
            learnt.append((image, image_place(image, viewer)))
        except _NotPainted:
            if not form.set.images:
                raise
    few: FineTuneParams = form.params.value()
    more: FineTuneParams = form.more_params.value()
    params = replace(more, minutes=few.minutes, held_out=few.held_out)
    return FineTuneRequest(
        tuple(painted), form.start.model, form.start.family, params, form.set.title
    ), learnt


def planes_left_out(learnt: Sequence[tuple[ChosenImage, Place]]) -> str:
    """Say which plane of a stack is learnt from, as it is one alone; "" where all are plain images."""
    layers: list[tuple[Any, Place]] = [(image.layer, place) for image, place in learnt]
    planes = [(layer.name, plane_in_words(layer, place)) for layer, place in layers]
    said = [f"Of {name} only {plane} is learnt from." for name, plane in planes if plane]
    hint = "To learn from more planes, show each and press Add to the set." if said else ""
    return " ".join([*said, hint]).strip()


class _NotPainted(ValueError):
    """There is nothing to learn from here."""


def _painted(
    form: TrainForm, viewer: napari.viewer.Viewer, image: ChosenImage, labels: Any, boxes: Any
) -> PaintedPlane:
    if image.layer is None:
        raise _NotPainted("Open an image first.")
    place = image_place(image, viewer)
    if labels is None:
        raise _NotPainted(
            f"{_other_sizes(viewer, image.layer.name, place)}Paint some cells first: press New labels, or choose "
            "painted ones as Cells above."
        )
    if as_found(viewer, labels, image.layer, place):
        raise _NotPainted(
            f"{labels.name} is what a model found: it would learn its own mistakes. Correct some cells, or press "
            "New labels and paint."
        )
    plane = plane_of(image, place)
    where = place_of(labels, viewer)
    painted = labels_on(labels, where)
    if not painted.any():
        raise _NotPainted(f"{labels.name} is empty on this plane; paint some cells first.")
    pixels = np.array(plane.data[:, :, :])  # the user may close the image while it trains
    annotation = _annotation(form, labels, boxes, where)
    painted, classes = form.classes.read(painted, table_on_screen(labels, viewer), annotation.background)
    annotated = AnnotatedImage(replace(plane, data=pixels), painted, annotation, classes)
    return PaintedPlane(annotated, PlaneRead(place.plane, image.channels))


def _other_sizes(viewer: napari.viewer.Viewer, name: str, place: Place) -> str:
    """Say of which layers of labels the image is not, as they have another size; empty where there are none."""
    layers = [layer for layer in viewer.layers if isinstance(layer, Labels)]
    sizes = [(layer.name, shape_of(layer)) for layer in layers if shape_of(layer) != place.result_shape]
    if not sizes:
        return ""
    others = " and ".join(f"{each} {_in_pixels(shape)}" for each, shape in sizes)
    return f"{name} has {_in_pixels(place.result_shape)}, {others}: they do not belong together. "


def _in_pixels(shape: tuple[int, ...]) -> str:
    return f"{' x '.join(map(str, shape))} pixels"


def _annotation(form: TrainForm, labels: Any, drawn: Any, place: Place) -> Annotation:
    kind = form.complete.currentData()
    if kind == SPARSE:
        return Annotation("sparse", form.background.value() or None, rim=_RIM)
    if kind == BOXES:
        if drawn is None:
            raise ValueError(
                f"Press Draw box first, and drag a box on {labels.name} around a part where all cells are painted."
            )
        boxes = boxes_of_shapes(drawn, labels, place)
        return Annotation("boxes", boxes=[(y.start, x.start, y.stop, x.stop) for y, x in boxes])
    return Annotation()
