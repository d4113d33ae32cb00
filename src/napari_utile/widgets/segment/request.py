"""Capture, on the GUI thread, all that a segmentation depends on."""

from dataclasses import replace
from typing import TYPE_CHECKING

from napari_utile.engine.cells.instances import InstanceParams
from napari_utile.session.results import SegmentRequest
from napari_utile.widgets.parts.source_picker import Source
from napari_utile.widgets.segment.form import SegmentForm

if TYPE_CHECKING:
    from napari_utile.engine.provenance.locate import LayerAxis

__all__ = ["axes_of", "capture"]


def capture(form: SegmentForm, model: str, instances: InstanceParams | None) -> tuple[Source, SegmentRequest]:
    """Capture what Run would do now.

    Parameters
    ----------
    form : SegmentForm
    model : str
        Name or path.
    instances : InstanceParams or None
        None takes what the model suggests for the size of the cells.

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
    request = SegmentRequest(
        source.plane, params, region, inside, source.data_key, path, axes_of(source), source.stack
    )
    return source, request


def axes_of(source: Source) -> "tuple[LayerAxis, ...]":
    """Say what each axis of the layer is, and where its slider stands."""
    from napari_utile.engine.provenance.locate import LayerAxis

    layer, place = source.layer, source.place
    shown = dict(zip(place.axes, "YX", strict=True))
    axes = [
        LayerAxis(
            str(label),
            int(size),
            "C" if axis == place.channel_axis else shown.get(axis, ""),
            None if isinstance(entry, slice) else entry,
        )
        for axis, (label, size, entry) in enumerate(
            zip(layer.axis_labels, place.shape, place.index, strict=True)
        )
    ]
    if layer.rgb:
        axes.append(LayerAxis("rgb", int((layer.data[0] if layer.multiscale else layer.data).shape[-1]), "S"))
    return tuple(axes)
