"""The identity of pixels: what tells one array from another, in recipes and in caches."""

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_utile.engine.planes.axes import ImagePlane
from napari_utile.engine.planes.spread import spread

_STRIP_BYTES = 2**26
_LOOKED_AT, _LOOK = 25, 32


def sha256_of(data: Any) -> str:
    """Give the SHA-256 of an array's type, shape and values.

    Parameters
    ----------
    data : array-like
        NumPy, dask or zarr, of any number of axes. Read in strips of rows; byte order and memory layout do not matter.

    Examples
    --------
    >>> sha256_of(np.eye(2)) == sha256_of(np.asfortranarray(np.eye(2)))
    True
    """
    shape = tuple(int(size) for size in data.shape)
    dtype = np.dtype(data.dtype).newbyteorder("<")
    digest = hashlib.sha256(f"{dtype.str} {shape}".encode())
    rows = max(1, _STRIP_BYTES // max(1, shape[-1] * dtype.itemsize)) if shape else 1
    for plane in np.ndindex(shape[:-2]):
        for start in range(0, shape[-2] if len(shape) > 1 else 1, rows):
            strip = data[(*plane, slice(start, start + rows))] if len(shape) > 1 else data
            digest.update(np.ascontiguousarray(np.asarray(strip), dtype=dtype).data)
    return digest.hexdigest()


def seen_of(planes: Sequence[ImagePlane]) -> str:
    """Return the SHA-256 of windows on a lattice of a few planes: what changes when an image does, nearly always."""
    digest = hashlib.sha256()
    for number in spread(len(planes)):
        data = planes[number].data
        digest.update(f"{tuple(data.shape)} {np.dtype(data.dtype).str}".encode())
        (_, rows, columns), side = data.shape, round(_LOOKED_AT**0.5)
        for y in np.linspace(0, max(rows - _LOOK, 0), side, dtype=int).tolist():
            for x in np.linspace(0, max(columns - _LOOK, 0), side, dtype=int).tolist():
                part: NDArray[Any] = np.asarray(data[:, y : y + _LOOK, x : x + _LOOK])
                digest.update(np.ascontiguousarray(part).data)
    return digest.hexdigest()
