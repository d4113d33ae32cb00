"""What the tables of a finished store give to layers: a row a cell, an object or a track, and the paths of tracks."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_utile.engine.files.tables import read_columns
from napari_utile.engine.linking.measure import ID_COLUMN
from napari_utile.engine.store.linked import path_of_links
from napari_utile.engine.store.plan import StorePlan
from napari_utile.engine.store.table import path_of_table
from napari_utile.engine.store.versions import parents_in

Paths = tuple[NDArray[np.float64], dict[int, list[int]]]
"""What `paths_of` returns."""


def features_of(place: Path, plan: StorePlan, sliders: Sequence[str] = ()) -> dict[str, NDArray[Any]]:
    """Return the feature table of a store's cells.

    Parameters
    ----------
    sliders : sequence of str
        What the columns are called that say in which plane a cell lies, one for each stacked axis of the store: ids
        are of their plane where planes are not linked.

    Returns
    -------
    dict of str to (N,) arrays
        ``index`` holds the ids; empty where the store has no table.
    """
    if plan.linking.axis:
        table = read_columns(path_of_links(place, plan))
        return {"index": table[ID_COLUMN[plan.linking.axis]], **table} if table else {}
    tables = []
    for number, index in enumerate(plan.planes):
        table = read_columns(path_of_table(place, index))
        if not table:
            return {}
        steps = dict(zip(sliders, plan.index(number), strict=False))
        size = len(table["index"])
        tables.append({**table, **{name: np.full(size, step) for name, step in steps.items()}})
    return {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}


def paths_of(place: Path, plan: StorePlan, outer: Sequence[int | None]) -> Paths:
    """Return the paths of tracks as napari's Tracks want them, and the mothers of those that divided.

    Parameters
    ----------
    outer : sequence of int or None
        The axes of the layer before Y and X: see `GrowingLevel`.

    Returns
    -------
    tracks : (M, 3 + axes) float64 array
        A row a cell: its track, then its place in pixels of the store; empty where nothing is linked through time.
    graph : dict of int to list of int
        Daughter -> [mother].
    """
    rows = [np.zeros((0, 3 + len(outer)))]
    if plan.linking.axis != "T" or not plan.measured:
        return rows[0], {}
    for number, index in enumerate(plan.planes):
        table = read_columns(path_of_table(place, index))
        at = plan.index(number)
        steps = [np.full(len(table["index"]), 0 if axis is None else at[axis]) for axis in outer]
        y, x = (
            table[f"centroid_{axis}"] - first for axis, first in zip("yx", plan.window.start, strict=True)
        )
        rows.append(np.column_stack([table["index"], *steps, y, x]).astype(float))
    tracks = np.concatenate(rows)
    time = 1 + list(outer).index(plan.space.axes.index("T"))
    tracks = tracks[np.lexsort((tracks[:, time], tracks[:, 0]))]
    graph = {track: [mother] for track, mother in parents_in(place).items()}
    return tracks, graph
