"""Conditions of an experiment in a CSV file, joined to tables by well or by the names of images."""

import fnmatch
import os
from dataclasses import dataclass
from pathlib import Path

from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.plates import canonical_well
from napari_utile.engine.files.tables import Table

_TAKEN = {
    "image",
    "plate",
    "row",
    "column",
    "field",
    "planes",
    "cells",
    "objects",
    "tracks",
    "divisions",
    "covered",
    "labels_hash",
    "failed_file",
}
_TAKEN |= {"labels", "confidence", "sharpness", "saturated", "diameter_px", "model", "failed", "flags"}
_TAKEN |= {"index", "label", "object", "track_id", "class", "area_px", "centroid_y", "centroid_x", "t", "z"}
"""Columns that the tables have without any conditions."""


@dataclass(frozen=True)
class Conditions:
    """What was done to which images.

    Attributes
    ----------
    columns : tuple of str
        Names of the conditions.
    by_well, by_pattern : tuples of (str, tuple of str)
        A well such as ``"A1"``, or a pattern of names with ``*`` and ``?``, and the values; the first that fits counts.
    """

    columns: tuple[str, ...]
    by_well: tuple[tuple[str, tuple[str, ...]], ...] = ()
    by_pattern: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def of(self, name: str, well: str | None) -> dict[str, str]:
        """Give the conditions of an image; empty where the file says nothing of it."""
        values: tuple[str, ...] = ("",) * len(self.columns)
        for pattern, each in self.by_pattern:
            if fnmatch.fnmatchcase(name.lower(), pattern.lower()):
                values = each
                break
        else:
            values = dict(reversed(self.by_well)).get(well or "", values)
        return dict(zip(self.columns, values, strict=True))


def load_conditions(path: str | os.PathLike[str]) -> Conditions:
    """Read a CSV file with a column ``well`` or ``pattern``, and one of each condition.

    Raises
    ------
    UtileError
        If it cannot be read, has neither column, or a well that is not one.
    """
    path = Path(path)
    table = Table(path)
    header = table.columns
    keys = [place for place, each in enumerate(header) if each.lower() in ("well", "pattern")]
    if len(keys) != 1 or len(header) < 2:
        raise UtileError(
            f"{path.name} needs one column named well or pattern, and one for each condition; "
            f"it has {', '.join(header) or 'none'}."
        )
    (key,) = keys
    if taken := next((each for each in header if each.lower() in _TAKEN), None):
        raise UtileError(f"{path.name} has a condition named {taken}, as a column of the tables: rename it.")
    if len(set(header)) != len(header):
        raise UtileError(f"{path.name} has two columns with the same name.")
    named: list[tuple[str, tuple[str, ...]]] = []
    for number, row in enumerate(table.lines, start=2):
        name = row[key].strip()
        if header[key].lower() == "well":
            well = canonical_well(name)
            if well is None:
                raise UtileError(f"Row {number} of {path.name}: {name!r} is not a well such as A1 or B02.")
            name = well
        named.append((name, tuple(each.strip() for place, each in enumerate(row) if place != key)))
    columns = tuple(each for place, each in enumerate(header) if place != key)
    if header[key].lower() == "well":
        return Conditions(columns, by_well=tuple(named))
    return Conditions(columns, by_pattern=tuple(named))
