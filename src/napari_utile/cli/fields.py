"""What a batch writes beside the results of each image: a table of fields, one of all cells, and a quality sheet."""

import contextlib
import csv
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
from filelock import FileLock

from napari_utile.cli.batch import say_left_out
from napari_utile.cli.earlier_fields import (
    COLUMNS,
    FAILED_FILE,
    FIELDS,
    HASH,
    Row,
    cells_in,
    cells_of,
    fields_in,
    hash_of,
    in_order,
    joined,
    place_of,
    quality_of,
    still_true,
    table_of_cells,
    tables_in,
)
from napari_utile.cli.inputs import Input, Shard
from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.atomic import atomic_path
from napari_utile.engine.files.conditions import Conditions
from napari_utile.engine.files.names import shown_name
from napari_utile.engine.files.result_files import LABELS
from napari_utile.engine.files.tables import Table
from napari_utile.engine.files.targets import Identity, check_target, stamp_of
from napari_utile.engine.inference.confidence import Fit
from napari_utile.engine.linking.links import Links
from napari_utile.engine.planes.projection import sharpness_of
from napari_utile.engine.reports.quality import (
    UNSURE,
    flags_of,
    is_quality_sheet,
    pictures_in,
    saturated_share,
    thumbnail,
    write_quality_sheet,
)
from napari_utile.engine.segmentation import Segmentation

_LARGEST = 1 << 26
"""Pixels above which only the middle of a plane is looked at and shown."""
_MIDDLE = 4096
_CELLS, _SHEET = "cells{}.csv", "quality{}.html"
"""Names of what is written beside the table of fields, with that of a part of the batch."""
_LONGEST_WAIT = 60
"""How long another call may take to write the tables (seconds)."""


@dataclass
class Watch:
    """Looks at the planes of one image as they are done.

    Attributes
    ----------
    planes : int
        How many there are: the middle one is shown.
    """

    planes: int
    _sharpness: list[float] = field(default_factory=list)
    _saturated: list[float] = field(default_factory=list)
    _covered: list[dict[str, float]] = field(default_factory=list)
    _thumbnail: bytes = b""

    def see(self, made: Segmentation) -> None:
        """Look at the next plane."""
        window, labels = made.region, made.labels
        if labels.size > _LARGEST:
            middle = [
                slice(max(0, size // 2 - _MIDDLE // 2), size // 2 + _MIDDLE // 2) for size in labels.shape
            ]
            labels = labels[middle[0], middle[1]]
            pixels = made.plane.data[(slice(0, 1), *window)][(slice(None), *middle)]
        else:
            pixels = made.plane.data[(slice(0, 1), *window)]
        pixels = np.asarray(pixels)
        self._sharpness.append(sharpness_of(pixels))
        self._saturated.append(saturated_share(pixels))
        self._covered.append(made.classes.covered)
        if len(self._sharpness) == self.planes // 2 + 1:
            self._thumbnail = thumbnail(pixels[0], labels)

    @property
    def covered(self) -> dict[str, float]:
        """Which share of the area each class covers, the mean of the planes."""
        return {name: float(np.mean([each[name] for each in self._covered])) for name in self._covered[0]}

    def done(self, cells: int, fit: Fit, links: Links | None, made: Segmentation) -> "Done":
        """Sum up, after the last plane."""
        linked = {}
        if links is not None:
            linked = {"objects" if links.axis == "Z" else "tracks": links.total}
            if links.axis == "T":
                linked["divisions"] = len(links.divisions)
        covered = self.covered
        row = {
            "planes": self.planes,
            "cells": cells,
            **linked,
            "covered": sum(covered.values()),
            **({f"covered_{name}": share for name, share in covered.items()} if len(covered) > 1 else {}),
            "confidence": "" if fit.confidence is None else fit.confidence,
            "sharpness": float(np.mean(self._sharpness)),
            "saturated": float(np.max(self._saturated)),
            "diameter_px": made.diameter or "",
            "model": made.params.model,
            "failed": "",
            "flags": UNSURE if fit.looks_right is False else "",
        }
        return Done(row, self._thumbnail)


class Done(NamedTuple):
    """An image that was segmented: its row of the table of fields, but for where it is, and a picture of it."""

    row: Row
    picture: bytes


class FieldTables:
    """Gathers what a batch does; as a context, it is written at the end, however the batch ends.

    The tables describe the folder: rows of images whose results lie there from before stay.

    Parameters
    ----------
    target : Path
        Folder of the results.
    shard : Shard or None
        The part of the batch that this call does, which has tables of its own until all parts are done.
    conditions : Conditions or None
    inputs : frozenset of Identity
        What is read, which no table may replace.
    measured : bool
        Whether the cells of this call are measured, so that there will be a table of all cells.
    batch : sequence of Input
        The images of all parts.

    Raises
    ------
    UtileError
        If they cannot be written, or what is there cannot be read.
    """

    def __init__(
        self,
        target: Path,
        shard: Shard | None,
        conditions: Conditions | None,
        inputs: frozenset[Identity],
        *,
        measured: bool = False,
        batch: Sequence[Input] = (),
    ) -> None:
        self._target, self._shard, self._conditions = target, shard, conditions
        self._ending = shard.ending if shard else ""
        self._batch = [self._where(image, image.shown_name) for image in batch]
        self._given: list[Row] = []
        self._written: dict[str, tuple[tuple[int, ...], str]] = {}
        self._rows: list[Row] = []
        self._others: set[str] = set()
        self._pictures: dict[str, bytes] = {}
        for name in (FIELDS, _CELLS, _SHEET):
            for ending in ("", self._ending):  # a part may be the one that writes those of all
                check_target(target / name.format(ending), inputs)
        # Whether its table of cells is ours, as long as none of them is segmented again.
        self._measured = any(
            cells_of(row, target) for table in tables_in(target).values() for row in fields_in(table)
        )

        for ending in {"", self._ending}:
            _refuse_others(target, ending, measured=measured or self._measured)

    def __enter__(self) -> Self:
        """Begin the batch."""
        return self

    def __exit__(self, *ended: object) -> None:
        """End it."""
        self.write()

    def add(self, image: Input, name: str, start: str, done: Done) -> None:
        """Take in an image that was done, and what the paths of its results begin with."""
        labels = self._labels(start)
        if labels not in self._written:
            self.leave_out(start)
        row = {**self._where(image, name), "labels": labels, HASH: self._written[labels][1], **done.row}
        self._rows.append(row)
        self._pictures[name if image.place is None else image.name] = done.picture
        self._given.append(self._where(image, shown_name(image.path)))

    def fail(self, image: Input, sentence: str) -> None:
        """Take in an image that failed."""
        where = self._where(image, shown_name(image.path))
        said = {"labels": "", "failed": sentence, FAILED_FILE: str(image.given.absolute())}
        self._rows.append({**where, **said})
        self._given.append(where)

    def leave_out(self, start: str) -> None:
        """Forget what was said of an image whose labels this call just wrote, unless it is added again."""
        labels = self._labels(start)
        self._written[labels] = stamp_of(self._target / labels), hash_of(self._target / labels)

    def write(self) -> None:
        """Write all, if anything was done; a part of a batch is joined with the others as soon as all are there."""
        if self._shard is None and not self._written and all(row["failed"] for row in self._rows):
            return
        with _other_calls_wait(self._target):
            ours = {labels for labels in self._written if self._is_as_written(labels)}
            done = [row for row in self._rows if row["failed"] or row["labels"] in ours]
            self._others = {*self._written} - ours
            tables = tables_in(self._target)
            if self._shard is None:
                rows = joined(self._told(tables, ours), done, self._given, ours)
                self._write_as("", rows, _pictures(tables))
                self._remove_parts(tables, ours)
            else:
                rows = self._write_part(self._shard, tables, done, ours)
            self._others -= {row["labels"] for row in rows}
            say_left_out(
                f"left out of the tables in {self._target}, as other labels lie there now",
                [path for each in sorted(self._others) if (path := self._target / each).is_file()],
            )

    def _write_part(
        self, shard: Shard, tables: Mapping[str, Path], done: Sequence[Row], ours: Collection[str]
    ) -> list[Row]:
        """Write the tables of a part of a batch, and those of all parts where all are there, or told of it before."""
        own = {ending: path for ending, path in tables.items() if ending == shard.ending}
        before, pictures = self._told(own, ours), _pictures(own)
        again = "" in tables and (bool(own) or any(row["labels"] in ours for row in fields_in(tables[""])))
        # What it said before is joined, or is only here.
        rows = joined([] if again else before, done, self._given, ours)
        self._write_as(shard.ending, rows, pictures)
        tables = tables_in(self._target)  # other parts may have ended meanwhile, where the disk has no locks
        if again or shard.endings <= tables.keys():
            rows = joined(joined(before, self._told(tables, ours)), done, self._given, ours)
            rows = in_order(rows, fields_in(self._target / FIELDS.format("")), self._batch)
            self._write_as("", rows, pictures | _pictures(tables))
        return rows

    def _remove_parts(self, tables: Mapping[str, Path], ours: Collection[str]) -> None:
        """Remove the tables of parts of which no other part waits to be joined with them, or all was done again."""
        for ending, table in tables.items():
            if ending:
                replaced = {row["labels"] for row in fields_in(table)}
                of_all = Shard(*map(int, ending[1:].split("of"))).endings <= tables.keys()
                if of_all or (len(self._given) > 1 and replaced and replaced <= {*ours}):
                    for name in (FIELDS, _CELLS, _SHEET):
                        _remove(self._target / name.format(ending))

    def _told(self, tables: Mapping[str, Path], ours: Collection[str]) -> list[Row]:
        """Read what tables say that is still true, of labels that several tell of what the last one says."""
        rows: list[Row] = []
        for table in tables.values():
            said, others = still_true(table, self._target, ours)
            rows = joined(rows, said)
            self._others |= others
        return rows

    def _write_as(self, ending: str, rows: Sequence[Row], pictures: Mapping[str, bytes]) -> None:
        """Write the tables and the sheet of these images."""
        pictures = {**pictures, **self._pictures}
        images = [quality_of(row, pictures) for row in rows]
        flags = (
            "; ".join(each for each in said if not each.startswith("failed")) for said in flags_of(images)
        )
        self._write_tables([{**row, "flags": said} for row, said in zip(rows, flags, strict=True)], ending)
        models = sorted({row["model"] for row in rows if not row["failed"]})
        sheet = self._target / _SHEET.format(ending)
        if rows:
            write_quality_sheet(sheet, models, images)
        else:
            sheet.unlink(missing_ok=True)

    def _write_tables(self, rows: Sequence[Row], ending: str) -> None:
        """Write the table of fields and that of all their cells; what would be empty is removed, but for a part's."""
        cells = [
            (place_of(row), path) for row in rows if (path := table_of_cells(row, self._target)) is not None
        ]
        path = self._target / _CELLS.format(ending)
        if cells:  # which may be more than the memory holds
            names = (name for place, table in cells for name in (*place, *cells_in(table)[0]))
            _write(path, names, ({**place, **each} for place, table in cells for each in cells_in(table)[1]))
        elif ending or self._measured:  # else it may be of a user
            path.unlink(missing_ok=True)
        where = dict.fromkeys((name for row in rows for name in place_of(row)), "")
        path = self._target / FIELDS.format(ending)
        if rows or ending:
            rows = [{**where, **row} for row in rows]
            _write(path, (*(name for row in rows for name in row), *COLUMNS), rows)
        else:
            path.unlink(missing_ok=True)

    def _is_as_written(self, labels: str) -> bool:
        """Tell whether labels are still those of this call: another one may have replaced them."""
        path, (stamp, said) = self._target / labels, self._written[labels]
        return stamp_of(path) == stamp or hash_of(path) == said

    def _labels(self, start: str) -> str:
        return Path(f"{start}{LABELS}").relative_to(self._target).as_posix()

    def _where(self, image: Input, name: str) -> dict[str, Any]:
        place = image.place
        where: dict[str, Any] = {"image": name}
        if place is not None:
            where = {"plate": place.plate, "row": place.row, "column": place.column, "field": place.field}
        if image.well is not None:
            where["well"] = image.well
        if self._conditions is not None:
            # A pattern may mean the file, or where in the plate it lies.
            where |= self._conditions.of(name if place is None else image.name, image.well)
        return where


def _pictures(tables: Mapping[str, Path]) -> dict[str, bytes]:
    """Read the thumbnails in the sheets beside tables."""
    sheets = (table.with_name(_SHEET.format(ending)) for ending, table in tables.items())
    return {name: picture for sheet in sheets for name, picture in pictures_in(sheet).items()}


@contextlib.contextmanager
def _other_calls_wait(folder: Path) -> Iterator[None]:
    """Keep other calls from the tables of a folder while they are read, changed and written."""
    lock = folder / ".utile.lock"
    with contextlib.ExitStack() as held:
        # Some disks of networks have no locks, and one that is left behind must not cost the tables.
        with contextlib.suppress(OSError, NotImplementedError):
            held.enter_context(FileLock(lock, timeout=_LONGEST_WAIT))
            held.callback(_remove, lock)
        yield


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):  # Windows keeps a lock for as long as it is held, and removes it then
        path.unlink()


def _refuse_others(folder: Path, ending: str, *, measured: bool) -> None:
    """Refuse to replace a page, or where cells are measured a table, that only has the name of ours."""
    cells, sheet = folder / _CELLS.format(ending), folder / _SHEET.format(ending)
    if measured and cells.is_file() and not {"centroid_y", "index"} <= {*Table(cells).columns}:
        raise UtileError(f"{cells} is not a table of the cells of a batch: move it away.")
    if sheet.is_file() and not is_quality_sheet(sheet):
        raise UtileError(f"{sheet} is not the quality sheet of a batch: move it away.")


def tables_of_one(
    target: Path, conditions: Conditions | None, inputs: frozenset[Identity], *, measured: bool = False
) -> FieldTables | None:
    """Give the tables that a single image is to join; None where there are none, or others: that is said.

    Raises
    ------
    UtileError
        If they cannot be written: they would tell of labels that are gone.
    """
    try:
        told = {ending: fields_in(table) for ending, table in tables_in(target).items()}
    except UtileError as error:
        print(f"The tables in {target} stay as they are: {error}", file=sys.stderr)
        return None
    there = any(ending or rows for ending, rows in told.items())
    return FieldTables(target, None, conditions, inputs, measured=measured) if there else None


def tables_around(labels: Path, inputs: frozenset[Identity]) -> FieldTables | None:
    """Give the tables that may tell of a file of labels, of a plate those above its folder; see `tables_of_one`."""
    folders = [folder for folder in labels.parents[:4] if (folder / FIELDS.format("")).is_file()]
    return tables_of_one((folders or [labels.parent])[0], None, inputs)


def _write(path: Path, names: Iterable[str], rows: Iterable[Row]) -> None:
    """Write a table; a column that a row lacks stays empty in it."""
    with (
        atomic_path(path) as temporary,
        temporary.open("w", newline="", encoding="utf-8", errors="backslashreplace") as file,
    ):
        writer = csv.DictWriter(file, list(dict.fromkeys(names)), restval="")
        writer.writeheader()
        writer.writerows(rows)
