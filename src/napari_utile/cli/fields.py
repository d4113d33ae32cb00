"""What a batch writes beside the results of each image: a table of fields, one of all cells, and a quality sheet."""

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from napari_utile.cli.inputs import Input, Shard
from napari_utile.engine.files.atomic import atomic_path
from napari_utile.engine.files.conditions import Conditions
from napari_utile.engine.files.targets import Identity, check_target
from napari_utile.engine.inference.confidence import Fit
from napari_utile.engine.linking.links import Links
from napari_utile.engine.planes.projection import sharpness_of
from napari_utile.engine.reports.quality import (
    ImageQuality,
    flags_of,
    saturated_share,
    thumbnail,
    write_quality_sheet,
)
from napari_utile.engine.segmentation import Segmentation

_LARGEST = 1 << 26
"""Pixels above which only the middle of a plane is looked at and shown."""
_MIDDLE = 4096


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
        quality = ImageQuality(
            "",
            links.total if links is not None else cells,
            fit.confidence,
            fit.looks_right,
            float(np.mean(self._sharpness)),
            float(np.max(self._saturated)),
            self._thumbnail,
        )
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
            "sharpness": quality.sharpness,
            "saturated": quality.saturated,
            "diameter_px": made.diameter or "",
            "model": made.params.model,
        }
        return Done(row, quality)


@dataclass(frozen=True)
class Done:
    """An image that was segmented: its row of the table of fields, and how it came out."""

    row: dict[str, Any]
    quality: ImageQuality


class FieldTables:
    """Gathers what a batch did, and writes it at the end.

    Parameters
    ----------
    target : Path
        Folder of the results.
    shard : Shard or None
        The part of the batch that this call does.
    """

    def __init__(self, target: Path, shard: Shard | None, conditions: Conditions | None) -> None:
        self._target, self._shard, self._conditions = target, shard, conditions
        self._rows: list[dict[str, Any]] = []
        self._images: list[ImageQuality] = []
        self._cells: list[tuple[dict[str, Any], Path]] = []

    @property
    def _ending(self) -> str:
        return self._shard.ending if self._shard else ""

    def check(self, inputs: frozenset[Identity]) -> None:
        """Check, before anything is computed, that all can be written; see `check_target`."""
        for name in ("fields{}.csv", "cells{}.csv", "quality{}.html"):
            check_target(self._target / name.format(self._ending), inputs)

    def add(self, image: Input, name: str, done: Done, cells: Path | None) -> None:
        """Take in an image that was done, and the file of its cells."""
        where = self._where(image, name)
        self._rows.append({**where, **done.row, "failed": ""})
        shown = name if image.place is None else image.name
        self._images.append(replace(done.quality, name=shown))
        if cells is not None:
            self._cells.append((where, cells))

    def fail(self, image: Input, sentence: str) -> None:
        """Take in an image that failed."""
        self._rows.append({**self._where(image, image.name), "failed": sentence})
        self._images.append(ImageQuality(image.name, failed=sentence))

    def write(self) -> None:
        """Write all, if anything was done; where this was the last part of a batch, join the parts."""
        if all(row["failed"] for row in self._rows):
            return
        for row, flags in zip(self._rows, flags_of(self._images), strict=True):
            row["flags"] = "; ".join(each for each in flags if not each.startswith("failed"))
        ending = self._ending
        _write(self._target / f"fields{ending}.csv", [self._rows])
        if self._cells:
            _write(self._target / f"cells{ending}.csv", [_Rows(path, where) for where, path in self._cells])
        models = " and ".join(sorted({row["model"] for row in self._rows if not row["failed"]}))
        title = f"{len(self._rows)} images segmented with {models}"
        write_quality_sheet(self._target / f"quality{ending}.html", title, self._images)
        if self._shard is not None:
            self._join(self._shard.of)

    def _join(self, count: int) -> None:
        for name in ("fields", "cells"):
            parts = [
                self._target / f"{name}{Shard(number, count).ending}.csv" for number in range(1, count + 1)
            ]
            if all(part.is_file() for part in parts):
                _write(self._target / f"{name}.csv", [_Rows(part, {}) for part in parts])

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


class _Rows:
    """Rows of a table in a file, with further columns before them; read as often as one likes."""

    def __init__(self, path: Path, before: Mapping[str, Any]) -> None:
        self._path, self._before = path, before

    @property
    def columns(self) -> list[str]:
        with self._path.open(newline="", encoding="utf-8") as file:
            return [*self._before, *next(csv.reader(file), [])]

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        with self._path.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                yield {**self._before, **row}


def _write(path: Path, parts: Sequence[_Rows | list[dict[str, Any]]]) -> None:
    """Write parts of a table one below the other; a column that a part lacks stays empty in its rows."""
    names: dict[str, None] = {}
    for part in parts:
        rows: Iterable[Iterable[str]] = [part.columns] if isinstance(part, _Rows) else part
        for row in rows:
            names |= dict.fromkeys(row)
    with (
        atomic_path(path) as temporary,
        temporary.open("w", newline="", encoding="utf-8", errors="backslashreplace") as file,
    ):
        writer = csv.DictWriter(file, list(names), restval="")
        writer.writeheader()
        for part in parts:
            writer.writerows(part)
