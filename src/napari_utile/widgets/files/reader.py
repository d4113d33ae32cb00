"""Open OME-Zarr, vendors' files and this program's results in napari, with channels, scale, units and labels."""

import contextlib
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from napari import current_viewer
from napari.utils.notifications import show_info, show_warning

from napari_utile.engine.cells.classes import classes_in_words
from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.images import read_image
from napari_utile.engine.files.json_file import read_json
from napari_utile.engine.files.names import image_name, name_and_ending, table_beside
from napari_utile.engine.files.ome_zarr import collected_images
from napari_utile.engine.files.pyramid import has_pyramid, read_pyramid
from napari_utile.engine.files.result_files import recipe_beside
from napari_utile.engine.files.tables import WORDS, read_columns
from napari_utile.engine.files.vendor import READERS
from napari_utile.widgets.failures import as_in_the_dock, refusals_as_in_the_dock, sentence_of
from napari_utile.widgets.files.described import LayerData, image_layers, pyramid_labels_layer, pyramid_layer
from napari_utile.widgets.viewer.hovered_rows import hover_by_plane
from napari_utile.widgets.viewer.own_pictures import METADATA_KEY, clearing

Reader = Callable[[str | Sequence[str]], list[LayerData]]


def get_reader(path: str | Sequence[str]) -> Reader | None:
    """Say how OME-Zarr 0.4 and 0.5, vendors' files, and results beside their recipe or table are opened; else None.

    Of plates, wells and collections of OME-Zarr the first image is opened, which is said.

    Parameters
    ----------
    path : str or sequence of str
        Several paths, to be stacked, are declined.
    """
    if not isinstance(path, str | os.PathLike):
        return None
    place = Path(path)
    if has_pyramid(place):
        return open_ome_zarr
    if collected_images(place):
        return open_first_of_many
    if place.suffix.lower() in READERS and place.is_file():
        return open_vendor
    return open_result if place.is_file() and (recipe_beside(place) or table_beside(place)) else None


@refusals_as_in_the_dock()
def open_ome_zarr(path: str | Sequence[str]) -> list[LayerData]:
    """Describe an OME-Zarr image and its labels as layers; nothing is read before it is shown."""
    image = read_pyramid(Path(str(path)))
    return [pyramid_layer(image), *map(pyramid_labels_layer, image.labels)]


@refusals_as_in_the_dock()
def open_first_of_many(path: str | Sequence[str]) -> list[LayerData]:
    """Describe the first image of a plate, a well or a collection, and say how many there are."""
    place = Path(str(path))
    names = collected_images(place)
    if len(names) > 1:
        show_info(
            f"{place.name} holds {len(names)} images; this is {names[0]}. The button ⋯ beside Image in the dock U-Tile "
            "opens another."
        )
    first = place / names[0]
    return open_ome_zarr(str(first)) if has_pyramid(first) else open_vendor(str(first))


@refusals_as_in_the_dock()
def open_vendor(path: str | Sequence[str]) -> list[LayerData]:
    """Describe a file of a microscope's vendor as layers; of several images the first, which is said."""
    image = read_image(str(path))
    if image.notes:
        show_info(as_in_the_dock(f"{image.path.name}: {'; '.join(image.notes)}"))
    return image_layers(image)


def open_result(path: str | Sequence[str]) -> list[LayerData]:
    """Describe a result of this program, see `read_result`; hovering over its cells names their rows."""
    layer = read_result(Path(str(path)))
    if "features" in layer[1] and (viewer := current_viewer()) is not None:
        hover_by_plane(viewer)
    return [layer]


@refusals_as_in_the_dock()
def read_result(place: Path) -> LayerData:
    """Describe labels, classes, a mask or a probability that this program wrote, with their recipe and table.

    Unlike `open_result` it touches no viewer, and may be called from any thread.

    Raises
    ------
    UtileError
        If the file cannot be read.
    """
    name, ending = name_and_ending(place)
    is_labels = ending in ("_labels", "_classes")
    [(data, options, _)] = image_layers(read_image(place, as_labels=is_labels))
    options["name"] = image_name(place)
    recipe = recipe_beside(place)
    if not is_labels:
        return data, {**options, "colormap": clearing("magma"), "visible": False}, "image"
    options.pop("rgb", None)
    if made := _recipe_in(recipe):
        own = {"linking": made.pop("linking", None), "recipe": made}
        options["metadata"] = {METADATA_KEY: own}
        if ending == "_classes":
            own["role"] = "classes"
            options["name"] = f"{name} {classes_in_words(made.get('classes', ()))}"
    if table := table_beside(place):
        entries = [each.get("index", {}) for each in made.get("planes", ())]
        options["features"] = _table_of(table, np.asarray(data), options["axis_labels"], entries)
    return np.asarray(data), options, "labels"


def _recipe_in(path: Path | None) -> dict[str, Any]:
    """Read a recipe; empty where there is none, or it is damaged, which is said."""
    if path is None:
        return {}
    try:
        made = read_json(path, "is damaged")
        if not isinstance(made, dict):
            raise UtileError(f"{path.name} is damaged: it is not a recipe.")
    except UtileError as error:
        show_warning(f"{sentence_of(error)} The labels are opened without it.")
        return {}
    return made


def _table_of(
    path: Path, labels: np.ndarray[Any, Any], axes: Sequence[str], entries: Sequence[Mapping[str, int]]
) -> dict[str, Any]:
    """Read the table of labels, where it is still theirs: of the same ids, each once, or once a plane, and as large.

    Parameters
    ----------
    entries : sequence of mapping of str to int
        Where in the image the planes lie: a command's table counts planes as the image does, a layer's as the layer.
    """
    try:
        table = read_columns(path)
        areas = table["area_px"]
    except (UtileError, KeyError):  # there is none, or somebody wrote another
        return {}
    named = {f"axis {number}": axis for number, axis in enumerate(axes)} | {
        axis.upper(): axis for axis in axes
    }
    columns = {
        named.get(column, column): values if column in WORDS else _with_gaps(values)
        for column, values in table.items()
        if column not in ("index", "label")
    }
    stacked = [axis for axis in axes[:-2] if axis in columns and columns[axis].dtype.kind in "iu"]
    firsts = {axis: min((each.get(axis.upper(), 0) for each in entries), default=0) for axis in stacked}
    found, sizes = np.unique(labels[labels > 0], return_counts=True)
    for name in ("index", "track_id", "object"):  # where planes are linked, labels have the ids of the links
        ids = table.get(name, np.zeros(0, int))
        for first in ({}, firsts):
            moved = {axis: columns[axis] - first.get(axis, 0) for axis in stacked}
            if _are_of_planes(ids, areas, [moved.get(axis, 0) for axis in axes[:-2]], labels):
                return {"index": ids, "label": ids} | columns | moved
        order = np.argsort(ids, kind="stable")
        if np.array_equal(ids[order], found) and np.array_equal(areas[order], sizes):
            return {"index": ids, "label": ids} | columns
    return {}


def _are_of_planes(
    ids: np.ndarray[Any, Any], areas: np.ndarray[Any, Any], steps: Sequence[Any], labels: np.ndarray[Any, Any]
) -> bool:
    """Say whether ids, areas and steps along each axis of planes, each (N,), are those of labels (..., Y, X)."""
    if ids.size != areas.size:
        return False
    height, width = labels.shape[-2:]
    where = [np.broadcast_to(np.asarray(each, dtype=int), ids.shape) for each in steps]
    if not all(
        np.all((each >= 0) & (each < size)) for each, size in zip(where, labels.shape[:-2], strict=True)
    ):
        return False
    planes = np.ravel_multi_index(tuple(where), labels.shape[:-2]) if where else np.zeros(ids.size, int)
    order = np.lexsort((ids, planes))
    found = [np.unique(plane[plane > 0], return_counts=True) for plane in labels.reshape(-1, height, width)]
    numbers = np.repeat(np.arange(len(found)), [each.size for each, _ in found])
    told = zip((planes, ids, areas), (numbers, *map(np.concatenate, zip(*found, strict=True))), strict=True)
    return all(np.array_equal(ours[order], theirs) for ours, theirs in told)


def _with_gaps(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Read as numbers a column of which some cells are empty."""
    if values.dtype == object and (values != "").any():
        with contextlib.suppress(ValueError):
            return np.array([each or "nan" for each in values], float)
    return values
