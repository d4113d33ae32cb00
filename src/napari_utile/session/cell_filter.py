"""Which cells a filter takes away: smaller or larger than a value, or touching the border of the image."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

# Columns that say where or which a cell is, not how it is.
_NO_FEATURES = ("index", "label", "roi_id", "object", "track_id", "parent")


@dataclass(frozen=True)
class CellFilter:
    """What is taken away.

    Attributes
    ----------
    kind : "smaller", "larger" or "border"
    column : str
        Of the table, for the first two.
    """

    kind: Literal["smaller", "larger", "border"]
    column: str = ""
    value: float = 0.0


def taken_by(
    wanted: CellFilter, table: Mapping[str, Any], border: np.ndarray[Any, Any]
) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Return which cells a filter takes away.

    Parameters
    ----------
    table : mapping of str to (N,) arrays
        Cells without a value stay.
    border : (N,) bool array
        Which of them touch the border of the image, see `at_border`.

    Returns
    -------
    (N,) bool array

    Examples
    --------
    >>> table = {"index": np.array([1, 2, 3]), "area_px": np.array([5.0, np.nan, 9.0])}
    >>> taken_by(CellFilter("smaller", "area_px", 6), table, table["index"] == 3).tolist()
    [True, False, False]
    >>> taken_by(CellFilter("border"), table, table["index"] == 3).tolist()
    [False, False, True]
    """
    if wanted.kind == "border":
        return border
    values = np.asarray(table[wanted.column], dtype=float)
    return values < wanted.value if wanted.kind == "smaller" else values > wanted.value


def at_border(labels: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return the labels that touch the border of a (Y, X) plane.

    Examples
    --------
    >>> at_border(np.array([[0, 0, 0], [0, 7, 5], [0, 0, 0]])).tolist()
    [5]
    """
    found = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    return np.asarray(found[found != 0])


def numeric_columns(table: Mapping[str, Any]) -> list[str]:
    """Return the columns of a table that can be plotted, as they come."""
    return [
        str(name)
        for name, column in table.items()
        if name not in _NO_FEATURES and np.asarray(column).dtype.kind in "iuf"
    ]
