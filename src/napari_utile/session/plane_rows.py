"""Rows of a feature table that say which plane of a stack they belong to: ids may start again on each plane."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray


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


def ids_start_again(table: Mapping[str, Any]) -> bool:
    """Say whether an id has several rows."""
    ids = np.asarray(table.get("index", ()))
    return np.unique(ids).size < ids.size
