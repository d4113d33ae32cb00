"""Read and write TIFF with pixel size: ImageJ, OME and plain files."""

import contextlib
import hashlib
import math
import os
import struct
import uuid
import weakref
from pathlib import Path
from typing import Any

import imageio.v3
import numpy as np
import tifffile
import zarr

from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.atomic import atomic_path
from napari_utile.engine.files.image_file import ImageFile, brief, lazy, usable_pixel_size
from napari_utile.engine.planes.units import canonical_unit, micrometres

LAZY_BYTES = 256 * 2**20
"""Decoded size above which a TIFF is opened without being read."""

_IMAGEJ_AXES = "TZCYXS"
_IMAGEJ_DTYPES = ("uint8", "uint16", "float32")
_MAX_CLASSIC_BYTES = 4 * 10**9
# Micrometres. A coarser resolution was meant for a printer (300 dots per inch are 85 µm).
_COARSEST_PIXEL = 20.0
_MICROMETRES_OF_RESOLUTION_UNIT = {2: 25400.0, 3: 10000.0}  # TIFF 6.0, tag 296: inch, centimetre


def read_tiff(path: Path, lazy_bytes: int = LAZY_BYTES) -> ImageFile:
    """Read the first image series of a TIFF at its full resolution.

    Parameters
    ----------
    path : Path
        A TIFF or BigTIFF; ImageJ and OME metadata are understood.
    lazy_bytes : int
        Larger images are opened as a memory map (uncompressed) or a dask array (compressed) and read where
        they are indexed.

    Returns
    -------
    ImageFile

    Raises
    ------
    UtileError
        When the file is truncated or damaged, or its compression is not supported.
    """
    try:
        return _read(path, lazy_bytes)
    except UtileError:
        raise
    except MemoryError as error:
        raise UtileError(f"Cannot read {path.name}: there is not enough memory for it.") from error
    except OSError as error:
        if error.errno is not None:
            raise UtileError(f"Cannot read {path.name}: {error.strerror}.") from error
        raise UtileError(f"Cannot read {path.name}: the file is damaged ({brief(error)}).") from error
    except Exception as error:  # damaged files raise struct.error, zlib.error, KeyError ...
        if "imagecodecs" in str(error):
            raise UtileError(
                f"Cannot read {path.name}: its compression needs the package imagecodecs "
                "(pip install imagecodecs), or save it again uncompressed."
            ) from error
        raise UtileError(f"Cannot read {path.name}: the file is damaged ({brief(error)}).") from error


def _read(path: Path, lazy_bytes: int) -> ImageFile:
    with contextlib.ExitStack() as stack:
        tif = stack.enter_context(tifffile.TiffFile(path))
        _check_directories(tif, path)
        if not tif.series:
            raise UtileError(f"{path.name} holds no image.")
        series = tif.series[0]
        _check_pixels(series, path)
        pixel_size, unit = _pixel_size(tif, series)
        if series.nbytes <= lazy_bytes:
            data: Any = _decoded(series, path)
        elif series.dataoffset is not None and not series.dtype.hasobject:
            data = np.memmap(
                path, series.dtype.newbyteorder(tif.byteorder), "r", series.dataoffset, tuple(series.shape)
            )
        else:
            store = series.aszarr(level=0)
            data = lazy(zarr.open_array(store, mode="r"))
            weakref.finalize(
                store, stack.pop_all().close
            )  # the store reads from the open file while it lives
        return ImageFile(data, _axes(series.axes, series.shape), pixel_size, unit, path, _description(tif))


def _decoded(series: tifffile.TiffPageSeries, path: Path) -> np.ndarray:
    """Read all pixels; LZW and JPEG, which tifffile leaves to another package, through Pillow where it can."""
    try:
        return series.asarray()
    except ValueError as error:
        if "imagecodecs" not in str(error):
            raise
        pages = list(imageio.v3.imiter(path, plugin="pillow"))
        if sum(page.size for page in pages) != series.size or any(
            page.dtype != series.dtype for page in pages
        ):
            raise  # such as 16-bit colours, which Pillow would cut to 8 bits
        return np.stack(pages).reshape(series.shape)


def _axes(axes: str, shape: tuple[int, ...]) -> str:
    """Name unnamed axes, the innermost first: up to four planes are channels, more are time or depth."""
    named = [letter if letter in _IMAGEJ_AXES else "" for letter in axes]
    for position in reversed(range(len(axes))):
        if not named[position]:
            candidates = "CTZ" if shape[position] <= 4 else "TZC"
            named[position] = next((name for name in candidates if name not in named), axes[position])
    return "".join(named)


def _check_directories(tif: tifffile.TiffFile, path: Path) -> None:
    """Follow the chain of directories: in a truncated file it leads past the end."""
    handle, layout = tif.filehandle, tif.tiff
    handle.seek(8 if layout.is_bigtiff else 4)
    visited = set()
    while True:
        field = handle.read(layout.offsetsize)
        if len(field) < layout.offsetsize:
            raise UtileError(f"Cannot read {path.name}: the file is truncated.")
        offset = struct.unpack(layout.offsetformat, field)[0]
        if offset == 0:
            return
        if offset in visited:
            raise UtileError(f"Cannot read {path.name}: the file is damaged (its directories form a loop).")
        visited.add(offset)
        handle.seek(offset)
        count = handle.read(layout.tagnosize)
        if len(count) < layout.tagnosize:
            raise UtileError(f"Cannot read {path.name}: the file is truncated.")
        handle.seek(offset + layout.tagnosize + struct.unpack(layout.tagnoformat, count)[0] * layout.tagsize)


def _check_pixels(series: tifffile.TiffPageSeries, path: Path) -> None:
    """Compare where pixels should lie with the size of the file: tifffile leaves missing ones black."""
    if series.dataoffset is not None:
        complete = series.dataoffset + series.nbytes <= path.stat().st_size
    else:
        pages = [page for page in series.pages if page is not None]
        complete = all(
            len(page.dataoffsets) >= math.prod(page.chunked) and _lies_in_file(page) for page in pages
        )
    if not complete:
        raise UtileError(f"Cannot read {path.name}: the file is truncated.")


def _lies_in_file(page: tifffile.TiffPage | tifffile.TiffFrame) -> bool:
    size = page.parent.filehandle.size
    return all(
        offset + count <= size for offset, count in zip(page.dataoffsets, page.databytecounts, strict=False)
    )


def _pixel_size(
    tif: tifffile.TiffFile, series: tifffile.TiffPageSeries
) -> tuple[tuple[float, float] | None, str | None]:
    if tif.is_ome and tif.ome_metadata:
        image = tifffile.xml2dict(tif.ome_metadata).get("OME", {}).get("Image", {})
        image = image[0] if isinstance(image, list) and image else image
        pixels = image.get("Pixels", {}) if isinstance(image, dict) else {}
        # The OME schema's default unit is the micrometre.
        unit = pixels.get("PhysicalSizeYUnit", "µm")
        return usable_pixel_size(pixels.get("PhysicalSizeY"), pixels.get("PhysicalSizeX"), unit)
    tags = series.keyframe.tags
    pixels_per_unit = [_ratio(tags.valueof(name)) for name in ("YResolution", "XResolution")]
    if None in pixels_per_unit:
        return None, None
    height, width = (1 / value for value in pixels_per_unit if value is not None)
    if tif.is_imagej:
        return usable_pixel_size(height, width, str((tif.imagej_metadata or {}).get("unit", "")))
    factor = _MICROMETRES_OF_RESOLUTION_UNIT.get(int(tags.valueof("ResolutionUnit", 2)))
    if factor is None or max(height, width) * factor > _COARSEST_PIXEL:
        return None, None
    return usable_pixel_size(height * factor, width * factor, "µm")


def _ratio(value: Any) -> float | None:
    if isinstance(value, tuple) and len(value) == 2 and value[0] > 0 and value[1] > 0:
        return float(value[0]) / float(value[1])
    return None


def _description(tif: tifffile.TiffFile) -> str | None:
    if tif.is_imagej:
        return (tif.imagej_metadata or {}).get("Info")
    if tif.is_ome and tif.ome_metadata:
        image = tifffile.xml2dict(tif.ome_metadata).get("OME", {}).get("Image", {})
        return image.get("Description") if isinstance(image, dict) else None
    return None


def write_image(
    path: str | os.PathLike[str],
    data: Any,
    axes: str | None = None,
    pixel_size: tuple[float, float] | None = None,
    unit: str | None = None,
    description: str | None = None,
) -> None:
    """Write an image as a deflated TIFF that Fiji, QuPath and napari open with its pixel size.

    ImageJ's layout is used where it can hold the pixels (uint8, uint16, float32), else OME's.

    Parameters
    ----------
    path : str or path-like
        Ends in ``.tif`` or ``.tiff``; an old file is replaced in one step.
    data : array
        Booleans are written as 0 and 255, float16 as float32, 64-bit integers as 32-bit ones.
    axes : str, optional
        One letter an axis, out of ``TZCYXS``; not needed for ``YX``.
    pixel_size : (float, float), optional
        Height and width of a pixel in `unit`.
    unit : str, optional
        A length unit in any spelling; None for pixels.
    description : str, optional
        Free text stored in the file, such as the parameters that made it.

    Raises
    ------
    ValueError
        When axes and shape do not match, there are no pixels, or a pixel is too large an integer.
    UtileError
        When the file cannot be written.
    """
    array = np.asarray(data)
    axes = axes or ("YX" if array.ndim == 2 else "")
    known = {"Y", "X"} <= set(axes) <= set(_IMAGEJ_AXES)
    if len(axes) != array.ndim or len(set(axes)) != len(axes) or not known:
        raise ValueError(f"axes must name each axis of {array.shape} once, out of TZCYXS, got {axes!r}.")
    if array.size == 0 or array.dtype.kind not in "buif":
        raise ValueError(f"An image needs numeric pixels, got shape {array.shape} of type {array.dtype}.")
    if pixel_size is not None and not all(np.isfinite(size) and size > 0 for size in pixel_size):
        raise ValueError(f"pixel_size must be two positive numbers, got {pixel_size}.")
    array, axes = _in_file_order(_storable(array), axes)
    photometric = "rgb" if "S" in axes and array.shape[-1] in (3, 4) else "minisblack"
    unit = canonical_unit(unit)
    if _fits_imagej(array, axes):
        options = _imagej_options(pixel_size, unit, description)
        if "S" not in axes:  # else a width of one pixel would be taken for one sample
            array, axes = array[..., None], axes + "S"
    else:
        options = _ome_options(pixel_size, unit, description)
        # Random by default; the same image gives the same file.
        options["metadata"]["UUID"] = str(
            uuid.UUID(bytes=hashlib.blake2b(array.data, digest_size=16).digest())
        )
    options["metadata"]["axes"] = axes
    with atomic_path(path) as temporary:
        tifffile.imwrite(temporary, array, compression="zlib", photometric=photometric, **options)


def write_labels(
    path: str | os.PathLike[str],
    labels: Any,
    axes: str | None = None,
    pixel_size: tuple[float, float] | None = None,
    unit: str | None = None,
    description: str | None = None,
) -> None:
    """Write instance labels as a deflated TIFF, uint16 where the largest id fits, else uint32.

    Parameters
    ----------
    path, axes, pixel_size, unit, description
        As for `write_image`.
    labels : integer array
        0 = background, 1..N = instances.

    Raises
    ------
    ValueError
        When `labels` are not integers from 0 to 4294967295.
    UtileError
        When the file cannot be written.
    """
    array = np.asarray(labels)
    if array.dtype.kind not in "bui":
        raise ValueError(f"Labels are integers, got {array.dtype}.")
    largest = int(array.max(initial=0))
    if int(array.min(initial=0)) < 0 or largest > np.iinfo(np.uint32).max:
        raise ValueError(f"Labels must lie between 0 and 4294967295, got {array.min()} to {largest}.")
    dtype = np.uint16 if largest <= np.iinfo(np.uint16).max else np.uint32
    write_image(path, array.astype(dtype), axes, pixel_size, unit, description)


def _storable(array: np.ndarray) -> np.ndarray:
    """Convert to a type that ImageJ or OME can hold."""
    if array.dtype == bool:
        return array.astype(np.uint8) * np.uint8(255)
    if array.dtype == np.float16:
        return array.astype(np.float32)
    if array.dtype.kind in "ui" and array.dtype.itemsize == 8:
        narrow = np.dtype(f"{array.dtype.kind}4")
        if array.max() > np.iinfo(narrow).max or array.min() < np.iinfo(narrow).min:
            raise ValueError(
                f"TIFF holds integers of 32 bits, got values from {array.min()} to {array.max()}."
            )
        return array.astype(narrow)
    return array


def _in_file_order(array: np.ndarray, axes: str) -> tuple[np.ndarray, str]:
    """Sort axes as both layouts want them: T, Z, C, Y, X, S."""
    order = sorted(range(len(axes)), key=lambda position: _IMAGEJ_AXES.index(axes[position]))
    return np.ascontiguousarray(array.transpose(order)), "".join(axes[position] for position in order)


def _fits_imagej(array: np.ndarray, axes: str) -> bool:
    colour = "S" not in axes or (array.dtype == np.uint8 and array.shape[-1] in (3, 4))
    return array.dtype.name in _IMAGEJ_DTYPES and colour and array.nbytes < _MAX_CLASSIC_BYTES


def _imagej_options(
    pixel_size: tuple[float, float] | None, unit: str | None, description: str | None
) -> dict[str, Any]:
    metadata: dict[str, Any] = {}
    if description is not None:
        metadata["Info"] = description
    options: dict[str, Any] = {"imagej": True, "metadata": metadata}
    if pixel_size is not None:
        # ImageJ reads "um" as µm; its description is ASCII.
        metadata["unit"] = {"µm": "um", "Å": "angstrom", "in": "inch", None: "pixel"}.get(unit, unit)
        options["resolution"] = (1 / pixel_size[1], 1 / pixel_size[0])
        options["resolutionunit"] = "NONE"
    return options


def _ome_options(
    pixel_size: tuple[float, float] | None, unit: str | None, description: str | None
) -> dict[str, Any]:
    metadata: dict[str, Any] = {}
    if pixel_size is not None:
        name = unit if micrometres(unit) is not None else "pixel" if unit is None else "reference frame"
        metadata = {
            "PhysicalSizeY": pixel_size[0],
            "PhysicalSizeX": pixel_size[1],
            "PhysicalSizeYUnit": name,
            "PhysicalSizeXUnit": name,
        }
    if description is not None:
        metadata["Description"] = description
    return {"ome": True, "metadata": metadata}
