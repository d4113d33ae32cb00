"""Labels layers whose pixels lie in a store on disk."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypeVar

import napari.layers

from napari_utile.engine.files.unfinished import is_complete
from napari_utile.session.store_parts import StorePart, part_in
from napari_utile.widgets.viewer.own_pictures import METADATA_KEY, lasting

Value = TypeVar("Value")


def store_of(layer: napari.layers.Layer | None) -> Path | None:
    """Return the finished store that a Labels layer shows, opened from it or made by the dock; None for others."""
    if layer is None or layer._type_string != "labels" or not layer.multiscale:
        return None
    known = layer.metadata.get(METADATA_KEY, {}).get("store") or layer.source.path
    return Path(known) if known and is_complete(Path(known)) else None


def part_of(layer: napari.layers.Layer | None) -> StorePart | None:
    """Return the part of a store that a layer shows, also where it was opened before a crash; None for others."""
    if layer is None or layer._type_string != "labels" or layer.multiscale:
        return None
    return part_in(lasting(layer.metadata), layer.data.shape)


def has_open_part(whole: napari.layers.Layer, layers: Iterable[napari.layers.Layer]) -> bool:
    """Say whether one of the layers is a part of the store that a layer shows: it is still to be written back."""
    store = store_of(whole)
    places = {part.place.resolve() for part in map(part_of, layers) if part is not None}
    return store is not None and store.resolve() in places


def outer_of(layer: napari.layers.Labels) -> tuple[int | None, ...]:
    """Return which axes of its store the axes of a layer before Y and X are: see `GrowingLevel`."""
    known: tuple[int | None, ...] | None = getattr(layer.data[0], "outer", None)
    return tuple(range(layer.ndim - 2)) if known is None else known


def in_store_order(layer: napari.layers.Labels, values: Sequence[Value]) -> list[Value]:
    """Return those of the values, one for each slider of a layer, that are of the stacked axes of its store."""
    outer = outer_of(layer)
    return [values[outer.index(axis)] for axis in sorted(each for each in outer if each is not None)]
