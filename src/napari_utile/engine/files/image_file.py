"""An image as it was read from a file."""

import dataclasses
import textwrap
from pathlib import Path
from typing import Any

import dask.array
import numpy as np
import zarr

from napari_utile.engine.errors import UtileError
from napari_utile.engine.planes.units import canonical_unit

LAZY_BLOCK = 512
"""Rows and columns that a lazy image is read by, at least."""


@dataclasses.dataclass(frozen=True, eq=False)
class ImageFile:
    """Pixels of a file and what the file says about them.

    Parameters
    ----------
    data : array
        numpy array, memory map (large uncompressed TIFF) or dask array (large compressed TIFF, OME-Zarr).
    axes : str
        One letter an axis of `data`: T time, Z depth, C channel, Y row, X column, S red-green-blue(-alpha).
    pixel_size : (float, float) or None
        Height and width of a pixel in `unit`.
    unit : str or None
        ``"µm"``, ``"nm"`` ... , None where the file gives none.
    path : Path
        Where it was read.
    description : str or None
        Free text stored in the file by `write_image`.

    Raises
    ------
    UtileError
        When there are no pixels, or they are not numbers that an image can hold.
    """

    data: Any
    axes: str
    pixel_size: tuple[float, float] | None
    unit: str | None
    path: Path
    description: str | None = None

    def __post_init__(self) -> None:
        shape = tuple(self.data.shape)
        dtype = np.dtype(self.data.dtype)
        if dtype.kind not in "buif":
            raise UtileError(f"{self.path.name} holds values of type {dtype}, not pixels of an image.")
        if len(shape) < 2:
            raise UtileError(f"{self.path.name} has {len(shape)} axes; an image has at least two.")
        if 0 in shape:
            raise UtileError(f"{self.path.name} holds no pixels (its shape is {shape}).")
        if len(self.axes) != len(shape) or len(set(self.axes)) != len(self.axes):
            raise UtileError(f"{self.path.name} names its axes {self.axes!r}, but its shape is {shape}.")
        if "Y" not in self.axes or "X" not in self.axes:
            raise UtileError(f"{self.path.name} has axes {self.axes!r}; an image needs Y and X.")

    @property
    def name(self) -> str:
        """File name without its image suffixes: ``cells`` for ``cells.ome.tif``."""
        return self.name_of(self.path)

    @staticmethod
    def name_of(path: Path) -> str:
        """Give the name that a file has without its image suffixes."""
        stem = path.stem
        return stem[: -len(".ome")] if stem.lower().endswith(".ome") else stem


def usable_pixel_size(
    height: object, width: object, unit: str | None
) -> tuple[tuple[float, float] | None, str | None]:
    """Give pixel size and unit, or (None, None) where the file's numbers cannot be a pixel size.

    Parameters
    ----------
    height, width : object
        What the file says; anything.
    unit : str or None
        Any spelling.
    """
    try:
        size = (float(height), float(width))  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None, None
    name = canonical_unit(unit)
    if not all(np.isfinite(value) and value > 0 for value in size) or (size == (1.0, 1.0) and name is None):
        return None, None
    return size, name


def lazy(array: "zarr.Array[Any]") -> "dask.array.Array":
    """Give a zarr array as a dask array, which can also be transposed and sliced without being read."""
    # Blocks of whole chunks, large enough that their number does not slow dask down.
    planar = array.ndim - 2
    chunks = tuple(
        chunk * max(1, LAZY_BLOCK // chunk) if axis >= planar else chunk
        for axis, chunk in enumerate(array.chunks)
    )
    # Without a name, dask would hash the array's content.
    blocks: dask.array.Array = dask.array.from_array(array, chunks=chunks, name=False)
    return blocks


def brief(error: Exception) -> str:
    """Give what another library says about a damaged file, short enough for a line in a dock."""
    return textwrap.shorten(str(error), 120, placeholder=" ...").rstrip(".") or type(error).__name__
