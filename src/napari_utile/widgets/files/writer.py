"""Save layers from napari as TIFF with axes, pixel size and unit; labels with the recipe that made them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from napari import current_viewer
from napari.utils.notifications import show_info

from napari_utile.engine.arrays import letter_of
from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.images import atomic_path, read_image, write_image, write_labels
from napari_utile.engine.files.label_planes import labels_of
from napari_utile.engine.files.names import RECIPE_ENDING, name_and_ending
from napari_utile.engine.files.plane_file import planes_of
from napari_utile.engine.files.result_files import (
    LABELS,
    begin_result,
    kept_beside,
    write_recipe,
    written_beside,
)
from napari_utile.engine.files.space import usable_pixel_size
from napari_utile.engine.planes.naming import name_axes
from napari_utile.engine.provenance.linked import linking_in, with_linking
from napari_utile.widgets.failures import refusals_as_in_the_dock
from napari_utile.widgets.viewer.lengths import is_sheared, step_lengths, world_of
from napari_utile.widgets.viewer.own_pictures import lasting, recipe_in


@refusals_as_in_the_dock()
def save_image(path: str, data: Any, attributes: Mapping[str, Any]) -> list[str]:
    """Write an Image layer; of a pyramid the full resolution."""
    array = _full(data, attributes)
    write_image(path, array, **_space(array, attributes))
    return [path]


@refusals_as_in_the_dock()
def save_labels(path: str, data: Any, attributes: Mapping[str, Any]) -> list[str]:
    """Write a Labels layer, and beside it the recipe of what this plugin made.

    The recipe is replaced before the labels, and only where they can be written. Where they take the place of a result
    of another run, its recipe and what that names go, see `begin_result`; of the same run, where cells were edited,
    what tells of the cells before. Tables that go are named.
    """
    start = str(Path(path).with_name(name_and_ending(Path(path))[0]))
    recipe = recipe_of_layer(data, attributes)
    gone: list[str] = []
    with atomic_path(path) as temporary:
        save_label_pixels(str(temporary), data, attributes)
        edited = written_beside(start) != [] and not _hold_the_same(temporary, f"{start}{LABELS}")
        kept = kept_beside(start, recipe, edited=edited)
        if Path(path) == Path(f"{start}{LABELS}"):
            gone = [Path(f"{start}{ending}").name for ending in written_beside(start) if ending not in kept]
            begin_result(start, recipe or None, kept)
        elif recipe:
            write_recipe(f"{start}{RECIPE_ENDING}", recipe, kept)
    if gone:
        show_info(f"{', '.join(gone)}: removed, as of the cells before. Save results… measures these again.")
    return [path, f"{start}{RECIPE_ENDING}"] if recipe else [path]


@refusals_as_in_the_dock()
def save_label_pixels(path: str, data: Any, attributes: Mapping[str, Any]) -> None:
    """Write a Labels layer alone."""
    array = _full(data, attributes)
    write_labels(path, array, **_space(array, attributes))


def recipe_of_layer(data: Any, attributes: Mapping[str, Any]) -> Mapping[str, Any]:
    """Give the recipe of a Labels layer, with its links as they are now; empty where nobody knows how it was made."""
    metadata = attributes.get("metadata")
    recipe = recipe_in(metadata)
    if (linking := linking_in(lasting(metadata), "this layer")) is not None:
        array = _full(data, attributes)
        axes = _axes(array.shape, attributes.get("axis_labels") or ())
        recipe = with_linking(recipe, linking.of(planes_of(array, axes)))
    return recipe or {}


def _hold_the_same(*paths: str | Path) -> bool:
    """Say whether two files hold the same labels."""
    try:
        one, other = (read_image(path, as_labels=True) for path in paths)
        planes = ((plane for _, plane in labels_of(each)) for each in (one, other))
        return one.data.shape == other.data.shape and all(
            np.array_equal(*each) for each in zip(*planes, strict=True)
        )
    except (UtileError, ValueError):  # whatever lies there, it is other labels
        return False


def _full(data: Any, attributes: Mapping[str, Any]) -> np.ndarray[Any, Any]:
    return np.asarray(data[0] if attributes.get("multiscale") else data)


def _space(array: np.ndarray[Any, Any], attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Give axes, pixel size and unit of a layer as `write_image` takes them; a file has neither angles nor mirrors."""
    rgb = bool(attributes.get("rgb"))
    axes = _axes(array.shape[: array.ndim - rgb], attributes.get("axis_labels") or ())
    world, plane = world_of(attributes, len(axes)), [axes.index(axis) for axis in "YX"]
    lengths = step_lengths(world, plane)
    if not np.allclose(world.linear_matrix, np.diag(lengths), rtol=0, atol=1e-3 * min(lengths)):
        show_info("This layer is mirrored, turned or sheared; the file has its pixels as they are.")
    steps = {axis: (length, str(unit)) for axis, length, unit in zip(axes, lengths, world.units, strict=True)}
    sides = [(None, None)] * 2 if is_sheared(world, plane) else [steps[axis] for axis in "YX"]
    (height, height_unit), (width, width_unit) = sides
    pixel_size, unit = usable_pixel_size(height, width, height_unit, width_unit)
    return {
        "axes": f"{axes}{'S' if rgb else ''}",
        "pixel_size": pixel_size,
        "unit": unit,
        "steps": {axis: step for axis, step in steps.items() if axis in "ZT" and step[1] != "pixel"},
    }


def _axes(shape: tuple[int, ...], labels: Sequence[object]) -> str:
    """Name the axes of a layer by its labels, else as the sliders of the viewer are called.

    Raises
    ------
    UtileError
        Where they need names.
    """
    viewer = current_viewer()
    names: list[object] = list(labels) or [None] * len(shape)
    if viewer is not None and viewer.dims.ndim >= len(shape):
        shown = viewer.dims.axis_labels[-len(shape) :]
        names = [own if letter_of(own) else other for own, other in zip(names, shown, strict=True)]
    letters = [letter_of(name) for name in names]
    named = {"Y", "X"} & {*letters}
    if not named or (len(named) == 1 and None not in letters):  # what is seen is the plane
        if named:
            show_info(f"A file has rows and columns: {letters[-2]} and {letters[-1]} are saved as Y and X.")
        names[-2:] = "y", "x"
    try:
        return name_axes(shape, names, "the layer")[0]
    except UtileError as error:
        raise UtileError(
            f"This layer has the shape {shape}, and a file names its axes: write t, z or c beside each slider below "
            "the image, then save again."
        ) from error
