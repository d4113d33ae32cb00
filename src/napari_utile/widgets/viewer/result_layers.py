"""Show results as layers: replace the plugin's own unedited ones, never what a user made or changed.

A result has all the axes of its source and holds zeros where nothing was computed yet, so running on
the next plane of a stack, or on another region, adds to the same layer.
"""

import functools
import weakref
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import napari.layers
import napari.viewer
import numpy as np
import zarr
from napari.layers import Image, Labels
from qtpy.QtCore import QTimer

from napari_utile.engine.planes.pixels import sha256_of
from napari_utile.session.layer_specs import LayerSpec, merged_features, merged_labels, merged_recipes
from napari_utile.session.own_columns import added_to
from napari_utile.session.plane_index import PlaneIndex
from napari_utile.session.plane_rows import with_index, without_other_planes
from napari_utile.widgets.viewer.layers import Place, plain_viewer, slider_name, space_of
from napari_utile.widgets.viewer.own_pictures import METADATA_KEY, glow, image_of, mark_own, role_of

# Larger results are kept in compressed chunks; only chunks that were written take memory. Bytes.
CHUNKED_ABOVE = 2 * 2**30
# Thumbnails are drawn when no result came for this long. Milliseconds.
_THUMBNAIL_AFTER = 250
# Planes up to this size are compared with what was shown, larger ones are watched for edits. Bytes.
COMPARED_BELOW = 128 * 2**20
# napari would take a last axis of 3 or 4 for colours.
_MAKE = {"image": functools.partial(Image, rgb=False), "glow": glow, "labels": Labels}

PlaneKey = tuple[int, ...]
Added = dict[tuple[str, Any], Any]


@dataclass
class _Shown:
    """What the plugin knows of a layer that it made."""

    name: str
    axes: tuple[int, int]
    hashes: dict[PlaneKey, str] = field(default_factory=dict)
    ids: dict[PlaneKey, np.ndarray[Any, Any]] = field(default_factory=dict)
    added: dict[PlaneKey, Added] = field(default_factory=dict)
    writing: bool = False
    touched: bool = False
    painted: int = 0  # the highest id that was
    version: int = 0


_shown: weakref.WeakKeyDictionary[Any, _Shown] = weakref.WeakKeyDictionary()


def source_of(layer: napari.layers.Layer | None) -> napari.layers.Layer | None:
    """Return the layer that one of the plugin's own was made from; None for a user's, and for none."""
    return image_of(layer) if layer in _shown else None


def is_of_planes(layer: napari.layers.Layer | None, source: napari.layers.Layer, place: Place) -> bool:
    """Say whether a layer was made from planes of a source that lie as one does: none that cross it."""
    shown = None if layer is None else _shown.get(layer)
    return source_of(layer) is source and shown is not None and shown.axes == place.result.axes


def own_layer(
    viewer: napari.viewer.Viewer, role: str, source: napari.layers.Layer, place: Place | None = None
) -> napari.layers.Layer | None:
    """Find the plugin's own layer of a role that may be written to.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Where to look; the topmost layer wins.
    role : str
        As in `LayerSpec.role`.
    source : napari layer
        The layer that the result was made from.
    place : Place, optional
        Plane of the source; a layer that is edited there, or of another shape, does not count.

    Returns
    -------
    napari layer, optional
        None where there is none, or the user has renamed or edited it.
    """
    for layer, shown in _made_of(viewer, role, source, place):
        of_view = place is None or shown.axes == place.result.axes
        if layer.name == shown.name and of_view and not _is_edited(layer, shown, place):
            return layer
    return None


def is_untouched(layer: napari.layers.Layer) -> bool:
    """Say whether the plugin made a layer, and the user has painted nowhere on it and added nothing to its table."""
    shown = _shown.get(layer)
    return shown is not None and not _is_edited(layer, shown, None)


def edited_layer(
    viewer: napari.viewer.Viewer, role: str, source: napari.layers.Layer, place: Place
) -> napari.layers.Layer | None:
    """Find the topmost layer of a role and source that a later result would not replace, as the user edited it.

    Returns
    -------
    napari layer, optional
        None where there is none, or where a newer one, which the user did not edit, would be replaced.
    """
    if own_layer(viewer, role, source, place) is not None:
        return None
    made = _made_of(viewer, role, source, place)
    return next((layer for layer, shown in made if shown.axes == place.result.axes), None)


def layer_of_another_view(
    viewer: napari.viewer.Viewer, role: str, source: napari.layers.Layer, place: Place
) -> napari.layers.Layer | None:
    """Find the topmost layer of a role and source that was made as the stack was seen from another side.

    Returns
    -------
    napari layer, optional
        None where there is none, or one of this side, too.
    """
    made = [*_made_of(viewer, role, source, place)]
    if any(shown.axes == place.result.axes for _, shown in made):
        return None
    return next((layer for layer, _ in made), None)


def _made_of(
    viewer: napari.viewer.Viewer, role: str, source: napari.layers.Layer, place: Place | None
) -> Iterator[tuple[napari.layers.Layer, _Shown]]:
    """Yield the plugin's own layers of a role and source, the topmost first; of a place, those of its shape."""
    for layer in reversed(plain_viewer(viewer).layers):
        shown = _shown.get(layer)
        if shown is None or role_of(layer) != role or image_of(layer) is not source:
            continue
        if place is None or tuple(layer.data.shape) == place.result_shape:
            yield layer, shown


def show_layers(
    viewer: napari.viewer.Viewer, specs: Sequence[LayerSpec], source: napari.layers.Layer, place: Place
) -> list[napari.layers.Layer]:
    """Show each description as a layer at its source's place in space.

    A layer that this function made before, for the same role and source, and that the user neither
    edited nor renamed, gets the new data; otherwise a new layer is made.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Where to show them.
    specs : sequence of LayerSpec
        From bottom to top.
    source : napari layer
        Its scale, translate, rotate, shear, affine, units and axis labels are copied.
    place : Place
        The plane of `source` that the data belong to.

    Returns
    -------
    list of napari layer
        In the order of `specs`.
    """
    viewer = plain_viewer(viewer)
    layers = []
    for spec in specs:
        layer = own_layer(viewer, spec.role, source, place)
        if layer is None:
            layer = _new_layer(viewer, spec, source, place)
        _write(layer, spec, place)
        layers.append(layer)
    return layers


def _new_layer(
    viewer: napari.viewer.Viewer, spec: LayerSpec, source: napari.layers.Layer, place: Place
) -> napari.layers.Layer:
    space = space_of(source, place.result_axes)
    data = empty_data(place, spec.data.dtype)
    layer = _MAKE[spec.kind](data, name=spec.name, **{**space, **spec.options})
    mark_own(layer, spec.role, source)
    viewer.add_layer(layer)
    shown = _shown[layer] = _Shown(layer.name, place.result.axes)

    def touch(*_: object) -> None:
        if not shown.writing:
            shown.touched = True

    def paint(_: object) -> None:
        touch()
        shown.painted = max(shown.painted, int(layer.selected_label))

    layer.events.data.connect(touch)
    if spec.kind == "labels":
        layer.events.paint.connect(paint)
    return cast(napari.layers.Layer, layer)


def empty_data(place: Place, dtype: np.dtype[Any]) -> Any:
    """Make the array of an empty result: zeros, in chunks where it is large, so that memory follows what is written."""
    shape = place.result_shape
    if int(np.prod(shape, dtype=np.int64)) * dtype.itemsize <= CHUNKED_ABOVE:
        return np.zeros(shape, dtype=dtype)

    chunks = tuple(
        min(size, 512) if source_axis in place.axes else 1
        for size, source_axis in zip(shape, place.result_axes, strict=True)
    )
    return zarr.create_array(
        zarr.storage.MemoryStore(), shape=shape, chunks=chunks, dtype=dtype, fill_value=0
    )


def _write(layer: napari.layers.Layer, spec: LayerSpec, place: Place) -> None:
    shown, key = _shown[layer], place.key
    data = spec.data
    shown.writing = True
    try:
        if spec.features is not None:
            plane = np.asarray(layer.data[place.result.index])
            where, old = slider_columns(layer, place.result), dict(layer.features.items())
            taken = [int(ids.max(initial=0)) for k, ids in shown.ids.items() if k != key]
            above = max([shown.painted if where else 0, *taken])
            data, first, kept = merged_labels(_one_plane(plane, place), spec.data, spec.window, above)
            gone = np.setdiff1d(shown.ids.get(key, np.zeros(0, dtype=int)), kept)
            new = {**spec.features, "roi_id": layer.name}
            layer.features = merged_features(old, new, first, gone, where)
            shown.added[key] = _added_to(layer, where)
            shown.ids[key] = np.union1d(kept, np.asarray(spec.features["index"], dtype=int) + first)
        layer.data[place.result.window(spec.window)] = _with_channel_axis(data, place)
        if spec.kind == "labels":
            large = _plane_bytes(layer, place) > COMPARED_BELOW
            shown.hashes[key] = "" if large else _hash(layer, place)
            if _may_undo(layer, place.result):
                layer._reset_history()  # its steps hold pixels of the labels that were here before
        own = {"role": spec.role, **spec.metadata}
        if "recipe" in spec.metadata:
            before = layer.metadata.get(METADATA_KEY, {}).get("recipes", ())
            own["recipes"] = merged_recipes(before, spec.metadata["recipe"])
        layer.metadata = {**layer.metadata, METADATA_KEY: own}
        layer.refresh(thumbnail=False, highlight=False, extent=False)
    finally:
        shown.writing = False
    shown.version += 1
    _thumbnail_later(layer, shown)


def _thumbnail_later(layer: napari.layers.Layer, shown: _Shown) -> None:
    """Draw the thumbnail once results rest: for it Qt paints the window a second time at each move of a slider."""
    version, reference = shown.version, weakref.ref(layer)

    def draw() -> None:
        resting = reference()
        if resting is not None and shown.version == version:
            resting.refresh(data_displayed=False, highlight=False, extent=False)

    QTimer.singleShot(_THUMBNAIL_AFTER, draw)


def _may_undo(layer: Any, plane: PlaneIndex) -> bool:
    """Say whether undo or redo would change pixels of a plane."""
    strokes = [layer._staged_history, *layer._undo_history, *layer._redo_history]
    return any(_reaches(change[0], plane) for stroke in strokes for change in stroke)


def _reaches(index: Sequence[Any], plane: PlaneIndex) -> bool:
    """Say whether an index of pixels, of slices or of arrays, has some on a plane."""
    return all(
        part.start <= step < part.stop if isinstance(part, slice) else bool(np.any(part == step))
        for part, step in zip((index[axis] for axis in plane.sliders), plane.steps, strict=True)
    )


def _is_edited(layer: napari.layers.Layer, shown: _Shown, place: Place | None) -> bool:
    """Say whether the user has changed pixels of a plane, or of any, or what its rows hold beside measurements."""
    if not hasattr(layer, "paint"):
        return shown.touched
    where = {} if place is None else slider_columns(layer, place.result)
    written = [*shown.added.values()] if place is None else [shown.added.get(place.key, {})]
    if _added_to(layer, where) != {cell: value for each in written for cell, value in each.items()}:
        return True
    large = place is None or _plane_bytes(layer, place) > COMPARED_BELOW
    if place is None or (large and not shown.touched):
        return shown.touched
    expected = shown.hashes.get(place.key)
    if expected is None:  # never written: untouched as long as it is empty
        return bool(np.any(layer.data[place.result.index]))
    return large or _hash(layer, place) != expected


def _added_to(layer: napari.layers.Layer, where: Mapping[str, int]) -> Added:
    """Give what rows of a plane, or of all, hold that was not measured: of each column and id, unless it is empty."""
    axes = [slider_name(layer, axis) for axis in range(layer.ndim)]
    return added_to(without_other_planes(with_index(dict(layer.features.items())), where), axes)


def _hash(layer: napari.layers.Layer, place: Place) -> str:
    return sha256_of(layer.data[place.result.index])


def _plane_bytes(layer: napari.layers.Layer, place: Place) -> int:
    height, width = place.plane_shape
    return height * width * int(layer.data.dtype.itemsize)


def _one_plane(data: np.ndarray[Any, Any], place: Place) -> np.ndarray[Any, Any]:
    return data.take(0, axis=place.channel_position) if place.channel_axis else data


def _with_channel_axis(data: np.ndarray[Any, Any], place: Place) -> np.ndarray[Any, Any]:
    if not place.channel_axis:  # a result has no leading one
        return data
    data = np.expand_dims(data, place.channel_position)
    return np.repeat(data, place.shape[place.channel_axis], axis=place.channel_position)


def new_row_columns(layer: napari.layers.Labels, plane: PlaneIndex) -> dict[str, int]:
    """Name the plane that a new row of a layer's feature table says, see `slider_columns`.

    Rows of objects and tracks, which reach through planes, say none, but where the table is of their cells.
    """
    where = slider_columns(layer, plane)
    linked = bool(layer.metadata.get(METADATA_KEY, {}).get("linking"))
    return {name: step for name, step in where.items() if not linked or name in layer.features}


def slider_columns(layer: napari.layers.Layer, plane: PlaneIndex) -> dict[str, int]:
    """Name the plane of a layer that rows of its feature table belong to; nothing for a plain image."""
    return {slider_name(layer, axis): step for axis, step in zip(plane.sliders, plane.steps, strict=True)}
