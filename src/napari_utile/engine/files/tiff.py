"""Write TIFF with pixel size, as ImageJ or OME has it."""

import hashlib
import os
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from napari_utile.engine.files.atomic import atomic_path
from napari_utile.engine.files.plane_file import AXIS_ORDER, Planes, planes_of
from napari_utile.engine.files.targets import check_target
from napari_utile.engine.planes.units import canonical_unit, checked_pixel_size, micrometres, seconds
from napari_utile.engine.windows import Window

TIFF_SUFFIXES = (".tif", ".tiff")

_IMAGEJ_DTYPES = ("uint8", "uint16", "float32")
_MAX_CLASSIC_BYTES = 4 * 10**9

LARGEST_ID = 2**32 - 1
"""Of labels in a file."""
LARGE = 16_000_000
"""Pixels of a plane above which a file is tiled, with a pyramid, so that viewers need not read all of it."""
TILE, SMALLEST_LEVEL = 512, 1024
"""Pixels a side: of a tile; up to which a level needs no smaller one."""


def write_image(
    path: str | os.PathLike[str],
    data: Any,
    axes: str | None = None,
    pixel_size: tuple[float, float] | None = None,
    unit: str | None = None,
    description: str | None = None,
    steps: Mapping[str, tuple[float, str | None]] | None = None,
) -> None:
    """Write an image as a deflated TIFF that Fiji, QuPath and napari open with its pixel size.

    ImageJ's layout is used where it can hold the pixels (uint8, uint16, float32), else OME's. Planes of more than
    `LARGE` pixels are tiled, with a pyramid of levels each half as large, in a BigTIFF.

    Parameters
    ----------
    path : str or path-like
        Ends in ``.tif`` or ``.tiff``; an old file is replaced in one step.
    data : array, or Planes
        Booleans are written as 0 and 255, float16 as float32, 64-bit integers as 32-bit ones. Planes are read and
        written one at a time.
    axes : str, optional
        One letter an axis, out of ``TZCYXS``; not needed for ``YX``, nor for planes, which name theirs.
    pixel_size : (float, float), optional
        Height and width of a pixel in `unit`.
    unit : str, optional
        A length unit in any spelling; None for pixels.
    description : str, optional
        Free text stored in the file, such as the parameters that made it.
    steps : mapping of str to (float, str or None), optional
        How far apart the entries of Z and T are, for example ``{"Z": (0.5, "µm"), "T": (30.0, "s")}``.

    Raises
    ------
    ValueError
        When axes and shape do not match, there are no pixels, or a pixel is too large an integer.
    UtileError
        When the file cannot be written.
    """
    check_target(path, suffixes=TIFF_SUFFIXES)
    planes = data if isinstance(data, Planes) else _checked(_storable(np.asarray(data)), axes)
    if planes.dtype == bool:
        planes = planes.mapped(lambda plane: plane.astype(np.uint8) * np.uint8(255), np.uint8)
    _write(path, planes, pixel_size, unit, description, steps or {}, _mean_of_four)


def _write(
    path: str | os.PathLike[str],
    planes: Planes,
    pixel_size: tuple[float, float] | None,
    unit: str | None,
    description: str | None,
    steps: Mapping[str, tuple[float, str | None]],
    halved: Callable[[NDArray[Any]], NDArray[Any]],
) -> None:
    if pixel_size is not None:
        pixel_size = checked_pixel_size(pixel_size)
    shape, axes, unit = planes.shape, planes.axes, canonical_unit(unit)
    photometric = "rgb" if "S" in axes and shape[-1] in (3, 4) else "minisblack"
    levels = _levels_of(planes)
    if _fits_imagej(planes, pixel_size) and not levels:
        options = _imagej_options(pixel_size, unit, description, steps)
        if "S" not in axes:  # else a width of one pixel would be taken for one sample
            shape, axes = (*shape, 1), axes + "S"
    else:
        options = _ome_options(pixel_size, unit, description, steps)
        # Random by default; the same image gives the same file.
        digest = hashlib.blake2b(digest_size=16)
        for plane in planes.read():
            digest.update(np.ascontiguousarray(plane).data)
        options["metadata"]["UUID"] = str(uuid.UUID(bytes=digest.digest()))
    options["metadata"]["axes"] = axes
    kind, metadata = {name: options.pop(name) for name in ("imagej", "ome") if name in options}, options
    common: dict[str, Any] = {"dtype": planes.dtype, "compression": "zlib", "photometric": photometric}
    with (
        atomic_path(path) as temporary,
        tifffile.TiffWriter(
            temporary, bigtiff=bool(levels) or planes.nbytes > _MAX_CLASSIC_BYTES, **kind
        ) as file,
    ):
        if not levels:
            pages = (np.ascontiguousarray(plane).reshape(shape[axes.index("Y") :]) for plane in planes.read())
            file.write(pages, shape=shape, **common, **metadata)
            return
        common["tile"] = (TILE, TILE)
        file.write(_tiles(planes), shape=shape, subifds=levels, **common, **metadata)
        for _ in range(levels):
            planes = planes.mapped(halved, planes.dtype)
            rows, columns = (-(-size // 2) for size in planes.shape[-2:])
            planes = replace(planes, shape=(*planes.shape[:-2], rows, columns))
            file.write(_tiles(planes), shape=planes.shape, subfiletype=1, **common)


def _levels_of(planes: Planes) -> int:
    """Return how many smaller levels a file has."""
    sides = planes.shape[-2:]
    if "S" in planes.axes or sides[0] * sides[1] <= LARGE:
        return 0
    levels = 0
    while max(sides) >> levels > SMALLEST_LEVEL:
        levels += 1
    return levels


def _tiles(planes: Planes) -> Iterator[NDArray[Any]]:
    """Yield the tiles of all planes; those at the right and lower side are filled up with 0."""
    for plane in planes.read():
        for block in Window.whole(plane.shape).blocks(TILE):
            part = plane[block.clipped(plane.shape)]
            yield np.pad(part, [(0, TILE - size) for size in part.shape])


def _mean_of_four(plane: NDArray[Any]) -> NDArray[Any]:
    even = np.pad(plane, [(0, size % 2) for size in plane.shape], mode="edge")
    corners = [even[y::2, x::2].astype(np.float32) for y in (0, 1) for x in (0, 1)]
    mean = sum(corners[1:], corners[0]) / 4
    return mean.astype(plane.dtype) if plane.dtype.kind == "f" else np.rint(mean).astype(plane.dtype)


def _every_second(plane: NDArray[Any]) -> NDArray[Any]:
    return plane[::2, ::2]


def write_labels(
    path: str | os.PathLike[str],
    labels: Any,
    axes: str | None = None,
    pixel_size: tuple[float, float] | None = None,
    unit: str | None = None,
    description: str | None = None,
    steps: Mapping[str, tuple[float, str | None]] | None = None,
) -> None:
    """Write instance labels as a deflated TIFF, uint16 where the largest id fits, else uint32.

    Parameters
    ----------
    path, axes, pixel_size, unit, description, steps
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
    planes = labels if isinstance(labels, Planes) else _checked(np.asarray(labels), axes)
    if planes.dtype.kind not in "bui":
        raise ValueError(f"Labels are integers, got {planes.dtype}.")
    least = min(int(plane.min()) for plane in planes.read())
    largest = max(int(plane.max()) for plane in planes.read())
    if least < 0 or largest > LARGEST_ID:
        raise ValueError(f"Labels must lie between 0 and {LARGEST_ID}, got {least} to {largest}.")
    dtype = np.uint16 if largest <= np.iinfo(np.uint16).max else np.uint32
    narrow = planes.mapped(lambda plane: plane.astype(dtype), dtype)
    check_target(path, suffixes=TIFF_SUFFIXES)
    _write(path, narrow, pixel_size, unit, description, steps or {}, _every_second)


def _checked(array: np.ndarray, axes: str | None) -> Planes:
    axes = axes or ("YX" if array.ndim == 2 else "")
    known = {"Y", "X"} <= set(axes) <= set(AXIS_ORDER)
    if len(axes) != array.ndim or len(set(axes)) != len(axes) or not known:
        raise ValueError(
            f"axes must name each axis of {array.shape} once, out of {AXIS_ORDER}, got {axes!r}."
        )
    if array.size == 0 or array.dtype.kind not in "buif":
        raise ValueError(f"An image needs numeric pixels, got shape {array.shape} of type {array.dtype}.")
    return planes_of(array, axes)


def _storable(array: np.ndarray) -> np.ndarray:
    """Convert to a type that ImageJ or OME can hold."""
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


def _fits_imagej(planes: Planes, pixel_size: tuple[float, float] | None) -> bool:
    colour = "S" not in planes.axes or (planes.dtype == np.uint8 and planes.shape[-1] in (3, 4))
    # ImageJ keeps pixels per unit, as a fraction of two whole numbers of 32 bits.
    storable = pixel_size is None or all(1e-6 <= size <= 1e6 for size in pixel_size)
    return planes.dtype.name in _IMAGEJ_DTYPES and colour and storable and planes.nbytes < _MAX_CLASSIC_BYTES


def _imagej_options(
    pixel_size: tuple[float, float] | None,
    unit: str | None,
    description: str | None,
    steps: Mapping[str, tuple[float, str | None]],
) -> dict[str, Any]:
    metadata: dict[str, Any] = {}
    if description is not None:
        metadata["Info"] = description
    options: dict[str, Any] = {"imagej": True, "metadata": metadata}
    if pixel_size is not None:
        metadata["unit"] = _imagej_unit(unit)
        options["resolution"] = (1 / pixel_size[1], 1 / pixel_size[0])
        options["resolutionunit"] = "NONE"
    if "Z" in steps:
        depth, own = _in_unit(steps["Z"], unit if pixel_size is not None else None)
        metadata["spacing"] = depth
        if pixel_size is None or own != unit:
            metadata["zunit"] = _imagej_unit(own)
    if "T" in steps and (second := seconds(steps["T"][1])) is not None:
        metadata["finterval"] = steps["T"][0] * second
    return options


def _imagej_unit(unit: str | None) -> str:
    """Spell a unit as ImageJ reads it: "um" is µm there; its description is ASCII, other letters are escaped."""
    name = {"µm": "um", "Å": "angstrom", "in": "inch", None: "pixel"}.get(unit, unit)
    return "".join(
        letter if letter.isascii() and letter.isprintable() else f"\\u{ord(letter):04x}"
        for letter in str(name)
    )


def _in_unit(step: tuple[float, str | None], unit: str | None) -> tuple[float, str | None]:
    """Give a step along Z in the unit of the pixel size; in its own where that cannot be told."""
    own, other = micrometres(unit), micrometres(step[1])
    return step if own is None or other is None or step[1] == unit else (step[0] * other / own, unit)


def _ome_options(
    pixel_size: tuple[float, float] | None,
    unit: str | None,
    description: str | None,
    steps: Mapping[str, tuple[float, str | None]],
) -> dict[str, Any]:
    metadata: dict[str, Any] = {}

    def name_of(unit: str | None) -> str | None:
        return unit if micrometres(unit) is not None else "pixel" if unit is None else "reference frame"

    if pixel_size is not None:
        metadata = {
            "PhysicalSizeY": pixel_size[0],
            "PhysicalSizeX": pixel_size[1],
            "PhysicalSizeYUnit": name_of(unit),
            "PhysicalSizeXUnit": name_of(unit),
        }
    if "Z" in steps:
        metadata |= {"PhysicalSizeZ": steps["Z"][0], "PhysicalSizeZUnit": name_of(steps["Z"][1])}
    if "T" in steps and (second := seconds(steps["T"][1])) is not None:
        metadata |= {"TimeIncrement": steps["T"][0] * second, "TimeIncrementUnit": "s"}
    if description is not None:
        metadata["Description"] = description
    return {"ome": True, "metadata": metadata}
