"""Labels layers whose pixels lie in a store on disk."""

import weakref
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import napari.layers
import napari.viewer

from napari_utile.engine.files.unfinished import is_complete
from napari_utile.session.store_parts import StorePart, part_in
from napari_utile.widgets.viewer.own_pictures import METADATA_KEY, lasting

Value = TypeVar("Value")

_shown: weakref.WeakKeyDictionary[Any, tuple[Path, str]] = weakref.WeakKeyDictionary()
"""By layer: the store that it shows something of beside the cells, and what; layers of a user may have its name."""


def keep_shown(layer: napari.layers.Layer, place: Path, what: str) -> None:
    """Remember that a layer shows something of a store beside its cells, such as its paths."""
    _shown[layer] = place.resolve(), what


def shown_of(viewer: napari.viewer.Viewer, place: Path, what: str) -> list[Any]:
    """Return the layers that show something of a store, see `keep_shown`."""
    return [each for each in viewer.layers if _shown.get(each) == (place.resolve(), what)]


def renew_paths(viewer: napari.viewer.Viewer, place: Path, tracks: Any, graph: dict[int, list[int]]) -> bool:
    """Show the paths of a store as they are now, see `paths_of`, in its layers of them; say whether there is one."""
    layers = shown_of(viewer, place, "paths")
    for layer in layers:
        if not len(tracks):  # which napari cannot show
            layer.visible = False
            continue
        layer.graph = {}  # of tracks that may be gone
        layer.data = tracks
        layer.graph = graph
    return bool(layers)


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
