"""Columns that people add to a table of cells, such as their classes: they outlive its rows, and follow their cells."""

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from napari_utile.engine.metrics.contingency import contingency
from napari_utile.session.cell_classes import CLASS, Columns
from napari_utile.session.cell_filter import numeric_columns
from napari_utile.session.plane_rows import Cell, cells_of, names_of_ids, with_index

_MEASURED = re.compile(
    "index|label|roi_id|object|track_id|parent|divides|frames|planes|confidence|[a-z]_(first|last)"
    "|eccentricity|solidity|neighbours|touching_fraction|centroid_[a-z]|intensity_(mean|min|max|sum)(_.+)?"
    "|area_px_mean|(area|perimeter|major_axis|minor_axis|volume|z_extent|path|distance)_[^_]+|speed_[^_]+_per_[^_]+"
)
"""What cells, objects and tracks are measured by, and called: see `measure` and `link_table`."""


def is_added(name: str) -> bool:
    """Say whether a column of a table was added by a user, or another plugin.

    Examples
    --------
    >>> is_added("class"), is_added("distance_to_vessel"), is_added("distance_um")
    (True, True, False)
    """
    return _MEASURED.fullmatch(name) is None


def same_cells(before: Any, after: Any) -> dict[int, int]:
    """Say what cells are called that were numbered anew: two are the same where each shares most pixels with the other.

    Parameters
    ----------
    before, after : integer arrays of the same shape

    Returns
    -------
    dict of int to int
        Id before -> id after; without those that are gone.

    Examples
    --------
    >>> same_cells(np.array([1, 1, 2, 2, 3]), np.array([2, 2, 5, 5, 0]))
    {1: 2, 2: 5}
    """
    shared = contingency(before, after)
    cells = (shared.rows > 0) & (shared.columns > 0)
    was, now = shared.prediction_ids[shared.rows[cells]], shared.truth_ids[shared.columns[cells]]
    order = np.lexsort((was == now, shared.counts[cells]))  # the best come last
    was, now = was[order].tolist(), now[order].tolist()
    became, came_from = dict(zip(was, now, strict=True)), dict(zip(now, was, strict=True))
    return {cell: became[cell] for cell in sorted(became) if came_from[became[cell]] == cell}


def renumbered(table: Mapping[str, Any], ids: Mapping[int, int]) -> Columns:
    """Let rows follow their cells, see `same_cells`; those of cells that are gone stay, unless another has their id."""
    columns = {str(name): np.asarray(column) for name, column in table.items()}
    if "index" not in columns:
        return columns
    taken = {*ids.values()}
    stays = np.array([cell in ids or cell not in taken for cell in columns["index"].tolist()], bool)
    columns = {name: column[stays] for name, column in columns.items()}
    new = np.array([ids.get(cell, cell) for cell in columns["index"].tolist()], columns["index"].dtype)
    return columns | dict.fromkeys(["index", *names_of_ids(columns)], new)


class KeptColumns:
    """What people added to one table: a cell that is measured again, or comes back, has its own."""

    def __init__(self) -> None:
        self._gone: dict[Any, tuple[dict[str, Any], dict[str, Any]]] = {}

    def into(self, new: Mapping[str, Any], old: Mapping[str, Any], planes: Sequence[str] = ()) -> Columns:
        """Give a table that was measured what was added to the one that it replaces, and to cells that come back.

        Parameters
        ----------
        new, old : mapping of str to (N,) arrays
        planes : sequence of str
            The columns that say which plane of a stack a row belongs to: ids may start again on each.

        Returns
        -------
        dict of str to (N,) arrays
            An id may come back for another cell: a row that was measured has what was added only where it is measured
            as the row that went was. Where rows of several planes become one, the last one counts.

        Examples
        --------
        >>> kept, all_of_them = KeptColumns(), {"index": [4, 7], "area_px": [9, 8], "class": ["dead", ""]}
        >>> fewer = kept.into({"index": [7], "area_px": [8]}, all_of_them)
        >>> kept.into({"index": [4, 7], "area_px": [9, 8]}, fewer)["class"].tolist()
        ['dead', '']
        """
        columns, table = ({str(name): np.asarray(each) for name, each in part.items()} for part in (new, old))
        names = [name for name in {**table, **columns} if is_added(name) and name not in planes]
        known = [name for name in ("index", *planes) if name in columns and name in table]
        if not known or not (names or self._gone):
            return columns
        before, now = _cells(table, known), _cells(columns, known)
        added = {name: filled(table[name], before) for name in names if name in table}
        rows = {key: row for row, key in enumerate(before)}
        measures = _measures(table, planes)
        for key in rows.keys() - {*now}:
            if lost := {name: values[key] for name, values in added.items() if key in values}:
                self._gone[key] = lost, {name: table[name][rows[key]] for name in measures}
        measures = _measures(columns, planes)
        for row, key in enumerate(now if self._gone else ()):
            gone = self._gone.get(key) if key not in rows else None
            if gone is not None and _alike(gone[1], {name: columns[name][row] for name in measures}):
                for name, value in self._gone.pop(key)[0].items():
                    added.setdefault(name, {})[key] = value
        for name in dict.fromkeys((*names, *added)):
            here = columns.get(name, table.get(name, np.zeros(0)))
            mine = filled(columns[name], range(len(now))) if name in columns else {}
            values = [mine.get(row, added.get(name, {}).get(key)) for row, key in enumerate(now)]
            columns[name] = _column(values, here.dtype)
        return columns

    def renamed(self, table: Mapping[str, Any], old: str, new: str) -> Columns:
        """Give the cells of a class its new name, also those that may come back."""
        for added, _ in self._gone.values():
            if added.get(CLASS) == old:
                added[CLASS] = new
        columns = {str(name): np.asarray(column) for name, column in table.items()}
        if CLASS in columns:
            words = np.array(columns[CLASS], dtype=object)
            words[words == old] = new
            columns[CLASS] = words
        return columns


def _cells(table: Columns, known_by: Sequence[str]) -> list[Any]:
    """Say of each row which cell it is of: by its id, and plane."""
    return list(zip(*(table[name].tolist() for name in known_by), strict=True))


def filled(column: np.ndarray[Any, Any], keys: Sequence[Any]) -> dict[Any, Any]:
    """Give what is not empty in a column, by a key for each row; the last one counts."""
    values = column.astype(object) if column.dtype.kind in "bU" else column
    return {
        key: value
        for key, value in zip(keys, values, strict=True)
        if value is not None and value != "" and value == value
    }


def added_to(
    table: Mapping[str, Any], planes: Collection[str], empty: bool = False
) -> dict[tuple[str, Cell], Any]:
    """Give what people added to a table: of each column and cell, unless it is empty.

    Parameters
    ----------
    table : mapping of str to (N,) arrays
    planes : collection of str
        The columns that say which plane of a stack a row belongs to.
    empty : bool
        Give what is empty, too, as None.

    Examples
    --------
    >>> added_to({"index": [4, 4], "z": [0, 1], "area_px": [9, 8], "class": ["", "dead"]}, "z")
    {('class', (4, 1)): 'dead'}
    """
    columns = with_index(table)
    cells = cells_of(columns, [name for name in planes if name in columns]) if columns else []
    return {
        (name, cell): value
        for name in columns
        if is_added(name) and name not in planes
        for cell, value in ((dict.fromkeys(cells) if empty else {}) | filled(columns[name], cells)).items()
    }


def with_added(
    table: Mapping[str, Any], added: Mapping[tuple[str, Cell], Any], planes: Collection[str]
) -> Columns:
    """Give rows what people added to their cells, see `added_to`; None empties it.

    Parameters
    ----------
    table : mapping of str to (N,) arrays
    added : mapping of (str, cell) to values
        By column and cell; what is known of cells that have no row is left out.
    planes : collection of str
        The columns that say which plane of a stack a row belongs to.

    Examples
    --------
    >>> table = {"index": [4, 7], "class": ["dead", "live"]}
    >>> with_added(table, {("class", (7,)): None, ("dose", (4,)): 5.0, ("dose", (9,)): 1.0}, ())
    {'index': array([4, 7]), 'class': array(['dead', ''], dtype=object), 'dose': array([ 5., nan])}
    """
    columns = with_index(table)
    cells = cells_of(columns, [name for name in planes if name in columns]) if columns else []
    for name in dict.fromkeys(name for name, _ in added):
        was = filled(columns[name], range(len(cells))) if name in columns else {}
        values = [added.get((name, cell), was.get(row)) for row, cell in enumerate(cells)]
        if name in columns or any(value is not None for value in values):
            columns[name] = _column(values, columns[name].dtype if name in columns else np.dtype(float))
    return columns


def _measures(table: Columns, planes: Collection[str]) -> list[str]:
    """Name what was measured of a row: not how sure the model was."""
    return [
        name
        for name in numeric_columns(table)
        if not is_added(name) and name not in planes and name != "confidence"
    ]


def _alike(was: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Whether all that is known of both is the same."""
    return all(
        not np.isfinite([was[name], now[name]]).all() or bool(np.isclose(was[name], now[name]))
        for name in {*was} & {*now}
    )


def _column(values: Sequence[Any], dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
    """Make a column of the type that it had; what is missing is empty among words and yes or no, NaN among numbers."""
    found = np.array(
        [value for value in values if value is not None], None if dtype.kind in "biuf" else object
    )
    if found.size:
        dtype = found.dtype
    gaps, numbers = found.size < len(values), dtype.kind in "iuf"
    if gaps and dtype.kind in "iu":
        dtype = np.dtype(float)
    if dtype.kind not in "biuf" or (gaps and not numbers):
        dtype = np.dtype(object)
    nothing = np.nan if numbers else ""
    return np.array([nothing if value is None else value for value in values], dtype)
