"""Labels layers whose pixels lie in a store on disk."""

from pathlib import Path
from typing import TYPE_CHECKING

from napari_utile.engine.files.unfinished import is_complete
from napari_utile.widgets.viewer.own_pictures import METADATA_KEY

if TYPE_CHECKING:
    import napari.layers

__all__ = ["store_of"]


def store_of(layer: "napari.layers.Layer | None") -> Path | None:
    """Return the finished store that a Labels layer shows, opened from it or made by the dock; None for others."""
    if layer is None or layer._type_string != "labels" or not layer.multiscale:
        return None
    known = layer.metadata.get(METADATA_KEY, {}).get("store") or layer.source.path
    return Path(known) if known and is_complete(Path(known)) else None
