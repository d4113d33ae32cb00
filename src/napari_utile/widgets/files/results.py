"""Save cells with their table and recipe, as files that open again with their pixel size, units and recipe."""

from collections.abc import Generator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import napari.layers
import napari.viewer
import numpy as np

from napari_utile.engine.cells.measure import measure
from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.label_origin import linked_axis
from napari_utile.engine.files.names import CELLS, RECIPE_ENDING
from napari_utile.engine.files.result_files import LABELS, new_result, touched
from napari_utile.engine.files.tables import write_table
from napari_utile.engine.linking.measure import ID_COLUMN
from napari_utile.engine.metrics.contingency import as_labels
from napari_utile.engine.planes.axes import ImagePlane
from napari_utile.session.plane_index import PlaneIndex
from napari_utile.session.plane_rows import cells_of, known_of, with_index
from napari_utile.widgets.files.writer import recipe_of_layer, save_image, save_label_pixels
from napari_utile.widgets.viewer.layers import Place, place_of, plane_at, shape_of, slider_name
from napari_utile.widgets.viewer.lengths import pixel_size_of
from napari_utile.widgets.viewer.own_pictures import is_own
from napari_utile.widgets.viewer.result_layers import own_layer, source_of


@dataclass(frozen=True, eq=False)
class Results:
    """What is saved of a Labels layer, captured when the user asked for it.

    Attributes
    ----------
    name : str
        Of the image, for the files.
    labels : array
        All planes.
    attributes : dict
        Of the layer, as napari gives them to writers.
    places : list of Place
        Every plane of the layer.
    axes : list of str
        Names of the layer's axes.
    planes : list of ImagePlane or None
        The image below each; None where there is none of this size.
    columns : dict of str to arrays
        The layer's feature table.
    classes : array, optional
        The class of each pixel, all planes, where the model tells classes apart.
    """

    name: str
    labels: Any
    attributes: dict[str, Any]
    places: list[Place]
    axes: list[str]
    planes: list[ImagePlane | None]
    columns: dict[str, Any]
    pixel_size: tuple[float, float] | None
    unit: str | None
    opened: tuple[Path, ...]
    classes: Any


def results_of(
    viewer: napari.viewer.Viewer, layer: napari.layers.Labels, image: napari.layers.Layer | None
) -> Results:
    """Capture a Labels layer, and the image that its cells are measured on.

    Raises
    ------
    ValueError
        In one sentence, where nothing of the layer is on screen.
    """
    place = place_of(layer, viewer)
    below: list[Any] = [None] * len(place.every)
    if image is not None and not image.multiscale:
        shape = tuple(image.data.shape[:-1]) if image.rgb else tuple(image.data.shape)
        if shape == place.shape:
            below = [plane_at(image, each) for each in place.every]
    name = image.name if image is not None and is_own(layer) else layer.name
    opened = tuple(Path(each.source.path).resolve() for each in viewer.layers if each.source.path)
    shown = None if image is None or source_of(layer) is not image else own_layer(viewer, "classes", image)
    classes = None if shown is None or shown.data.shape != layer.data.shape else np.array(shown.data)
    captured = _captured(layer, place, name)
    return replace(captured, planes=below, opened=opened, classes=classes)


def results_of_file(layer: napari.layers.Labels, name: str) -> Results:
    """Capture a Labels layer as a file has it, with the last two axes in the plane; no image lies below its cells."""
    first = PlaneIndex.of((*[0] * (layer.ndim - 2), slice(None), slice(None)))
    return _captured(layer, Place(first.index, shape_of(layer), first.axes), name)


def _captured(layer: napari.layers.Labels, place: Place, name: str) -> Results:
    data, attributes, _ = layer.as_layer_data_tuple()
    attributes["metadata"] = dict(attributes["metadata"])  # corrections are noted there meanwhile
    size, unit = pixel_size_of(layer, place.axes)
    columns = {str(key): np.asarray(column) for key, column in layer.features.items()}
    copy = np.array(data) if isinstance(data, np.ndarray) else data  # the user may paint meanwhile
    axes = [slider_name(layer, axis) for axis in range(layer.ndim)]
    every = place.every
    return Results(name, copy, attributes, every, axes, [None] * len(every), columns, size, unit, (), None)


def save_results(results: Results, path: Path) -> Generator[tuple[int, int], None, list[Path]]:
    """Measure the cells again and write ``<name>_labels.tif``, ``<name>_cells.csv`` and the recipe, if there is one.

    Where the model tells classes apart, ``<name>_classes.tif`` holds the class of each pixel of a cell. What an earlier
    result of this name had beside it is removed, see `begin_result`.

    Parameters
    ----------
    path : Path
        Of the labels; the others are named after it.

    Returns
    -------
    list of Path
        What was written.

    Raises
    ------
    UtileError
        Where a file would take the place of an image that is open, or cannot be written.
    """
    start = str(path.with_name(path.name.removesuffix(path.suffix).removesuffix("_labels")))
    beside = [CELLS, *([] if results.classes is None else ["_classes.tif"])]
    for target in touched(start, beside):
        if target.resolve() in results.opened:
            raise UtileError(f"{target.name} is open in this window; choose another name.")
    recipe = recipe_of_layer(results.labels, results.attributes) or None
    linked = linked_axis(recipe or {})
    tables = []
    for number, (place, plane) in enumerate(zip(results.places, results.planes, strict=True)):
        yield number, len(results.places)
        cells = as_labels(np.asarray(results.labels[place.index]), results.name)
        pixels = None if plane is None else np.asarray(plane.data)
        made = measure(cells, pixels, results.pixel_size, results.unit)
        rows = len(made["index"])
        steps = zip(place.plane.sliders, place.plane.steps, strict=True)
        where = {results.axes[axis]: np.full(rows, step) for axis, step in steps}
        ids = {ID_COLUMN[linked]: made["index"]} if linked else {}
        tables.append({**ids, **where, **made})
    columns = {key: np.concatenate([each[key] for each in tables]) for key in tables[0]}
    with new_result(start, recipe, beside) as new:
        save_label_pixels(str(new[LABELS]), results.labels, results.attributes)
        write_table(new[CELLS], {**columns, **_own_columns(results, columns)})
        if results.classes is not None:
            shown = np.where(np.asarray(results.labels) > 0, results.classes, 0).astype(results.classes.dtype)
            save_image(str(new["_classes.tif"]), shown, results.attributes)
    endings = [LABELS, *([RECIPE_ENDING] if recipe else []), *reversed(beside)]
    return [Path(f"{start}{ending}") for ending in endings]


def _own_columns(results: Results, columns: dict[str, Any]) -> dict[str, Any]:
    """Give the columns that a user, or another plugin, added to the feature table."""
    kept = with_index(results.columns)
    if not kept:
        return {}
    planes = [axis for axis in results.axes if axis in kept and axis in columns]
    rows = {cell: row for row, cell in enumerate(cells_of(kept, planes))}
    order = [known_of(cell, rows) for cell in cells_of(columns, planes)]
    added = [key for key in kept if key not in columns and not key.startswith("axis ")]
    return {key: [None if row is None else kept[key][row] for row in order] for key in added}
