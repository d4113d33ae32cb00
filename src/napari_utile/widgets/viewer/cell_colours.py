"""Cells coloured by a column of their table, and back to a colour for each."""

import weakref
from collections.abc import Callable
from typing import Any

import napari.layers
import napari.viewer
import numpy as np
from napari.utils.colormaps import DirectLabelColormap, ensure_colormap

from napari_utile.session.cell_classes import CLASS
from napari_utile.session.plane_rows import of_other_planes
from napari_utile.widgets.viewer.cell_tables import plane_columns
from napari_utile.widgets.viewer.layers import plain_viewer, slider_name

CLASS_COLOURS = (
    "#e69f00",
    "#56b4e9",
    "#009e73",
    "#f0e442",
    "#0072b2",
    "#d55e00",
    "#cc79a7",
    "#ffffff",
    "#999999",
)
"""Of the first class, the second ...: by Okabe and Ito, told apart by the colour-blind as well."""
_NO_CLASS = "#60606080"
_before: weakref.WeakKeyDictionary[Any, tuple[Any, str]] = weakref.WeakKeyDictionary()
"""For a coloured layer: its own colours, and the column."""
_following: weakref.WeakKeyDictionary[Any, Callable[..., None]] = weakref.WeakKeyDictionary()
"""For a coloured layer whose rows say their plane: what colours it anew when another plane is shown."""


def coloured_by(layer: napari.layers.Labels) -> str:
    """Return the column that gives a layer its colours, "" where each cell has its own."""
    return _before[layer][1] if layer in _before else ""


def colour_by(
    viewer: napari.viewer.Viewer, layer: napari.layers.Labels, column: str, classes: tuple[str, ...] = ()
) -> tuple[float, float] | None:
    """Colour the cells of a layer by a column of its table; "" gives back the colours that it had.

    Where rows say their plane, the colours are those of the plane on screen, whichever that is.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
    layer : Labels layer
    classes : tuple of str
        Names of the classes, in the order of `CLASS_COLOURS`, for the column of classes.

    Returns
    -------
    (float, float), optional
        The values of the first and the last colour; None for classes.
    """
    if not column:
        if layer in _before:
            layer.colormap = _before.pop(layer)[0]
        _follow(viewer, layer, None)
        return None
    if layer not in _before:
        _before[layer] = layer.colormap, column
    _before[layer] = _before[layer][0], column
    by_plane = {slider_name(layer, axis) for axis in range(layer.ndim)} & {*layer.features}
    _follow(viewer, layer, (column, classes) if by_plane else None)
    return _colour(viewer, layer, column, classes)


def _follow(viewer: Any, layer: Any, wanted: tuple[str, tuple[str, ...]] | None) -> None:
    """Colour a layer anew whenever the viewer shows another plane, or no longer."""
    viewer = plain_viewer(viewer)
    shown = viewer.dims.events.current_step
    if layer in _following:
        shown.disconnect(_following.pop(layer))
    if wanted is None:
        return
    held, on = weakref.ref(layer), weakref.ref(viewer)

    def colour(_: object = None) -> None:
        layer, viewer = held(), on()
        if layer is None or viewer is None or layer not in viewer.layers:
            return
        if coloured_by(layer) == wanted[0]:
            _colour(viewer, layer, *wanted)

    _following[layer] = colour
    shown.connect(colour)


def _colour(viewer: Any, layer: Any, column: str, classes: tuple[str, ...]) -> tuple[float, float] | None:
    table = layer.features
    here = ~of_other_planes(table, plane_columns(layer, viewer))
    ids = [int(label) for label in np.asarray(table["index"])[here]]
    limits = None
    if column == CLASS:
        known = dict(zip(classes, CLASS_COLOURS, strict=False))
        colours: list[Any] = [known.get(word, _NO_CLASS) for word in np.asarray(table[CLASS])[here]]
    else:
        limits, every = _by_value(np.asarray(table[column], dtype=float))  # of all planes
        colours = [colour for colour, shown in zip(every, here, strict=True) if shown]
    shown: dict[int | None, Any] = {None: _NO_CLASS, 0: "transparent", **dict(zip(ids, colours, strict=True))}
    layer.colormap = DirectLabelColormap(color_dict=shown)
    return limits


def _by_value(values: np.ndarray[Any, Any]) -> tuple[tuple[float, float], list[Any]]:
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    share = (values - low) / (high - low or 1.0)
    mapped = ensure_colormap("viridis").map(np.nan_to_num(share))
    return (low, high), [
        tuple(colour) if known else _NO_CLASS
        for colour, known in zip(mapped, np.isfinite(values), strict=True)
    ]
