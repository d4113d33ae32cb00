"""Cells coloured by a column of their table, and back to a colour for each."""

import weakref
from typing import Any

import napari.layers
import napari.viewer
import numpy as np
from napari.utils.colormaps import DirectLabelColormap, ensure_colormap
from napari.utils.notifications import show_warning

from napari_utile.engine.arrays import Float64Array
from napari_utile.engine.errors import UtileError
from napari_utile.session.cell_classes import CLASS
from napari_utile.session.plane_rows import of_other_planes
from napari_utile.widgets.failures import failures_to, sentence_of
from napari_utile.widgets.viewer.cell_tables import plane_columns
from napari_utile.widgets.viewer.layers import plain_viewer, session_of, slider_name

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
_coloured: "weakref.WeakKeyDictionary[Any, _Colours]" = weakref.WeakKeyDictionary()


def coloured_by(layer: napari.layers.Labels) -> str:
    """Return the column that gives a layer its colours, "" where each cell has its own."""
    colours = _colours_of(layer)
    return colours.column if colours is not None and colours.column in layer.features else ""


def colour_limits(layer: napari.layers.Labels) -> tuple[float, float] | None:
    """Return the values of the first and the last colour; None unless cells are coloured by a measurement."""
    column = coloured_by(layer)
    return None if column in ("", CLASS) else _limits(np.asarray(layer.features[column], dtype=float))


def colour_by(viewer: napari.viewer.Viewer, layer: napari.layers.Labels, column: str) -> None:
    """Colour the cells of a layer by a column of its table from now on; "" gives back the colours that it had.

    The colours follow the table. Where rows say their plane, they are those of the plane on screen, whichever that is.
    Where the column goes, or the user chooses other colours, that ends.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
    layer : Labels layer

    Raises
    ------
    UtileError
        Where napari cannot show colours of so many cells: they stay as they were.
    """
    colours = _colours_of(layer)
    if column:
        if colours is None:
            colours = _coloured[layer] = _Colours(plain_viewer(viewer), layer)
        colours.column = column
        colours.show()
    elif colours is not None:
        del _coloured[layer]
        layer.colormap = colours.own


def _colours_of(layer: Any) -> "_Colours | None":
    """Return what colours a layer; None where nothing does, or somebody gave it other colours since."""
    colours = _coloured.get(layer)
    return colours if colours is not None and layer.colormap is colours.shown else None


class _Colours:
    """The colours of a layer by a column, anew whenever its table changes or the viewer shows another plane."""

    def __init__(self, viewer: Any, layer: Any) -> None:
        self.own = self.shown = layer.colormap
        self.column = ""
        self._viewer, self._layer = weakref.ref(viewer), weakref.ref(layer)
        layer.events.features.connect(self._follow)
        viewer.dims.events.current_step.connect(self._plane_changed)

    def show(self) -> None:
        layer, viewer = self._layer(), self._viewer()
        if layer is None or viewer is None or _colours_of(layer) is not self:
            return
        if self.column not in layer.features:
            colour_by(viewer, layer, "")
            return
        try:
            colormap = _colormap(viewer, layer, self.column)
        except UtileError:
            colour_by(viewer, layer, "")
            raise
        self.shown = colormap
        layer.colormap = colormap

    def _follow(self, _: object = None) -> None:
        with failures_to(lambda error: show_warning(sentence_of(error))):
            self.show()

    def _plane_changed(self, _: object = None) -> None:
        layer, viewer = self._layer(), self._viewer()
        if layer is None or viewer is None or layer not in viewer.layers:
            return
        if {slider_name(layer, axis) for axis in range(layer.ndim)} & {*layer.features}:
            self._follow()


def _colormap(viewer: Any, layer: Any, column: str) -> DirectLabelColormap:
    table = layer.features
    here = ~of_other_planes(table, plane_columns(layer, viewer))
    ids = [int(label) for label in np.asarray(table["index"])[here]]
    if column == CLASS:
        known = dict(zip(session_of(viewer).classes, CLASS_COLOURS, strict=False))
        colours: list[Any] = [known.get(word, _NO_CLASS) for word in np.asarray(table[CLASS])[here]]
    else:
        every = _by_value(np.asarray(table[column], dtype=float))  # of all planes
        colours = [colour for colour, shown in zip(every, here, strict=True) if shown]
    shown: dict[int | None, Any] = {None: _NO_CLASS, 0: "transparent", **dict(zip(ids, colours, strict=True))}
    made = DirectLabelColormap(color_dict=shown)
    try:
        made.map(np.array([max(ids, default=0)], layer.dtype))
    except RuntimeError as error:  # and a layer that has it cannot be shown any more
        raise UtileError(
            "napari colours cells by their values only where none has a number above 65,536: install numba."
        ) from error
    return made


def _limits(values: Float64Array) -> tuple[float, float]:
    finite = values[np.isfinite(values)]
    return (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)


def _by_value(values: Float64Array) -> list[Any]:
    low, high = _limits(values)
    share = (values - low) / (high - low or 1.0)
    mapped = ensure_colormap("viridis").map(np.nan_to_num(share))
    return [
        tuple(colour) if known else _NO_CLASS
        for colour, known in zip(mapped, np.isfinite(values), strict=True)
    ]
