"""The basins of all blocks as one landscape, cut into cells as that of a plane in one piece."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from napari_utile.engine.arrays import IntArray
from napari_utile.engine.cells.blocks.basins import Borders, OpenBasins
from napari_utile.engine.cells.blocks.grid import BOTTOM, RIGHT, TOP, Grid, Key
from napari_utile.engine.cells.instances import InstanceParams
from napari_utile.engine.cells.runs import Runs, connected, sums
from napari_utile.engine.cells.watershed import Landscape, highest_passes, order_of_passes

Ids = NDArray[np.int64]
BEHIND = (BOTTOM, TOP, RIGHT, RIGHT - 1)
"""The border of the neighbour that lies at each border of a block."""
_NO_RUNS = Runs((0, 0), np.zeros(0, np.intp), np.zeros(0, np.int32))


def join_basins(
    blocks: Mapping[Key, OpenBasins], grid: Grid, params: InstanceParams
) -> tuple[dict[Key, int], dict[Key, Ids], int]:
    """Join the open basins of all blocks to cells.

    Parameters
    ----------
    blocks : mapping of key to OpenBasins
    grid : Grid
    params : InstanceParams
        `split` and `minimum_size` are used.

    Returns
    -------
    first : dict
        Of each block, what is added to the numbers of its closed cells.
    ids : dict
        Of each block, the id of each open basin's cell (B,); 0 for none.
    count : int
        The largest id; ids are in no particular order.
    """
    first: dict[Key, int] = {}
    offset: dict[Key, int] = {}
    closed = total = 0
    for key in grid:
        first[key], offset[key] = closed, total
        closed += int(blocks[key].closed)
        total += blocks[key].place.size
    goes = where_they_end(blocks, grid, offset, total)
    place = np.concatenate([blocks[key].place for key in grid])
    summit = np.concatenate([blocks[key].summit for key in grid])
    area = np.concatenate([blocks[key].area for key in grid])
    real = np.flatnonzero(np.concatenate([blocks[key].side for key in grid]) < 0)
    real = real[np.argsort(place[real])]  # the plane's basins are numbered by their summits, in raster order
    number = np.full(total, -1, np.int64)
    number[real] = np.arange(real.size)
    basin = number[goes]
    low: list[IntArray] = []
    high: list[IntArray] = []
    height = []
    for key in grid:
        block, start = blocks[key], offset[key]
        low.append(basin[block.low + start])
        high.append(basin[block.high + start])
        height.append(block.height)
        for where in (BOTTOM, RIGHT):
            behind = grid.neighbour(key, where)
            if behind is None:
                continue
            here, there = block.edges[where], blocks[behind].edges[BEHIND[where]]
            meet = (here >= 0) & (there >= 0)
            lines = block.heights[where], blocks[behind].heights[BEHIND[where]]
            near, far = basin[here[meet] + start], basin[there[meet] + offset[behind]]
            one, other, level = highest_passes(near, far, np.minimum(*lines)[meet])
            low.append(one)
            high.append(other)
            height.append(level)
    one, other, level = highest_passes(np.concatenate(low), np.concatenate(high), np.concatenate(height))
    areas = sums(basin, area, real.size)
    groups, component = connected(one, other, real.size)
    of_component = sums(component, areas, groups)
    order = order_of_passes(one, other, level, summit[real])
    land = Landscape(
        _NO_RUNS, component, of_component, areas, summit[real], one[order], other[order], level[order]
    )
    cell = land.cells(params.split, params.minimum_size)
    kept = (of_component >= params.minimum_size)[component]
    roots, which = np.unique(cell[kept], return_inverse=True)
    value = np.zeros(real.size, np.int64)
    value[kept] = which + 1 + closed
    ids = {key: value[basin[offset[key] : offset[key] + blocks[key].place.size]] for key in grid}
    return first, ids, closed + roots.size


def where_they_end(
    blocks: Mapping[Key, Borders], grid: Grid, offset: Mapping[Key, int], total: int
) -> NDArray[np.int64]:
    """Follow the basins that go on behind a border, over as many as it takes, to the basin with their summit."""
    goes = np.arange(total)
    for key in grid:
        block = blocks[key]
        for where, line in enumerate(BEHIND):
            on = np.flatnonzero(block.side == where)
            behind = grid.neighbour(key, where)
            if on.size and behind is not None:
                goes[on + offset[key]] = blocks[behind].edges[line][block.at[on]] + offset[behind]
    while not np.array_equal(goes, goes[goes]):
        goes = goes[goes]
    return goes
