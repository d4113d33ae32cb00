"""What stands for the pixels of a plane where something made of them is kept."""

from collections.abc import Hashable

import numpy as np

from napari_utile.engine.planes.axes import ImagePlane
from napari_utile.engine.planes.pixels import sha256_of

HASHED_AT_ONCE, HASHED_IN_A_JOB = 8 << 20, 256 << 20
"""Planes up to this size are told apart by their pixels: at every click, and off the GUI thread. Bytes."""


def pixels_key(plane: ImagePlane, data_key: Hashable, hashed: int = HASHED_AT_ONCE) -> Hashable:
    """Return the hash of the pixels of a plane in memory that is not too large, else what the caller says."""
    data = plane.data
    return sha256_of(data) if isinstance(data, np.ndarray) and data.nbytes <= hashed else data_key
