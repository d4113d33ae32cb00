"""Where clicks go: a plane of an image and of a label layer on the same grid."""

import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import napari.layers
import napari.viewer
import numpy as np
import numpy.typing as npt
from qtpy.QtCore import QObject, Signal

from napari_utile.engine.arrays import letter_of
from napari_utile.engine.cells.instances import InstanceParams
from napari_utile.engine.segment_params import SegmentParams
from napari_utile.session.clicks.features import CellTable
from napari_utile.session.clicks.field import FieldRequest
from napari_utile.session.clicks.label_plane import LabelPlane
from napari_utile.session.clicks.marker_store import MarkerStore
from napari_utile.session.pixels import pixels_key
from napari_utile.session.plane_index import PlaneIndex
from napari_utile.widgets.connections import Connections
from napari_utile.widgets.failures import failures_to
from napari_utile.widgets.pages.click.layers import MarkerLayer, new_labels
from napari_utile.widgets.viewer.layers import Place, plain_viewer
from napari_utile.widgets.viewer.result_layers import new_row_columns
from napari_utile.widgets.viewer.source import Source
from napari_utile.widgets.viewer.store_layers import store_of

Point = tuple[int, int]

# How far pixels of a label layer may be from those of the image and still count as the same, pixels.
_TOLERANCE = 0.25


@dataclass(frozen=True)
class ClickSettings:
    """What the dock says.

    Attributes
    ----------
    params : SegmentParams
        Model, channels, diameter, device and precision.
    values : mapping
        Instance parameters that were chosen; the others are what the model suggests.
    overwrite : bool
        Whether new cells take pixels of others.
    follow : bool
        Whether a new cell is followed through z.
    """

    params: SegmentParams = field(default_factory=SegmentParams)
    values: Mapping[str, Any] = field(default_factory=dict)
    overwrite: bool = False
    follow: bool = False

    def instances_for(self, suggested: InstanceParams) -> InstanceParams:
        """Return the instance parameters where a model suggests these for the size of the cells."""
        return replace(suggested, **self.values)


@dataclass(eq=False)
class Target:
    """A label layer that is being edited, with all that belongs to it."""

    store: MarkerStore
    markers: MarkerLayer
    next_label: int | None = None
    tables: dict[tuple[Any, ...], CellTable] = field(default_factory=dict)


@dataclass(eq=False)
class Aim:
    """Where clicks go now: a plane of an image and of a label layer. Captured by each click."""

    source: Source
    labels: Any
    plane: LabelPlane
    request: FieldRequest
    settings: ClickSettings
    target: Target

    @property
    def table(self) -> CellTable:
        """The feature rows of this plane's cells."""
        key = self.source.place.key
        if key not in self.target.tables:
            where = new_row_columns(self.labels, self.plane.place)
            self.target.tables[key] = CellTable(self.source.plane, self.labels.name, where)
        return self.target.tables[key]


class Aims(QObject):
    """Finds where clicks go, and looks again when image, plane, label layer or settings change.

    Parameters
    ----------
    read_source : callable
        Reads the chosen image at a place, the one on screen by default; raises one clear sentence where there is none.
    target : callable
        The chosen label layer, None for a new one.

    Attributes
    ----------
    target_made : Signal(object)
        A label layer that was made.
    labels_changed : Signal
        The pixels of a label layer changed, by painting, undo or redo.
    forgotten : Signal
        Something else changed.
    """

    target_made = Signal(object)
    labels_changed = Signal()
    forgotten = Signal()

    def __init__(
        self,
        viewer: napari.viewer.Viewer,
        read_source: Callable[[Place | None], Source],
        settings: Callable[[], ClickSettings],
        target: Callable[[], Any],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._viewer = plain_viewer(viewer)
        self._read_source, self._settings, self._chosen_target = read_source, settings, target
        self._targets: weakref.WeakKeyDictionary[Any, Target] = weakref.WeakKeyDictionary()
        self._watched: weakref.WeakSet[Any] = weakref.WeakSet()
        self.current: Aim | None = None
        self._connections = Connections(self)
        self._connections.connect(self._viewer.dims.events.current_step, self.forget)
        self._connections.connect(self._viewer.dims.events.order, self.forget)
        self._connections.connect(self._viewer.layers.events.removed, self.forget)

    def forget(self, _: object = None) -> None:
        """Look again at the choices before the next click; clicks that wait keep theirs."""
        if self.current is not None:
            self.current = None
            self.forgotten.emit()

    def aim(self, *, make: bool = False) -> Aim | None:
        """Return where clicks go now; with `make`, a label layer is made where there is none yet.

        Raises
        ------
        ValueError, UtileError
            In one sentence, where clicks can go nowhere.
        """
        labels = self._chosen_target()
        if self.current is not None and (labels is not None or not make):
            return self.current
        source = self._read_source(None)
        if labels is None:
            if not make:
                return None
            labels = new_labels(self._viewer, source.layer, source.place)
            self._targets[labels] = self._new_target(next_label=1)
            self.target_made.emit(labels)
        if labels not in self._targets:
            self._targets[labels] = self._new_target()
        self.current = self._aim_at(source, labels, self._settings())
        self._watch(labels, source.layer)
        return self.current

    def _aim_at(self, source: Source, labels: Any, settings: ClickSettings) -> Aim:
        plane = label_plane_on(labels, source.layer, source.place)
        params = replace(settings.params, channels=source.channels)
        request = FieldRequest(
            source.plane, params, pixels_key(source.plane, source.data_key), source.data_key, source.stack
        )
        return Aim(source, labels, plane, request, settings, self._targets[labels])

    def beside(self, aim: Aim, distance: int) -> Aim | None:
        """Return the same aim so many planes deeper; None where the image or the labels end."""
        place, axis = aim.source.place, z_axis_of(aim.source.layer, aim.source.place)
        if axis is None:
            return None
        entry = place.plane.steps[place.plane.sliders.index(axis)] + distance
        if not 0 <= entry < place.shape[axis]:
            return None
        index = (*place.index[:axis], entry, *place.index[axis + 1 :])
        try:
            return self._aim_at(self._read_source(replace(place, index=index)), aim.labels, aim.settings)
        except ValueError:  # the labels do not reach there
            return None

    def _new_target(self, next_label: int | None = None) -> Target:
        store = MarkerStore()
        return Target(store, MarkerLayer(self._viewer, store), next_label)

    def _watch(self, labels: Any, image: Any) -> None:
        if labels not in self._watched:
            self._watched.add(labels)
            self._connections.connect(labels.events.paint, self._changed)
            self._connections.connect(labels.events.set_data, self._changed)
            self._connections.connect(labels.events.data, self.forget)
        if image not in self._watched:
            self._watched.add(image)
            self._connections.connect(image.events.data, self.forget)
            self._connections.connect(image.events.set_data, self.forget)

    def pixel_at(self, position: Any) -> Point | None:
        """Return the pixel of the image's plane at a world position, None outside the image."""
        with failures_to():  # where there is no image, every click is outside
            source = self.current.source if self.current is not None else self._read_source(None)
            spare = len(position) - source.layer.ndim
            data = np.asarray(source.layer.world_to_data(tuple(position)[max(spare, 0) :]), dtype=float)
            y, x = (int(np.floor(data[axis] + 0.5)) for axis in source.place.axes)
            height, width = source.place.plane_shape
            if 0 <= y < height and 0 <= x < width:
                return y, x
        return None

    def is_cell(self, pixel: Point) -> bool:
        """Whether a pixel is labelled."""
        with failures_to():  # told when clicked
            aim = self.aim()
            if aim is not None:
                return aim.plane.at(pixel) != 0
        return False

    def _changed(self, _: object = None) -> None:
        self.labels_changed.emit()


def z_axis_of(layer: napari.layers.Layer, place: Place) -> int | None:
    """Return the axis of a layer along which its planes lie one above the other; None where it has none."""
    sliders = [axis for axis in place.plane.sliders if place.shape[axis] > 1]
    letters = {axis: letter_of(str(layer.axis_labels[axis])) for axis in sliders}
    if deep := [axis for axis in sliders if letters[axis] == "Z"]:
        return deep[0]
    return sliders[0] if len(sliders) == 1 and letters[sliders[0]] is None else None


def refuse_multiscale(labels: napari.layers.Labels) -> None:
    """Refuse cells at several resolutions.

    Raises
    ------
    ValueError
        In one sentence, with what to do.
    """
    if labels.multiscale:
        part = "press Edit this part on the Segment page, or " if store_of(labels) else ""
        raise ValueError(
            f"napari cannot edit the multiscale layer {labels.name}; {part}choose another one, or a new layer."
        )


def label_plane_on(labels: napari.layers.Labels, source: napari.layers.Layer, place: Place) -> LabelPlane:
    """Return the plane of a label layer that lies on a plane of an image.

    Parameters
    ----------
    labels : Labels layer
        Its pixels must be pixels of the image; it may cover a part of the image.
    source : Image layer
    place : Place
        The plane of the image.

    Raises
    ------
    ValueError
        In one sentence, where clicks on the image cannot go into the layer.
    """
    name, axes = labels.name, list(place.result_axes)
    refuse_multiscale(labels)
    if not isinstance(labels.data, np.ndarray) and hasattr(labels.data, "dask"):
        raise ValueError(f"{name} is computed on demand (dask) and cannot be edited; choose a new layer.")
    if isinstance(labels.data, np.ndarray) and not labels.data.flags.writeable:
        raise ValueError(f"{name} is read-only; choose another layer, or a new one.")
    if not np.dtype(labels.data.dtype).isnative:
        raise ValueError(
            f"napari cannot edit {name}, whose numbers ({labels.data.dtype}) are stored in the byte order of other "
            "machines; choose a new layer."
        )
    if labels.ndim != len(axes):
        raise ValueError(f"{name} has {labels.ndim} axes, the image {len(axes)}; choose a new layer.")
    sizes = np.asarray(labels.data.shape, dtype=float)
    ends = np.vstack([np.zeros(labels.ndim), np.diag(sizes - 1)])
    on_image = np.array([_in_image(end, labels, source, axes) for end in ends])
    offset = np.round(on_image[0])
    if np.abs(on_image - offset - ends).max() > _TOLERANCE:
        raise ValueError(
            f"{name} has a different grid from the image (size, place or direction of its pixels); "
            "choose another layer, or a new one."
        )
    index: list[int | slice] = []
    for axis, entry, start, size in zip(axes, place.result.index, offset, sizes, strict=True):
        first, last = (0, place.shape[axis]) if isinstance(entry, slice) else (entry, entry + 1)
        if start + size <= first or start >= last:
            raise ValueError(f"{name} does not cover what is shown of the image; choose a new layer.")
        index.append(entry if isinstance(entry, slice) else entry - int(start))
    rows, columns = PlaneIndex.of(index).axes
    corner = int(offset[rows]), int(offset[columns])
    return LabelPlane(labels.data, tuple(index), corner, place.plane_shape)


def _in_image(
    pixel: npt.NDArray[Any], labels: napari.layers.Labels, source: napari.layers.Layer, axes: list[int]
) -> npt.NDArray[Any]:
    """Return the pixel of an image, on the axes of a result, where a pixel of a label layer lies."""
    world = np.asarray(source.data_to_world(np.zeros(source.ndim)), dtype=float)
    world[axes] = labels.data_to_world(pixel)
    return np.asarray(source.world_to_data(world), dtype=float)[axes]
