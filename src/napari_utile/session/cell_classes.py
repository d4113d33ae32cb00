"""Classes that people give to single cells: a word for each, in the column ``class`` of their table."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from napari_utile.session.layer_specs import merged_features
from napari_utile.session.plane_rows import of_other_planes, with_index

Columns = dict[str, np.ndarray[Any, Any]]

CLASS = "class"
"""The column; empty where a cell has no class."""
FIRST_CLASSES = ("class 1", "class 2", "class 3")
MOST_CLASSES = 9
"""As many as there are number keys."""


def with_class(
    table: Mapping[str, Any], label: int, name: str, where: Mapping[str, int] | None = None
) -> Columns:
    """Give a cell a class, or none by an empty name; a cell without a row gets one, which says its plane.

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
    columns = with_index(table)
    ids = columns.get("index", np.zeros(0, dtype=int)).astype(int)
    chosen = (ids == label) & ~of_other_planes(columns, where or {})
    if not chosen.any():
        joined = merged_features(columns, {"index": [label], CLASS: [name]}, 0, np.zeros(0, int), where)
        return {key: joined[key] for key in (*columns, *joined) if key in joined}
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


def _words(table: Columns, rows: int) -> np.ndarray[Any, Any]:
    """Give the class of each row, "" where it has none."""
    words = table.get(CLASS, [""] * rows)
    return np.array([str(word) if isinstance(word, str) else "" for word in words], dtype=object)
