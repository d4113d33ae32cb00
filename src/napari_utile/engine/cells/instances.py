"""From a foreground probability map to a mask and to cell instances.

Threshold, holes, small objects and connected components as in the U-Net paper [1]_; then cells that still
touch are separated at their neck by a watershed whose basins are merged by their dynamics [2]_, and
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

import math
from dataclasses import dataclass, replace
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from napari_utile.engine.arrays import BoolArray
from napari_utile.engine.cells.gaps import gap_pixels
from napari_utile.engine.cells.runs import Runs, connected_runs, runs_of, sums
from napari_utile.engine.cells.watershed import Landscape, landscape_of
from napari_utile.engine.parameters import Bounds, check_bounds

FloatArray = NDArray[np.floating[Any]]
LabelArray = NDArray[np.int32]

LARGEST_GROWTH, LARGEST_RELIEF = 50, 255
"""Pixels."""
LARGEST_SIZE = 1_000_000
"""Pixels of an object or a hole that a parameter can name."""


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
            LARGEST_SIZE,
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
            LARGEST_SIZE,
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
            help=(
                "Cells that touch are split where the neck between them is narrower than this share"
                " of the smaller cell; 0 never splits, higher values split more."
            ),
        ),
    ] = 0.7
    grow: Annotated[
        int,
        Bounds(
            0,
            LARGEST_GROWTH,
            step=1,
            unit="px",
            label="Close gaps between cells",
            help="Neighbouring cells grow back by up to this into the thin border between them, without "
            "merging.",
        ),
    ] = 1
    relief_limit: Annotated[
        int,
        Bounds(
            8,
            LARGEST_RELIEF,
            step=8,
            unit="px",
            label="Half width of cells up to",
            help="Touching cells are told apart up to this half width; it follows the cell size.",
            advanced=True,
        ),
    ] = 64

    def __post_init__(self) -> None:
        check_bounds(self)

    @property
    def landscape_key(self) -> tuple[float, int, int]:
        """What `cell_landscape` uses of the parameters: where it is equal, so is the landscape."""
        return self.threshold, self.fill_holes, self.relief_limit

    def resized(self, factor: float) -> "InstanceParams":
        """Return what does the same for cells `factor` times as large.

        Examples
        --------
        >>> InstanceParams(minimum_size=30, fill_holes=100, grow=1).resized(4).minimum_size
        480
        """
        if factor == 1:
            return self
        area = factor**2
        return replace(
            self,
            fill_holes=min(round(self.fill_holes * area), LARGEST_SIZE),
            minimum_size=min(round(self.minimum_size * area), LARGEST_SIZE),
            grow=min(max(round(self.grow * factor), min(self.grow, 1)), LARGEST_GROWTH),
            relief_limit=min(max(round(self.relief_limit * factor), self.relief_limit), LARGEST_RELIEF),
        )

    def in_volume(self, depth: float) -> "InstanceParams":
        """Return the same with areas as the voxels of balls that have them as cross sections.

        Parameters
        ----------
        depth : float
            From one plane to the next (pixels).

        Examples
        --------
        >>> InstanceParams(minimum_size=314, fill_holes=0).in_volume(1).minimum_size
        4186
        """

        def voxels(area: int) -> int:
            return min(round(4 / 3 * math.sqrt(area**3 / math.pi) / depth), LARGEST_SIZE)

        return replace(self, fill_holes=voxels(self.fill_holes), minimum_size=voxels(self.minimum_size))


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

    def touch(self, runs: Runs) -> BoolArray:
        """Say of each run (R,) of a window whether it reaches a cut side."""
        height, width = runs.shape
        row, first = np.divmod(runs.starts, max(width, 1))
        touches = np.zeros(row.size, dtype=bool)
        touches |= self.top & (row == 0)
        touches |= self.bottom & (row == height - 1)
        touches |= self.left & (first == 0)
        touches |= self.right & (first + runs.lengths == width)
        return touches


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
    objects = _filled(_plane(foreground_probability), params)
    count, component = connected_runs(objects, objects.values)
    keep = sums(component, objects.lengths[objects.values], count) >= params.minimum_size
    keep[component[cut.touch(objects)[objects.values]]] = True
    kept = np.zeros_like(objects.values)
    kept[objects.values] = keep[component]
    mask: BoolArray = objects.paint(kept)
    return mask


def label_instances(
    foreground_probability: FloatArray,
    mask: BoolArray,
    params: InstanceParams,
    height: NDArray[np.float32] | None = None,
) -> LabelArray:
    """Label the cells of a mask.

    Parameters
    ----------
    foreground_probability : (Y, X) float array
        Probability that a pixel belongs to a cell, 0..1.
    mask : (Y, X) bool array
        As `foreground_mask` gives it; pixels outside are background.
    params : InstanceParams
        `minimum_size`, `split`, `grow` and `relief_limit` are used.
    height : (Y, X) float32 array, optional
        As for `climbing_relief`.

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
    landscape = landscape_of(runs_of(mask), probability, height, params.relief_limit)
    return _labels(landscape, landscape.cells(params.split, params.minimum_size) + 1, params.grow)


def cell_landscape(
    foreground_probability: FloatArray,
    params: InstanceParams,
    height: NDArray[np.float32] | None = None,
    depth: float = 1.0,
) -> Landscape:
    """Find all that the cells depend on and that `minimum_size`, `split` and `grow` leave as it is.

    Parameters
    ----------
    foreground_probability : (Y, X) or (Z, Y, X) float array
        Probability that a pixel belongs to a cell, 0..1. NaN counts as background.
    params : InstanceParams
        `threshold`, `fill_holes` and `relief_limit` are used; of a volume see `InstanceParams.in_volume`.
    height : float32 array, optional
        As for `climbing_relief`.
    depth : float
        From one plane of a volume to the next (pixels).

    Raises
    ------
    ValueError
        If the probability is neither a plane nor a volume.
    """
    probability = np.asarray(foreground_probability, dtype=np.float32)
    if probability.ndim not in (2, 3):
        raise ValueError(f"The probability map must be (Y, X) or (Z, Y, X); got shape {probability.shape}.")
    return landscape_of(_filled(probability, params), probability, height, params.relief_limit, depth)


def label_cells(landscape: Landscape, params: InstanceParams) -> LabelArray:
    """Label the cells of a landscape.

    The labels are those of `label_instances` on the mask of `foreground_mask`. That small objects are dropped
    here, after their basins were found, changes nothing for the others: all pixels that are nearer than the
    nearest background belong to the same component. The gaps of a volume are closed plane by plane.

    Parameters
    ----------
    landscape : Landscape
        From `cell_landscape`, with the same `threshold` and `fill_holes`.
    params : InstanceParams
        `minimum_size`, `split` and `grow` are used.

    Returns
    -------
    (Y, X) or (Z, Y, X) int32 array
    """
    large = landscape.component_area >= params.minimum_size
    cell = landscape.cells(params.split, params.minimum_size) + 1
    return _labels(landscape, np.where(large[landscape.component], cell, 0), params.grow)


def _labels(landscape: Landscape, cell: NDArray[np.integer[Any]], grow: int) -> LabelArray:
    """Paint the cell that each basin (B,) belongs to, 0 for none, close gaps and number by raster order."""
    runs = landscape.runs
    of_run = np.append(cell, 0)[runs.values]  # -1, outside, is the last
    painted = runs.paint(of_run.astype(np.int32))
    gaps = [gap_pixels(plane, grow) for plane in (painted if painted.ndim == 3 else painted[np.newaxis])]
    before = math.prod(painted.shape[-2:])
    pixels = np.concatenate([number * before + found for number, (found, _) in enumerate(gaps)])
    owners = np.concatenate([each for _, each in gaps])
    nowhere = math.prod(runs.shape)
    first = np.full(cell.size + 1, nowhere)
    first[of_run[::-1]] = runs.starts[::-1]  # the last write, the first pixel, stays
    np.minimum.at(first, owners, pixels)
    first[0] = nowhere
    order = np.argsort(first)
    number = np.zeros(first.size, dtype=np.int32)
    number[order] = np.arange(1, first.size + 1)
    number[0] = 0
    labels: LabelArray = runs.paint(number[of_run])
    labels.ravel()[pixels] = number[owners]
    return labels


def _plane(probability: FloatArray) -> NDArray[np.float32]:
    plane = np.asarray(probability, dtype=np.float32)
    if plane.ndim != 2:
        raise ValueError(f"The probability map must be (Y, X); got shape {plane.shape}.")
    return plane


def _filled(probability: NDArray[np.float32], params: InstanceParams) -> Runs:
    """Return the runs of the pixels above the threshold and of the small holes between them."""
    runs = runs_of(probability > params.threshold)
    if not params.fill_holes:
        return runs
    # Foreground is 4-connected, so a one-pixel diagonal border separates two cells; background is then 8-connected.
    background = ~runs.values
    count, hole = connected_runs(runs, background, diagonally=True)
    fill = sums(hole, runs.lengths[background], count) <= params.fill_holes
    fill[hole[_at_side(runs)[background]]] = False
    values = runs.values.copy()
    values[background] = fill[hole]
    return runs.with_values(values)


def _at_side(runs: Runs) -> BoolArray:
    """Say of each run (R,) whether it reaches a side of the plane or volume."""
    *outer, width = runs.shape
    row, first = np.divmod(runs.starts, max(width, 1))
    at_side: BoolArray = (first == 0) | (first + runs.lengths == width)
    for place, size in zip(np.unravel_index(row, outer), outer, strict=True):
        at_side |= (place == 0) | (place == size - 1)
    return at_side
