"""One click, one cell: find the instance at a point without segmenting the rest.

The probability is read in a window around the point. The window grows until the cell it holds is the one that
a segmentation of the whole plane with the same parameters would give.
"""

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_utile.engine.arrays import BoolArray, Float32Array
from napari_utile.engine.cells.instances import CutSides, InstanceParams, foreground_mask, label_instances
from napari_utile.engine.errors import UtileError
from napari_utile.engine.windows import Window

Steps = Generator[None, None, Any]
"""Slow work, to be done off the GUI thread; every yield is a point to stop at."""

SMALLEST_RADIUS = 48
LARGEST_RADIUS = 2048
# Where the model is unsure, a click takes what is at least half as probable as the clicked pixel ...
SHARE_OF_CLICKED = 0.5
# ... but a click on a pixel that is less probable than this finds nothing.
LEAST_PROBABILITY = 0.1


class Probability(Protocol):
    """What clicks need of the field of a plane."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the plane."""

    def read_steps(self, window: Window) -> Generator[None, None, Float32Array]:
        """Read the foreground probability (y, x) of a window inside the plane; every yield is a point to stop at."""

    def height_steps(self, window: Window) -> Generator[None, None, Float32Array | None]:
        """Read the height (y, x) by which cells are told apart, None where that follows from the probability."""


@dataclass(frozen=True, eq=False)
class Cell:
    """One instance: its bounding box in the plane, and which of the box's pixels belong to it.

    Attributes
    ----------
    window : Window
        Rows and columns of the plane.
    mask : (y, x) bool array
        As large as the window.
    threshold : float
        The probability threshold it was found at: the parameters' own, or a lower one where the model is
        unsure.
    """

    window: Window
    mask: BoolArray
    threshold: float = 0.5

    @property
    def area(self) -> int:
        """Number of pixels."""
        return int(np.count_nonzero(self.mask))

    def __contains__(self, point: tuple[int, ...]) -> bool:
        y, x = (place - start for place, start in zip(point, self.window.start, strict=True))
        return self.window.holds_point(point) and bool(self.mask[y, x])

    def same_pixels(self, other: "Cell") -> bool:
        """Whether both cover exactly the same pixels of the plane."""
        return self.window == other.window and np.array_equal(self.mask, other.mask)

    def indices(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Rows and columns of its pixels in the plane."""
        rows, columns = np.nonzero(self.mask)
        return rows + self.window[0].start, columns + self.window[1].start


def cell_from_mask(mask: BoolArray, corner: Sequence[int] = (0, 0), threshold: float = 0.5) -> Cell | None:
    """Crop a mask, whose first pixel lies at `corner` of the plane, to a cell; None where it is empty."""
    box = Window.of_mask(mask)
    if box is None:
        return None
    return Cell(box.moved(corner), np.ascontiguousarray(mask[box]), threshold)


def cell_at(
    field: Probability, point: tuple[int, ...], params: InstanceParams, radius: int = SMALLEST_RADIUS
) -> Generator[None, None, Cell | None]:
    """Find the cell that a click takes.

    On a pixel that a segmentation of the whole plane would give to a cell, it is that cell. On another one
    where the model sees something less certain, the threshold is lowered until the pixel is inside; just
    outside a cell that extends the cell, but never into another.

    Parameters
    ----------
    field : Probability
        Read in ever larger windows until the cell fits.
    point : (int, int)
        Row and column of the click.
    params : InstanceParams
        As for `label_instances`.
    radius : int
        Half the width of the first window, in pixels. It changes the time, not the cell.

    Yields
    ------
    None
        Before something is computed.

    Returns
    -------
    Cell or None
        It contains the point. None where the model sees nothing at the point.

    Raises
    ------
    ValueError
        If the point lies outside the plane.
    UtileError
        If the cell is larger than `LARGEST_RADIUS` in every direction.
    """
    (y, x), shape = point, field.shape
    if not (0 <= y < shape[0] and 0 <= x < shape[1]):
        raise ValueError(f"The point ({y}, {x}) lies outside the image of {shape[0]} x {shape[1]} pixels.")
    previous: Cell | None = None
    for window in windows_around(shape, point, max(radius, _reach(params) + 1)):
        height = yield from field.height_steps(window)
        probability = yield from field.read_steps(window)
        corner = window.start
        local = (point[0] - corner[0], point[1] - corner[1])
        cut = cut_sides(window, shape)
        mask, threshold, complete = _cell_in(probability, height, local, params, cut)
        cell = cell_from_mask(mask, corner, threshold)
        if complete:
            return cell
        # In tissue where everything hangs together no window holds the whole component; there a cell is taken
        # when a window of twice the size does not change it.
        if previous is not None and cell is not None and previous.same_pixels(cell):
            return cell
        previous = None if (_near(mask, _reach(params)) & cut.rim(mask.shape)).any() else cell
    raise UtileError(
        f"The cell at this point is wider than {2 * LARGEST_RADIUS} pixels; "
        "raise the threshold or the split strength."
    )


def windows_around(
    shape: tuple[int, int], point: tuple[int, ...], radius: int = SMALLEST_RADIUS
) -> Iterator[Window]:
    """Windows around a point, each twice as wide as the one before, clipped to the plane."""
    last = None
    while radius <= LARGEST_RADIUS:
        window = Window.span(point, (place + 1 for place in point)).grown(radius).clipped(shape)
        if window == last:
            return
        last = window
        yield window
        radius *= 2


def cut_sides(window: Window, shape: tuple[int, int]) -> CutSides:
    """At which sides a window ends while the plane goes on."""
    rows, columns = window
    return CutSides(rows.start > 0, rows.stop < shape[0], columns.start > 0, columns.stop < shape[1])


def _cell_in(
    probability: Float32Array,
    height: Float32Array | None,
    local: tuple[int, int],
    params: InstanceParams,
    cut: CutSides,
) -> tuple[BoolArray, float, bool]:
    """Find the cell at a point of a window, its threshold, and whether the plane is sure to give the same."""
    standing = foreground_mask(probability, params, cut)
    labels = label_instances(probability, standing, params, height)
    if labels[local]:
        cell = labels == labels[local]
        return cell, params.threshold, _is_complete(probability, standing, cell, params, cut)
    clicked = float(probability[local])
    at_rim = _near(cut.rim(labels.shape), _reach(params))
    if not clicked >= LEAST_PROBABILITY:
        return labels < 0, params.threshold, not at_rim[local]
    lower = replace(params, threshold=min(params.threshold, SHARE_OF_CLICKED * clicked), minimum_size=0)
    around = label_instances(probability, foreground_mask(probability, lower, cut), lower, height)
    cell = around == around[local]
    complete = not at_rim[local] and not (cell & at_rim).any()
    neighbours = np.unique(labels[cell & (labels > 0)])
    if neighbours.size > 1:  # beside several cells: extend the nearest
        rows, columns = np.nonzero(cell & (labels > 0))
        nearest = np.argmin(np.hypot(rows - local[0], columns - local[1]))
        cell &= (labels == 0) | (labels == labels[rows[nearest], columns[nearest]])
        pieces, _ = ndimage.label(cell)
        cell = pieces == pieces[local]
    return cell, lower.threshold, complete


def _is_complete(
    probability: Float32Array, standing: BoolArray, cell: BoolArray, params: InstanceParams, cut: CutSides
) -> bool:
    """Whether nothing beyond the cut sides can change the cell."""
    rim = cut.rim(cell.shape)
    if not rim.any():
        return True
    components, count = ndimage.label(standing)
    own = np.unique(components[cell & standing])
    area = np.bincount(components.ravel(), minlength=count + 1)
    at_rim = np.zeros(count + 1, dtype=bool)
    at_rim[components[rim]] = True
    if at_rim[own].any():
        return False
    # Objects and holes at the rim whose visible part is small: what they are is decided outside.
    doubtful = at_rim & (area < params.minimum_size)
    doubtful[0] = False
    unclear = doubtful[components]
    if params.fill_holes:
        gaps, gap_count = ndimage.label(~(probability > params.threshold), np.ones((3, 3), dtype=bool))
        gap_area = np.bincount(gaps.ravel(), minlength=gap_count + 1)
        open_gap = np.zeros(gap_count + 1, dtype=bool)
        open_gap[gaps[rim]] = True
        open_gap &= gap_area <= params.fill_holes
        open_gap[0] = False
        unclear |= open_gap[gaps]
    reach = _reach(params)
    mine = np.isin(components, own)
    box = Window.of_mask(mine)
    assert box is not None
    around = box.grown(reach).clipped(mine.shape)
    if params.grow and (rim[around] & _near(mine, reach)[around]).any():
        return False
    return not unclear[around].any()


def _reach(params: InstanceParams) -> int:
    """How far a cell's outline depends on what lies around its component, in pixels."""
    return 3 * params.grow + 2


def _near(mask: BoolArray, reach: int) -> BoolArray:
    near: NDArray[Any] = ndimage.maximum_filter(mask, size=2 * reach + 1)
    return near.astype(bool)
