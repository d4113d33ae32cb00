"""Which layers the plugin made itself: those are never offered as images, and only its cells as labels."""

import weakref
from collections.abc import Mapping
from typing import Any, TypeVar

import napari.layers
import napari.viewer
import numpy as np
from napari.layers import Image
from napari.utils.colormaps import Colormap, ensure_colormap

from napari_utile.widgets.viewer.layers import plain_viewer

_Layer = TypeVar("_Layer", bound="napari.layers.Layer")

METADATA_KEY = "napari-utile"
CELLS = "instances"
"""The role of results that are cells, and may be edited, weighed, learnt from and evaluated as a user's are."""
_SHADES = 256

_roles: weakref.WeakKeyDictionary[Any, str] = weakref.WeakKeyDictionary()
_images: weakref.WeakKeyDictionary[Any, weakref.ref[Any]] = weakref.WeakKeyDictionary()


def mark_own(layer: napari.layers.Layer, role: str, image: "napari.layers.Layer | None" = None) -> None:
    """Remember that the plugin made a layer; to be called before the viewer shows it.

    Parameters
    ----------
    layer : napari layer
    role : str
        What it shows, for example ``"probability"`` or ``"preview"``.
    image : napari layer, optional
        That it was found on.
    """
    _roles[layer] = role
    if image is not None:
        _images[layer] = weakref.ref(image)


def image_of(layer: "napari.layers.Layer | None") -> "napari.layers.Layer | None":
    """Return the image that a layer was found on; None for those that a user made, and where it is gone."""
    image = None if layer is None else _images.get(layer)
    return None if image is None else image()


def other_pixels(image: napari.layers.Layer) -> str:
    """Say that an image has other pixels than those in which its cells were found."""
    return f"{image.name} has changed since: press Segment again."


def outdated_cells(viewer: napari.viewer.Viewer, image: napari.layers.Layer) -> str:
    """Say that of an image that got other pixels; nothing where no cells are shown that were found in it."""
    layers = plain_viewer(viewer).layers
    found = any(role_of(each) == CELLS and image_of(each) is image for each in layers)
    return other_pixels(image) if found else ""


def add_own(viewer: napari.viewer.Viewer, layer: _Layer, role: str) -> _Layer:
    """Show a picture of the plugin; the layer that is active stays so."""
    mark_own(layer, role)
    selection = plain_viewer(viewer).layers.selection
    active = selection.active
    plain_viewer(viewer).add_layer(layer)
    selection.active = active
    return layer


def glow(data: Any, **options: Any) -> napari.layers.Image:
    """Make a layer of values that glow over the image below, 0 to 1 unless options (napari's) say otherwise."""
    options = {"contrast_limits": (0.0, 1.0), "colormap": "magma", **options}
    options["colormap"] = clearing(options["colormap"])
    return Image(data, rgb=False, **options)  # napari would take a last axis of 3 or 4 for colours


def clearing(name: str) -> Colormap:
    """Return colours of napari that become clear where they are dark.

    On black they look as if they were added, and on white, where a sum would be white, too.
    """
    colours = ensure_colormap(name).map(np.linspace(0, 1, _SHADES)).astype(float)[:, :3]
    opacity = colours.max(axis=1, keepdims=True)
    opaque = np.divide(colours, opacity, out=np.zeros_like(colours), where=opacity > 0)
    return Colormap(np.hstack([opaque, opacity]), name=f"{name}, clear", controls=np.linspace(0, 1, _SHADES))


def role_of(layer: napari.layers.Layer) -> str:
    """Return what a layer of the plugin shows, "" for a user's; also where it was saved and opened again."""
    return _roles.get(layer) or str(layer.metadata.get(METADATA_KEY, {}).get("role", ""))


def recipe_in(metadata: Mapping[str, Any] | None) -> Any:
    """Return the recipe of most of the planes that a layer's metadata hold, as JSON; None where there is none."""
    kept = lasting(metadata)
    recipes = kept.get("recipes", ())
    return max(recipes, key=lambda recipe: len(recipe["planes"]), default=kept.get("recipe"))


def lasting(metadata: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return what of a layer's metadata outlives it, as JSON: how its labels were made, linked and corrected.

    Of a part of a store it says which one it is.

    It goes with copies and files of the labels. What the layer shows, and where, is of the layer alone.
    """
    kept = (metadata or {}).get(METADATA_KEY)
    known = kept if isinstance(kept, Mapping) else {}
    return {key: known[key] for key in ("recipe", "recipes", "linking", "part") if known.get(key)}


def is_own(layer: napari.layers.Layer) -> bool:
    """Say whether the plugin made a layer, edited since or not."""
    return bool(role_of(layer))


def is_cells(layer: napari.layers.Layer) -> bool:
    """Say whether a Labels layer can hold cells: a user's, or a result."""
    return role_of(layer) in ("", CELLS)
