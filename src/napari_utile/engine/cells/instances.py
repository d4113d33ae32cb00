"""From a foreground probability map to a mask and to cell instances.

Threshold, holes, small objects and connected components as in the U-Net paper [1]_; then cells that still
hang together are separated at their neck by a watershed whose basins are merged by their dynamics [2]_, and
the gaps that training carved between touching cells are closed again.

Every step depends only on a connected component and its nearest surroundings, so a window that holds a whole
cell gives the same cell as the whole image, and every step is linear in the number of pixels.

References
----------
.. [1] O. Ronneberger, P. Fischer, T. Brox, "U-Net: Convolutional Networks for Biomedical Image Segmentation",
       MICCAI 2015.
.. [2] L. Najman, M. Schmitt, "Geodesic saliency of watershed contours and hierarchical segmentation",
       IEEE TPAMI 18(12), 1996.
"""

from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from napari_utile.engine.cells.watershed import split_components
from napari_utile.engine.parameters import Bounds, check_bounds

FloatArray = npt.NDArray[np.floating[Any]]
BoolArray = npt.NDArray[np.bool_]
LabelArray = npt.NDArray[np.int32]

# Foreground is 4-connected, so a one-pixel diagonal border separates two cells; background is then
# 8-connected.
_BACKGROUND_NEIGHBOURS = np.ones((3, 3), dtype=bool)
# A strip of rows stays in the processor's cache.
_ROWS_AT_ONCE = 64


@dataclass(frozen=True)
class InstanceParams:
    """How a probability map becomes instances; lengths and areas are pixels of the segmented image."""

    threshold: Annotated[
        float,
        Bounds(
            0.0,
            1.0,
            step=0.01,
            label="Threshold",
            help="Pixels whose cell probability is above this belong to cells; lower it when cells come "
            "out too small.",
        ),
    ] = 0.5
    fill_holes: Annotated[
        int,
        Bounds(
            0,
            1_000_000,
            step=10,
            unit="px²",
            label="Fill holes up to",
            help="Holes inside a cell of at most this many pixels are filled; 0 leaves all holes open.",
        ),
    ] = 100
    minimum_size: Annotated[
        int,
        Bounds(
            0,
            1_000_000,
            step=5,
            unit="px²",
            label="Minimum size",
            help="Objects of fewer pixels are dropped; raise it to get rid of specks.",
        ),
    ] = 20
    split: Annotated[
        float,
        Bounds(
            0.0,
            1.0,
            step=0.01,
            label="Split touching cells",
            help="Cells that hang together are cut where the neck is narrower than this share of the smaller "
            "cell; 0 never cuts, higher cuts more.",
        ),
    ] = 0.7
    grow: Annotated[
        int,
        Bounds(
            0,
            10,
            step=1,
            unit="px",
            label="Close gaps between cells",
            help="Neighbouring cells grow back by up to this into the thin border between them, without "
            "merging.",
        ),
    ] = 1

    def __post_init__(self) -> None:
        check_bounds(self)


@dataclass(frozen=True)
class CutSides:
    """Sides at which a window ends while the image goes on."""

    top: bool = False
    bottom: bool = False
    left: bool = False
    right: bool = False

    def rim(self, shape: tuple[int, int]) -> BoolArray:
        """Mark the outermost pixels along the cut sides of a window of this shape."""
        rim = np.zeros(shape, dtype=bool)
        rim[:1] |= self.top
        rim[shape[0] - 1 :] |= self.bottom
        rim[:, :1] |= self.left
        rim[:, shape[1] - 1 :] |= self.right
        return rim


NOT_CUT = CutSides()


def foreground_mask(
    foreground_probability: FloatArray, params: InstanceParams, cut: CutSides = NOT_CUT
) -> BoolArray:
    """Threshold the cell probability, fill small holes and drop small objects.

    Parameters
    ----------
    foreground_probability : (Y, X) float array
        Probability that a pixel belongs to a cell, 0..1. NaN counts as background.
    params : InstanceParams
        `threshold`, `fill_holes` and `minimum_size` are used.
    cut : CutSides
        Sides where the array is a window of a larger image: objects that reach them are kept, whatever their
        visible size.

    Returns
    -------
    (Y, X) bool array

    Raises
    ------
    ValueError
        If the probability is not two-dimensional.
    """
    probability = _plane(foreground_probability)
    mask: BoolArray = probability > params.threshold
    if params.fill_holes:
        mask = _fill_holes(mask, params.fill_holes)
    if params.minimum_size > 1:
        components, count = ndimage.label(mask)
        keep = np.bincount(components.ravel(), minlength=count + 1) >= params.minimum_size
        keep[components[cut.rim(mask.shape)]] = True
        keep[0] = False
        mask = keep[components]
    return mask


def label_instances(
    foreground_probability: FloatArray, mask: BoolArray, params: InstanceParams
) -> LabelArray:
    """Label the cells of a mask.

    Parameters
    ----------
    foreground_probability : (Y, X) float array
        Probability that a pixel belongs to a cell, 0..1.
    mask : (Y, X) bool array
        As `foreground_mask` gives it; pixels outside are background.
    params : InstanceParams
        `minimum_size`, `split` and `grow` are used.

    Returns
    -------
    (Y, X) int32 array
        0 is background, cells are 1..N in the raster order of their first pixel. With `grow` above 0 the
        cells also cover the thin gaps between them; ``labels > 0`` is the mask that belongs to the labels.

    Raises
    ------
    ValueError
        If the probability is not two-dimensional or the mask has another shape.
    """
    probability = _plane(foreground_probability)
    mask = np.asarray(mask, dtype=bool)
    if mask.shape != probability.shape:
        raise ValueError(f"The mask has shape {mask.shape}, the probability map {probability.shape}.")
    labels, count = ndimage.label(mask)
    if params.split > 0 and count:
        labels = split_components(labels, probability, params.split, params.minimum_size)
    if params.grow:
        labels = close_gaps(labels, params.grow)
    return in_raster_order(labels)


def close_gaps(labels: npt.NDArray[np.integer[Any]], reach: int) -> LabelArray:
    """Grow cells by up to `reach` pixels into the background that lies between two different cells.

    The outer outline of a cell that has no neighbour within the gap stays where it is. A pixel that several
    cells reach in the same step goes to the one above it, else below, left, right.

    Parameters
    ----------
    labels : (Y, X) integer array
        0 is background.
    reach : int
        Pixels that each cell may grow.

    Returns
    -------
    (Y, X) int32 array
    """
    grown = np.array(labels, dtype=np.int32)
    between = _between_cells(grown, 2 * reach)  # a gap of twice the reach is closed from both sides
    for _ in range(reach):
        rows, columns = np.nonzero(between)
        if rows.size == 0:
            break
        padded = np.pad(grown, 1)
        taken = np.zeros(rows.size, dtype=np.int32)
        for down, right in ((0, 1), (2, 1), (1, 0), (1, 2)):
            neighbour = padded[rows + down, columns + right]
            np.copyto(taken, neighbour, where=taken == 0)
        grown[rows, columns] = taken
        between[rows, columns] = taken == 0
    return grown


def in_raster_order(labels: npt.NDArray[np.integer[Any]]) -> LabelArray:
    """Renumber labels 1..N by the raster order of each label's first pixel; 0 stays 0."""
    flat = np.asarray(labels).ravel()
    pixels = np.flatnonzero(flat)
    if pixels.size == 0:
        return np.zeros(np.shape(labels), dtype=np.int32)
    found = flat[pixels]
    first = np.full(int(found.max()) + 1, -1, dtype=np.int64)
    first[found[::-1]] = pixels[::-1]  # the last write, the first pixel, stays
    present = np.flatnonzero(first >= 0)
    number = np.zeros(first.size, dtype=np.int32)
    number[present[np.argsort(first[present])]] = np.arange(1, present.size + 1, dtype=np.int32)
    ordered: LabelArray = number[labels]
    return ordered


def _plane(probability: FloatArray) -> npt.NDArray[np.float32]:
    plane = np.asarray(probability, dtype=np.float32)
    if plane.ndim != 2:
        raise ValueError(f"The probability map must be (Y, X); got shape {plane.shape}.")
    return plane


def _fill_holes(mask: BoolArray, largest: int) -> BoolArray:
    """Fill background components of at most `largest` pixels that do not reach the border of the array."""
    holes, count = ndimage.label(~mask, _BACKGROUND_NEIGHBOURS)
    if count == 0:
        return mask
    fill = np.bincount(holes.ravel(), minlength=count + 1) <= largest
    for edge in (holes[0], holes[-1], holes[:, 0], holes[:, -1]):
        fill[edge] = False
    fill[0] = False
    filled: BoolArray = mask | fill[holes]
    return filled


def _between_cells(labels: LabelArray, reach: int) -> BoolArray:
    """Mark background pixels that have two different cells within `reach` pixels along both axes."""
    between = np.zeros(labels.shape, dtype=bool)
    none = np.iinfo(np.int32).max
    for top in range(0, labels.shape[0], _ROWS_AT_ONCE):
        above, below = max(top - reach, 0), top + _ROWS_AT_ONCE + reach
        highest = labels[above:below].copy()
        lowest = np.where(highest > 0, highest, none)
        for _ in range(reach):
            _over_box(np.maximum, highest)
            _over_box(np.minimum, lowest)
        inner = slice(top - above, top - above + _ROWS_AT_ONCE)
        rows = slice(top, top + _ROWS_AT_ONCE)
        np.not_equal(highest[inner], lowest[inner], out=between[rows])
        between[rows] &= (labels[rows] == 0) & (highest[inner] > 0)
    return between


def _over_box(reduce: np.ufunc, values: LabelArray) -> None:
    """Reduce over each pixel's 3x3 neighbourhood, in place; outside the array does not count."""
    rows = values.copy()
    reduce(rows[1:], values[:-1], out=rows[1:])
    reduce(rows[:-1], values[1:], out=rows[:-1])
    values[:] = rows
    reduce(values[:, 1:], rows[:, :-1], out=values[:, 1:])
    reduce(values[:, :-1], rows[:, 1:], out=values[:, :-1])
