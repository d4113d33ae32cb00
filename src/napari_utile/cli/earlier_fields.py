"""What the tables of fields in a folder say of the images that were segmented into it before.

A row names the file of its labels and holds a hash of it: whoever wrote other labels there, and whatever the tables
went through since, no row is taken for one of them.
"""

import hashlib
import os
import re
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
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
HASH = "labels_hash"
"""The column that ties a row to the labels it speaks of; tables of earlier versions have none."""
FAILED_FILE = "failed_file"
"""The column that says which file failed, or which plate: without it nobody knows whether it is still there."""
Row = Mapping[str, Any]
_PLATE = ("plate", "row", "column", "field")
_NUMBERS = ("cells", "sharpness", "saturated")
COLUMNS = ("labels", HASH, "failed", "flags", *_NUMBERS)
"""What every table has, that of a part of which all failed as well."""
_ENDING = re.compile(r"fields((?:_\d+of\d+)?)\.csv")


def tables_in(folder: Path) -> dict[str, Path]:
    """Find the tables of fields, those of parts of a batch as well, by what the names end with; the newest is last."""
    found = {}
    for path in folder.glob(FIELDS.format("*")):
        if named := _ENDING.fullmatch(path.name):
            found[named[1]] = path
    return dict(sorted(found.items(), key=lambda each: _times(each[1])[0]))


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


def still_true(path: Path, folder: Path, ours: Collection[str] = ()) -> tuple[list[Row], set[str]]:
    """Divide a table of fields into rows of what lies in the folder and those of labels that are others now.

    Labels are read only where they changed after the table was written.

    Parameters
    ----------
    path : Path
    folder : Path
        Of the results.
    ours : collection of str
        Labels that this call wrote. Their rows, of the labels before, stay for `joined`.

    Returns
    -------
    rows : list of Row
        Without those of which the labels, or the image that failed, are gone.
    others : set of str
        Labels whose rows were left out.
    """
    rows: list[Row] = []
    others = set()
    written = _times(path)[0]
    for row in fields_in(path):
        labels = folder / row["labels"]
        if row["failed"]:
            if not row.get(FAILED_FILE) or os.path.exists(row[FAILED_FILE]):
                rows.append(row)
        elif row["labels"] in ours:
            rows.append(row)
        elif row["labels"] and labels.is_file():
            if not row.get(HASH):
                # Only the clock can tell, and only tables of parts were never told of what came after them.
                fits = path.name == FIELDS.format("") or _times(labels)[0] <= written
            else:  # a file that is moved to its place may keep the earlier time, but then the other one changes
                fits = max(_times(labels)) < written or row[HASH] == hash_of(labels)
            if fits:
                rows.append({**row, HASH: row.get(HASH) or hash_of(labels)})
            else:
                others.add(row["labels"])
    return rows, others


def joined(
    earlier: Sequence[Row], done: Sequence[Row], given: Sequence[Row] = (), ours: Collection[str] = ()
) -> list[Row]:
    """Give one row for each image of a folder: what was done, in the place of what was said of it before.

    Parameters
    ----------
    earlier : sequence of rows
        See `still_true`.
    done : sequence of rows
        They keep the conditions that were said before and not now. One that failed takes no place of labels that are
        there: they are what they were.
    given : sequence of rows
        What tells the images that are given now from others: that they failed before is no longer said.
    ours : collection of str
        Labels that this call wrote: rows that told of those before are left out, also where nothing is done of them.
    """
    waiting: dict[tuple[str, ...], list[Row]] = {}
    for row in done:
        waiting.setdefault(_identity(row), []).append(row)
    named = {*map(_identity, given)}
    replaced = {*ours, *(row["labels"] for row in done if row["labels"])}
    rows: list[Row] = []
    for row in earlier:
        again = waiting.pop(_identity(row), [])
        is_there = row["labels"] != "" and row["labels"] not in replaced
        if is_there and all(each["failed"] for each in again):
            rows.append(row)
        elif again:
            rows += [{**place_of(row), **each} for each in again]
        elif row["failed"] and _identity(row) not in named:
            rows.append(row)
    return [*rows, *(row for each in waiting.values() for row in each)]


def in_order(rows: Sequence[Row], before: Sequence[Row], batch: Sequence[Row]) -> list[Row]:
    """Sort what parts of a batch did as one call does it, whichever part ended first.

    Parameters
    ----------
    rows : sequence of rows
    before : sequence of rows
        The joined table as it was: what is not of this batch keeps its place in front.
    batch : sequence of rows
        What tells the images of all parts from others, in their order.
    """
    places = {_identity(row): (0, place) for place, row in enumerate(before)}
    places |= {_identity(row): (2, place) for place, row in reversed([*enumerate(batch)])}
    return sorted(rows, key=lambda row: places.get(_identity(row), (1, 0)))


def cells_of(row: Row, folder: Path) -> Path | None:
    """Return the table of an image's cells; None where there is none."""
    start = str(folder / row["labels"]).removesuffix(LABELS)
    return Path(f"{start}{CELLS}") if row["labels"] and CELLS in written_beside(start) else None


def table_of_cells(row: Row, folder: Path) -> Path | None:
    """Return the table of an image's cells; None where there is none, or one that cannot join others: that is said."""
    if (path := cells_of(row, folder)) is None:
        return None
    try:
        table = Table(path)
        if "centroid_y" not in table.columns:
            raise UtileError(f"{path.name} is not a table of cells: it has no column centroid_y.")
        for each in table:
            float(each["centroid_y"])  # some write numbers with a comma
    except (UtileError, ValueError) as error:
        print(f"{path} is not in the table of all cells: {error}", file=sys.stderr)
        return None
    return path


def cells_in(path: Path) -> tuple[list[str], Iterator[Row]]:
    """Read a table of cells: its columns, as they are called by now, and its rows.

    The planes were in T and Z once, and the label in index alone.
    """
    table = Table(path)
    columns = [name.lower() if name in ("T", "Z") else name for name in table.columns]
    rows = (dict(zip(columns, line, strict=True)) for line in table.lines)
    if "label" in columns or "index" not in columns:
        return columns, rows
    after = columns.index("index") + 1
    return [*columns[:after], "label", *columns[after:]], (row | {"label": row["index"]} for row in rows)


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


def hash_of(path: Path) -> str:
    """Give the beginning of a file's SHA-256, which no spreadsheet takes for a number; empty if it cannot be read."""
    try:
        with path.open("rb") as file:
            return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()[:16]}"
    except OSError:
        return ""


def _times(path: Path) -> tuple[int, int]:
    """Say when a file was written, and when it or where it lies changed (ns); 0 where there is none."""
    try:
        found = path.stat()
    except OSError:
        return 0, 0
    return found.st_mtime_ns, found.st_ctime_ns
