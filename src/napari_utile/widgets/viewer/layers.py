"""napari layers and the viewer's current step to arrays, and their place in space.

A *plane* is what the viewer shows of a layer in two dimensions: its two displayed axes at the current
step of the others. With the viewer in 3D it is the last two of them.
"""

import atexit
import contextlib
import weakref
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import napari.layers
import napari.viewer
import numpy as np
from numpy.typing import NDArray

from napari_utile.engine.metrics.contingency import as_labels
from napari_utile.engine.planes.arrays import as_array
from napari_utile.engine.planes.axes import ImagePlane
from napari_utile.engine.planes.spread import MOST_SEEN, spread
from napari_utile.session.plane_index import PlaneIndex
from napari_utile.session.state import Session
from napari_utile.widgets.viewer.lengths import pixel_size_of

_sessions: weakref.WeakKeyDictionary[Any, Session] = weakref.WeakKeyDictionary()


def plain_viewer(viewer: napari.viewer.Viewer) -> napari.viewer.Viewer:
    """Return the viewer itself: docks get a proxy, whose layers are proxies as well, new ones each time."""
    return cast(napari.viewer.Viewer, getattr(viewer, "__wrapped__", viewer))


def session_of(viewer: napari.viewer.Viewer) -> Session:
    """Return the session of this viewer; it closes with the viewer's window."""
    model = plain_viewer(viewer)
    session = _sessions.get(model)
    if session is None:
        made = session = _sessions[model] = Session()
        model.layers.events.removed.connect(lambda event: made.forget_layer(event.value))
        if getattr(model, "window", None) is not None:
            _delete_where_it_was_made(model)
            model.window._qt_window.destroyed.connect(session.close)
    return session


@atexit.register
def _close_sessions() -> None:
    """Close what is open when the program ends with a window: Qt deletes parts of the dock before it says so."""
    for session in [*_sessions.values()]:
        session.close()


def window_of(viewer: napari.viewer.Viewer) -> Any:
    """Return Qt's window of a viewer, None where it has none."""
    return getattr(getattr(plain_viewer(viewer), "window", None), "_qt_window", None)


def canvas_of(viewer: napari.viewer.Viewer) -> Any:
    """Return Qt's widget of the canvas, None where there is none."""
    qt_viewer = getattr(getattr(plain_viewer(viewer), "window", None), "_qt_viewer", None)
    return getattr(getattr(qt_viewer, "canvas", None), "native", None)


def give_keys_to_canvas(viewer: napari.viewer.Viewer) -> None:
    """Let the next key go to the image, where it would go to the list or number that was used last."""
    canvas = canvas_of(viewer)
    if canvas is not None:
        canvas.setFocus()


def take_away(viewer: napari.viewer.Viewer, *layers: Any) -> bool:
    """Remove those of the layers that are still in the viewer; tell whether there were any."""
    shown = [layer for layer in layers if layer is not None and layer in viewer.layers]
    for layer in shown:
        viewer.layers.remove(layer)
    return bool(shown)


def _delete_where_it_was_made(viewer: napari.viewer.Viewer) -> None:
    """Let what a layer had on the graphics card be deleted in the OpenGL context of the canvas.

    When a layer goes, napari 0.9 deletes that in whatever context is current, mostly that of Qt's window: with Mesa,
    one of the next draws of the canvas ends in a segmentation fault.
    """
    native = canvas_of(viewer)
    if native is not None:

        def in_its_context() -> None:
            with contextlib.suppress(RuntimeError):  # the window is gone, and its context with it
                native.makeCurrent()

        viewer.layers.events.removing.connect(in_its_context)


@dataclass(frozen=True)
class Place:
    """Where the current plane of a layer lies in the layer's array.

    Attributes
    ----------
    index : tuple of int or slice
        One entry per data axis of the layer (colour axis of RGB left out); ``slice(None)`` for the two
        axes of the plane and for the channel axis.
    shape : tuple of int
        Shape of the layer, likewise.
    axes : tuple of int
        The two axes of the plane.
    channel_axis : int, optional
        The axis that holds channels.
    """

    index: tuple[int | slice, ...]
    shape: tuple[int, ...]
    axes: tuple[int, int]
    channel_axis: int | None = None

    @property
    def key(self) -> tuple[int, ...]:
        """The positions of the sliders and the axes of the plane, to tell planes of a layer apart."""
        return (*self.plane.steps, *self.axes)

    @property
    def channel_position(self) -> int:
        """Which axis the channels are of what reading at the index gives."""
        return sum(isinstance(entry, slice) for entry in self.index[: self.channel_axis])

    @property
    def plane_shape(self) -> tuple[int, int]:
        """Height and width of the plane, pixels."""
        return self.shape[self.axes[0]], self.shape[self.axes[1]]

    @property
    def result_axes(self) -> tuple[int, ...]:
        """The layer's axes that a result has: all but a leading channel axis."""
        return tuple(axis for axis in range(len(self.shape)) if axis or self.channel_axis != 0)

    @property
    def result_shape(self) -> tuple[int, ...]:
        """Shape of a result layer that holds this plane."""
        return tuple(self.shape[axis] for axis in self.result_axes)

    @property
    def plane(self) -> PlaneIndex:
        """Where this plane lies in the layer."""
        return PlaneIndex(self.index, self.axes)

    @property
    def every(self) -> "list[Place]":
        """All planes of the layer, this one among them, in order."""
        sizes = [self.shape[axis] for axis in self.plane.sliders]
        return [replace(self, index=self.plane.at(steps).index) for steps in np.ndindex(*sizes)]

    @property
    def result(self) -> PlaneIndex:
        """Where this plane lies in a result layer."""
        kept = self.result_axes
        rows, columns = (kept.index(axis) for axis in self.axes)
        return PlaneIndex(tuple(self.index[axis] for axis in kept), (rows, columns))


def place_of(
    layer: napari.layers.Layer, viewer: napari.viewer.Viewer, channel_axis: int | None = None
) -> Place:
    """Find the plane of a layer that the viewer shows.

    Parameters
    ----------
    layer : Image or Labels layer
        Multiscale layers count at full resolution.
    viewer : napari.viewer.Viewer
        Its displayed axes and current step decide.
    channel_axis : int, optional
        Axis of the layer whose entries are channels of one image.

    Returns
    -------
    Place
        Where the plane lies.

    Raises
    ------
    ValueError
        If the layer is empty, the current step lies outside it, or the channel axis is shown.
    """
    shape = shape_of(layer)
    if 0 in shape:
        raise ValueError(f"{layer.name} is empty.")
    ndim = len(shape)
    missing = viewer.dims.ndim - ndim
    shown = [axis - missing for axis in viewer.dims.displayed if axis >= missing]
    if channel_axis is not None:
        channel_axis = range(ndim)[channel_axis]
    if len(shown) < 2:
        shown = [axis for axis in range(ndim) if axis != channel_axis][-2:]
    if len(shown) < 2:
        raise ValueError(f"{layer.name} has fewer than two axes besides its channel axis.")
    first, second = sorted(shown[-2:])
    if channel_axis in (first, second):
        raise ValueError(f"Axis {channel_axis} of {layer.name} is on screen, so it cannot hold channels.")
    point = np.asarray(layer.world_to_data(viewer.dims.point), dtype=float)
    index: list[int | slice] = []
    for axis, size in enumerate(shape):
        if axis in (first, second, channel_axis):
            index.append(slice(None))
            continue
        # A layer of one plane along an axis is seen from anywhere on it.
        step = 0 if size == 1 else int(np.floor(point[axis] + 0.5))
        if not 0 <= step < size:
            raise ValueError(f"{layer.name} has nothing at the current position of the sliders.")
        index.append(step)
    return Place(tuple(index), shape, (first, second), channel_axis)


def place_at(layer: napari.layers.Layer, plane: PlaneIndex) -> Place | None:
    """Find a plane of a layer by its index, whatever the viewer shows; None where the layer has no such plane."""
    shape = shape_of(layer)
    if len(shape) != len(plane.index) or any(
        step >= shape[axis] for axis, step in zip(plane.sliders, plane.steps, strict=True)
    ):
        return None
    return Place(plane.index, shape, plane.axes, plane.channel_axis)


def plane_at(layer: napari.layers.Layer, place: Place) -> ImagePlane:
    """Read a plane of a layer with all its channels, lazily where the layer is lazy; see also `source.plane_of`."""
    pixel_size, unit = pixel_size_of(layer, place.axes)
    rgb = bool(getattr(layer, "rgb", False))
    return ImagePlane(plane_data(layer, place), layer.name, rgb, pixel_size, unit)


def some_of(place: Place) -> tuple[Place, ...]:
    """Take some planes, evenly spread, of the stack that a plane belongs to; a plain image is its only one."""
    sizes = [place.shape[axis] for axis in place.plane.sliders]
    numbers = spread(int(np.prod(sizes, dtype=int)), MOST_SEEN)
    steps = [np.unravel_index(number, sizes) if sizes else () for number in numbers]
    return tuple(replace(place, index=place.plane.at([int(each) for each in at]).index) for at in steps)


def plane_data(layer: napari.layers.Layer, place: Place) -> Any:
    """Read the plane at `place` as a (C, Y, X) array, lazily where the layer is lazy."""
    data, _ = as_array(full_resolution(layer))
    plane = data[place.index]
    if getattr(layer, "rgb", False):
        return np.moveaxis(plane, -1, 0)[:3]
    if place.channel_axis is None:
        return plane[np.newaxis]
    return np.moveaxis(plane, place.channel_position, 0)


def labels_on(layer: napari.layers.Layer, place: Place) -> NDArray[np.integer[Any]]:
    """Copy the plane (Y, X) of a layer of labels at `place`: a user may paint on it meanwhile.

    Raises
    ------
    ValueError
        In one sentence, where it holds something else than ids, such as -1 for the background.
    """
    return as_labels(np.array(plane_data(layer, place)[0]), layer.name)


def space_of(
    layer: napari.layers.Layer, axes: Sequence[int] | None = None, start: Sequence[float] | None = None
) -> dict[str, Any]:
    """Copy where a layer lies in space, as arguments for a new layer.

    Parameters
    ----------
    layer : napari layer
        The source.
    axes : sequence of int, optional
        The source's axes that the new layer has; the last two by default.
    start : sequence of float, optional
        The pixel of the source, on these axes, where the new layer begins; the first by default.

    Returns
    -------
    dict
        scale, translate, rotate, shear, affine, units and axis_labels.
    """
    kept = list(range(layer.ndim - 2, layer.ndim) if axes is None else axes)
    block = np.ix_(kept, kept)
    shear = np.asarray(layer.shear, dtype=float)
    if shear.ndim == 1:
        upper = np.eye(layer.ndim)
        upper[np.triu_indices(layer.ndim, k=1)] = shear
        shear = upper
    affine = np.asarray(layer.affine.affine_matrix, dtype=float)
    with_offset = [*kept, layer.ndim]
    scale, rotate = np.asarray(layer.scale, dtype=float)[kept], np.asarray(layer.rotate, dtype=float)[block]
    translate = np.asarray(layer.translate, dtype=float)[kept]
    if start is not None:
        translate = translate + rotate @ shear[block] @ (scale * np.asarray(start, dtype=float))
    return {
        "scale": scale,
        "translate": translate,
        "rotate": rotate,
        "shear": shear[block],
        "affine": affine[np.ix_(with_offset, with_offset)],
        "units": tuple(str(layer.units[axis]) for axis in kept),
        "axis_labels": tuple(layer.axis_labels[axis] for axis in kept),
    }


def shape_of(layer: napari.layers.Layer) -> tuple[int, ...]:
    """Return the shape of a layer at full resolution, without the axis of colours."""
    shape = tuple(int(size) for size in full_resolution(layer).shape)
    return shape[:-1] if getattr(layer, "rgb", False) else shape


def slider_name(layer: napari.layers.Layer, axis: int) -> str:
    """Name an axis of a layer, also one of which napari only knows the number."""
    label = str(layer.axis_labels[axis])
    return f"axis {axis}" if label.lstrip("-").isdigit() else label


def full_resolution(layer: napari.layers.Layer) -> Any:
    """Return the array of a layer, of a pyramid its finest level."""
    return layer.data[0] if getattr(layer, "multiscale", False) else layer.data
