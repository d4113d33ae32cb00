"""What the table of fields in a folder says of the images that were segmented into it before."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.names import CELLS
from napari_utile.engine.files.plates import PlateField
from napari_utile.engine.files.result_files import LABELS, written_beside
from napari_utile.engine.files.tables import Table
from napari_utile.engine.reports.quality import UNSURE, ImageQuality

FIELDS = "fields{}.csv"
"""The table's name, with that of a part of the batch."""
Row = Mapping[str, Any]
_PLATE = ("plate", "row", "column", "field")
_NUMBERS = ("cells", "sharpness", "saturated")


def fields_in(path: Path) -> list[dict[str, str]]:
    """Read a table of fields; empty where there is none, or one of an earlier version, which does not name the labels.

    Raises
    ------
    UtileError
        If it is damaged, or another table: its rows would be lost.
    """
    if not path.exists():
        return []
    table = Table(path)
    missing = {"labels", "failed", "flags", *_NUMBERS}.difference(table.columns)
    if missing == {"labels"}:
        return []
    if missing:
        raise UtileError(f"{path} is not a table of fields (it has no column {min(missing)}): move it away.")
    rows = list(table)
    try:
        for row in rows:
            quality_of(row, {})
    except (ValueError, OverflowError) as error:
        raise UtileError(f"{path} is not a table of fields ({error}): move it away.") from error
    return rows


def still_true(path: Path, folder: Path) -> list[dict[str, str]]:
    """Read the table of a part of a batch, without images that were segmented again after it was written."""
    written = path.stat().st_mtime_ns
    return [row for row in fields_in(path) if row["failed"] or 0 < _time_of_labels(row, folder) <= written]


def joined(earlier: Sequence[Row], done: Sequence[Row], given: Sequence[Row], folder: Path) -> list[Row]:
    """Give one row for each image of a folder: what was done, in the place of what was said of it before.

    Parameters
    ----------
    earlier : sequence of rows
        Rows of images that are given now are left out, and those of which the labels are gone.
    done : sequence of rows
        They keep the conditions that were said before and not now. One that failed takes no place of labels that are
        there: they are what they were.
    given : sequence of rows
        What tells the images that are given now from others.
    folder : Path
        Of the results.
    """
    waiting: dict[tuple[str, ...], list[Row]] = {}
    for row in done:
        waiting.setdefault(_identity(row), []).append(row)
    ours = {*waiting, *map(_identity, given)}
    replaced = {row["labels"] for row in done if row["labels"]}
    rows: list[Row] = []
    for row in earlier:
        again = waiting.pop(_identity(row), [])
        is_there = row["labels"] not in replaced and _time_of_labels(row, folder) > 0
        if is_there and again and all(each["failed"] for each in again):
            rows.append(row)
        elif _identity(row) in ours:
            rows += [{**place_of(row), **each} for each in again]
        elif row["failed"] or is_there:
            rows.append(row)
    return [*rows, *(row for each in waiting.values() for row in each)]


def cells_of(row: Row, folder: Path) -> Path | None:
    """Return the table of an image's cells; None where there is none."""
    start = str(folder / row["labels"]).removesuffix(LABELS)
    return Path(f"{start}{CELLS}") if row["labels"] and CELLS in written_beside(start) else None


def place_of(row: Row) -> dict[str, Any]:
    """Return the columns that say which image it is, and its conditions: those before its labels."""
    names = list(row)
    return {name: row[name] for name in names[: names.index("labels")]}


def quality_of(row: Row, pictures: Mapping[str, bytes]) -> ImageQuality:
    """Tell how an image came out.

    Raises
    ------
    ValueError
        If a number is none.
    """
    name = row.get("image") or PlateField(Path(), *(str(row.get(each, "")) for each in _PLATE)).name
    if row["failed"]:
        return ImageQuality(name, failed=row["failed"])
    return ImageQuality(
        name,
        int(float(row.get("objects") or row.get("tracks") or row["cells"])),
        float(row["confidence"]) if row.get("confidence") else None,
        False if UNSURE in row["flags"] else None,
        float(row["sharpness"]),
        float(row["saturated"]),
        pictures.get(name, b""),
    )


def _identity(row: Row) -> tuple[str, ...]:
    return tuple(str(row.get(name) or "") for name in ("image", *_PLATE))


def _time_of_labels(row: Row, folder: Path) -> int:
    """Say when the labels of an image were written (ns); 0 where there are none."""
    path = folder / row["labels"]
    return path.stat().st_mtime_ns if row["labels"] and path.is_file() else 0
