"""What the axes of a stack of labels are: time or depth, by their names, and how far apart planes lie."""

from typing import Any

import napari.layers

from napari_utile.engine.arrays import letter_of
from napari_utile.engine.errors import UtileError
from napari_utile.session.linking import StackSpace
from napari_utile.widgets.viewer.lengths import pixel_size_of, step_lengths


def stack_space_of(layer: napari.layers.Labels, axis: str) -> StackSpace:
    """Say what the axes before the plane are: by their names, else time before depth.

    Raises
    ------
    UtileError
        If there are too few or too many.
    """
    size, unit = pixel_size_of(layer)
    letters = _letters(layer, axis)
    apart = zip(letters, step_lengths(layer), layer.units, strict=False)
    steps = {letter: (length, str(unit)) for letter, length, unit in apart if str(unit) != "pixel"}
    return StackSpace(letters, size, unit, steps)


def _letters(layer: Any, axis: str) -> str:
    outer = layer.ndim - 2
    if getattr(layer, "multiscale", False) or outer not in (1, 2):
        raise UtileError(f"{layer.name} is not a stack of labels: there is nothing to link.")
    names = [str(label).lower()[:1] for label in layer.axis_labels[:outer]]
    if outer == 1:
        if names[0] in "tz" and names[0] != axis:
            raise UtileError(
                f"{layer.name} has no axis {axis.upper()}, its planes lie along {names[0].upper()}."
            )
        return axis.upper()
    return "ZT" if names == ["z", "t"] else "TZ"


def named_along(axis: str, space: dict[str, Any]) -> dict[str, Any]:
    """Call the one axis before the planes, where it has no name, by what they are linked along: it is saved with it."""
    names = tuple(space["axis_labels"])
    unnamed = len(names) == 3 and letter_of(names[0]) is None
    return {**space, "axis_labels": (axis.lower(), *names[1:])} if unnamed else space
