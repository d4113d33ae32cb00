"""Capture, on the GUI thread, all that a segmentation depends on."""

from collections.abc import Mapping
from dataclasses import replace

import napari.viewer

from napari_utile.session.results import SegmentRequest
from napari_utile.session.state import Session
from napari_utile.widgets.pages.segment.form import SegmentForm
from napari_utile.widgets.viewer.layers import Place
from napari_utile.widgets.viewer.projections import origin_of
from napari_utile.widgets.viewer.source import Source, axes_of, read_source


def capture(
    viewer: napari.viewer.Viewer,
    session: Session,
    form: SegmentForm,
    values: Mapping[str, float],
    place: Place | None = None,
) -> tuple[Source, SegmentRequest]:
    """Capture what Run would do now.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Shows the plane.
    session : Session
        Names image and model.
    values : mapping
        Instance parameters that the user chose; the others are what the model suggests for the size of the cells.
    place : Place, optional
        A plane; the one on screen by default.

    Raises
    ------
    ValueError, UtileError
        In one sentence, if something is missing.
    """
    source = read_source(viewer, session, place)
    linked = bool(
        form.linking.wanted or form.linking.views
    )  # so they are not channels, whatever their axis is called
    stack = replace(source.stack, of_one_image=source.stack.of_one_image or linked)
    region, inside = form.region.read(source)
    chosen = form.params()
    params = replace(
        chosen,
        limits=chosen.limits if stack.of_one_image else "plane",
        model=session.model,
        channels=source.channels,
    )
    path, project = origin_of(source.layer)
    request = SegmentRequest(
        source.plane,
        params,
        region,
        inside,
        source.data_key,
        path,
        axes_of(source),
        stack,
        project,
        values=values,
    )
    return source, request
