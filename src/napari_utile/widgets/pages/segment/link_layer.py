"""Link the planes of the active Labels layer: objects through z, or tracks through time with their divisions."""

from typing import Any

import napari.viewer
import numpy as np
from napari.utils.notifications import show_info, show_warning

from napari_utile.engine.errors import UtileError
from napari_utile.engine.linking.params import LinkParams
from napari_utile.session.linking import LinkedLayers, StackSpace, link_layers
from napari_utile.widgets.failures import sentence_of
from napari_utile.widgets.viewer.layers import plain_viewer, session_of
from napari_utile.widgets.viewer.linked_layers import show_linked
from napari_utile.widgets.viewer.stack_space import stack_space_of
from napari_utile.widgets.worker import JobHandle, as_job, run_job


def link_active_labels_z(viewer: napari.viewer.Viewer) -> JobHandle | None:
    """Make objects of the sections in the active Labels layer, in a new layer with a table of volumes."""
    return _link(viewer, "z")


def link_active_labels_t(viewer: napari.viewer.Viewer) -> JobHandle | None:
    """Make tracks of the cells in the active Labels layer, in a new layer with their table, and a Tracks layer."""
    return _link(viewer, "t")


def _link(viewer: napari.viewer.Viewer, axis: str) -> JobHandle | None:
    viewer = plain_viewer(viewer)
    layer = viewer.layers.selection.active
    if getattr(layer, "_type_string", "") != "labels":
        show_warning("Choose a labels layer first: there are no cells to link.")
        return None
    assert layer is not None
    try:
        space = stack_space_of(layer, axis)
    except (UtileError, ValueError) as error:
        show_warning(sentence_of(error))
        return None

    return _link_layer(viewer, layer, space, axis)


def _link_layer(viewer: napari.viewer.Viewer, layer: Any, space: StackSpace, axis: str) -> JobHandle:
    params = LinkParams(axis)
    seen = np.array(layer.data)  # it may be painted on meanwhile

    def show(made: LinkedLayers) -> None:
        linked = show_linked(viewer, layer, seen, space, params, made)
        if linked is None:
            _link_layer(viewer, layer, space, axis)
            return
        if not session_of(viewer).clicking:
            session_of(viewer).cells = linked.layer
        show_info(f"{layer.name}: {made.summary}.")

    return run_job(
        as_job(link_layers, seen, space, params),
        on_done=show,
        on_error=lambda error: show_warning(sentence_of(error)),
    )
