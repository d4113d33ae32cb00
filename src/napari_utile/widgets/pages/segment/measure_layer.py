"""Measure the cells of the chosen Labels layer into its feature table."""

from typing import Any

import napari.viewer
import numpy as np
from napari.utils.notifications import show_warning

from napari_utile.engine.cells.measure import measure
from napari_utile.session.layer_specs import merged_features
from napari_utile.session.plane_rows import with_index
from napari_utile.widgets.failures import sentence_of
from napari_utile.widgets.tabs import show_table
from napari_utile.widgets.viewer.hovered_rows import hover_by_plane
from napari_utile.widgets.viewer.image_behind import image_behind
from napari_utile.widgets.viewer.layers import labels_on, place_of, plain_viewer
from napari_utile.widgets.viewer.lengths import pixel_size_of
from napari_utile.widgets.viewer.linked_layers import linked_stack_of
from napari_utile.widgets.viewer.measured_tables import set_measured
from napari_utile.widgets.viewer.result_layers import slider_columns
from napari_utile.widgets.worker import JobHandle, as_job, run_job


def measure_active_labels(viewer: napari.viewer.Viewer) -> JobHandle | None:
    """Measure the cells of the active Labels layer, on the plane on screen, and open their table.

    Area, shape and neighbours come from the labels, intensities from the topmost image of the same size.
    Columns go into the layer's features, in physical units where its scale has a unit. Objects and tracks, which are
    measured whenever they change, keep theirs.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Whose active layer is measured; the topmost Labels layer where another kind is active.

    Returns
    -------
    JobHandle, optional
        The job under way; None where there is nothing to measure.
    """
    viewer = plain_viewer(viewer)
    hover_by_plane(viewer)
    layer = _labels_layer(viewer)
    if layer is None:
        show_warning("Open a labels layer first: there are no cells to measure.")
        return None
    stack = linked_stack_of(layer)
    if stack is not None and not stack.is_by_plane:
        viewer.layers.selection.active = layer
        show_table(viewer)
        return None
    try:
        place = place_of(layer, viewer)
        labels = labels_on(layer, place)
        size, unit = pixel_size_of(layer, place.axes)
        intensity = image_behind(viewer, place)
    except ValueError as error:
        show_warning(sentence_of(error))
        return None

    def show(columns: dict[str, Any]) -> None:
        if layer not in viewer.layers:
            return
        old = with_index(dict(layer.features.items()))
        # In a stack, rows of cells on other planes stay.
        gone = old.get("index", []) if layer.ndim == 2 else columns["index"]
        where = slider_columns(layer, place.plane)
        columns |= {"roi_id": layer.name}
        set_measured(layer, merged_features(old, columns, 0, np.asarray(gone, dtype=int), where))
        viewer.layers.selection.active = layer
        show_table(viewer)

    return run_job(
        as_job(measure, labels, intensity, size, unit),
        on_done=show,
        on_error=lambda error: show_warning(sentence_of(error)),
    )


def _labels_layer(viewer: napari.viewer.Viewer) -> Any:
    active = viewer.layers.selection.active
    candidates = [active, *reversed(viewer.layers)]
    return next((layer for layer in candidates if getattr(layer, "_type_string", "") == "labels"), None)
