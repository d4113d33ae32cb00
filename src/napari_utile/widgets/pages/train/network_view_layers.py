"""One training sample as layers beside the image: what the network sees, and what it is asked for."""

from typing import Any

import napari.viewer
import numpy as np
from napari.layers import Image, Labels, Vectors

from napari_utile.session.annotation_advice import NetworkView
from napari_utile.widgets.viewer.layers import full_resolution, plain_viewer, space_of
from napari_utile.widgets.viewer.own_pictures import add_own, glow

_GAP = 10
_IGNORED = 255


def show_network_view(viewer: napari.viewer.Viewer, view: NetworkView, source: Any) -> list[Any]:
    """Add image, labels, weights and the frame of the valid output; return the layers.

    Parameters
    ----------
    source : Image layer
        The sample is placed to the right of it, in its space.
    """
    viewer = plain_viewer(viewer)
    space = space_of(source)
    linear = space["rotate"] @ space["shear"] @ np.diag(space["scale"])
    shape = full_resolution(source).shape
    left = (shape[-2] if source.rgb else shape[-1]) + _GAP

    def at(halo: int) -> dict[str, Any]:
        offset = np.array([halo / view.scale, left + halo / view.scale])
        return {
            **space,
            "translate": space["translate"] + linear @ offset,
            "scale": space["scale"] / view.scale,
        }

    sample = view.sample
    target = sample.target.cpu().numpy()
    weight = sample.weight.cpu().numpy()
    size = target.shape[0]
    frame = np.array([[-0.5, -0.5], [-0.5, size - 0.5], [size - 0.5, size - 0.5], [size - 0.5, -0.5]])
    image = Image(
        sample.image.cpu().numpy()[0], name="network sees: image", contrast_limits=(0.0, 1.0), **at(0)
    )
    weights = glow(
        weight,
        name="network sees: weights",
        colormap="inferno",
        contrast_limits=(0.0, float(weight.max()) or 1.0),
        opacity=0.6,
        **at(view.halo),
    )
    labels = Labels(
        np.where(target == _IGNORED, 0, target + 1).astype(np.uint8),
        name="network sees: labels (1 background, 2 and above cell)",
        opacity=0.3,
        visible=False,
        **at(view.halo),
    )
    corners = np.array([frame, np.roll(frame, -1, axis=0) - frame]).swapaxes(0, 1)
    valid = Vectors(
        corners,
        name="network sees: valid output",
        vector_style="line",
        edge_color="#f5d020",
        edge_width=1,
        **at(view.halo),
    )
    return [add_own(viewer, layer, "sees") for layer in (image, weights, labels, valid)]
