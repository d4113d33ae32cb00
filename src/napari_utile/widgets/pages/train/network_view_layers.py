"""One training sample as layers beside the image: what the network sees, and what it is asked for."""

from typing import Any

import napari.viewer
import numpy as np
from napari.layers import Image, Labels, Vectors

from napari_utile.session.annotation_advice import NetworkView
from napari_utile.widgets.viewer.beside import space_beside
from napari_utile.widgets.viewer.own_pictures import add_own, glow

_IGNORED = 255


def show_network_view(viewer: napari.viewer.Viewer, view: NetworkView, source: Any) -> list[Any]:
    """Add image, labels, weights and the frame of the valid output; return the layers.

    Parameters
    ----------
    source : Image layer
        The sample is placed to the right of it, in its space.
    """
    outer = space_beside(source, view.scale)
    inner = space_beside(source, view.scale, view.halo, view.halo)
    sample = view.sample
    target = sample.target.cpu().numpy()
    weight = sample.weight.cpu().numpy()
    size = target.shape[0]
    frame = np.array([[-0.5, -0.5], [-0.5, size - 0.5], [size - 0.5, size - 0.5], [size - 0.5, -0.5]])
    image = Image(
        sample.image.cpu().numpy()[0], name="network sees: image", contrast_limits=(0.0, 1.0), **outer
    )
    weights = glow(
        weight,
        name="network sees: weights",
        colormap="inferno",
        contrast_limits=(0.0, float(weight.max()) or 1.0),
        opacity=0.6,
        **inner,
    )
    labels = Labels(
        np.where(target == _IGNORED, 0, target + 1).astype(np.uint8),
        name="network sees: labels (1 background, 2 and above cell)",
        opacity=0.3,
        visible=False,
        **inner,
    )
    corners = np.array([frame, np.roll(frame, -1, axis=0) - frame]).swapaxes(0, 1)
    valid = Vectors(
        corners,
        name="network sees: valid output",
        vector_style="line",
        edge_color="#f5d020",
        edge_width=1,
        **inner,
    )
    return [add_own(viewer, layer, "sees") for layer in (image, weights, labels, valid)]
