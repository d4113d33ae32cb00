"""Linking in stores: what blocks hold of each cell is counted plane after plane, linked once, and written with its ids.

Until all planes are linked, a store keeps their labels beside its result. The tables are sums over blocks, so neither
blocks nor the order in which they are done matter.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from napari_utile.engine.cells.blocks.grid import Key
from napari_utile.engine.files.tables import read_columns, write_table
from napari_utile.engine.files.unfinished import HOME
from napari_utile.engine.linking.links import Links, joined_links, link_counts, stacks_of
from napari_utile.engine.linking.measure import ID_COLUMN, Spacing, link_table
from napari_utile.engine.linking.sections import Counts, Sections, count_plane
from napari_utile.engine.planes.axes import ImagePlane
from napari_utile.engine.store.layout import UNLINKED, write_levels
from napari_utile.engine.store.plan import StorePlan
from napari_utile.engine.store.shelf import DiskShelf
from napari_utile.engine.store.table import path_of_table

_TABLES = {"Z": "objects", "T": "tracks"}


def folder_of_links(place: Path) -> Path:
    """Return where the tables lie from which planes are linked."""
    return place / HOME / "links"


def count_block(place: Path, plan: StorePlan, plane: int, key: Key, labels: NDArray[np.int32]) -> list[Path]:
    """Keep the labels of a block, and count what it shares with the planes before; return the files to be synced."""
    block, index = plan.grid.window(key), plan.index(plane)
    written = write_levels(place, UNLINKED, index, block, labels)
    stack, number = _place_in_stack(plan, plane)
    earlier = range(max(0, number - plan.linking.link_gap - 1), number)
    before = ((each, unlinked(place, plan, int(stack[each]), key)) for each in earlier)
    shelf = DiskShelf(folder_of_links(place))
    rows, columns = plan.window.start
    corner = (block.start[0] + rows, block.start[1] + columns)
    shelf.keep_facts(_name(plane), key, vars(count_plane(labels, number, before, corner)))
    shelf.sync()
    return written


def unlinked(place: Path, plan: StorePlan, plane: int, key: Key) -> NDArray[np.int32]:
    """Read the labels (y, x) of a block as they are in its plane by itself."""
    array: Any = zarr.open_array(place / UNLINKED / "0", mode="r")
    labels: NDArray[np.int32] = np.asarray(array[(*plan.index(plane), *plan.grid.window(key))])
    return labels


def linked_block(place: Path, plan: StorePlan, plane: int, key: Key) -> NDArray[np.int32]:
    """Read the labels (y, x) of a block with the ids of objects or tracks."""
    ids: NDArray[np.int32] = DiskShelf(folder_of_links(place)).facts(_name(plane), None)["ids"]
    return ids[unlinked(place, plan, plane, key)]


def link_store(place: Path, plan: StorePlan) -> Links:
    """Link the planes of a store by what was counted in their blocks, and keep the ids of each."""
    shelf = DiskShelf(folder_of_links(place))
    stacks = _stacks(plan)
    groups = [
        link_counts(
            [Counts(**shelf.facts(_name(int(plane)), key)) for plane in stack for key in plan.grid],
            plan.linking,
        )
        for stack in stacks
    ]
    links = joined_links(groups, stacks)
    for plane in range(len(plan.planes)):
        here = slice(*np.searchsorted(links.sections.plane, [plane, plane + 1]))
        labels = links.sections.label[here]
        ids = np.zeros(int(labels.max(initial=0)) + 1, np.int32)
        ids[labels] = links.ids[here]
        shelf.keep_facts(_name(plane), None, {"ids": ids})
    shelf.sync()
    return links


def write_link_tables(place: Path, plan: StorePlan, parents: Mapping[int, int], first: ImagePlane) -> None:
    """Write the table of objects or tracks as the tables of the planes have their cells, and name them there.

    Parameters
    ----------
    place : Path
    plan : StorePlan
    parents : mapping of int to int
        Track -> the track that it divided from.
    first : ImagePlane
        Any plane: how large pixels are.
    """
    column = ID_COLUMN[plan.linking.axis]
    tables = []
    for index in plan.planes:
        path = path_of_table(place, index)
        columns = read_columns(path)
        tables.append({column: columns["index"], **columns})
        write_table(path, tables[-1])
    cells = {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}
    plane = np.repeat(np.arange(len(tables)), [len(table[column]) for table in tables])
    none = np.zeros(0, np.int64)
    places = cells["centroid_y"], cells["centroid_x"]
    sections = Sections(plane, cells["index"], cells["area_px"], *places, none, none, none)
    links = Links(plan.linking.axis, sections, cells["index"], dict(parents))
    outer = zip(plan.space.axes[:-2], plan.space.scale, plan.space.units, strict=False)
    spacing = Spacing(first.pixel_size, first.unit, {axis: (size, unit) for axis, size, unit in outer})
    write_table(path_of_links(place, plan), link_table(links, plan.planes, spacing, cells))


def path_of_links(place: Path, plan: StorePlan) -> Path:
    """Return where the table of objects or tracks of a linked store lies."""
    return place / "tables" / f"{_TABLES[plan.linking.axis]}.csv"


def _stacks(plan: StorePlan) -> NDArray[np.int64]:
    return stacks_of(plan.space.axes[:-2], plan.space.shape[:-2], plan.linking)


def _place_in_stack(plan: StorePlan, plane: int) -> tuple[NDArray[np.int64], int]:
    """Return the planes (numbers) that are linked with a plane, and where it stands among them."""
    [stack], [number] = np.nonzero(_stacks(plan) == plane)
    return _stacks(plan)[stack], int(number)


def _name(plane: int) -> str:
    return f"plane{plane}"
