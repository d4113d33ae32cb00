"""An image of a batch that is open for review: read, and written where its cells are right."""

from collections.abc import Generator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from napari.layers import Labels, Layer
from napari.layers.utils.stack_utils import split_channels

from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.pyramid import pyramid_of
from napari_utile.engine.files.result_files import LABELS
from napari_utile.engine.steps import Run
from napari_utile.engine.store.plan import load_plan
from napari_utile.engine.training.sets import add_images, list_sets, replaced_in_words
from napari_utile.session.cell_classes import CLASS
from napari_utile.session.own_columns import added_to, is_added
from napari_utile.session.plane_index import PlaneIndex
from napari_utile.session.review import REVIEWED, Decisions, ReviewItem, reviewed_path, training_images
from napari_utile.session.store_jobs import MOST_IN_MEMORY
from napari_utile.session.store_tables import features_of
from napari_utile.widgets.failures import failures_to, sentence_of
from napari_utile.widgets.files.described import image_layers, pyramid_layer
from napari_utile.widgets.files.reader import open_ome_zarr, read_result
from napari_utile.widgets.files.results import results_of_file, save_results
from napari_utile.widgets.files.writer import save_labels
from napari_utile.widgets.viewer.cell_tables import rows_of
from napari_utile.widgets.viewer.layers import slider_name
from napari_utile.widgets.viewer.own_pictures import METADATA_KEY
from napari_utile.widgets.worker import NO_JOB, JobHandle, as_job


@dataclass(frozen=True, eq=False)
class Opened:
    """The layers of an image under review.

    Attributes
    ----------
    image : Image layer
        The first channel that the batch read.
    channels : tuple of int, optional
        Which colours it read, where `image` is a colour image and they were chosen.
    cells : Labels layer
    layers : tuple of layers
        All of them, from bottom to top.
    before : integer array, optional
        The pixels of the cells as they were opened; None where they lie in a store, which edits go to at once.
    added : dict
        What people had added to the table of the cells as they were opened, as classes: see `added_to`.
    corrected : bool
        Whether they are what somebody made of those that the batch found.
    """

    image: Any
    channels: tuple[int, ...] | None
    cells: Any
    layers: tuple[Any, ...]
    before: np.ndarray[Any, Any] | None
    added: dict[Any, Any]
    corrected: bool

    @property
    def is_changed(self) -> bool:
        """Whether cells, or their classes, are not as they were opened: what was undone is no edit."""
        return self.before is not None and _differ(
            (self.cells.data, _added(self.cells)), (self.before, self.added)
        )


def layers_of(item: ReviewItem, after: JobHandle = NO_JOB) -> Generator[None, None, Opened]:
    """Read an image and its cells, as they were reviewed where they were, and make layers of them.

    Parameters
    ----------
    item : ReviewItem
    after : JobHandle, optional
        What may still be writing its cells.

    Raises
    ------
    UtileError
        If one of the files cannot be read.
    """
    yield
    planes = item.planes()
    pyramid = pyramid_of(planes)
    described = [pyramid_layer(pyramid)] if pyramid else image_layers(planes.as_image())
    images = [layer for each in described for layer in _by_channel(*each)]
    first = next(iter(item.channels), 0)
    image = images[first if 0 <= first < len(images) else 0]
    channels = item.channels if item.channels and getattr(image, "rgb", False) else None
    yield
    after.wait()
    reviewed = item.labels.parent / REVIEWED / f"{item.name}{LABELS}"
    found = _cells_of_store(item) if item.is_store else _cells_of_file(item, item.labels)
    cells = _cells_of_file(item, reviewed) if reviewed.is_file() else found
    before, added = None if cells.multiscale else np.array(cells.data), _added(cells)
    corrected = cells is not found and _differ((before, added), (found.data, _added(found)))
    for each in images:
        if each.ndim == cells.ndim:
            # The pixels are the same; files differ in what they say of their place.
            each.translate = cells.translate
    return Opened(image, channels, cells, (*images, cells), before, added, corrected)


def _added(cells: Any) -> dict[Any, Any]:
    """Give what people added to the table of cells, see `added_to`."""
    return added_to(dict(cells.features.items()), [slider_name(cells, axis) for axis in range(cells.ndim)])


def _differ(one: tuple[Any, Any], other: tuple[Any, Any]) -> bool:
    """Say whether pixels, or what people added to their table, are not the same."""
    return one[1] != other[1] or not np.array_equal(one[0], other[0])


def _by_channel(data: Any, options: dict[str, Any], kind: str) -> list[Any]:
    """Make a layer of an image, one of each of its channels where it has an axis of these."""
    options = dict(options)
    channel = options.pop("channel_axis", None)
    parts = [(data, options, kind)] if channel is None else split_channels(data, channel, **options)
    return [Layer.create(*part) for part in parts]


def _cells_of_file(item: ReviewItem, path: Path) -> Any:
    data, options, _ = read_result(path)
    options = {**options, "name": f"{item.name} cells", "visible": True, "opacity": 0.5}
    return Labels(np.array(data), **options)


def _cells_of_store(item: ReviewItem) -> Any:
    """Make a layer of the cells in a store: in memory where they fit, else one that is edited part by part."""
    _, (data, options, _), *_ = open_ome_zarr(str(item.labels))
    levels = data if isinstance(data, list) else [data]
    own = {METADATA_KEY: {"role": "instances", "store": str(item.labels)}}
    options = {**options, "name": f"{item.name} cells", "opacity": 0.5}
    if levels[0].size > MOST_IN_MEMORY and len(levels) > 1:
        return Labels(levels, **options, metadata=own)
    with suppress(UtileError, KeyError):  # what is damaged beside them, labels are opened without
        options["features"] = features_of(item.labels, load_plan(item.labels), options["axis_labels"][:-2])
    return Labels(np.array(levels[0]), **{**options, "multiscale": False})


def keep_reviewed(
    opened: Opened, item: ReviewItem, decision: str, decisions: Decisions, into_set: str
) -> Generator[None, None, str]:
    """Write reviewed cells and what was decided, and put all planes into a training set, if one is named.

    Cells that people gave classes, or other columns, have a table beside them, from which these are read again.
    What is written is captured now, on the GUI thread; once that began, nothing stops it.

    Returns
    -------
    str
        Why they are not in the training set, although they are written, or what they replaced in it; else "".

    Raises
    ------
    UtileError
        See `reviewed_path`.
    """
    results, target = results_of_file(opened.cells, item.name), reviewed_path(decisions.folder, item)
    has_own = any(is_added(name) for name in {*results.columns} - {*results.axes})
    classes = _classes(opened.cells) if into_set else []

    def write() -> str:
        if has_own:
            _ = Run(save_results(results, target)).result
        else:
            save_labels(str(target), results.labels, results.attributes)
        with suppress(UtileError):  # it waits for the next one, who says so
            decisions.write({item.labels.name: decision})
        said, wrong = "", list[str]()
        with failures_to(lambda error: wrong.append(sentence_of(error))):
            if into_set:
                said = replaced_in_words(
                    add_images(into_set, training_images(item, results.labels, classes))[1]
                )
        if wrong:
            said = f"{item.name} is not in the training set: {wrong[0]} Go back to it and accept it again."
        return said

    return as_job(write)


def _classes(cells: Any) -> list[dict[int, str]]:
    """Give the classes of the cells on each plane of the file, whatever axes the viewer shows."""
    found = []
    for steps in np.ndindex(cells.data.shape[:-2]):
        table = rows_of(cells, PlaneIndex.of((*steps, slice(None), slice(None))))
        words = zip(table.get("index", ()), table.get(CLASS, ()), strict=CLASS in table)
        found.append({int(label): str(word) for label, word in words if isinstance(word, str) and word})
    return found


def sets_job() -> Generator[None, None, list[str]]:
    """List the titles of the user's training sets."""
    yield
    return [each.title for each in list_sets()]
