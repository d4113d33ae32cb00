"""Read the image that the session names, as the viewer shows it at one moment."""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import napari.layers
import napari.viewer

from napari_utile.engine.arrays import letter_of
from napari_utile.engine.planes.axes import ImagePlane
from napari_utile.engine.planes.naming import MOST_CHANNELS
from napari_utile.engine.provenance.locate import LayerAxis
from napari_utile.session.measured import Stack
from napari_utile.session.state import Session
from napari_utile.widgets.viewer.layers import Place, full_resolution, place_of, plane_at, some_of
from napari_utile.widgets.viewer.pixel_versions import version_of
from napari_utile.widgets.viewer.projections import with_projected_axis


@dataclass(frozen=True, eq=False)
class Source:
    """What the user chose, read at one moment.

    Attributes
    ----------
    layer : napari layer
    place : Place
        Of the current plane.
    plane : ImagePlane
        All channels.
    channels : tuple of int, optional
        The chosen ones; None leaves it to the model.
    data_key : hashable
        The layer's word for the pixels of this plane: another one after new data and after ``refresh()``.
    stack : Stack
        The planes of the layer on which the size of its cells is measured.
    data : array-like
        What the layer held.
    """

    layer: napari.layers.Layer
    place: Place
    plane: ImagePlane
    channels: tuple[int, ...] | None
    data_key: Hashable
    stack: Stack
    data: Any

    @property
    def is_current(self) -> bool:
        """Whether the layer still holds what was read."""
        return self.layer.data is self.data


def read_source(viewer: napari.viewer.Viewer, session: Session, place: Place | None = None) -> Source:
    """Read a plane of the chosen image, the current one by default.

    Raises
    ------
    ValueError
        In one sentence, if there is no image or nothing at the current position.
    """
    layer, axis = session.image.layer, session.image.channel_axis
    if layer is None:
        raise ValueError("Open an image first.")
    place = place or place_of(layer, viewer, axis)
    plane = plane_at(layer, place)
    version = version_of(viewer, layer)
    key = layer.unique_id, id(layer.data), place.key, place.channel_axis, version
    stack_key = layer.unique_id, id(layer.data), (place.axes, place.channel_axis), version
    some = some_of(place)
    planes, entries = (plane_at(layer, each) for each in some), (each.plane.steps for each in some)
    stack = Stack(tuple(planes), stack_key, _is_of_one_image(layer, place), tuple(entries))
    return Source(layer, place, plane, session.image.channels, key, stack, layer.data)


def _is_of_one_image(layer: napari.layers.Layer, place: Place) -> bool:
    """Say whether the sliders go through depth and time: by their names, else as more entries than channels have."""
    sliders = place.plane.sliders
    letters = {slider: letter_of(layer.axis_labels[slider]) for slider in sliders}
    return all(
        letters[slider] in ("T", "Z") or (letters[slider] is None and place.shape[slider] > MOST_CHANNELS)
        for slider in sliders
    )


def on_screen(viewer: napari.viewer.Viewer, session: Session) -> tuple[napari.layers.Layer, Place] | None:
    """Return the chosen image and where its plane on screen lies, None where there is none."""
    if session.image.layer is None:
        return None
    try:
        return session.image.layer, place_of(session.image.layer, viewer, session.image.channel_axis)
    except ValueError:
        return None


def is_on_screen(source: Source, viewer: napari.viewer.Viewer, session: Session) -> bool:
    """Say whether the viewer shows the plane that a source is of."""
    shown = on_screen(viewer, session)
    return shown is not None and shown[0] is source.layer and shown[1].key == source.place.key


def axes_of(source: Source) -> tuple[LayerAxis, ...]:
    """Say what each axis of the layer is, and where its slider stands."""
    layer, place = source.layer, source.place
    shown = dict(zip(place.axes, "YX", strict=True))
    axes = [
        LayerAxis(
            str(label),
            int(size),
            "C" if axis == place.channel_axis else shown.get(axis, ""),
            None if isinstance(entry, slice) else entry,
            None if str(unit) == "pixel" else (float(step), str(unit)),
        )
        for axis, (label, size, entry, step, unit) in enumerate(
            zip(layer.axis_labels, place.shape, place.index, layer.scale, layer.units, strict=True)
        )
    ]
    if layer.rgb:
        axes.append(LayerAxis("rgb", int(full_resolution(layer).shape[-1]), "S"))
    return with_projected_axis(layer, axes)
