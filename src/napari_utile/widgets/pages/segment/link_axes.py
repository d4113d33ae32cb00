"""Along which axes of a layer planes can be linked, by their names, or as either where they have none."""

from typing import Any

from napari_utile.engine.arrays import letter_of

CHOICES = {
    "none": "Each plane by itself",
    "z": "Through z: objects",
    "views": "Three views",
    "t": "Over time: tracks",
}
"""The ways to link planes, in words."""


def choices(layer: Any, channel_axis: int | None) -> dict[str, str]:
    """Give the ways in which the planes of a layer can be linked, each in words; nothing where it has one plane."""
    axes = [] if layer is None else _linkable(layer, channel_axis)
    offered = ["none", *axes] if axes else []
    if "z" in axes and not layer.multiscale:
        offered.append("views")
    return {each: words for each, words in CHOICES.items() if each in offered}


def _linkable(layer: Any, channel_axis: int | None) -> list[str]:
    """List "z" and "t" as far as a layer has planes along them; axes without a name may be either."""
    letters = set(_outer(layer, channel_axis).values())
    if letters & {"Z", "T"}:
        return [each for each in "zt" if each.upper() in letters]
    return ["z", "t"] if letters else []


def axis_along(layer: Any, link: str, channel_axis: int | None) -> int | None:
    """Return which axis of a layer is "z" or "t"; without names, time is before depth. None where none is."""
    outer = _outer(layer, channel_axis)
    named = next((axis for axis, letter in outer.items() if letter == link.upper()), None)
    unnamed = [axis for axis, letter in outer.items() if letter is None]
    if named is not None or not unnamed:
        return named
    return unnamed[0 if link == "t" else -1]


def _outer(layer: Any, channel_axis: int | None) -> dict[int, str | None]:
    """Give the axes before the plane that have several entries, and what they are called; channels are left out."""
    axes = [axis for axis in range(layer.ndim - 2) if axis != channel_axis and layer.data.shape[axis] > 1]
    letters = {axis: letter_of(layer.axis_labels[axis]) for axis in axes}
    return {axis: letter for axis, letter in letters.items() if letter != "C"}
