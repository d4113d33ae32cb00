"""The basins of one block: what is a cell already, and what others must be told of those that reach its border."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_utile.engine.cells.blocks.grid import BOTTOM, LEFT, RIGHT, TOP, borders
from napari_utile.engine.cells.instances import InstanceParams
from napari_utile.engine.cells.runs import connected, runs_of, sums
from napari_utile.engine.cells.watershed import (
    Landscape,
    climbed,
    highest_neighbours,
    order_of_passes,
    passes_between,
)
from napari_utile.engine.windows import Window

IndexArray = NDArray[np.integer[Any]]
FloatArray = NDArray[np.float32]

RING = 1
"""Pixels around a block that say where a path of ascent leaves it."""


@dataclass(frozen=True, eq=False)
class Borders:
    """Where the basins of a block go on behind its border, and which lie along it.

    A path of steepest ascent that leaves the block ends there: its pixels are a basin that *goes on* in the neighbour.

    Attributes
    ----------
    side, at : (B,) integer arrays
        Where a basin goes on: behind which border (`grid.TOP` ...), at which of its pixels; side -1 for summits.
    top, bottom, left, right : integer arrays
        The border lines: the basin of each pixel, -1 outside the mask.
    top_height, bottom_height, left_height, right_height : float32 arrays
        The relief there.
    """

    side: IndexArray
    at: IndexArray
    top: IndexArray
    bottom: IndexArray
    left: IndexArray
    right: IndexArray
    top_height: FloatArray
    bottom_height: FloatArray
    left_height: FloatArray
    right_height: FloatArray

    @property
    def edges(self) -> tuple[IndexArray, ...]:
        """The basins along the borders, in the order of `grid.TOP` ..."""
        return self.top, self.bottom, self.left, self.right

    @property
    def heights(self) -> tuple[FloatArray, ...]:
        """The relief along the borders, in the same order."""
        return self.top_height, self.bottom_height, self.left_height, self.right_height


@dataclass(frozen=True, eq=False)
class OpenBasins(Borders):
    """The basins of a block whose cells depend on what lies behind a border.

    Attributes
    ----------
    closed : () integer array
        How many cells of the block are done, whatever lies around it.
    place : (B,) int64 array
        Flat index in the plane of each summit.
    summit : (B,) float32 array
    area : (B,) integer array
    low, high, height : (P,) arrays
        The passes between them, as in `Landscape`.
    """

    closed: IndexArray
    place: IndexArray
    summit: FloatArray
    area: IndexArray
    low: IndexArray
    high: IndexArray
    height: FloatArray


def find_basins(
    relief: FloatArray, lies: Window, block: Window, shape: tuple[int, int], params: InstanceParams
) -> tuple[NDArray[np.int32], OpenBasins]:
    """Find the basins of a block.

    Parameters
    ----------
    relief : (y, x) float32 array
        Of the block and `RING` pixels around it, as far as the plane goes; -1 outside the mask.
    lies, block : Window
        Where the relief and the block lie in the plane.
    shape : (int, int)
        Of the plane.
    params : InstanceParams
        `split` and `minimum_size` are used.

    Returns
    -------
    cells : (y, x) int32 array
        Of the block: 0 background, above it the cells that are done, from 1; below it the open basins, from -1 on.
    OpenBasins
    """
    core = block.relative_to(lies)
    ends, basins = climb_in(relief, core)
    place, side, at = ends_in(ends, lies, core, shape)
    summit = relief.ravel()[ends]
    heights = np.ascontiguousarray(relief[core])
    runs = runs_of(basins)
    part = runs.values >= 0
    area = sums(runs.values[part], runs.lengths[part], ends.size)
    low, high, height = passes_between(heights, basins >= 0, basins, runs)
    groups, component = connected(low, high, ends.size)
    goes_on = side >= 0
    edges = borders(basins)
    others_behind = (
        block.start[0] > 0,
        block.stop[0] < shape[0],
        block.start[1] > 0,
        block.stop[1] < shape[1],
    )
    for line, behind in zip(edges.values(), others_behind, strict=True):
        if behind:
            goes_on[line[line >= 0]] = True
    order = order_of_passes(low, high, height, summit)
    # Of equally high passes those come first whose place among them depends on what lies around the block.
    order = order[np.lexsort((~(goes_on[low] | goes_on[high])[order], -height[order]))]
    of_component = sums(component, area, groups)
    land = Landscape(runs, component, of_component, area, summit, low[order], high[order], height[order])
    cell, is_open = land.settled(params.split, params.minimum_size, goes_on)
    # A cell that is cut off from what is open is large enough, and so is what it was cut off from.
    kept = ~is_open & (of_component >= params.minimum_size)[component]
    roots, which = np.unique(cell[kept], return_inverse=True)
    value, number = np.zeros(ends.size + 1, np.int32), np.cumsum(is_open) - 1
    value[:-1][kept] = which + 1
    value[:-1][is_open] = -(number[is_open] + 1)
    renumbered = np.append(np.where(is_open, number, -1), -1).astype(np.int32)
    take = is_open[low] & is_open[high]
    still_open = OpenBasins(
        closed=np.array(roots.size),
        place=place[is_open],
        side=side[is_open],
        at=at[is_open],
        summit=summit[is_open],
        area=area[is_open],
        low=renumbered[low[take]],
        high=renumbered[high[take]],
        height=height[take],
        **{name: renumbered[line] for name, line in edges.items()},
        **{f"{name}_height": line for name, line in borders(heights).items()},
    )
    return runs.paint(value[runs.values]), still_open  # -1, outside, is the last


def ends_in(
    ends: IndexArray, lies: Window, core: Window, shape: tuple[int, int]
) -> tuple[IndexArray, IndexArray, IndexArray]:
    """Say of the ends that `climb_in` found where they lie in the plane, and behind which border, as in `Borders`.

    Returns
    -------
    place, side, at : (B,) integer arrays
    """
    row, column = np.divmod(ends, lies.shape[1])
    place = (row + lies.start[0]) * shape[1] + (column + lies.start[1])
    side = np.full(ends.size, -1, np.int8)
    for where, beyond in (
        (TOP, row < core.start[0]),
        (BOTTOM, row >= core.stop[0]),
        (LEFT, column < core.start[1]),
        (RIGHT, column >= core.stop[1]),
    ):
        side[beyond] = where
    return place, side, np.where(side >= LEFT, row - core.start[0], column - core.start[1]).astype(np.int32)


def climb_in(
    relief: FloatArray, core: Window, stops: NDArray[np.bool_] | None = None
) -> tuple[IndexArray, NDArray[np.int32]]:
    """Let every pixel of the core climb to its summit, or to the first pixel outside the core on its way.

    With `stops` (y, x) also to the first of these.

    Returns
    -------
    ends : (B,) integer array
        Flat index in the relief of each such pixel, in raster order.
    basins : (y, x) int32 array
        Of the core: the end that each pixel climbs to, by number; -1 outside the mask.
    """
    ways = highest_neighbours(relief)
    beyond = np.ones(relief.shape, bool)
    beyond[core] = False
    ways[beyond if stops is None else beyond | stops] = ways.ndim  # itself
    pixels, above = climbed(ways, relief >= 0)
    kept = ~beyond.ravel()[pixels]
    reached = np.zeros(pixels.size, bool)
    reached[above[kept]] = True
    ends = np.flatnonzero(reached)
    basin = np.empty(pixels.size, np.int32)
    basin[ends] = np.arange(ends.size, dtype=np.int32)
    basins = np.full(relief.shape, -1, np.int32)
    basins.ravel()[pixels[kept]] = basin[above[kept]]
    return pixels[ends], np.ascontiguousarray(basins[core])
