"""Which image of a TIFF is meant, and whether all of its pages are there."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tifffile

from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.tiff_ome import absent_files, image_of_series, ome_images, set_of_files

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
    """Take the image that is asked for by number or name, else the first in this very file that is not a thumbnail.

    Raises
    ------
    UtileError
        If there is none.
    """
    every = list(tif.series)
    if not every:
        raise UtileError(f"{path.name} holds no image.")
    names = tuple(one.name or f"series {number}" for number, one in enumerate(every))
    number = number_of_series(wanted, names, path.name) if wanted is not None else _main(every, tif)
    return Choice(every[number], number, names, (*notes_on_series(number, names), *_lost_images(tif, path)))


def _lost_images(tif: tifffile.TiffFile, path: Path) -> tuple[str, ...]:
    """Say how many images of a set lie in files that are not there."""
    images = ome_images(tif)
    lost = [
        image
        for image in images
        if image.files and not any((path.parent / name).is_file() for name in image.files)
    ]
    if not lost or len(tif.series) == len(images):
        return ()
    return (f"{len(lost)} of {len(images)} images of the set left out: {absent_files(path, lost[0].files)}",)


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
        number = int(wanted.removeprefix("#"))
    except ValueError:
        number = -1
    if not 0 <= number < len(names):
        known = ", ".join(f"{each} ({name})" for each, name in enumerate(names[:8]))
        more = " ..." if len(names) > 8 else ""
        if wanted == "all":
            raise UtileError(f"Only utile segment takes all series: choose one of {known}{more} in {what}.")
        raise UtileError(f"{what} has no series {wanted}: it has {known}{more}.")
    return number


def series_to_ask_for(number: int, names: tuple[str, ...]) -> str:
    """Give the words by which `number_of_series` finds one image, also where names are numbers or occur twice."""
    for words in (str(number), names[number]):
        if words not in names or names.index(words) == number:
            return words
    return f"#{number}"


def notes_on_series(number: int, names: tuple[str, ...]) -> tuple[str, ...]:
    """Say which of several series was taken."""
    if len(names) == 1:
        return ()
    name = "" if names[number] == f"series {number}" else f" ({names[number]})"
    return (f"series {number}{name} of {len(names)}; --series N takes another, --series all every one",)


def _main(every: list[Any], tif: tifffile.TiffFile) -> int:
    """Choose among the images of which this file holds planes: others of its set lie in other files."""
    own = [number for number, one in enumerate(every) if _is_in(one, tif)] or list(range(len(every)))
    sizes = {number: every[number].keyframe.imagelength * every[number].keyframe.imagewidth for number in own}
    largest = max(sizes.values())
    return next(number for number, size in sizes.items() if size * _THUMBNAIL > largest)


def _is_in(series: tifffile.TiffPageSeries, tif: tifffile.TiffFile) -> bool:
    where = tif.filehandle.path
    return any(page is not None and page.parent.filehandle.path == where for page in series.pages)


def missing_pages(tif: tifffile.TiffFile, chosen: Choice, path: Path, accept: bool) -> tuple[str, ...]:
    """Say which pages an image announces and does not hold; nothing where all are there.

    Raises
    ------
    UtileError
        Where pages are missing and that is not accepted.
    """
    series = chosen.series
    expected = math.prod(series.shape) // max(1, math.prod(series.keyframe.shape))
    announced = _announced_by_imagej(tif)
    if 1 <= expected < announced:
        if not accept:
            raise UtileError(
                f"{announced - expected} of {announced} planes of {path.name} are missing: it announces them and ends "
                "before; --accept-missing takes those that are there."
            )
        return (f"{announced - expected} of {announced} planes missing, left out",)
    if series.dataoffset is not None and len(series.pages) <= 1:
        return ()
    pages = list(series.pages)
    absent = [number for number, page in enumerate(pages) if page is None]
    total = max(expected, len(pages))
    missing = len(absent) + max(0, expected - len(pages)) if len(pages) > 1 else len(absent)
    if not missing:
        return _sparse(pages)
    image = image_of_series(tif, series, chosen.number)
    files = absent_files(path, (image.files if image else ()) or set_of_files(tif))
    which = f" ({files})" if files else ""
    if missing == total:
        raise UtileError(f"Cannot read {path.name}: all of its {total} planes are missing{which}.")
    if not accept:
        raise UtileError(
            f"{missing} of {total} planes of {path.name} are missing{which}; --accept-missing takes them as black."
        )
    return (f"{missing} of {total} planes missing, read as 0",)


def _announced_by_imagej(tif: tifffile.TiffFile) -> int:
    """Give how many planes ImageJ wrote of a stack; 0 where it does not say, or colours may count as planes."""
    if not tif.is_imagej or tif.pages.first.samplesperpixel > 1:
        return 0
    sizes = [(tif.imagej_metadata or {}).get(name, 1) for name in ("channels", "slices", "frames")]
    return math.prod(size for size in sizes if isinstance(size, int) and size > 0)


def pages_left_out(tif: tifffile.TiffFile, directories: int) -> tuple[str, ...]:
    """Say how many pages lie in a file of which its description does not tell."""
    levels = [level for one in tif.series for level in one.levels]
    if any(level.dataoffset is not None and len(level.pages) <= 1 for level in levels):
        return ()  # planes one behind the other under one directory
    where = tif.filehandle.path
    pages = (page for level in levels for page in level.pages if page is not None)
    known = {
        page.index for page in pages if page.parent.filehandle.path == where and page.treeindex[1:] == ()
    }
    left = directories - len(known)
    return (f"{left} further page{'s' if left > 1 else ''} in the file, left out",) if left > 0 else ()


def _sparse(pages: list[Any]) -> tuple[str, ...]:
    """Count tiles and strips of no bytes: legal, and read as 0."""
    counts = [count for page in pages for count in page.databytecounts]
    absent = sum(count == 0 for count in counts)
    return (f"{absent} of {len(counts)} tiles absent, read as 0",) if absent else ()
