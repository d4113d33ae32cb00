"""Where a label layer lies on the pixels of an image: on all of them, or on a part, shifted by whole pixels."""

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_utile.session.clicks.label_plane import LabelPlane
from napari_utile.widgets.viewer.layers import Place

if TYPE_CHECKING:
    import napari.layers

__all__ = ["label_plane_on"]

# How far pixels may be from one another and still count as the same, pixels.
_TOLERANCE = 0.25


def label_plane_on(labels: "napari.layers.Labels", source: "napari.layers.Layer", place: Place) -> LabelPlane:
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
    if labels.multiscale:
        raise ValueError(
            f"napari cannot edit the multiscale layer {name}; choose another one, or a new layer."
        )
    if not isinstance(labels.data, np.ndarray) and hasattr(labels.data, "dask"):
        raise ValueError(f"{name} is computed on demand (dask) and cannot be edited; choose a new layer.")
    if labels.ndim != len(axes):
        raise ValueError(f"{name} has {labels.ndim} axes, the image {len(axes)}; choose a new layer.")
    sizes = np.asarray(labels.data.shape, dtype=float)
    ends = np.vstack([np.zeros(labels.ndim), np.diag(sizes - 1)])
    on_image = np.array([_in_image(end, labels, source, axes) for end in ends])
    offset = np.round(on_image[0])
    if np.abs(on_image - offset - ends).max() > _TOLERANCE:
        raise ValueError(
            f"{name} has another grid than the image (size, place or direction of its pixels); "
            "choose another layer, or a new one."
        )
    index: list[int | slice] = []
    for axis, entry, start, size in zip(axes, place.result_index, offset, sizes, strict=True):
        first, last = (0, place.shape[axis]) if isinstance(entry, slice) else (entry, entry + 1)
        if start + size <= first or start >= last:
            raise ValueError(f"{name} does not reach what is shown of the image; choose a new layer.")
        index.append(entry if isinstance(entry, slice) else entry - int(start))
    shown = [number for number, entry in enumerate(index) if isinstance(entry, slice)]
    corner = int(offset[shown[0]]), int(offset[shown[1]])
    return LabelPlane(labels.data, tuple(index), corner, place.plane_shape)


def _in_image(
    pixel: npt.NDArray[Any], labels: "napari.layers.Labels", source: "napari.layers.Layer", axes: list[int]
) -> npt.NDArray[Any]:
    """Return the pixel of an image, on the axes of a result, where a pixel of a label layer lies."""
    world = np.asarray(source.data_to_world(np.zeros(source.ndim)), dtype=float)
    world[axes] = labels.data_to_world(pixel)
    return np.asarray(source.world_to_data(world), dtype=float)[axes]
