"""An image as it was read from a file."""

import dataclasses
import math
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import dask.array
import numpy as np
import zarr

from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.names import image_name, shown_name

LAZY_BLOCK = 512
"""Rows and columns that a lazy image is read by, at least."""
MOST_BLOCKS = 1 << 18
"""Blocks of a lazy image: dask looks at each of them whenever something is read."""


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
    steps : mapping of str to (float, str or None)
        How far apart the entries of Z and T are, and in which unit, for example ``{"Z": (0.5, "µm")}``.
    notes : tuple of str
        What was taken of more, and what was left out or replaced, a phrase each.
    series : tuple of str
        Names of the images in the file, where it says so.
    chosen : int
        Which of them this is.
    guessed : bool
        Whether axes without a name were named by the rule of `planes.naming`.
    many : bool
        Whether others of the same file are read as well, so that the name says which this is.

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
    steps: Mapping[str, tuple[float, str | None]] = dataclasses.field(default_factory=dict)
    notes: tuple[str, ...] = ()
    series: tuple[str, ...] = ()
    chosen: int = 0
    guessed: bool = False
    many: bool = False

    def __post_init__(self) -> None:
        shape = tuple(self.data.shape)
        dtype = np.dtype(self.data.dtype)
        if dtype.kind not in "buif":
            raise UtileError(f"{self.path.name} holds values of type {dtype}, not pixels of an image.")
        if len(shape) < 2:
            raise UtileError(f"{self.path.name} has the shape {shape}; an image has at least two axes.")
        if 0 in shape:
            raise UtileError(f"{self.path.name} holds no pixels (its shape is {shape}).")
        if len(self.axes) != len(shape) or len(set(self.axes)) != len(self.axes):
            raise UtileError(f"{self.path.name} names its axes {self.axes!r}, but its shape is {shape}.")
        if "Y" not in self.axes or "X" not in self.axes:
            raise UtileError(f"{self.path.name} has axes {self.axes!r}; an image needs Y and X.")

    @property
    def name(self) -> str:
        """File name without its image suffixes, ``cells`` for ``cells.ome.tif``; and which of many, where it says."""
        if not self.many:
            return image_name(self.path)
        return name_of_series(self.path, self.series, self.chosen)

    @property
    def shown_name(self) -> str:
        """What people call it: the file's name, or which image it is of a file or folder of many."""
        return self.name if self.many else shown_name(self.path)

    def as_one_of_many(self) -> "ImageFile":
        """Give the same, its name with that of the series."""
        return dataclasses.replace(self, many=True)


def name_of_series(path: Path, series: Sequence[str], number: int) -> str:
    """Name one of the images that a file holds, for results of several of them: ``file_image``."""
    names = [_safe(name) for name in series]
    alike = [name.lower() for name in names].count(names[number].lower()) > 1
    return f"{image_name(path)}_{names[number]}" + (f"_{number}" if alike else "")


def _safe(name: str) -> str:
    """Give a name that can be part of a file's name."""
    return "".join(letter if letter.isalnum() or letter in "-." else "_" for letter in name)


class _Chunks:
    """A zarr array whose damaged chunks are named in a sentence when they are read."""

    def __init__(self, array: "zarr.Array[Any]", path: Path) -> None:
        self._array, self._path = array, path
        self.shape, self.dtype, self.ndim = array.shape, array.dtype, array.ndim

    def __getitem__(self, window: Any) -> Any:
        try:
            return self._array[window]
        except MemoryError:
            raise
        except Exception as error:  # codecs raise RuntimeError, ValueError, zlib.error ...
            place = ", ".join(f"{part.start}:{part.stop}" for part in window if isinstance(part, slice))
            raise UtileError(
                f"Cannot read {self._path.name}: its pixels at {place} are damaged ({brief(error)})."
            ) from error


def lazy(array: "zarr.Array[Any]", path: Path) -> "dask.array.Array":
    """Give a zarr array of a file as a dask array, which can also be transposed and sliced without being read.

    Reading it raises `UtileError` where chunks are damaged.
    """
    # Blocks of whole chunks, large enough that their number does not slow dask down.
    chunks, side = _blocks_of(array, LAZY_BLOCK), LAZY_BLOCK
    while side < max(array.shape[-2:]) and _count(array.shape, chunks) > MOST_BLOCKS:
        side *= 2
        chunks = _blocks_of(array, side)
    # Without a name, dask would hash the array's content.
    blocks: dask.array.Array = dask.array.from_array(_Chunks(array, path), chunks=chunks, name=False)
    return blocks


def _blocks_of(array: "zarr.Array[Any]", side: int) -> tuple[int, ...]:
    planar = array.ndim - 2
    return tuple(
        chunk * max(1, side // chunk) if axis >= planar else chunk for axis, chunk in enumerate(array.chunks)
    )


def _count(shape: tuple[int, ...], chunks: tuple[int, ...]) -> int:
    return math.prod(-(-size // chunk) for size, chunk in zip(shape, chunks, strict=True))


def brief(error: Exception) -> str:
    """Give what another library says about a damaged file, short enough for a line in a dock."""
    return textwrap.shorten(str(error), 120, placeholder=" ...").rstrip(".") or type(error).__name__
