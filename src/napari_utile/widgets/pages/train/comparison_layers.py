"""Held-out tiles beside the image: with the painted cells, before and after training, each column with its caption."""

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_utile.session.fine_tuning import Comparison, FineTuneResult
from napari_utile.widgets.viewer.layers import plain_viewer, space_of
from napari_utile.widgets.viewer.own_pictures import add_own

if TYPE_CHECKING:
    import napari.viewer

__all__ = ["show_comparisons"]

_GAP = 10
_CAPTIONS = ("image, painted", "before", "after")
# Room above the tiles for the captions, as a share of the width of a column.
_CAPTION_ROOM = 0.15


def show_comparisons(viewer: "napari.viewer.Viewer", result: FineTuneResult, source: Any) -> list[Any]:
    """Add layers to the right of `source`: a column of held-out tiles each for image, before and after.

    The painted cells are outlined in all of them.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
    result : FineTuneResult
    source : Image layer
        Its last two axes' space is used.

    Returns
    -------
    list of napari layers
        Image, before, after, the painted cells, and the captions.
    """
    from napari.layers import Image, Labels, Points

    viewer = plain_viewer(viewer)
    space = space_of(source)
    linear = space["rotate"] @ space["shear"] @ np.diag(space["scale"])
    shape = (source.data[0] if source.multiscale else source.data).shape
    width = shape[-2] if source.rgb else shape[-1]
    columns, truth = _montage(result.comparisons)
    side = columns[0].shape[1]

    def at(column: int) -> dict[str, Any]:
        offset = np.array([0.0, width + _GAP + column * (side / result.scale + _GAP)])
        return {
            **space,
            "translate": space["translate"] + linear @ offset,
            "scale": space["scale"] / result.scale,
        }

    layers: list[Any] = []
    for column, (name, data) in enumerate(zip(_CAPTIONS, columns, strict=True)):
        colormap = "magma" if column else "gray"
        picture = Image(
            data, name=f"held out: {name}", colormap=colormap, contrast_limits=(0.0, 1.0), **at(column)
        )
        layers.append(add_own(viewer, picture, "compared"))
    apart = round(side + _GAP * result.scale)
    outlines = np.zeros((truth.shape[0], 2 * apart + side), np.int32)
    for column in range(len(columns)):
        outlines[:, column * apart : column * apart + side] = truth
    painted = Labels(outlines, name="held out: painted cells", **at(0))
    painted.contour = 1
    layers.append(add_own(viewer, painted, "compared"))
    above = -_CAPTION_ROOM * side / 2
    captions = Points(
        [[above, column * apart + side / 2] for column in range(len(columns))],
        name="held out: captions",
        size=1,
        face_color="transparent",
        border_color="transparent",
        text={"string": list(_CAPTIONS), "color": "#f5d020", "size": 12, "anchor": "center"},
        **at(0),
    )
    layers.append(add_own(viewer, captions, "compared"))
    return layers


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
