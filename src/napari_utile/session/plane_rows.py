"""Rows of a feature table that say which plane of a stack they belong to: ids may start again on each plane."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from napari_utile.engine.linking.measure import ID_COLUMN

Cell = tuple[Any, ...]
"""What a row of a table is of: an id, and steps along the axes of planes, None where the row does not say them."""
Value = TypeVar("Value")


def with_index(table: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    """Name the ids of rows: a table that does not has a row for each id, from 0, as napari has it.

    Examples
    --------
    >>> with_index({"gene": ["", "a"]})["index"].tolist(), with_index({})
    ([0, 1], {})
    """
    columns = {str(name): np.asarray(column) for name, column in table.items()}
    if "index" in columns or not columns:
        return columns
    return {"index": np.arange(len(next(iter(columns.values())))), **columns}


def names_of_ids(table: Mapping[str, Any]) -> list[str]:
    """Name what the ids of cells are called besides ``index``: as scikit-image does, and of linked cells.

    Examples
    --------
    >>> names_of_ids({"index": [4, 7], "label": [4, 7], "area_px": [4, 7], "track_id": [4, 7], "object": [1, 2]})
    ['label', 'track_id']
    """
    known = [name for name in ("label", *ID_COLUMN.values()) if name in table]
    return [name for name in known if np.array_equal(table[name], table["index"])]


def of_other_planes(table: Mapping[str, Any], where: Mapping[str, int]) -> NDArray[np.bool_]:
    """Return which rows say that they belong to another plane.

    Parameters
    ----------
    table : mapping of str to (N,) arrays
        With a column ``index``.
    where : mapping of str to int
        The columns that say which plane a row belongs to, and their values for this one; empty for a plain image.

    Returns
    -------
    (N,) bool array

    Examples
    --------
    >>> of_other_planes({"index": [1, 1, 2], "z": [0, 1, np.nan]}, {"z": 1}).tolist()
    [True, False, False]
    """
    elsewhere = np.zeros(len(table["index"]), bool) if "index" in table else np.zeros(0, bool)
    for name, step in where.items():
        if name in table:
            said = np.asarray(table[name], dtype=float)
            elsewhere |= (said != step) & ~np.isnan(said)
    return elsewhere


def without_other_planes(table: Mapping[str, Any], where: Mapping[str, int]) -> dict[str, NDArray[Any]]:
    """Leave out the rows that belong to another plane, see `of_other_planes`."""
    here = ~of_other_planes(table, where)
    return {str(name): np.asarray(column)[here] for name, column in table.items()}


def cells_of(table: Mapping[str, Any], planes: Sequence[str]) -> list[Cell]:
    """Say of each row which cell it is of.

    Parameters
    ----------
    table : mapping of str to (N,) arrays
        With the columns ``index`` and `planes`.
    planes : sequence of str
        The columns that say which plane of a stack a row belongs to.
    """
    columns = (np.asarray(table[name]).tolist() for name in ("index", *planes))
    return [tuple(None if value != value else value for value in row) for row in zip(*columns, strict=True)]


def known_of(cell: Cell, values: Mapping[Cell, Value]) -> Value | None:
    """Give what is known of a cell on its plane, or of its id on a plane that nobody knows.

    Examples
    --------
    >>> table = {"index": [1, 1, 2], "z": [0, 1, np.nan]}
    >>> areas = dict(zip(cells_of(table, "z"), (8, 9, 5)))
    >>> [known_of(cell, areas) for cell in ((1, 1), (2, 1), (3, 1))]
    [9, 5, None]
    """
    return values.get(cell, values.get((cell[0], *[None] * (len(cell) - 1))))


def placed(
    table: Mapping[str, Any], new: Mapping[str, Any], planes: Sequence[str]
) -> dict[str, NDArray[Any]]:
    """Let rows that do not say their plane say that of the row that a new table has of their cell.

    Parameters
    ----------
    table, new : mapping of str to (N,) arrays
    planes : sequence of str
        The columns that say which plane of a stack a row belongs to.

    Examples
    --------
    >>> placed({"index": [1, 2], "z": [np.nan, np.nan]}, {"index": [1], "z": [3]}, "z")["z"].tolist()
    [3.0, nan]
    """
    columns = with_index(table)
    planes = [name for name in planes if name in columns and name in new]
    if not any(np.isnan(np.asarray(columns[name], float)).any() for name in planes):
        return columns
    cells = cells_of(columns, planes)
    known = {*cells}
    found = {cell[0]: cell[1:] for cell in cells_of(new, planes) if cell not in known}
    steps = np.array([found.get(cell[0], cell[1:]) if None in cell else cell[1:] for cell in cells], float)
    return columns | dict(zip(planes, steps.T, strict=True))


def ids_start_again(table: Mapping[str, Any]) -> bool:
    """Say whether an id has several rows."""
    ids = np.asarray(table.get("index", ()))
    return np.unique(ids).size < ids.size
