"""Link the planes of the active Labels layer: objects through z, or tracks through time with their divisions."""

from collections.abc import Callable
from typing import Any

import napari.viewer
import numpy as np
from napari.utils.notifications import show_info, show_warning
from qtpy.QtCore import QObject

from napari_utile.engine.errors import UtileError
from napari_utile.engine.linking.params import LinkParams
from napari_utile.session.linking import LinkedLayers, link_layers
from napari_utile.widgets.failures import sentence_of
from napari_utile.widgets.viewer.layers import plain_viewer, session_of
from napari_utile.widgets.viewer.linked_layers import (
    LinkedStack,
    linked_stack_of,
    restore_links,
    show_linked,
)
from napari_utile.widgets.viewer.stack_space import stack_space_of
from napari_utile.widgets.worker import JobHandle, OneJob, as_job, run_job


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
    job = OneJob()

    def show(linked: LinkedStack, made: LinkedLayers) -> None:
        if not session_of(viewer).clicking:
            session_of(viewer).cells = linked.layer
        show_info(f"{layer.name}: {made.summary}.")

    def failed(error: Exception) -> None:
        show_warning(sentence_of(error))

    try:
        link_stack(job, viewer, layer, LinkParams(axis), show, failed)
    except (UtileError, ValueError) as error:
        failed(error)
        return None
    return job.job


def link_stack(
    owner: OneJob,
    viewer: napari.viewer.Viewer,
    layer: Any,
    params: LinkParams,
    on_linked: Callable[[LinkedStack, LinkedLayers], object],
    on_error: Callable[[Exception], object],
) -> None:
    """Link the planes of a layer, and again where it was painted on or corrected meanwhile; corrections stay.

    Parameters
    ----------
    owner : OneJob
        Runs the job; where it is a widget, the job ends with it.
    layer : Labels layer
        Cells of each plane, or objects or tracks; also some that were opened, and never chosen.

    Raises
    ------
    UtileError
        If it is not a stack along that axis.
    """
    space = stack_space_of(layer, params.link)
    restore_links(viewer, layer)
    known, seen = linked_stack_of(layer), np.array(layer.data)
    kept, parents = ((), {}) if known is None else (known.record.kept, known.record.parents)

    def show(made: LinkedLayers) -> None:
        if layer not in viewer.layers:
            return
        linked = show_linked(viewer, layer, seen, space, params, made)
        if linked is None:
            link_stack(owner, viewer, layer, params, on_linked, on_error)
        else:
            on_linked(linked, made)

    owner.job = run_job(
        as_job(link_layers, seen, space, params, kept, parents),
        on_done=show,
        on_error=on_error,
        owner=owner if isinstance(owner, QObject) else None,
    )
