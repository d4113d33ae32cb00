"""The command line that trains as the page Train does, and what is to be done by hand for it."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from napari_utile.engine.arrays import letter_of
from napari_utile.engine.cells.classes import classes_in_words
from napari_utile.engine.planes.selection import Selection
from napari_utile.engine.provenance.command import train_command
from napari_utile.session.fine_tune_request import FineTuneRequest
from napari_utile.session.state import ChosenImage
from napari_utile.widgets.pages.train.class_row import TABLE
from napari_utile.widgets.pages.train.form import BOXES, TrainForm
from napari_utile.widgets.parts.plane_picker import plane_in_words
from napari_utile.widgets.viewer.layers import Place


def command_of(
    form: TrainForm, request: FineTuneRequest, learnt: Sequence[tuple[ChosenImage, Place]]
) -> tuple[str, str]:
    """Return the command, and in sentences what it needs; folders, and what nobody can tell, are left to the user."""
    params = request.params
    if request.training_set:
        return train_command(params, request.base, request.family, training_set=request.training_set), ""
    hints = ["Replace IMAGES and LABELS with your folders."]
    annotation = request.images[0].annotation
    if annotation.kind == BOXES:
        hints.append(
            "Save each Shapes layer there as CSV with the name of its image, and replace BOXES with that folder."
        )
    classes = form.classes.numbered(request.images)
    if form.classes.kind == TABLE:
        hints.append(
            f"LABELS are to hold the number of each cell's class, {classes_in_words(classes)}; cells of one class that "
            "touch count as one."
        )
    ways = []
    for image, place in learnt:
        layer: Any = image.layer
        steps = _steps(layer, place)
        if not steps.keys() <= {"Z", "T"}:
            hints.append(
                f"Of {layer.name} it is {plane_in_words(layer, place)}: say so with --z or --t, counted from 0."
            )
        ways.append((Selection(z=steps.get("Z"), t=steps.get("T")), image.channels))
    if any(way != ways[0] for way in ways):
        hints.append(
            "It reads every image as the first one; on screen, other planes or channels of some are learnt from."
        )
    selection, channels = ways[0]
    command = train_command(
        replace(params, channels=channels),
        request.base,
        request.family,
        annotation,
        selection=selection,
        classes=classes,
    )
    return command, " ".join(hints)


def _steps(layer: Any, place: Place) -> dict[str | None, str]:
    """Give the letter of each slider, None where its name says nothing, and where it stands."""
    steps = zip(place.plane.sliders, place.plane.steps, strict=True)
    return {letter_of(layer.axis_labels[axis]): str(step) for axis, step in steps if place.shape[axis] > 1}
