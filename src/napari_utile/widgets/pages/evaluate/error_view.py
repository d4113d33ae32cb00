"""Errors in the viewer: the Error layer, and moving to one of them."""

from collections.abc import Sequence
from typing import Any

import napari.viewer
from napari.utils.colormaps import DirectLabelColormap

from napari_utile.engine.metrics.cell_kinds import CellKind
from napari_utile.session.evaluation import EvaluationResult, FoundError, error_spec
from napari_utile.widgets.pages.evaluate.compared_layers import ComparedLayers
from napari_utile.widgets.pages.evaluate.error_colours import KIND_COLOURS, KIND_WORDS
from napari_utile.widgets.viewer.layers import Place, place_of
from napari_utile.widgets.viewer.lengths import step_lengths
from napari_utile.widgets.viewer.regions import camera_of, go_to
from napari_utile.widgets.viewer.result_layers import own_layer, show_layers

# A cell that takes less than this share of the canvas's height is zoomed to.
_SMALLEST_SHARE = 0.08
_CANVAS_HEIGHT = 600
# Opacity, in hexadecimal: what is right is tinted, so that what is wrong stands out.
_FAINT = "50"


def show_error_layer(
    viewer: napari.viewer.Viewer, layers: ComparedLayers, places: Sequence[Place], result: EvaluationResult
) -> None:
    """Show the kinds of cells as colours.

    The selection of layers stays as it is.
    """
    active = viewer.layers.selection.active
    before = own_layer(viewer, "errors", layers.truth)
    shown: Any = before
    for plane, place in zip(result.planes, places, strict=True):
        [shown] = show_layers(viewer, [error_spec(plane, result.names[0])], layers.truth, place)
    if shown is not before:
        shown.colormap = _kind_colormap()
    if active is not None and active in viewer.layers:
        viewer.layers.selection.active = active


def go_to_error(viewer: napari.viewer.Viewer, layers: ComparedLayers, found: FoundError) -> str:
    """Move camera and sliders to an error, and choose its cells in prediction and reference.

    Returns
    -------
    str
        What it is, in one sentence.
    """
    place = place_of(layers.truth, viewer)
    go_to(viewer, layers.truth, place.plane.at(found.index).point(found.center))
    _zoom_in(viewer, found.extent * step_lengths(layers.truth, place.axes)[place.axes[0]])
    error = found.error
    for layer, ids in ((layers.predictions[0], error.prediction_ids), (layers.truth, error.truth_ids)):
        if ids and layer in viewer.layers:
            layer.selected_label = ids[0]
    sides = (
        f"{_cells(ids)} of the {side}"
        for ids, side in ((error.truth_ids, "reference"), (error.prediction_ids, "prediction"))
        if ids
    )
    return f"{KIND_WORDS[error.kind].capitalize()}: {' and '.join(sides)}."


def _cells(ids: Sequence[int]) -> str:
    numbers = ", ".join(map(str, ids[:8])) + (" …" if len(ids) > 8 else "")
    return f"cell {numbers}" if len(ids) == 1 else f"cells {numbers}"


def _zoom_in(viewer: napari.viewer.Viewer, extent: float) -> None:
    """Zoom in where cells of this size (world units) are too small to be seen."""
    camera = camera_of(viewer)
    canvas = getattr(getattr(getattr(viewer, "window", None), "_qt_viewer", None), "canvas", None)
    height = int(canvas.size[0]) if canvas is not None else _CANVAS_HEIGHT
    if extent > 0 and extent * camera.zoom < _SMALLEST_SHARE * height:
        camera.zoom = 2 * _SMALLEST_SHARE * height / extent


def _kind_colormap() -> Any:
    colours: dict[int | None, Any] = {int(kind): colour for kind, colour in KIND_COLOURS.items()}
    colours[int(CellKind.MATCHED)] += _FAINT
    return DirectLabelColormap(color_dict={None: "transparent", 0: "transparent", **colours})
