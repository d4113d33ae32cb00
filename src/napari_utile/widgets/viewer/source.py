"""Read an image as it was chosen, with its channels, and as the viewer shows it at one moment."""

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
from napari_utile.session.state import ChosenImage, Session
from napari_utile.widgets.viewer.layers import Place, full_resolution, place_of, plane_at, shape_of, some_of
from napari_utile.widgets.viewer.lengths import step_lengths
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


def image_place(image: ChosenImage, viewer: napari.viewer.Viewer) -> Place:
    """Find the plane of an image that the viewer shows; its channels are no planes of their own.

    Raises
    ------
    ValueError
        In one sentence, if there is no image, or nothing of it at the current position.
    """
    if image.layer is None:
        raise ValueError("Open an image first.")
    return place_of(image.layer, viewer, image.channel_axis)


def plane_of(image: ChosenImage, place: Place) -> ImagePlane:
    """Read a plane of an image with the channels that were chosen of it, lazily where the layer is lazy.

    Parameters
    ----------
    place : Place
        Such as `image_place` gives.

    Returns
    -------
    ImagePlane
        ``data`` (C, Y, X) of the layer's dtype; of RGBA without the transparency.

    Raises
    ------
    UtileError
        If a channel does not exist, or the layer holds no real numbers.
    """
    plane = plane_at(image.layer, place)
    return plane if image.channels is None else plane.with_channels(image.channels)


def read_alike(layer: napari.layers.Layer | None, chosen: ChosenImage) -> ChosenImage:
    """Choose of another image what is chosen of one, as far as it has such an axis of channels and such channels."""
    if layer is chosen.layer:
        return chosen
    if layer is None:
        return ChosenImage()
    axis, count = chosen.channel_axis, 3 if layer.rgb else 1
    if axis is not None and _has_channels(layer, axis, shape_of(chosen.layer)):
        count = shape_of(layer)[axis]
    else:
        axis = None
    channels = chosen.channels
    return ChosenImage(layer, axis, channels if channels and max(channels) < count else None)


def _has_channels(layer: napari.layers.Layer, axis: int, shape: tuple[int, ...]) -> bool:
    own = shape_of(layer)
    same = not layer.rgb and len(own) == len(shape) and own[axis] == shape[axis]
    return same and letter_of(layer.axis_labels[axis]) in ("C", None)


def read_source(viewer: napari.viewer.Viewer, session: Session, place: Place | None = None) -> Source:
    """Read a plane of the chosen image, the current one by default.

    Raises
    ------
    ValueError
        In one sentence, if there is no image or nothing at the current position.
    """
    place = place or image_place(session.image, viewer)
    layer: Any = session.image.layer
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
    try:
        return session.image.layer, image_place(session.image, viewer)
    except ValueError:
        return None


def is_on_screen(source: Source, viewer: napari.viewer.Viewer, session: Session) -> bool:
    """Say whether the viewer shows the plane that a source is of."""
    shown = on_screen(viewer, session)
    return shown is not None and shown[0] is source.layer and shown[1].key == source.place.key


def axes_of(source: Source) -> tuple[LayerAxis, ...]:
    """Say what each axis of the layer is, and where its slider stands."""
    layer, place = source.layer, source.place
    shown, lengths = dict(zip(place.axes, "YX", strict=True)), step_lengths(layer, place.axes)
    axes = [
        LayerAxis(
            str(label),
            int(size),
            "C" if axis == place.channel_axis else shown.get(axis, ""),
            None if isinstance(entry, slice) else entry,
            None if str(unit) == "pixel" else (length, str(unit)),
        )
        for axis, (label, size, entry, length, unit) in enumerate(
            zip(layer.axis_labels, place.shape, place.index, lengths, layer.units, strict=True)
        )
    ]
    if layer.rgb:
        axes.append(LayerAxis("rgb", int(full_resolution(layer).shape[-1]), "S"))
    return with_projected_axis(layer, axes)
