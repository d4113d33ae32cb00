"""Capture, on the GUI thread, all that a segmentation depends on."""

from dataclasses import replace

from napari_utile.engine.cells.instances import InstanceParams
from napari_utile.session.results import SegmentRequest
from napari_utile.widgets.parts.source_picker import Source
from napari_utile.widgets.segment.form import SegmentForm

__all__ = ["capture", "index_of"]


def capture(form: SegmentForm, model: str, instances: InstanceParams) -> tuple[Source, SegmentRequest]:
    """Capture what Run would do now.

    Parameters
    ----------
    form : SegmentForm
    model : str
        Name or path.
    instances : InstanceParams

    Raises
    ------
    ValueError, UtileError
        In one sentence, if something is missing.
    """
    source = form.source.read()
    region, inside = form.region.read(source)
    params = replace(
        form.compute.value(),
        model=model,
        channels=source.channels,
        diameter=form.diameter.value,
        instances=instances,
    )
    path = source.layer.source.path or ""
    request = SegmentRequest(source.plane, params, region, inside, source.data_key, path, index_of(source))
    return source, request


def index_of(source: Source) -> tuple[tuple[str, int], ...]:
    """Name where in the image the plane lies, by the layer's axis labels."""
    return tuple(
        (label.upper() if len(label) == 1 else label, entry)
        for label, entry in zip(source.layer.axis_labels, source.place.index, strict=True)
        if not isinstance(entry, slice)
    )
