"""Cells coloured by a column of their table, and back to a colour for each."""

import weakref
from typing import Any

import napari.layers
import numpy as np
from napari.utils.colormaps import DirectLabelColormap, ensure_colormap

from napari_utile.session.cell_classes import CLASS

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


def coloured_by(layer: napari.layers.Labels) -> str:
    """Return the column that gives a layer its colours, "" where each cell has its own."""
    return _before[layer][1] if layer in _before else ""


def colour_by(
    layer: napari.layers.Labels, column: str, classes: tuple[str, ...] = ()
) -> tuple[float, float] | None:
    """Colour the cells of a layer by a column of its table; "" gives back the colours that it had.

    Parameters
    ----------
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
        return None
    if layer not in _before:
        _before[layer] = layer.colormap, column
    _before[layer] = _before[layer][0], column
    ids = [int(label) for label in layer.features["index"]]
    limits = None
    if column == CLASS:
        known = dict(zip(classes, CLASS_COLOURS, strict=False))
        colours: list[Any] = [known.get(word, _NO_CLASS) for word in layer.features[CLASS]]
    else:
        values = np.asarray(layer.features[column], dtype=float)
        limits, colours = _by_value(values)
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
