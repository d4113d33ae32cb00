"""Save layers from napari as TIFF with axes, pixel size and unit; labels with the recipe that made them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from napari_utile.engine.files.images import atomic_path, write_image, write_labels
from napari_utile.engine.files.json_file import write_json
from napari_utile.engine.files.names import RECIPE_ENDING, name_and_ending
from napari_utile.engine.planes.naming import name_axes
from napari_utile.widgets.viewer.own_pictures import recipe_in


def save_image(path: str, data: Any, attributes: Mapping[str, Any]) -> list[str]:
    """Write an Image layer; of a pyramid the full resolution."""
    array = _full(data, attributes)
    write_image(path, array, **_space(array, attributes))
    return [path]


def save_labels(path: str, data: Any, attributes: Mapping[str, Any]) -> list[str]:
    """Write a Labels layer, and beside it the recipe of what this plugin made.

    The recipe is replaced before the labels, and only where they can be written.
    """
    array = _full(data, attributes)
    recipe = recipe_in(attributes.get("metadata"))
    written = [path]
    with atomic_path(path) as beside:
        write_labels(beside, array, **_space(array, attributes))
        if recipe:
            place = Path(path).with_name(f"{name_and_ending(Path(path))[0]}{RECIPE_ENDING}")
            write_json(place, recipe)
            written.append(str(place))
    return written


def _full(data: Any, attributes: Mapping[str, Any]) -> np.ndarray[Any, Any]:
    return np.asarray(data[0] if attributes.get("multiscale") else data)


def _space(array: np.ndarray[Any, Any], attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Give axes, pixel size and unit of a layer as `write_image` takes them."""
    rgb = bool(attributes.get("rgb"))
    planar = array.ndim - rgb
    names = list(attributes.get("axis_labels") or ())[-planar:]
    named = names if len(names) == planar else [None] * planar
    axes, _ = name_axes(array.shape[:planar], [*named[:-2], "y", "x"], "the layer")
    scale = [float(step) for step in attributes.get("scale", ())][-2:]
    units = [str(unit) for unit in attributes.get("units", ())][-2:]
    unit = units[0] if len(units) == 2 and units[0] == units[1] else None
    steps = zip(axes, attributes.get("scale", ()), attributes.get("units", ()), strict=False)
    return {
        "axes": f"{axes}{'S' if rgb else ''}",
        "pixel_size": (scale[0], scale[1]) if len(scale) == 2 else None,
        "unit": unit,
        "steps": {
            axis: (float(step), str(name))
            for axis, step, name in steps
            if axis in "ZT" and str(name) != "pixel"
        },
    }
