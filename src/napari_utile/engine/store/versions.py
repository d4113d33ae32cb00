"""Corrections of a finished store: a part that was edited elsewhere is written back as a version, which can be undone.

A version keeps the pixels from before and after. They are on the disk before any label is written, and the version's
record is written last: pixels without a record are those of a change that was interrupted, and are put back.
"""

import json
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.json_file import read_json, write_json
from napari_utile.engine.files.label_planes import labels_in, whole_numbers
from napari_utile.engine.files.names import STORE_RECIPE
from napari_utile.engine.files.tables import read_columns, write_table
from napari_utile.engine.files.unfinished import HOME, refuse_unfinished
from napari_utile.engine.linking.measure import ID_COLUMN
from napari_utile.engine.planes.axes import ImagePlane
from napari_utile.engine.store.durable import make_durable, write_beside
from napari_utile.engine.store.growing import part_columns, part_tables
from napari_utile.engine.store.journal import Journal, only_run
from napari_utile.engine.store.layout import CELLS, CLASSES, label_images, write_levels
from napari_utile.engine.store.linked import write_link_tables
from napari_utile.engine.store.plan import StorePlan, load_plan
from napari_utile.engine.store.sources import planes_of, seeds_of
from napari_utile.engine.store.table import block_table, joined_table, path_of_table
from napari_utile.engine.windows import Window

Labels = NDArray[np.int32]

_FOLDER, _RECORD, _PIXELS = "versions", "version.json", "pixels.npz"
_AROUND = 256
"""How far around a part is looked for the rest of its cells at a time. Pixels."""


@dataclass(frozen=True)
class Version:
    """A part of a store that was written back.

    Attributes
    ----------
    number : int
        From 1.
    plane : int
    bounds : ((int, int), (int, int))
        Rows and columns, in pixels of the store.
    cells : int
        How many cells are another than before, new or gone.
    cut : int
        How many of them reach beyond the part that was edited, and changed only inside it.
    largest : int
        The largest id ever given.
    when : str
        In ISO format.
    """

    number: int
    plane: int
    bounds: tuple[tuple[int, int], ...]
    cells: int
    cut: int
    largest: int
    when: str


def read_part(place: Path, plane: int, window: Window) -> Labels:
    """Read the labels (y, x) in a window of a plane of a store."""
    return _read(place, CELLS, load_plan(place), plane, window)


def versions_of(place: Path) -> list[Version]:
    """List the versions of a store, the oldest first."""
    found = []
    for path in (place / HOME / _FOLDER).glob(f"*/{_RECORD}"):
        values = read_json(path, "is damaged")
        bounds = tuple((start, stop) for start, stop in values.pop("bounds"))
        found.append(Version(bounds=bounds, **values))
    return sorted(found, key=lambda each: each.number)


def write_part(
    place: Path,
    plane: int,
    window: Window,
    before: Labels,
    after: NDArray[np.integer[Any]],
    planes: Sequence[ImagePlane] = (),
) -> Version:
    """Write an edited part into a store, its levels and its table, as a new version.

    Parameters
    ----------
    place : Path
        A finished store.
    plane : int
        Which of its planes.
    window : Window
        In pixels of the store.
    before, after : (y, x) integer arrays
        The part as it was read, and as it is now. Ids that are new in it get numbers that no other cell has.
    planes : sequence of ImagePlane
        The image; opened from its file by default.

    Raises
    ------
    UtileError
        If nothing differs, a value is no id, the part has changed in the store meanwhile, or something else writes the
        store.
    """
    refuse_unfinished(place)
    after = whole_numbers(after, f"The part of {place.name}")
    plan = load_plan(place)
    opened = tuple(planes) or planes_of(plan)
    with only_run(place / HOME, place.name):
        _put_back(place, plan, opened)
        if not np.array_equal(read_part(place, plane, window), before):
            raise changed_meanwhile(place)
        box = Window.of_mask(np.asarray(after != before))
        if box is None:
            raise UtileError("Nothing was changed in this part.")
        made = versions_of(place)
        facts = Journal(place / HOME).facts
        given = (
            facts[0, "links", None]["total"] if plan.linking.axis else facts[plane, "plane", None]["cells"]
        )
        largest = max([each.largest for each in made] + [given])
        new, largest = _numbered(after, np.unique(before), largest)
        number = 1 + max((each.number for each in made), default=0)
        record = Version(
            number,
            plane,
            box.moved(window.start).bounds,
            _changed_cells(before, new).size,
            _cut_cells(before, new, window, plan.window.shape),
            largest,
            datetime.now(UTC).isoformat(timespec="seconds"),
        )
        folder = place / HOME / _FOLDER / str(number)
        part = {"before": before[box], "after": new[box], "plane": plane, "bounds": record.bounds}
        if plan.classes:
            kinds = _read(place, CLASSES, plan, plane, window)
            part |= {"kinds": kinds[box], **_named(place, plan, plane, _changed_cells(before, new))}
        save: Any = np.savez_compressed
        make_durable([write_beside(folder / _PIXELS, lambda file: save(file, **part))])
        edited = _kinds_of(new, kinds, _numbers_of(part, plan))[box] if plan.classes else None
        _write(place, plan, plane, box.moved(window.start), label_images(plan, new[box], edited))
        update_table(place, plan, part, opened, "before", "after")
        text = json.dumps(asdict(record)).encode()
        make_durable([write_beside(folder / _RECORD, lambda file: file.write(text))])
        _note_in_recipe(place)
        return record


def changed_meanwhile(place: Path) -> UtileError:
    """Say that a part of a store is another one than was edited."""
    return UtileError(f"This part has changed in {place.name} since it was opened: open it again.")


def undo_version(place: Path, planes: Sequence[ImagePlane] = ()) -> Version:
    """Put back what the newest version of a store changed.

    Raises
    ------
    UtileError
        If there is none, or something else writes the store.
    """
    plan = load_plan(place)
    opened = tuple(planes) or planes_of(plan)
    with only_run(place / HOME, place.name):
        _put_back(place, plan, opened)
        made = versions_of(place)
        if not made:
            raise UtileError(f"{place.name} is as it was segmented: there is nothing to undo.")
        (place / HOME / _FOLDER / str(made[-1].number) / _RECORD).unlink()
        _put_back(place, plan, opened, was="after")
        _note_in_recipe(place)
        return made[-1]


def _put_back(place: Path, plan: StorePlan, planes: Sequence[ImagePlane], was: str = "") -> None:
    """Put back the pixels of versions that have no record; `was` as for `update_table`."""
    for path in (place / HOME / _FOLDER).glob(f"*/{_PIXELS}"):
        if path.with_name(_RECORD).exists():
            continue
        with np.load(path, allow_pickle=False) as kept:
            part = dict(kept)
        window = Window(*(slice(start, stop) for start, stop in part["bounds"].tolist()))
        images = label_images(plan, part["before"], part.get("kinds"))
        _write(place, plan, int(part["plane"]), window, images)
        update_table(place, plan, part, planes, was, "before")
        shutil.rmtree(path.parent)


def _numbered(after: NDArray[np.integer[Any]], known: Labels, largest: int) -> tuple[Labels, int]:
    """Give ids that are new in a part numbers above all others."""
    ids, where = np.unique(after, return_inverse=True)
    new = ~np.isin(ids, known) & (ids > 0)
    ids = ids.astype(np.int32)
    ids[new] = largest + 1 + np.arange(int(new.sum()))
    return ids[where.reshape(after.shape)], largest + int(new.sum())


def _changed_cells(before: Labels, after: Labels) -> Labels:
    differs = before != after
    ids = np.union1d(before[differs], after[differs])
    changed: Labels = ids[ids > 0]
    return changed


def _cut_cells(before: Labels, after: Labels, window: Window, shape: tuple[int, ...]) -> int:
    """Count the changed cells that touch a side of the part beyond which the plane goes on."""
    rim = np.zeros(before.shape, bool)
    for axis, (part, size) in enumerate(zip(window, shape, strict=True)):
        side = np.moveaxis(rim, axis, 0)
        side[0] |= part.start > 0
        side[-1] |= part.stop < size
    return int(np.isin(_changed_cells(before, after), before[rim]).sum())


def _named(place: Path, plan: StorePlan, plane: int, ids: Labels) -> dict[str, NDArray[Any]]:
    """Return the classes that the table names of some cells: ``named``, their ids, and ``names``."""
    table = read_columns(path_of_table(place, plan.planes[plane])) or {"index": ids[:0], "class": ids[:0]}
    here = np.isin(table["index"], ids)
    return {"named": table["index"][here], "names": table["class"][here].astype(str)}


def _numbers_of(part: dict[str, Any], plan: StorePlan) -> dict[int, int]:
    """Return the numbers of the classes that cells had before they were edited."""
    words = ["", *plan.classes]
    named = zip(part["named"].tolist(), part["names"].tolist(), strict=True)
    return {label: words.index(word) for label, word in named}


def _kinds_of(labels: Labels, kinds: NDArray[np.uint8], known: dict[int, int]) -> NDArray[np.uint8]:
    """Give pixels (y, x) of edited cells a class: the one they had, else that of their cell, 0 for none."""
    ids, which = np.unique(labels, return_inverse=True)
    which = which.reshape(labels.shape)
    of_cells = _commonest(which, kinds, ids.size)
    for label, number in known.items():
        of_cells[ids == label] = number
    of_cells[ids == 0] = 0
    made: NDArray[np.uint8] = np.where(labels > 0, np.where(kinds > 0, kinds, of_cells[which]), 0)
    return made.astype(np.uint8)


def _commonest(which: NDArray[np.integer[Any]], kinds: NDArray[np.uint8], count: int) -> NDArray[np.uint8]:
    """Return the commonest class of each of so many cells (N,), whose number each pixel has; 0 for none."""
    most = int(kinds.max(initial=0)) + 1
    table = np.bincount((which * most + kinds).ravel(), minlength=count * most).reshape(count, most)
    table[:, 0] = 0
    likely: NDArray[np.uint8] = np.where(table.any(axis=1), table.argmax(axis=1), 0).astype(np.uint8)
    return likely


def _read(place: Path, group: str, plan: StorePlan, plane: int, window: Window) -> NDArray[Any]:
    array: Any = zarr.open_array(place / group / "0", mode="r")
    return np.asarray(array[(*plan.index(plane), *window)])


def _write(
    place: Path, plan: StorePlan, plane: int, window: Window, images: Mapping[str, NDArray[Any]]
) -> None:
    """Write into every level of images: whole blocks, so that each file has one writer, coarse pixels stay in step."""
    written = []
    for group, image in images.items():
        for reaching in window.blocks(plan.side):
            block = reaching.clipped(plan.window.shape)
            pixels = _read(place, group, plan, plane, block).copy()
            shared = block & window
            pixels[shared.relative_to(block)] = image[shared.relative_to(window)]
            written += write_levels(place, group, plan.index(plane), block, pixels)
    make_durable(written)


def update_table(
    place: Path, plan: StorePlan, part: dict[str, Any], planes: Sequence[ImagePlane], was: str, now: str
) -> None:
    """Measure the cells of a part again, those that it changed, as far as they reach.

    `was` and `now` name the pixels of the part that the table shows and that the store holds; where a change was
    interrupted nobody knows what the table shows (""), and a second piece of a cell far away is not looked for.
    """
    plane = int(part["plane"])
    path = path_of_table(place, plan.planes[plane])
    table = read_columns(path)
    if not table:
        return
    ids, shape = _changed_cells(part["before"], part["after"]), plan.window.shape
    window = Window(*(slice(int(start), int(stop)) for start, stop in np.asarray(part["bounds"])))
    due, reach = _due(ids, table, part.get(was), part[now]), _AROUND
    while True:  # as far as the cells reach: also those of whom a part lies elsewhere
        around = window.grown(reach).clipped(shape)
        every = read_part(place, plane, around)
        labels = np.where(np.isin(every, ids), every, 0)
        reached = Window.of_mask(labels > 0)
        near = reached is None or around.holds(reached.moved(around.start).grown(1).clipped(shape))
        if around == Window.whole(shape) or (near and (_counts(labels, ids) >= due).all()):
            break
        window, reach = around, 2 * reach
    image = planes[plane]
    pixels = np.asarray(image.data[(slice(None), *around.moved(plan.window.start))])
    facts = block_table(labels, pixels, around)
    new = joined_table([facts], plan.window.start, image.pixel_size, image.unit)
    if plan.seeds is not None:
        with suppress(UtileError):  # the seeds may be gone
            seeds = partial(labels_in, seeds_of(plan)[plane])
            parts = part_tables(every, seeds, pixels, around, (shape[0], shape[1]), new["index"])
            tables = {name: [part] for name, part in parts.items()}
            new |= part_columns(new["index"], tables, len(pixels), image.pixel_size, image.unit)
    if plan.classes:
        which = np.searchsorted(new["index"], labels)
        which[labels == 0] = len(new["index"])
        kinds = _commonest(which, _read(place, CLASSES, plan, plane, around), len(new["index"]) + 1)
        known = _numbers_of(part, plan)
        numbers = [known.get(label, kind) for label, kind in zip(new["index"].tolist(), kinds, strict=False)]
        new["class"] = np.array(["", *plan.classes], object)[numbers]
    if "label" not in table:  # as in tables of before
        table = {"index": table["index"], "label": table["index"], **table}
    stays = ~np.isin(table["index"], ids)
    # The column that names objects or tracks holds what the index does; of seeds that are gone nothing is measured.
    lacking = {name: np.full(len(new["index"]), np.nan) for name in table if name not in new}
    lacking |= dict.fromkeys(ID_COLUMN.values(), new["index"])
    columns = {
        name: np.concatenate([column[stays], {**lacking, **new}[name]]) for name, column in table.items()
    }
    order = np.argsort(columns["index"], kind="stable")
    write_table(path, {name: column[order] for name, column in columns.items()})
    if plan.linking.axis:
        write_link_tables(place, plan, parents_in(place), image)


def _due(
    ids: NDArray[Any], table: Mapping[str, Any], was: NDArray[Any] | None, now: NDArray[Any]
) -> NDArray[np.int64]:
    """Return how many pixels cells have, by the table and by what became of the part that it shows."""
    if was is None:
        return np.zeros(ids.size, np.int64)
    known = dict(zip(table["index"].tolist(), table["area_px"].tolist(), strict=True))
    before = np.array([known.get(each, 0) for each in ids.tolist()], np.int64)
    return before + _counts(now, ids) - _counts(was, ids)


def _counts(labels: NDArray[Any], ids: NDArray[Any]) -> NDArray[np.int64]:
    """Count the pixels of some cells; `ids` ascend."""
    inside = labels[np.isin(labels, ids)]
    return np.bincount(np.searchsorted(ids, inside), minlength=ids.size).astype(np.int64)


def parents_in(place: Path) -> dict[int, int]:
    """Return which tracks of a finished store divided from which: daughter -> mother."""
    links = Journal(place / HOME).facts.get((0, "links", None), {"parents": {}})
    return {int(track): int(mother) for track, mother in links["parents"].items()}


def _note_in_recipe(place: Path) -> None:
    """List the versions in the recipe: the hashes of its blocks are those of what was segmented."""
    path = place / STORE_RECIPE
    recipe = read_json(path, "is damaged")
    recipe["edits"] = [asdict(each) for each in versions_of(place)]
    write_json(path, recipe)
