"""The image files that files, folders and patterns stand for."""

import fnmatch
import glob
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path

from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.names import as_path
from napari_utile.engine.files.ome_zarr import is_ome_image, is_zarr

IMAGE_SUFFIXES = (".tif", ".tiff", ".png", ".jpg", ".jpeg", ".bmp", ".gif", ".zarr", ".nd2", ".czi", ".lif")
"""Suffixes taken from a folder; `read_image` itself goes by content."""
_MOST_LOOKED_INTO = 200
"""Folders below one without images that are looked into."""


def find_images(inputs: Iterable[str | os.PathLike[str]]) -> list[Path]:
    """List the image files that files, folders and patterns stand for, each file once.

    Parameters
    ----------
    inputs : iterable of str or path-like
        A file is taken as it is; of a folder, the images directly inside it; a pattern with ``*``, ``?``, ``[...]``
        or ``**`` stands for the images that match it. What exists under its very name is not a pattern, so folders
        may have brackets. ``**`` enters each folder once, however links lead to it.

    Returns
    -------
    list of Path
        In the given order, each folder and pattern sorted as people count (``t2`` before ``t10``).

    Raises
    ------
    UtileError
        When an input does not exist, cannot be read or holds no image.
    """
    found: dict[str, Path] = {}
    for item in inputs:
        for path in _images_of(item):
            folder = os.path.realpath(path.parent)
            found.setdefault(os.path.join(folder, path.name), path)
    if not found:
        raise UtileError("No images were given.")
    return list(found.values())


def _images_of(item: str | os.PathLike[str]) -> list[Path]:
    if not str(item).strip():
        raise UtileError("The name of a file is empty.")
    path = as_path(item)
    if os.path.isfile(path) or is_zarr(path):
        return [path]
    if os.path.isdir(path):
        matches: Iterable[Path] = [path / name for name in _entries(path)]
        complaint = ""
    elif glob.has_magic(str(path)):
        matches = _matching(path)
        complaint = f"No image matches {item}."
    else:
        raise UtileError(_missing(path))
    images = sorted(filter(_looks_like_image, matches), key=_counting_order)
    if not images:
        raise UtileError(complaint or _without_images(path))
    return images


def _without_images(folder: Path) -> str:
    """Say that there is no image in a folder, and where below it there are."""
    with suppress(UtileError):  # a folder that cannot be read
        for below in islice(_folders_below(folder), 1, _MOST_LOOKED_INTO):
            if any(_looks_like_image(below / name) for name in _entries(below)):
                return (
                    f"There is no image in the folder {folder} itself, but below it, such as in {below}: give that "
                    f"folder, or the pattern '{folder / '**'}' for all of them."
                )
    return f"There is no image in the folder {folder} (looked for {', '.join(IMAGE_SUFFIXES)})."


def _missing(path: Path) -> str:
    """Say why a path is not there: a folder above it may be closed, its name too long."""
    try:
        path.stat()
    except FileNotFoundError:
        pass
    except NotADirectoryError:
        return f"There is no file or folder {path}: a part of this path is a file."
    except OSError as error:
        return f"Cannot read {path}: {error.strerror or error}."
    else:
        return f"{path} is a pipe or a device, not a file: save the image first."
    return f"There is no file or folder {path}."


def _entries(folder: Path) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError as error:
        raise UtileError(f"Cannot read the folder {folder}: {error.strerror or error}.") from error


def _matching(pattern: Path) -> Iterator[Path]:
    """Give what matches a pattern, part by part; a part that exists as it is written is not a pattern."""
    start = Path(pattern.anchor)
    yield from _match(start, pattern.parts[1:] if pattern.anchor else pattern.parts)


def _match(folder: Path, parts: tuple[str, ...]) -> Iterator[Path]:
    if not parts:
        yield folder
        return
    part, rest = parts[0], parts[1:]
    if part == "**":
        for inside in _folders_below(folder):
            yield from _match(inside, rest or ("*",))
    elif os.path.lexists(folder / part) or not glob.has_magic(part):
        if os.path.lexists(folder / part):
            yield from _match(folder / part, rest)
    elif os.path.isdir(folder):
        hidden = part.startswith(".")
        for name in _entries(folder):
            if fnmatch.fnmatch(name, part) and (hidden or not name.startswith(".")):
                yield from _match(folder / name, rest)


def _folders_below(folder: Path) -> Iterator[Path]:
    """Give a folder and all below it, each once: first along real folders, then along links that lead elsewhere."""
    visited: set[str] = set()
    waiting = [folder]
    while waiting:
        links: list[Path] = []
        while waiting:
            here = waiting.pop()
            real = os.path.realpath(here)
            if real in visited or not os.path.isdir(here):
                continue
            visited.add(real)
            yield here
            if is_zarr(here):
                continue
            for name in reversed(_entries(here)):
                if not name.startswith(".") and os.path.isdir(here / name):
                    (links if os.path.islink(here / name) else waiting).append(here / name)
        waiting = links[::-1]


def _looks_like_image(path: Path) -> bool:
    if path.name.startswith("."):
        return False
    if os.path.isdir(path):
        return is_zarr(path) and (path.suffix.lower() in IMAGE_SUFFIXES or is_ome_image(path))
    return path.suffix.lower() in IMAGE_SUFFIXES


def _counting_order(path: Path) -> list[tuple[int, int, str]]:
    parts = re.split(r"(\d+)", str(path).lower())
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts]
