"""Held-out tiles beside the image: as they are, before and after training."""

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_utile.session.fine_tuning import FineTuneResult
from napari_utile.widgets.viewer.layers import plain_viewer, space_of
from napari_utile.widgets.viewer.own_pictures import add_own

if TYPE_CHECKING:
    import napari.viewer

__all__ = ["show_comparisons"]

_GAP = 10


def show_comparisons(viewer: "napari.viewer.Viewer", result: FineTuneResult, source: Any) -> list[Any]:
    """Add layers to the right of `source`: a row for each held-out tile; image, before, after.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
    result : FineTuneResult
    source : Image layer
        Its last two axes' space is used.

    Returns
    -------
    list of napari layers
    """
    from napari.layers import Image

    viewer = plain_viewer(viewer)
    space = space_of(source)
    linear = space["rotate"] @ space["shear"] @ np.diag(space["scale"])
    shape = (source.data[0] if source.multiscale else source.data).shape
    width = shape[-2] if source.rgb else shape[-1]
    layers = []
    top = 0.0
    for number, tile in enumerate(result.comparisons, start=1):
        height, side = (size / result.scale for size in tile.image.shape)
        pictures = (
            ("image", tile.image, "gray"),
            ("before", tile.before, "magma"),
            ("after", tile.after, "magma"),
        )
        for column, (name, data, colormap) in enumerate(pictures):
            offset = np.array([top, width + _GAP + column * (side + _GAP)])
            at = {
                **space,
                "translate": space["translate"] + linear @ offset,
                "scale": space["scale"] / result.scale,
            }
            limits = (0.0, 1.0)
            picture = Image(
                data, name=f"held out {number} {name}", colormap=colormap, contrast_limits=limits, **at
            )
            layers.append(add_own(viewer, picture, "compared"))
        top += height + _GAP
    return layers
