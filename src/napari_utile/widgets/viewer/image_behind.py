"""The image that a plane of labels lies on."""

from typing import Any

import napari.viewer
import numpy as np

from napari_utile.widgets.viewer.layers import Place, plane_data
from napari_utile.widgets.viewer.own_pictures import is_own


def image_behind(viewer: napari.viewer.Viewer, place: Place) -> Any:
    """Read the plane of the topmost image of the same size that the plugin did not make, visible ones first.

    Returns
    -------
    (C, Y, X) array, optional
        One channel, or the colours of an RGB layer; None where there is no such image.
    """
    layers = list(reversed(viewer.layers))
    for layer in [*(one for one in layers if one.visible), *(one for one in layers if not one.visible)]:
        if layer._type_string != "image" or is_own(layer) or layer.multiscale:
            continue
        shape = tuple(layer.data.shape[:-1]) if layer.rgb else tuple(layer.data.shape)
        if shape == place.shape:
            return np.asarray(plane_data(layer, place))
        if shape == place.plane_shape:
            return np.asarray(plane_data(layer, Place((slice(None), slice(None)), place.plane_shape, (0, 1))))
    return None
