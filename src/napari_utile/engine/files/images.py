"""Image files: TIFF, PNG, JPEG, BMP and OME-Zarr in, TIFF out."""

import glob
import os
import re
from collections.abc import Iterable
from pathlib import Path

import imageio.v3
import numpy as np

from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.atomic import atomic_path
from napari_utile.engine.files.image_file import ImageFile
from napari_utile.engine.files.ome_zarr import is_zarr, read_ome_zarr
from napari_utile.engine.files.tiff import read_tiff, write_image, write_labels

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
_PICTURE_STARTS = {b"\x89PNG\r\n\x1a\n": "PNG", b"\xff\xd8\xff": "JPEG", b"BM": "BMP"}


def read_image(path: str | os.PathLike[str]) -> ImageFile:
    """Read an image file; large TIFF and OME-Zarr are opened without loading them.

    The format follows from the content, not from the suffix. Nothing in a file is ever executed.

    Parameters
    ----------
    path : str or path-like
        TIFF, PNG, JPEG, BMP, or an OME-Zarr folder.

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
        return read_ome_zarr(path)
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
        return read_tiff(path)
    for signature, kind in _PICTURE_STARTS.items():
        if start.startswith(signature):
            return _read_picture(path, kind)
    raise UtileError(f"{path.name} is not an image in a known format (TIFF, OME-Zarr, PNG, JPEG, BMP).")


def _read_picture(path: Path, kind: str) -> ImageFile:
    try:
        data = np.asarray(imageio.v3.imread(path, plugin="pillow", extension=f".{kind.lower()}", index=0))
    except Exception as error:  # damaged files raise SyntaxError, OSError, zlib.error ...
        if "decompression bomb" in str(error):
            raise UtileError(f"{path.name} is too large a {kind}: save it as TIFF.") from error
        raise UtileError(f"Cannot read {path.name}: the {kind} file is damaged or truncated.") from error
    return ImageFile(data, "YXS" if data.ndim == 3 else "YX", None, None, path)


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
