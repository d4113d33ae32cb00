"""Few pixels many times as bright as the cells: found, so that they do not set the grey range.

A high percentile is in the debris as soon as debris covers more pixels than the percentile leaves out, and the cells
then become too dark to be seen. A few bright cells on an empty ground look alike in a histogram; what tells the two
apart is what is left of the image once the bright pixels and their surroundings are taken out: cells in many places,
or nothing but ground. Specks so dense that together with their surroundings they cover most of the image leave nothing
to tell them by: they stay in.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_utile.engine.planes.percentiles import percentiles

# Percentiles at which debris may begin, the highest first.
_BEGINS = (99.5, 99.0, 98.0, 97.0, 95.0)
# How many times the range of all else debris must reach before it harms.
_HARMFUL = 8.0
# The factor lost to the bright pixels times the share of blocks that hold something: above it, that is cells.
_EVIDENCE = 0.8
# Sparse cells on a faint ground cover 3 to 5 % of an image, too, and reach up to 23 times that ground. Of debris that
# begins below this percentile one of the two must say more: the factor, or the share. With these values none of 445
# annotated images is taken to have debris, at its own size or halved, and 248 of 259 are to which specks 12 to 60
# times as bright were added.
_WIDE, _WIDE_FACTOR, _WIDE_SHARE = 98.0, 30.0, 0.22
# The blur of a bright pixel reaches this far. Pixels.
_NEAR = 4
# Side of the blocks whose contrast is measured. Pixels.
_BLOCK = 16
# A block holds something where its contrast is this many times that of the ground, and this share of the range.
_ABOVE_GROUND, _SHARE_OF_RANGE = 3.0, 0.25
# Steps of an integer image that the range of the cells has at least.
_LEAST_STEPS = 8


def pixels_without_debris(image: NDArray[Any], low: float, high: float) -> NDArray[np.bool_] | None:
    """Find the pixels that are neither bright debris nor near to it.

    Parameters
    ----------
    image : (Y, X) finite array
    low, high : float
        The grey values that would become 0 and 1.

    Returns
    -------
    (Y, X) bool array or None
        None where nothing says that the brightest pixels are debris.

    Examples
    --------
    >>> import numpy as np
    >>> y, x = np.mgrid[:128, :128]
    >>> cells = 10 + 100 * ((y % 32 < 12) & (x % 32 < 12))
    >>> pixels_without_debris(cells, 10, 110) is None
    True
    >>> cells[::24, ::20] = 4000
    >>> without = pixels_without_debris(cells, 10, 4000)
    >>> int(cells[without].max())
    110
    """
    steps = _LEAST_STEPS if image.dtype.kind in "ui" else 0
    for percentile, begin in zip(_BEGINS, percentiles(image, _BEGINS), strict=True):
        if begin - low <= steps or high - low <= _HARMFUL * (begin - low):
            continue
        bright = image > begin
        kept = ndimage.maximum_filter(bright.view(np.uint8), 2 * _NEAR + 1) == 0
        lost = (high - low) / (begin - low)
        share = _share_with_cells(image, bright, kept, begin - low)
        clear = percentile >= _WIDE or lost > _WIDE_FACTOR or share > _WIDE_SHARE
        if clear and lost * share >= _EVIDENCE:
            found: NDArray[np.bool_] = kept
            return found
    return None


def _share_with_cells(
    image: NDArray[Any], bright: NDArray[np.bool_], kept: NDArray[np.bool_], span: float
) -> float:
    """Return the share of blocks, away from bright ones where that leaves enough, that hold more than ground."""
    contrast, known = _contrasts(image, kept)
    if not known.any():
        return 0.0
    ground = np.percentile(contrast[known], 10)
    least = max(_ABOVE_GROUND * float(ground), _SHARE_OF_RANGE * span)
    beside = ndimage.maximum_filter(_in_blocks(bright).any(axis=-1).view(np.uint8), 3) > 0
    away = known & ~beside
    counted = away if away.mean() >= 0.2 else known
    return float((contrast[counted] > least).mean())


def _contrasts(
    image: NDArray[Any], kept: NDArray[np.bool_]
) -> tuple[NDArray[np.floating], NDArray[np.bool_]]:
    """Return of each block the range from its 5th to its 95th percentile, and whether half of it is kept."""
    values = np.where(_in_blocks(kept), _in_blocks(image), np.inf)
    values = values.astype(
        np.result_type(image.dtype, np.float32), copy=False
    )  # which holds each of its values
    values.sort(axis=-1)
    count = np.count_nonzero(np.isfinite(values), axis=-1, keepdims=True)
    last = np.maximum(count - 1, 0)
    low, high = (
        np.take_along_axis(values, (share * last).astype(np.intp), axis=-1)[..., 0] for share in (0.05, 0.95)
    )
    known = count[..., 0] >= _BLOCK**2 // 2
    return np.where(known, high, 0) - np.where(known, low, 0), known


def _in_blocks(image: NDArray[Any]) -> NDArray[Any]:
    """Cut (Y, X) into whole blocks (y, x, pixels)."""
    rows, columns = (size // _BLOCK for size in image.shape)
    cut = image[: rows * _BLOCK, : columns * _BLOCK].reshape(rows, _BLOCK, columns, _BLOCK)
    return cut.swapaxes(1, 2).reshape(rows, columns, _BLOCK**2)
