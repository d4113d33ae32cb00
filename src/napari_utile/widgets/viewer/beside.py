"""Pictures beside an image: a row of columns, each with a caption, with outlines of cells over all of them."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import napari.viewer
import numpy as np
from napari.layers import Image, Labels, Points

from napari_utile.widgets.viewer.layers import plain_viewer, shape_of, space_of
from napari_utile.widgets.viewer.own_pictures import add_own

_GAP = 10
# Room above the columns for the captions, as a share of the width of one.
_CAPTION_ROOM = 0.15


def space_beside(source: Any, scale: float, row: float = 0, column: float = 0) -> dict[str, Any]:
    """Place a picture to the right of an image, as arguments for a new layer, see `space_of`.

    Parameters
    ----------
    source : Image layer
    scale : float
        Pixels of the picture per pixel of the image.
    row, column : float
        How far it is moved down and to the right, in its own pixels.
    """
    left = shape_of(source)[-1] + _GAP
    space = space_of(source, start=(row / scale, left + column / scale))
    return {**space, "scale": space["scale"] / scale}


def show_beside(
    viewer: napari.viewer.Viewer,
    source: Any,
    columns: Sequence[tuple[str, np.ndarray[Any, Any], str]],
    outlines: Sequence[np.ndarray[Any, Any]],
    *,
    title: str,
    outlined: str,
    scale: float = 1.0,
    in_a_row: int = 3,
) -> list[Any]:
    """Add layers to the right of `source`.

    Parameters
    ----------
    source : Image layer
        Its last two axes' space is used.
    columns : sequence of (caption, (h, w) float array, colormap)
        All of one size; values from 0 to 1.
    outlines : sequence of (h, w) integer arrays
        Cells to be outlined in each column.
    title : str
        What the layers' names begin with.
    outlined : str
        Name of the layer of outlines.
    scale : float
        Pixels of a column per pixel of the image; fewer where a full row would be narrower than the image.
    in_a_row : int
        How many columns lie beside each other; the others come below.

    Returns
    -------
    list of napari layers
        The columns, the outlines, and the captions.
    """
    viewer = plain_viewer(viewer)
    height, width = columns[0][1].shape
    # Of small pictures the captions would cover each other.
    scale = min(scale, in_a_row * width / shape_of(source)[-1])
    across, down = round(width + _GAP * scale), round(height + _CAPTION_ROOM * width + _GAP * scale)
    corners = [(place // in_a_row * down, place % in_a_row * across) for place in range(len(columns))]

    at = partial(space_beside, source, scale)
    layers: list[Any] = []
    for corner, (caption, data, colormap) in zip(corners, columns, strict=True):
        limits = (0.0, 1.0)
        picture = Image(
            data, name=f"{title}: {caption}", colormap=colormap, contrast_limits=limits, **at(*corner)
        )
        layers.append(add_own(viewer, picture, "compared"))
    every = np.zeros((corners[-1][0] + height, max(x for _, x in corners) + width), np.int32)
    for (y, x), cells in zip(corners, outlines, strict=True):
        every[y : y + height, x : x + width] = cells
    lines = Labels(every, name=f"{title}: {outlined}", **at(0, 0))
    lines.contour = max(1, round(scale))
    layers.append(add_own(viewer, lines, "compared"))
    above = -_CAPTION_ROOM * width / 2
    captions = Points(
        [[y + above, x + width / 2] for y, x in corners],
        name=f"{title}: captions",
        size=1,
        face_color="transparent",
        border_color="transparent",
        text={
            "string": [caption for caption, _, _ in columns],
            "color": "#f5d020",
            "size": 12,
            "anchor": "center",
        },
        **at(0, 0),
    )
    layers.append(add_own(viewer, captions, "compared"))
    return layers
