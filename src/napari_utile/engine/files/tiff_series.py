"""Which image of a TIFF is meant, and whether all of its pages are there."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tifffile

from napari_utile.engine.errors import UtileError

_THUMBNAIL = 4
"""An image with so many times fewer pixels a plane than a later one is its thumbnail."""


@dataclass(frozen=True, eq=False)
class Choice:
    """The image that was taken, its number among all, their names, and what is to be said about it."""

    series: tifffile.TiffPageSeries
    number: int
    names: tuple[str, ...]
    notes: tuple[str, ...]


def choose_series(tif: tifffile.TiffFile, path: Path, wanted: str | None = None) -> Choice:
    """Take the image that is asked for by number or name, else the first that is not a thumbnail.

    Raises
    ------
    UtileError
        If there is none.
    """
    every = list(tif.series)
    if not every:
        raise UtileError(f"{path.name} holds no image.")
    names = tuple(one.name or f"series {number}" for number, one in enumerate(every))
    number = number_of_series(wanted, names, path.name) if wanted else _main(every)
    return Choice(every[number], number, names, notes_on_series(number, names))


def number_of_series(wanted: str, names: tuple[str, ...], what: str) -> int:
    """Find a series by its number, counted from 0, or its name.

    Raises
    ------
    UtileError
        If there is none of this name.
    """
    if wanted in names:
        return names.index(wanted)
    try:
        number = int(wanted)
    except ValueError:
        number = -1
    if not 0 <= number < len(names):
        known = ", ".join(f"{each} ({name})" for each, name in enumerate(names[:8]))
        more = " ..." if len(names) > 8 else ""
        raise UtileError(f"{what} has no series {wanted}: it has {known}{more}.")
    return number


def notes_on_series(number: int, names: tuple[str, ...]) -> tuple[str, ...]:
    """Say which of several series was taken."""
    if len(names) == 1:
        return ()
    name = "" if names[number] == f"series {number}" else f" ({names[number]})"
    return (f"series {number}{name} of {len(names)}; --series N takes another, --series all every one",)


def _main(every: list[Any]) -> int:
    sizes = [one.keyframe.imagelength * one.keyframe.imagewidth for one in every]
    largest = max(sizes)
    return next(number for number, size in enumerate(sizes) if size * _THUMBNAIL > largest)


def missing_pages(
    tif: tifffile.TiffFile, series: tifffile.TiffPageSeries, path: Path, accept: bool
) -> tuple[str, ...]:
    """Say which pages an image announces and does not hold; nothing where all are there.

    Raises
    ------
    UtileError
        Where pages are missing and that is not accepted.
    """
    if series.dataoffset is not None and len(series.pages) <= 1:
        return ()
    pages = list(series.pages)
    absent = [number for number, page in enumerate(pages) if page is None]
    expected = math.prod(series.shape) // max(1, math.prod(series.keyframe.shape))
    total = max(expected, len(pages))
    missing = len(absent) + max(0, expected - len(pages)) if len(pages) > 1 else len(absent)
    if not missing:
        return _sparse(pages)
    files = _absent_files(tif, path)
    which = f" ({', '.join(files)} {'is' if len(files) == 1 else 'are'} not there)" if files else ""
    if missing == total:
        raise UtileError(f"Cannot read {path.name}: all of its {total} planes are missing{which}.")
    if not accept:
        raise UtileError(
            f"{missing} of {total} planes of {path.name} are missing{which}; --accept-missing takes them as black."
        )
    return (f"{missing} of {total} planes missing, read as 0",)


def _sparse(pages: list[Any]) -> tuple[str, ...]:
    """Count tiles and strips of no bytes: legal, and read as 0."""
    counts = [count for page in pages for count in page.databytecounts]
    absent = sum(count == 0 for count in counts)
    return (f"{absent} of {len(counts)} tiles absent, read as 0",) if absent else ()


def _absent_files(tif: tifffile.TiffFile, path: Path) -> list[str]:
    return sorted(name for name in set_of_files(tif) if not (path.parent / name).is_file())


def set_of_files(tif: tifffile.TiffFile) -> tuple[str, ...]:
    """Name the files that one OME image is spread over; empty where it is all in this file."""
    found = _named_files(tif)
    return found if len(found) > 1 else ()


def refuse_files_elsewhere(tif: tifffile.TiffFile, path: Path) -> None:
    """Refuse a file that names pixels in files outside its folder, before tifffile opens them.

    Raises
    ------
    UtileError
    """
    folder = path.parent.resolve()
    for name in _named_files(tif):
        if not (folder / name.replace("\\", "/")).resolve().is_relative_to(folder):
            raise UtileError(
                f"Cannot read {path.name}: it names {name[:80]!r}, which lies outside its folder; put all files of "
                "the set into one folder."
            )


def _named_files(tif: tifffile.TiffFile) -> tuple[str, ...]:
    if not tif.is_ome or not tif.ome_metadata or "FileName" not in tif.ome_metadata:
        return ()
    found: dict[str, None] = {}

    def look(node: Any) -> None:
        if isinstance(node, dict):
            if node.get("FileName"):
                found[str(node["FileName"])] = None
            for each in node.values():
                look(each)
        elif isinstance(node, list):
            for each in node:
                look(each)

    look(tifffile.xml2dict(tif.ome_metadata))
    return tuple(found)


def files_of_set(path: Path) -> tuple[str, ...]:
    """Name the files that an image is spread over, itself among them; empty for a file that is all of it."""
    if ".tif" not in path.name.lower() or not path.is_file():
        return ()
    try:
        with tifffile.TiffFile(path, _multifile=False) as tif:
            return set_of_files(tif)
    except Exception:  # noqa: BLE001  # whoever reads it says what is wrong
        return ()
