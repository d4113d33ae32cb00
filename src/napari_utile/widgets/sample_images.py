"""The images under File > Open Sample: simulated cells, each with its hidden truth."""

from dataclasses import replace
from importlib.resources import as_file, files
from typing import Any

import numpy as np

from napari_utile.engine.files.image_file import ImageFile
from napari_utile.engine.files.images import read_image
from napari_utile.engine.planes.naming import order_to_show
from napari_utile.engine.planes.units import shown_unit

LayerData = tuple[Any, dict[str, Any], str]
"""What napari makes a layer of: the data, the arguments, the type of layer."""


def nuclei() -> list[LayerData]:
    """Fluorescent nuclei, some of them touching."""
    return sample("nuclei")


def nuclei_clustered() -> list[LayerData]:
    """Fluorescent nuclei in clusters."""
    return sample("nuclei_clustered")


def phase_contrast_cells() -> list[LayerData]:
    """Touching cells in phase contrast: dark bodies, bright halos."""
    return sample("phase_contrast_cells")


def film_two_channels() -> list[LayerData]:
    """Cells that move, in two channels: nuclei and cell bodies."""
    return sample("film_two_channels")


def sample(name: str) -> list[LayerData]:
    """Read a bundled image, and the cells that were drawn in it as a hidden layer.

    Parameters
    ----------
    name : str
        File name in ``sample_data``, without ``.tif``.

    Returns
    -------
    list of LayerData
        The image, a layer for each channel, and its truth.

    Raises
    ------
    UtileError
        If there is no such file.
    """
    return [*image_layers(_read(name)), labels_layer(_read(f"{name}_truth"))]


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


def _as_shown(image: ImageFile) -> ImageFile:
    """Give an image whose last axes are rows and columns, whatever the order in the file."""
    order = order_to_show(image.axes)
    if order == sorted(order):
        return image
    return replace(
        image, data=image.data.transpose(order), axes="".join(image.axes[place] for place in order)
    )


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


def _read(name: str) -> ImageFile:
    with as_file(files("napari_utile") / "sample_data" / f"{name}.tif") as path:
        return read_image(path)
