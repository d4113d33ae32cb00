"""Masks that say which pixels of an image count, at any resolution."""

import numpy as np
from numpy.typing import NDArray

from napari_utile.engine.windows import Window


def part_of_mask(mask: NDArray[np.bool_], window: Window, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Return a window (y, x) of an image's mask, which may be coarser than the image of this shape."""
    rows, columns = (
        np.arange(part.start, part.stop) * size // of
        for part, size, of in zip(window, mask.shape, shape, strict=True)
    )
    return np.array(mask[np.ix_(rows, columns)], bool)
