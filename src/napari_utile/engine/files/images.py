"""Image files: TIFF, PNG, JPEG, BMP and OME-Zarr in, TIFF out."""

import glob
import os
import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.atomic import atomic_path
from napari_utile.engine.files.image_file import ImageFile
from napari_utile.engine.files.ome_zarr import is_zarr, read_ome_zarr
from napari_utile.engine.files.pictures import PICTURE_STARTS, read_picture
from napari_utile.engine.files.tiff import write_image, write_labels
from napari_utile.engine.files.tiff_reading import read_tiff
from napari_utile.engine.sources.naming import asked_axes

__all__ = [
    "IMAGE_SUFFIXES",
    "RESULT_ENDINGS",
    "ImageFile",
    "atomic_path",
    "find_images",
    "read_image",
    "write_image",
    "write_labels",
]

IMAGE_SUFFIXES = (".tif", ".tiff", ".png", ".jpg", ".jpeg", ".bmp", ".zarr")
"""Suffixes taken from a folder; `read_image` itself goes by content."""

RESULT_ENDINGS = ("_labels", "_probability", "_mask", "_truth")
"""Endings of files that are made of an image and lie beside it."""

_TIFF_STARTS = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")


def read_image(
    path: str | os.PathLike[str],
    *,
    axes: str | None = None,
    series: str | None = None,
    accept_missing: bool = False,
    as_labels: bool = False,
) -> ImageFile:
    """Read an image file; large TIFF and OME-Zarr are opened without loading them.

    The format follows from the content, not from the suffix. Nothing in a file is ever executed.

    Parameters
    ----------
    path : str or path-like
        TIFF, PNG, JPEG, BMP, or an OME-Zarr folder.
    axes : str, optional
        A letter an axis, out of ``TCZYXS``, whatever the file says.
    series : str, optional
        Number or name of the image, where the file holds several; else the first that is no thumbnail.
    accept_missing : bool
        Read planes that the file announces and that are lost as 0, instead of refusing.
    as_labels : bool
        Give numbers as they are stored, such as the indices of a palette.

    Returns
    -------
    ImageFile
        Pixels, axes, pixel size and unit.

    Raises
    ------
    UtileError
        One sentence, when the file is missing, empty, damaged, truncated or of an unknown format.
    """
    path = Path(path)
    if is_zarr(path):
        return read_ome_zarr(path, axes=axes, series=series)
    if path.is_dir():
        raise UtileError(f"{path} is a folder, not an image.")
    try:
        with path.open("rb") as file:
            start = file.read(8)
    except FileNotFoundError as error:
        raise UtileError(f"There is no file {path}.") from error
    except OSError as error:
        raise UtileError(f"Cannot read {path}: {error.strerror or error}.") from error
    if not start:
        raise UtileError(f"{path.name} is empty.")
    if start[:4] in _TIFF_STARTS:
        return read_tiff(path, axes=axes, series=series, accept_missing=accept_missing, as_labels=as_labels)
    for signature, kind in PICTURE_STARTS.items():
        if start.startswith(signature):
            picture = read_picture(path, kind, as_labels=as_labels)
            if series not in (None, "0"):
                raise UtileError(f"{path.name} has no series {series}: it is one image.")
            return replace(picture, axes=asked_axes(axes, picture.data.shape, path.name)) if axes else picture
    raise UtileError(f"{path.name} is not an image in a known format (TIFF, OME-Zarr, PNG, JPEG, BMP).")


def find_images(inputs: Iterable[str | os.PathLike[str]], *, skip_results: bool = False) -> list[Path]:
    """List the image files that files, folders and patterns stand for.

    Parameters
    ----------
    inputs : iterable of str or path-like
        A file is taken as it is; of a folder, the images directly inside it; a pattern with ``*``, ``?``,
        ``[...]`` or ``**`` stands for the images that match it.
    skip_results : bool
        Leave out of folders and patterns what was made of an image that is there too: of ``cells.tif``, for
        example ``cells_labels.tif`` (see `RESULT_ENDINGS`).

    Returns
    -------
    list of Path
        In the given order, each folder and pattern sorted as people count (``t2`` before ``t10``), unique.

    Raises
    ------
    UtileError
        When an input does not exist or holds no image.
    """
    found: dict[Path, None] = {}
    for item in inputs:
        path = Path(item)
        if path.is_file() or is_zarr(path):
            found[path] = None
            continue
        if path.is_dir():
            images = [entry for entry in path.iterdir() if _looks_like_image(entry)]
            complaint = f"There is no image in the folder {path} (looked for {', '.join(IMAGE_SUFFIXES)})."
        elif glob.has_magic(str(item)):
            matches = [Path(name) for name in glob.glob(str(item), recursive=True)]
            images = [match for match in matches if _looks_like_image(match)]
            complaint = f"No image matches {item}."
        else:
            images = []
            complaint = f"There is no file or folder {path}."
        if skip_results:
            images = _without_results(images)
        if not images:
            raise UtileError(complaint)
        found.update(dict.fromkeys(sorted(images, key=_counting_order)))
    if not found:
        raise UtileError("No images were given.")
    return list(found)


def _without_results(images: list[Path]) -> list[Path]:
    stems = {(image.parent, ImageFile.name_of(image)) for image in images}

    def is_result(image: Path) -> bool:
        return any(
            image.stem.endswith(ending) and (image.parent, image.stem.removesuffix(ending)) in stems
            for ending in RESULT_ENDINGS
        )

    return [image for image in images if not is_result(image)]


def _looks_like_image(path: Path) -> bool:
    if path.name.startswith(".") or path.suffix.lower() not in IMAGE_SUFFIXES:
        return False
    return is_zarr(path) if path.is_dir() else True


def _counting_order(path: Path) -> list[tuple[int, int, str]]:
    parts = re.split(r"(\d+)", str(path).lower())
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts]
