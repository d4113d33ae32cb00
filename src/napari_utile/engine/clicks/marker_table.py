"""Markers as rows of a table: what a layer of points holds, and the CSV file that napari saves it to."""

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_utile.engine.clicks.markers import KINDS, Marker
from napari_utile.engine.errors import UtileError

_COLUMNS = ("kind", "cell", "order")


def markers_of_table(positions: npt.NDArray[Any], columns: Mapping[str, Any]) -> list[Marker]:
    """Read the markers of a table; points without a known kind, such as those added by hand, say nothing.

    Parameters
    ----------
    positions : (N, D) array
    columns : mapping of str to (N,) arrays
        "kind", "cell" and "order"; "threshold" may be missing.

    Raises
    ------
    ValueError
        If a column is missing.
    """
    missing = [name for name in _COLUMNS if name not in columns]
    if missing:
        raise ValueError(f"These points are not markers: they have no column {', '.join(missing)}.")
    thresholds = columns.get("threshold", np.full(len(positions), np.nan))
    rows = zip(positions, *(columns[name] for name in _COLUMNS), thresholds, strict=True)
    return [
        Marker(
            tuple(int(np.floor(float(part) + 0.5)) for part in position),
            int(cell),
            str(kind),
            float(threshold) if np.isfinite(threshold) else None,
            int(order),
        )
        for position, kind, cell, order, threshold in rows
        if kind in KINDS and np.isfinite([cell, order]).all() and np.isfinite(position).all()
    ]


def read_markers(path: Path) -> list[Marker]:
    """Read the CSV file that napari saves a layer of markers to.

    Raises
    ------
    UtileError
        If the file cannot be read, or holds no markers.
    """
    try:
        with open(path, newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UtileError(f"Cannot read the markers {path}: {error}.") from error
    axes = sorted(
        (name for name in (rows[0] if rows else ()) if name and name.startswith("axis-")),
        key=lambda name: (len(name), name),
    )
    if len(axes) < 2:
        raise UtileError(f"{path} holds no points: napari saves them with the columns axis-0, axis-1 ...")
    try:
        positions = np.array([[float(row[name]) for name in axes] for row in rows])
        columns: dict[str, list[Any]] = {
            name: [_number(row[name]) for row in rows]
            for name in ("cell", "order", "threshold")
            if name in rows[0]
        }
    except (TypeError, ValueError) as error:
        raise UtileError(f"{path} holds a marker that cannot be read: {error}.") from error
    if "kind" in rows[0]:
        columns["kind"] = [row["kind"] for row in rows]
    try:
        return markers_of_table(positions, columns)
    except ValueError as error:
        raise UtileError(f"{path}: {error}") from error


def _number(text: str | None) -> float:
    return float(text) if text else float("nan")
