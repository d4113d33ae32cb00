"""One plane made of a stack, as an image layer of its own, which knows what it was made of."""

from collections.abc import Sequence
from typing import Any

import napari.layers
import napari.viewer
import numpy as np
from napari.layers import Image

from napari_utile.engine.arrays import letter_of
from napari_utile.engine.planes.projection import PROJECTIONS, project_stack
from napari_utile.engine.provenance.locate import LayerAxis
from napari_utile.widgets.viewer.layers import full_resolution, plain_viewer, space_of

_KEY = "napari-utile projection"


def add_projection(
    viewer: napari.viewer.Viewer,
    layer: napari.layers.Image,
    axis: int,
    how: str,
    channel_axis: int | None = None,
) -> napari.layers.Image:
    """Add the projection of an image layer along one of its sliders; nothing is computed before it is shown.

    Parameters
    ----------
    layer : Image layer
    axis : int
        Of its sliders.
    how : {"max", "mean", "focus"}
        See `engine.planes.projection`.
    channel_axis : int, optional
        Of the layer, if it has one; the sharpest plane is one for all channels.

    Returns
    -------
    Image layer
        Without the axis where that is the first; else it has one entry, as thick as the whole stack.
    """
    data = full_resolution(layer)
    count = int(data.shape[axis])
    made: Any = project_stack(data, axis, how, data.ndim - 1 if layer.rgb else channel_axis)
    kept = [each for each in range(layer.ndim) if each != axis or axis > 0]
    space = space_of(layer, kept)
    if axis > 0:
        made = np.expand_dims(made, axis)
        start = [(count - 1) / 2 if each == axis else 0.0 for each in kept]
        space = space_of(layer, kept, start)
        space["scale"] = np.where(np.arange(layer.ndim) == axis, count, 1) * space["scale"]
    label = str(layer.axis_labels[axis])
    letter = letter_of(label)
    letter = letter if letter in ("Z", "T") else "Z"
    origin = {
        "path": str(layer.source.path or ""),
        "project": f"{letter.lower()}:{how}",
        "axis": axis,
        "name": label,
        "size": count,
    }

    options: dict[str, Any] = {"colormap": layer.colormap, "gamma": layer.gamma} if not layer.rgb else {}
    image = Image(
        made,
        name=f"{layer.name} ({PROJECTIONS[how]} along {letter})",
        rgb=layer.rgb,
        blending=layer.blending,
        metadata={_KEY: origin},
        **options,
        **space,
    )
    plain_viewer(viewer).add_layer(image)
    return image


def origin_of(layer: napari.layers.Layer) -> tuple[str, str | None]:
    """Give the file that a layer shows, empty where there is none; and how it was made of a stack, if it was."""
    origin = layer.metadata.get(_KEY)
    return (origin["path"], origin["project"]) if origin else (str(layer.source.path or ""), None)


def with_projected_axis(layer: napari.layers.Layer, axes: Sequence[LayerAxis]) -> tuple[LayerAxis, ...]:
    """Put the axis that a layer was projected along where it was; the same axes where it was not."""
    origin = layer.metadata.get(_KEY)
    if not origin:
        return tuple(axes)
    place = origin["axis"]
    gone = LayerAxis(origin["name"], origin["size"], origin["project"][0].upper())
    return (*axes[:place], gone, *axes[place + (place > 0) :])
