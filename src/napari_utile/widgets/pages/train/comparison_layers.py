"""Held-out tiles beside the image: with the painted cells, before and after training."""

from typing import Any

import napari.viewer
import numpy as np

from napari_utile.session.fine_tuning import Comparison, FineTuneResult
from napari_utile.widgets.viewer.beside import show_beside

_GAP = 10
_COLUMNS = (("image, painted", "gray"), ("before", "magma"), ("after", "magma"))


def show_comparisons(viewer: napari.viewer.Viewer, result: FineTuneResult, source: Any) -> list[Any]:
    """Add layers to the right of `source`: a column of held-out tiles each for image, before and after.

    The painted cells are outlined in all of them.

    Returns
    -------
    list of napari layers
        Image, before, after, the painted cells, and the captions.
    """
    pictures, truth = _montage(result.comparisons)
    columns = [
        (caption, data, colormap) for (caption, colormap), data in zip(_COLUMNS, pictures, strict=True)
    ]
    return show_beside(
        viewer,
        source,
        columns,
        [truth] * len(columns),
        title="held out",
        outlined="painted cells",
        scale=result.scale,
    )


def _montage(
    tiles: tuple[Comparison, ...],
) -> tuple[list[np.ndarray[Any, Any]], np.ndarray[Any, Any]]:
    """Put tiles below one another: an array each for image, before, after, and one for the truth with own numbers."""
    width = max(tile.image.shape[1] for tile in tiles)
    parts: list[list[np.ndarray[Any, Any]]] = [[], [], []]
    truths: list[np.ndarray[Any, Any]] = []
    used = 0
    for tile in tiles:
        pad = ((0, _GAP), (0, width - tile.image.shape[1]))
        for column, data in zip(parts, (tile.image, tile.before, tile.after), strict=True):
            column.append(np.pad(data, pad))
        truths.append(np.pad(np.where(tile.truth > 0, tile.truth + used, 0), pad))
        used += int(tile.truth.max(initial=0))
    return [np.concatenate(column)[:-_GAP] for column in parts], np.concatenate(truths)[:-_GAP]
