"""What the stored samples of a pixel mean: white at zero, palettes, CMYK and YCbCr become grey, or red, green, blue.

Everything here takes numpy and dask arrays alike, so that large files are interpreted as small ones are.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_utile.engine.errors import UtileError


def white_is_zero(data: Any, bits: int) -> Any:
    """Turn stored values whose 0 is white into values whose 0 is black.

    Parameters
    ----------
    data : array
    bits : int
        Of one sample; a type may be wider than its samples.
    """
    kind = np.dtype(data.dtype).kind
    if kind == "b":
        return ~data
    if kind == "u":
        top = np.dtype(data.dtype).type(2 ** min(bits, 8 * data.dtype.itemsize) - 1)
        return top - data
    return -1 - data if kind == "i" else -data


def palette_grey_or_colour(colormap: NDArray[Any]) -> NDArray[Any]:
    """Give the table (N,) of grey values or (N, 3) of colours behind the indices of a palette.

    Parameters
    ----------
    colormap : (3, N) array
        Of 8 bits, or of 16 as TIFF has it. Where no more than 8 bits are used, 8 bits come out.
    """
    table: NDArray[Any] = np.asarray(colormap)
    if table.dtype.itemsize > 1:
        high, low = table >> 8, table & 255
        if ((low == 0) | (low == high)).all():
            table = high.astype(np.uint8)
    if (table == table[:1]).all():
        grey: NDArray[Any] = table[0].copy()
        return grey
    return np.ascontiguousarray(table.T)


def through_palette(indices: Any, colormap: NDArray[Any]) -> tuple[Any, bool]:
    """Look indices up in a palette; return the pixels, and whether they have colours along a new last axis."""
    table = palette_grey_or_colour(colormap)
    if isinstance(indices, np.ndarray):
        return table[np.minimum(indices, len(table) - 1)], table.ndim == 2
    extra = {"chunks": (*indices.chunks, (3,)), "new_axis": indices.ndim} if table.ndim == 2 else {}
    looked_up = indices.map_blocks(
        lambda block: table[np.minimum(block, len(table) - 1)], dtype=table.dtype, **extra
    )
    return looked_up, table.ndim == 2


def cmyk_to_rgb(data: Any, axis: int) -> Any:
    """Turn cyan, magenta, yellow and black along `axis` into red, green and blue.

    Raises
    ------
    UtileError
        If they are not unsigned integers.
    """
    if np.dtype(data.dtype).kind != "u" or data.shape[axis] < 4:
        raise UtileError("colours for printing (CMYK) are read from unsigned integers of four samples only")
    top = int(np.iinfo(data.dtype).max)
    inks = [_sample(data, axis, number).astype(np.uint64) for number in range(4)]
    light = [(top - ink) * (top - inks[3]) for ink in inks[:3]]
    return np.stack([((each + top // 2) // top).astype(data.dtype) for each in light], axis=axis)


def ycbcr_to_rgb(data: Any, axis: int) -> Any:
    """Turn luma and two colour differences (ITU-R BT.601, full range) along `axis` into red, green and blue."""
    top = float(np.iinfo(data.dtype).max)
    middle = (top + 1) / 2
    luma, blue, red = (_sample(data, axis, number).astype(np.float64) for number in range(3))
    blue, red = blue - middle, red - middle
    colours = (luma + 1.402 * red, luma - 0.344136 * blue - 0.714136 * red, luma + 1.772 * blue)
    return np.stack([np.clip(np.rint(each), 0, top).astype(data.dtype) for each in colours], axis=axis)


def without_samples(data: Any, axis: int, kept: int) -> Any:
    """Keep the first samples along `axis`; drop the axis where one is left."""
    before = (slice(None),) * axis
    return data[(*before, 0)] if kept == 1 else data[(*before, slice(0, kept))]


def _sample(data: Any, axis: int, number: int) -> Any:
    return data[(*(slice(None),) * axis, number)]
