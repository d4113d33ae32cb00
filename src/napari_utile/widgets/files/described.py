"""Images and labels of files as layers are made of them, with channels, scale and units; nothing is read for it."""

from dataclasses import replace
from typing import Any, TypeVar

import numpy as np

from napari_utile.engine.files.image_file import ImageFile
from napari_utile.engine.files.pyramid import Pyramid
from napari_utile.engine.planes.naming import order_to_show
from napari_utile.engine.planes.units import shown_unit

LayerData = tuple[Any, dict[str, Any], str]
"""What napari makes a layer of: the data, the arguments, the type of layer."""

_Image = TypeVar("_Image", ImageFile, Pyramid)


def image_layers(image: ImageFile) -> list[LayerData]:
    """Describe an image file as layers, with its pixel size.

    Returns
    -------
    list of LayerData
        One, or one for each channel.
    """
    image = _as_shown(image)
    rgb = image.axes.endswith("S")
    axes = image.axes.replace("S", "")
    channel = axes.find("C")
    if channel < 0:
        return [(image.data, {"name": image.name, "rgb": rgb, **_space(image, axes)}, "image")]
    space = _space(image, axes.replace("C", ""))
    before = (slice(None),) * channel
    return [
        (
            image.data[(*before, number)],
            {"name": f"{image.name} channel {number}", "rgb": rgb, "blending": "additive", **space},
            "image",
        )
        for number in range(image.data.shape[channel])
    ]


def labels_layer(image: ImageFile) -> LayerData:
    """Describe a file of labels as a hidden layer, with its pixel size."""
    image, name = _as_shown(image), image.name.replace("_", " ")
    return np.asarray(image.data), {"name": name, "visible": False, **_space(image, image.axes)}, "labels"


def pyramid_layer(image: Pyramid) -> LayerData:
    """Describe an image at all its resolutions as a layer; `channel_axis` says where its channels are."""
    image = _as_shown(image)
    channel = image.axes.find("C")
    options: dict[str, Any] = {"name": image.name, **_pyramid_space(image)}
    if channel >= 0:
        count = image.levels[0].shape[channel]
        described = image.channels if len(image.channels) == count else ()
        options["channel_axis"] = channel
        options["name"] = [each.name for each in described] or [
            f"{image.name} channel {n}" for n in range(count)
        ]
        if described and all(each.colour for each in described):
            options["colormap"] = [f"#{each.colour}" for each in described]
        if described and all(each.limits for each in described):
            options["contrast_limits"] = [each.limits for each in described]
    else:
        if len(image.channels) == 1 and image.channels[0].limits:
            options["contrast_limits"] = image.channels[0].limits
        options["rgb"] = False
    return _levels(image), options, "image"


def pyramid_labels_layer(labels: Pyramid) -> LayerData:
    """Describe labels at all their resolutions as a layer."""
    labels = _as_shown(labels)
    return _levels(labels), {"name": labels.name, **_pyramid_space(labels, keep_channel=True)}, "labels"


def _as_shown(image: _Image) -> _Image:
    """Give an image whose last axes are rows and columns, whatever the order in the file."""
    order = order_to_show(image.axes)
    if order == sorted(order):
        return image
    moved: dict[str, Any] = {"axes": "".join(image.axes[place] for place in order)}
    if isinstance(image, ImageFile):
        moved["data"] = image.data.transpose(order)
    else:
        moved["levels"] = tuple(level.transpose(order) for level in image.levels)
        for name in ("scale", "translation", "units"):
            moved[name] = tuple(getattr(image, name)[place] for place in order)
    return replace(image, **moved)


def _space(image: ImageFile, axes: str) -> dict[str, Any]:
    """Return what places a layer with these axes in space; where the file gives no step, entries are 1 apart."""
    steps: dict[str, tuple[float, str]] = {
        axis: (step, unit) for axis, (step, unit) in image.steps.items() if unit
    }
    if image.pixel_size is not None:
        height, width = image.pixel_size
        steps |= {"Y": (height, shown_unit(image.unit)), "X": (width, shown_unit(image.unit))}
    placed = [steps.get(axis, (1.0, "pixel")) for axis in axes]
    return {
        "scale": tuple(step for step, _ in placed),
        "units": tuple(shown_unit(unit) for _, unit in placed),
        "axis_labels": tuple(axis.lower() for axis in axes),
    }


def _levels(image: Pyramid) -> Any:
    return list(image.levels) if len(image.levels) > 1 else image.levels[0]


def _pyramid_space(image: Pyramid, *, keep_channel: bool = False) -> dict[str, Any]:
    """Return what places a layer in space; a channel axis becomes layers of its own."""
    kept = [position for position, axis in enumerate(image.axes) if keep_channel or axis != "C"]
    return {
        "multiscale": len(image.levels) > 1,
        "scale": tuple(image.scale[position] for position in kept),
        "translate": tuple(image.translation[position] for position in kept),
        "units": tuple(shown_unit(image.units[position]) for position in kept),
        "axis_labels": tuple(image.axes[position].lower() for position in kept),
    }
