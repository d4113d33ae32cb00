"""Image files: TIFF, PNG, JPEG, BMP, GIF, OME-Zarr and those of vendors in, TIFF out."""

import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.atomic import atomic_path
from napari_utile.engine.files.image_file import ImageFile
from napari_utile.engine.files.names import as_path, image_name
from napari_utile.engine.files.ome_zarr import is_zarr, read_ome_zarr, zarr_series
from napari_utile.engine.files.pictures import PICTURE_STARTS, read_picture
from napari_utile.engine.files.tiff import write_image, write_labels
from napari_utile.engine.files.tiff_ome import files_of_set
from napari_utile.engine.files.tiff_reading import read_tiff
from napari_utile.engine.files.vendor import READERS, read_vendor
from napari_utile.engine.planes.naming import asked_axes
from napari_utile.engine.planes.selection import Selection

__all__ = [
    "ImageFile",
    "atomic_path",
    "one_of_each_set",
    "open_selected",
    "read_image",
    "series_of",
    "write_image",
    "write_labels",
]

_TIFF_STARTS = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")


def read_image(
    path: str | bytes | os.PathLike[str],
    *,
    axes: str | None = None,
    series: str | int | None = None,
    accept_missing: bool = False,
    as_labels: bool = False,
) -> ImageFile:
    """Read an image file; large TIFF and OME-Zarr are opened without loading them.

    The format follows from the content, not from the suffix. Nothing in a file is ever executed.

    Parameters
    ----------
    path : str, bytes or path-like
        TIFF, PNG, JPEG, BMP, GIF, an OME-Zarr folder, or a vendor's file (see `read_vendor`).
    axes : str, optional
        A letter an axis, out of ``TCZYXS``, whatever the file says.
    series : str or int, optional
        Number or name of the image, where the file holds several; else the first that is not a thumbnail.
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

    Examples
    --------
    >>> from importlib.resources import files
    >>> image = read_image(files("napari_utile") / "sample_data" / "film_two_channels.tif")
    >>> image.axes, image.data.shape, image.pixel_size, image.unit
    ('TCYX', (6, 2, 160, 160), (0.5, 0.5), 'µm')
    """
    path = as_path(path)
    series = None if series is None else str(series)
    if is_zarr(path):
        return read_ome_zarr(path, axes=axes, series=series)
    if os.path.isdir(path):
        raise UtileError(f"{path} is a folder, not an image.")
    if os.path.exists(path) and not os.path.isfile(path):  # reading it would wait for ever
        raise UtileError(f"{path} is a pipe or a device, not a file: save the image first.")
    try:
        with path.open("rb") as file:
            start = file.read(8)
    except FileNotFoundError as error:
        raise UtileError(f"There is no file {path}.") from error
    except OSError as error:
        raise UtileError(f"Cannot read {path}: {error.strerror or error}.") from error
    if not start:
        raise UtileError(f"{path.name} is empty.")
    if path.suffix.lower() in READERS:
        return read_vendor(path, axes=axes, series=series, accept_missing=accept_missing)
    if start[:4] in _TIFF_STARTS:
        return read_tiff(path, axes=axes, series=series, accept_missing=accept_missing, as_labels=as_labels)
    for signature, kind in PICTURE_STARTS.items():
        if start.startswith(signature):
            picture = read_picture(path, kind, as_labels=as_labels)
            if series not in (None, "0"):
                raise UtileError(f"{path.name} has no series {series}: it is one image.")
            return replace(picture, axes=asked_axes(axes, picture.data.shape, path.name)) if axes else picture
    raise UtileError(
        f"{path.name} is not an image in a known format (TIFF, OME-Zarr, PNG, JPEG, BMP, GIF, ND2, CZI, LIF)."
    )


def open_selected(path: str | os.PathLike[str], selection: Selection) -> ImageFile:
    """Read the image that a selection means; see `read_image`."""
    return read_image(
        path, axes=selection.axes, series=selection.series, accept_missing=selection.accept_missing
    )


def series_of(path: str | os.PathLike[str]) -> tuple[str, ...]:
    """Name the images that a file holds; at least one.

    Raises
    ------
    UtileError
        As `read_image`.
    """
    path = Path(path)
    names = zarr_series(path) if is_zarr(path) else read_image(path, accept_missing=True).series
    return names or (image_name(path),)


def one_of_each_set(paths: Iterable[Path], every_image: bool = False) -> tuple[list[Path], dict[Path, Path]]:
    """Take one file of each image that is spread over several.

    Parameters
    ----------
    paths : iterable of Path
    every_image : bool
        One file of each set, whose images are chosen by number or name, instead of one of each image.

    Returns
    -------
    taken, parts : list of Path, dict of Path to Path
        The files to read; and the others, each with the file that stands for it.
    """
    taken: list[Path] = []
    parts: dict[Path, Path] = {}
    seen: dict[Path, Path] = {}
    for path in paths:
        where = path.resolve()
        if where in seen:
            parts[path] = seen[where]
            continue
        taken.append(path)
        for name in files_of_set(path, every_image):
            seen.setdefault((path.parent / name).resolve(), path)
    return taken, parts
