"""Read TIFF: ImageJ, OME and plain files, whatever their compression, all decoded by tifffile."""

import contextlib
import logging
import math
import struct
import weakref
from pathlib import Path
from typing import Any

import dask.array
import numpy as np
import tifffile
import zarr

from napari_utile.engine.errors import UtileError
from napari_utile.engine.files import samples
from napari_utile.engine.files.image_file import ImageFile, brief, lazy
from napari_utile.engine.files.tiff_ome import refuse_files_elsewhere
from napari_utile.engine.files.tiff_series import choose_series, missing_pages, pages_left_out
from napari_utile.engine.files.tiff_space import describe_space, description_of
from napari_utile.engine.planes.naming import asked_axes, name_axes

# What it says of a file is said here in one sentence; without any handler it would go to the terminal.
logging.getLogger("tifffile").addHandler(logging.NullHandler())

LAZY_BYTES = 256 * 2**20
"""Decoded size above which a TIFF is opened without being read."""

_ALPHA = (tifffile.EXTRASAMPLE.ASSOCALPHA, tifffile.EXTRASAMPLE.UNASSALPHA)
_PHOTOMETRIC = tifffile.PHOTOMETRIC
_SAYS_WHAT_0_IS = 262
"""The tag PhotometricInterpretation."""
_NOT_PIXELS: dict[int, str] = {
    _PHOTOMETRIC.CIELAB: "CIELab",
    _PHOTOMETRIC.ICCLAB: "ICCLab",
    _PHOTOMETRIC.ITULAB: "ITULab",
    _PHOTOMETRIC.LOGL: "LogL",
    _PHOTOMETRIC.LOGLUV: "LogLuv",
}
_JPEG_LIKE = (6, 7, 33003, 33005, 34712, 34892, 33007, 34933, 50001, 50002, 52546)
"""Compressions whose decoder turns YCbCr into red, green and blue."""


def read_tiff(
    path: Path,
    lazy_bytes: int = LAZY_BYTES,
    *,
    axes: str | None = None,
    series: str | None = None,
    as_labels: bool = False,
    accept_missing: bool = False,
) -> ImageFile:
    """Read one image of a TIFF at its full resolution.

    Parameters
    ----------
    path : Path
        A TIFF or BigTIFF; ImageJ and OME metadata are understood.
    lazy_bytes : int
        Larger images are opened as a memory map (uncompressed) or a dask array (compressed) and read where
        they are indexed.
    axes : str, optional
        What the axes are, whatever the file says.
    series : str, optional
        Number or name of the image, where the file holds several.
    as_labels : bool
        Give the numbers as they are stored: indices instead of a palette's colours, ids although white is zero.
    accept_missing : bool
        Read pages that the file announces and does not hold as 0, instead of refusing.

    Returns
    -------
    ImageFile

    Raises
    ------
    UtileError
        When the file is truncated or damaged, pages are missing, or it cannot be decoded faithfully.
    """
    try:
        return _read(path, lazy_bytes, axes, series, as_labels, accept_missing)
    except UtileError:
        raise
    except MemoryError as error:
        raise UtileError(f"Cannot read {path.name}: there is not enough memory for it.") from error
    except OSError as error:
        if error.errno is not None:
            raise UtileError(f"Cannot read {path.name}: {error.strerror}.") from error
        raise UtileError(f"Cannot read {path.name}: the file is damaged ({brief(error)}).") from error
    except Exception as error:  # damaged files raise struct.error, zlib.error, KeyError ...
        raise UtileError(f"Cannot read {path.name}: the file is damaged ({brief(error)}).") from error


def _read(
    path: Path, lazy_bytes: int, axes: str | None, wanted: str | None, as_labels: bool, accept_missing: bool
) -> ImageFile:
    with contextlib.ExitStack() as stack:
        tif = stack.enter_context(tifffile.TiffFile(path))
        directories = _check_directories(tif, path)
        refuse_files_elsewhere(tif, path)
        chosen = choose_series(tif, path, wanted)
        series = chosen.series
        check_decodable(series.keyframe, path)
        notes = [*chosen.notes, *missing_pages(tif, chosen, path, accept_missing)]
        notes += pages_left_out(tif, directories)
        _check_pixels(series, path)
        if series.nbytes <= lazy_bytes:
            data: Any = series.asarray()
            data = data.astype(data.dtype.newbyteorder("="), copy=False)
        elif series.dataoffset is not None and not series.dtype.hasobject:
            dtype = series.dtype.newbyteorder(tif.byteorder)
            data = np.memmap(path, dtype, "r", series.dataoffset, tuple(series.shape))
        else:
            store = series.aszarr(level=0)
            data = lazy(zarr.open_array(store, mode="r"), path)
            # The store reads from the open file while it lives.
            weakref.finalize(store, stack.pop_all().close)
        data, letters = interpreted(data, series, as_labels, path, notes)
        named, guessed = _named(letters, data.shape, axes, path)
        if not axes and "S" in named[: named.index("Y")]:  # as tifffile also writes three planes of a stack
            notes.append(f"colours stored as planes: --axes {named.replace('S', 'Z')} reads a stack")
        space = describe_space(tif, series, chosen.number, named)
        return ImageFile(
            data,
            named,
            space.pixel_size,
            space.unit,
            path,
            description_of(tif, series, chosen.number),
            steps=space.steps,
            notes=(*notes, *space.notes),
            series=chosen.names,
            chosen=chosen.number,
            guessed=guessed,
        )


def check_decodable(page: tifffile.TiffPage, path: Path) -> None:
    """Refuse, before anything is read, what cannot be decoded faithfully.

    Raises
    ------
    UtileError
        Naming the compression, or the kind of colours.
    """
    if page.compression != 1:
        name = getattr(page.compression, "name", f"number {int(page.compression)}")
        try:
            tifffile.TIFF.DECOMPRESSORS[page.compression]
        except KeyError as error:
            raise UtileError(
                f"Cannot read {path.name}: nothing installed here decodes its compression, {name}; save it again "
                "without compression, or with LZW or Deflate."
            ) from error
    photometric = page.photometric
    if (colours := _NOT_PIXELS.get(photometric)) is not None:
        raise UtileError(
            f"Cannot read {path.name}: its colours are stored as {colours}; save it again as RGB."
        )
    if page.is_subsampled and (page.compression not in _JPEG_LIKE or page.planarconfig == 2):
        raise UtileError(
            f"Cannot read {path.name}: its colours are stored at half resolution (YCbCr); save it again as RGB."
        )
    if page.dtype is None:
        raise UtileError(
            f"Cannot read {path.name}: it has pixels of {page.bitspersample} bits of an unusual kind; save it again "
            "with 8 or 16 bits, or 32-bit float."
        )


def interpreted(
    data: Any, series: tifffile.TiffPageSeries, as_labels: bool, path: Path, notes: list[str]
) -> tuple[Any, str]:
    """Give grey or red, green, blue; and the letters that tifffile has for the axes."""
    page, letters = series.keyframe, series.axes
    photometric = page.photometric
    axis = letters.find("S")
    # Ids are what is stored, but for bits; tifffile calls 0 white wherever it writes True as 1.
    as_stored = as_labels and (page.bitspersample > 1 or page.software.startswith("tifffile"))
    # Where nothing is said 0 is black, as in Fiji; tifffile takes it for white.
    if photometric == _PHOTOMETRIC.MINISWHITE and _SAYS_WHAT_0_IS in page.tags and not as_stored:
        data, letters = _without_transparency(data, letters, page, notes)
        data = samples.white_is_zero(_blocks(data), page.bitspersample)
        notes.append("0 is white in the file")
    elif photometric == _PHOTOMETRIC.PALETTE and not as_labels and page.colormap is not None and axis < 0:
        data, colours = samples.through_palette(_blocks(data), page.colormap)
        letters += "S" if colours else ""
    elif photometric == _PHOTOMETRIC.SEPARATED and axis >= 0:
        try:
            data = samples.cmyk_to_rgb(_blocks(data), axis)
        except UtileError as error:
            raise UtileError(f"Cannot read {path.name}: {error}.") from error
    elif photometric == _PHOTOMETRIC.YCBCR and axis >= 0 and page.compression not in _JPEG_LIKE:
        data = samples.ycbcr_to_rgb(_blocks(data), axis)
    elif photometric not in (_PHOTOMETRIC.RGB, _PHOTOMETRIC.YCBCR):
        data, letters = _without_transparency(data, letters, page, notes)
    return data, letters


def _without_transparency(
    data: Any, letters: str, page: tifffile.TiffPage, notes: list[str]
) -> tuple[Any, str]:
    """Leave out the transparency of grey samples; what else there are of them are channels."""
    axis = letters.find("S")
    if axis < 0:
        return data, letters
    alpha = sum(extra in _ALPHA for extra in page.extrasamples)
    if alpha:
        data = samples.without_samples(data, axis, data.shape[axis] - alpha)
        notes.append("without its transparency")
    if data.ndim < len(letters):
        return data, letters.replace("S", "")
    return data, letters.replace("S", "C") if "C" not in letters else letters


def _blocks(data: Any) -> Any:
    """Keep a memory map from being read whole by what is computed with it."""
    return dask.array.from_array(data, chunks="auto", name=False) if isinstance(data, np.memmap) else data


def _named(letters: str, shape: tuple[int, ...], asked: str | None, path: Path) -> tuple[str, bool]:
    if asked:
        return asked_axes(asked, shape, path.name), False
    # tifffile writes Q and I for axes without a name. Where it knows no other, its Y and X are a guess as well.
    known = set(letters) - {"Q", "I", "Y", "X"}
    unnamed = "QI" if known else "QIYX"
    names = [None if letter in unnamed else letter for letter in letters]
    return name_axes(shape, names, path.name)


def _check_directories(tif: tifffile.TiffFile, path: Path) -> int:
    """Follow the chain of directories, which in a truncated file leads past the end; return how many there are."""
    handle, layout = tif.filehandle, tif.tiff
    handle.seek(8 if layout.is_bigtiff else 4)
    visited: set[int] = set()
    while True:
        field = handle.read(layout.offsetsize)
        if len(field) < layout.offsetsize:
            raise UtileError(f"Cannot read {path.name}: the file is truncated.")
        offset = struct.unpack(layout.offsetformat, field)[0]
        if offset == 0:
            return len(visited)
        if offset in visited:
            raise UtileError(f"Cannot read {path.name}: the file is damaged (its directories form a loop).")
        visited.add(offset)
        handle.seek(offset)
        count = handle.read(layout.tagnosize)
        if len(count) < layout.tagnosize:
            raise UtileError(f"Cannot read {path.name}: the file is truncated.")
        handle.seek(offset + layout.tagnosize + struct.unpack(layout.tagnoformat, count)[0] * layout.tagsize)


_MOST_EXPANDED = 1_000_000
"""No compression makes more of its bytes: such a size is damage, or meant to fill the memory."""


def _check_pixels(series: tifffile.TiffPageSeries, path: Path) -> None:
    """Compare where pixels should lie with the size of the file: tifffile leaves missing ones black."""
    if series.dataoffset is not None:
        complete = series.dataoffset + series.nbytes <= path.stat().st_size
    else:
        pages = [page for page in series.pages if page is not None]
        complete = all(
            min(len(page.dataoffsets), len(page.databytecounts)) >= math.prod(page.chunked)
            and _lies_in_file(page)
            for page in pages
        )
    if not complete:
        raise UtileError(f"Cannot read {path.name}: the file is truncated.")
    if series.nbytes > _MOST_EXPANDED * path.stat().st_size:
        raise UtileError(
            f"Cannot read {path.name}: it claims to hold {series.nbytes / 2**30:.3g} GiB of pixels, more than a file "
            f"of {path.stat().st_size} bytes can hold."
        )


def _lies_in_file(page: tifffile.TiffPage | tifffile.TiffFrame) -> bool:
    size = page.parent.filehandle.size
    return all(
        offset + count <= size for offset, count in zip(page.dataoffsets, page.databytecounts, strict=False)
    )
