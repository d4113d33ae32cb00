"""Masks that say which pixels of an image count, at any resolution."""

import numpy as np
from numpy.typing import NDArray

from napari_utile.engine.windows import Window


def is_stretched(mask: tuple[int, int], image: tuple[int, int]) -> bool:
    """Tell whether a mask of this shape has other proportions than the image, beyond what rounding makes of them.

    Examples
    --------
    >>> is_stretched((13, 10), (1000, 770)), is_stretched((10, 13), (1000, 770))
    (False, True)
    """
    pairs = list(zip(mask, image, strict=True))
    return max((size - 1) / of for size, of in pairs) > min((size + 1) / of for size, of in pairs)


def part_of_mask(mask: NDArray[np.bool_], window: Window, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Return a window (y, x) of an image's mask, which may be coarser than the image of this shape."""
    rows, columns = (
        np.arange(part.start, part.stop) * size // of
        for part, size, of in zip(window, mask.shape, shape, strict=True)
    )
    return np.array(mask[np.ix_(rows, columns)], bool)
