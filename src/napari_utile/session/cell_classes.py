"""Classes that people give to single cells: a word for each, in the column ``class`` of their table."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from napari_utile.session.cell_filter import numeric_columns
from napari_utile.session.plane_rows import of_other_planes

Columns = dict[str, np.ndarray[Any, Any]]

CLASS = "class"
"""The column; empty where a cell has no class."""
FIRST_CLASSES = ("class 1", "class 2", "class 3")
MOST_CLASSES = 9
"""As many as there are number keys."""


def with_class(
    table: Mapping[str, Any], label: int, name: str, where: Mapping[str, int] | None = None
) -> Columns:
    """Give a cell a class, or none by an empty name; a cell without a row gets one.

    Parameters
    ----------
    table : mapping of str to (N,) arrays
    label : int
    name : str
    where : mapping of str to int, optional
        See `of_other_planes`: cells of other planes stay as they are.

    Examples
    --------
    >>> table = with_class({"index": np.array([4, 7]), "area_px": np.array([9, 8])}, 7, "mitotic")
    >>> table["class"].tolist(), with_class(table, 9, "dead")["index"].tolist()
    (['', 'mitotic'], [4, 7, 9])
    """
    columns = {str(key): np.asarray(column) for key, column in table.items()}
    ids = columns.get("index", np.zeros(0, dtype=int)).astype(int)
    chosen = (ids == label) & ~of_other_planes(columns, where or {})
    if not chosen.any():
        ids, chosen = np.append(ids, label), np.append(chosen, True)
        columns = {key: _with_one_more(column) for key, column in columns.items()}
        for key, step in (where or {}).items():
            if key in columns:
                columns[key][-1] = step
        columns |= {"index": ids, "label": ids}
    words = _words(columns, ids.size)
    words[chosen] = name
    return {**columns, CLASS: words}


def class_of(table: Mapping[str, Any], label: int) -> str:
    """Return the class of a cell, "" where it has none."""
    if CLASS not in table or "index" not in table:
        return ""
    found = np.asarray(table[CLASS])[np.asarray(table["index"]) == label]
    return str(found[0]) if found.size and isinstance(found[0], str) else ""


def class_counts(table: Mapping[str, Any], names: Sequence[str]) -> list[int]:
    """Count the cells of each class."""
    words = np.asarray(table[CLASS]) if CLASS in table else np.zeros(0, dtype=object)
    return [int(np.count_nonzero(words == name)) for name in names]


def renamed(table: Mapping[str, Any], old: str, new: str) -> Columns:
    """Give the cells of a class its new name."""
    columns = {str(key): np.asarray(column) for key, column in table.items()}
    if CLASS in columns and old:
        words = np.array(columns[CLASS], dtype=object)
        words[words == old] = new
        columns[CLASS] = words
    return columns


class KeptClasses:
    """The classes in one table, which outlive its rows: a cell that is measured again, or comes back, has its own."""

    def __init__(self) -> None:
        self._gone: dict[Any, tuple[str, dict[str, float]]] = {}

    def into(self, new: Mapping[str, Any], old: Mapping[str, Any], planes: Sequence[str] = ()) -> Columns:
        """Give a table that was measured the classes of the one that it replaces, and of cells that come back.

        Parameters
        ----------
        new, old : mapping of str to (N,) arrays
        planes : sequence of str
            The columns that say which plane of a stack a row belongs to: ids may start again on each.

        Returns
        -------
        dict of str to (N,) arrays
            An id may come back for another cell: a row that was measured has the class only where it is measured
            as the row that went was.

        Examples
        --------
        >>> kept, all_of_them = KeptClasses(), {"index": [4, 7], "area_px": [9, 8], "class": ["dead", ""]}
        >>> fewer = kept.into({"index": [7], "area_px": [8]}, all_of_them)
        >>> kept.into({"index": [4, 7], "area_px": [9, 8]}, fewer)["class"].tolist()
        ['dead', '']
        """
        columns, table = ({str(name): np.asarray(each) for name, each in part.items()} for part in (new, old))
        known = [name for name in ("index", *planes) if name in columns and name in table]
        rows, words, values = _cells(table, known)
        now, new_words, new_values = _cells(columns, known)
        for key in {*rows} - {*now}:
            if words[rows[key]]:
                self._gone[key] = words[rows[key]], {name: each[rows[key]] for name, each in values.items()}
        for key, row in now.items():
            if key in rows:
                new_words[row] = new_words[row] or words[rows[key]]
            elif key in self._gone and _alike(self._gone[key][1], new_values, row):
                new_words[row] = new_words[row] or self._gone.pop(key)[0]
        return {**columns, CLASS: new_words} if CLASS in columns or any(new_words) else columns


def _cells(table: Columns, known_by: Sequence[str]) -> tuple[dict[Any, int], np.ndarray[Any, Any], Columns]:
    """Find the row of each id, and plane; give all classes, and what was measured: not how sure the model was."""
    rows = {
        key: row for row, key in enumerate(zip(*(table[name].tolist() for name in known_by), strict=True))
    }
    measured = [name for name in numeric_columns(table) if name not in (*known_by, "confidence")]
    return rows, _words(table, len(table.get("index", ()))), {name: table[name] for name in measured}


def _words(table: Columns, rows: int) -> np.ndarray[Any, Any]:
    """Give the class of each row, "" where it has none."""
    words = table.get(CLASS, [""] * rows)
    return np.array([str(word) if isinstance(word, str) else "" for word in words], dtype=object)


def _alike(was: Mapping[str, Any], now: Columns, row: int) -> bool:
    """Whether all that is known of both is the same."""
    return all(
        not np.isfinite([was[name], now[name][row]]).all() or bool(np.isclose(was[name], now[name][row]))
        for name in {*was} & {*now}
    )


def _with_one_more(column: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    nothing: Any = "" if column.dtype.kind in "OUS" else np.nan
    return np.concatenate([column, np.array([nothing], dtype=object if nothing == "" else float)])
