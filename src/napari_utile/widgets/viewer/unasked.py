"""Which labels are chosen as an image's cells unasked: those that were found or painted on it, never a truth."""

import re

import napari.layers
import numpy as np

from napari_utile.session.state import ChosenImage
from napari_utile.widgets.viewer.layers import full_resolution
from napari_utile.widgets.viewer.own_pictures import image_of

_REFERENCE = re.compile(r"truth|reference|annot|manual|(?<![a-z])gt(?![a-z])", re.IGNORECASE)
_LABELS = re.compile(r"(?<![a-z])(labels?(?!.?free)|masks?|instances|segmentation)(?![a-z])", re.IGNORECASE)


def chosen_unasked(labels: napari.layers.Labels, image: ChosenImage) -> bool:
    """Say whether a Labels layer is taken for the cells of an image before the user has chosen any.

    What the plugin found on this image is; of other labels those that can be seen, lie on the image, and are not named
    like what people compare with: a first click must not change a truth, nor go to where nobody sees it.

    Parameters
    ----------
    labels : Labels layer
    image : ChosenImage
        Without a layer, labels need not lie on anything.
    """
    found_on = image_of(labels)
    if found_on is not None:
        return found_on is image.layer
    return bool(labels.visible) and not looks_like_a_reference(labels) and lies_on(labels, image)


def lies_on(labels: napari.layers.Labels, image: ChosenImage) -> bool:
    """Say whether the pixels of labels are all pixels of an image."""
    layer = image.layer
    if layer is None:
        return True
    kept = [axis for axis in range(layer.ndim) if axis or image.channel_axis != 0]
    shape = full_resolution(layer).shape
    return tuple(full_resolution(labels).shape) == tuple(shape[axis] for axis in kept) and all(
        np.allclose(getattr(labels, name), np.asarray(getattr(layer, name))[kept])
        for name in ("scale", "translate")
    )


def looks_like_a_reference(layer: napari.layers.Layer) -> bool:
    """Say whether a layer is named as people name what they compare with."""
    return _REFERENCE.search(layer.name) is not None


def looks_like_labels(image: napari.layers.Image) -> bool:
    """Say whether an image layer holds whole numbers and is named as people name labels."""
    named = looks_like_a_reference(image) or _LABELS.search(image.name) is not None
    return named and not image.rgb and np.issubdtype(full_resolution(image).dtype, np.integer)
