"""Cells that grow from seeds, block by block: each pixel climbs until it stands on a seed, or on a summit without one.

Summits without a seed join what lies behind their highest pass, and so on until they come to a seed. The passes have a
strict order, by height and then by place in the plane, so the forest that joins them is one, whoever finds it [1]_:
a block joins what its own passes decide, and tells of what reaches its border. What many blocks tell is joined once.

References
----------
.. [1] J. Cousty et al., "Watershed cuts: minimum spanning forests and the drop of water principle", IEEE TPAMI 31(8),
       2009.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_utile.engine.arrays import Labels
from napari_utile.engine.cells.blocks.basins import RING, Borders, climb_in, ends_in
from napari_utile.engine.cells.blocks.decoder import Shelf, joined, part_of
from napari_utile.engine.cells.blocks.grid import BOTTOM, RIGHT, Grid, Key, borders
from napari_utile.engine.cells.blocks.merge import BEHIND, where_they_end
from napari_utile.engine.windows import Window

BoolArray = NDArray[np.bool_]
FloatArray = NDArray[np.float32]
IndexArray = NDArray[np.integer[Any]]
Passes = tuple[IndexArray, IndexArray, FloatArray, IndexArray]


@dataclass(frozen=True, eq=False)
class OpenSeeds(Borders):
    """What a block tells others: its basins without a seed that reach its border, and the seeds that they may join.

    Attributes
    ----------
    seed : (B,) int64 array
        The id of the seed; 0 for basins without one, which come first.
    place : (B,) int64 array
        Flat index in the plane of each summit; of seeds 0.
    low, high : (P,) integer arrays
        The two at each pass that is not decided in the block.
    height : (P,) float32 array
        Of each pass.
    lies : (P,) int64 array
        Where it lies: twice the flat index of the first of its two pixels, and 1 where the other is below.
    """

    seed: IndexArray
    place: IndexArray
    low: IndexArray
    high: IndexArray
    height: FloatArray
    lies: IndexArray


def find_seeded(
    relief: FloatArray, seeds: Labels, around: Window, block: Window, shape: tuple[int, int]
) -> tuple[NDArray[np.int32], OpenSeeds]:
    """Grow the seeds of a block as far as that does not depend on what lies behind its border.

    Parameters
    ----------
    relief : (y, x) float32 array
        Of the block and `RING` pixels around it, as far as the plane goes; -1 where no cell may be.
    seeds : (y, x) int array
        Likewise; 0 is background.
    around, block : Window
        Where these and the block lie in the plane.
    shape : (int, int)
        Of the plane.

    Returns
    -------
    cells : (y, x) int32 array
        Of the block: the id of the seed, 0 background; below it the open basins, from -1 on.
    OpenSeeds
    """
    core = block.relative_to(around)
    ends, basins = climb_in(relief, core, seeds > 0)
    place, side, at = ends_in(ends, around, core, shape)
    seed = np.where(side < 0, seeds.ravel()[ends], 0)
    ids, which = np.unique(seed, return_inverse=True)
    ids, which = (ids[1:], which - 1) if ids.size and ids[0] == 0 else (ids, which)
    # Seeds are counted first, then the ends of other basins in raster order.
    bare = np.flatnonzero(which < 0)
    which[bare] = ids.size + np.arange(bare.size)
    basins = np.append(which, -1).astype(np.int32)[basins]
    count = ids.size + bare.size
    heights = np.ascontiguousarray(relief[core])
    low, high, height, lies = _passes(heights, basins, block.start, shape[1])
    rooted, unsure = np.arange(count) < ids.size, np.zeros(count, bool)
    unsure[ids.size :] = side[bare] >= 0
    edges = borders(basins)
    behind = (block.start[0] > 0, block.stop[0] < shape[0], block.start[1] > 0, block.stop[1] < shape[1])
    for line, more in zip(edges.values(), behind, strict=True):
        if more:
            unsure[line[line >= ids.size]] = True
    root, kept = join_to_seeds(low, high, rooted, unsure)
    opened = np.flatnonzero(unsure)
    told = np.zeros(count + 1, bool)
    told[opened] = told[root[low[kept]]] = told[root[high[kept]]] = True
    for line in edges.values():
        told[line] = True
    seeds_told = np.flatnonzero(told[: ids.size])
    nodes = np.concatenate([opened, seeds_told])
    number = np.full(count + 1, -1, np.int32)
    number[nodes] = np.arange(nodes.size)
    end_of = np.concatenate([bare[opened - ids.size], np.full(seeds_told.size, -1)])
    is_seed = end_of < 0
    value = np.zeros(count + 1, np.int32)
    value[: ids.size] = ids
    value[opened] = -1 - np.arange(opened.size)
    value[:-1] = value[root]
    return value[basins], OpenSeeds(
        side=np.where(is_seed, -1, side[end_of]).astype(np.int8),
        at=np.where(is_seed, 0, at[end_of]).astype(np.int32),
        **{name: number[line] for name, line in edges.items()},
        **{f"{name}_height": line for name, line in borders(heights).items()},
        seed=np.concatenate([np.zeros(opened.size, np.int64), ids[seeds_told].astype(np.int64)]),
        place=np.where(is_seed, 0, place[end_of]),
        low=number[root[low[kept]]],
        high=number[root[high[kept]]],
        height=height[kept],
        lies=lies[kept],
    )


def _passes(relief: FloatArray, basins: NDArray[np.int32], start: tuple[int, ...], width: int) -> Passes:
    """List the passes of a block, see `first_passes`; `start` is where it lies in a plane of that width."""
    found = []
    for axis in (1, 0):
        here, there = ((slice(None),) * axis + (part,) for part in (slice(None, -1), slice(1, None)))
        one, other = basins[here], basins[there]
        y, x = np.nonzero((one != other) & (one >= 0) & (other >= 0))
        place = 2 * ((y + start[0]) * width + x + start[1]) + (1 - axis)
        height = np.minimum(relief[here][y, x], relief[there][y, x])
        found.append((one[y, x], other[y, x], height, place))
    one, other, height, place = (np.concatenate(each) for each in zip(*found, strict=True))
    return first_passes(one, other, height, place)


def first_passes(one: IndexArray, other: IndexArray, height: FloatArray, lies: IndexArray) -> Passes:
    """Reduce meetings (M,) to the first between each two, and put them in order: the highest first, then by place.

    Returns
    -------
    low, high, height, lies : (P,) arrays
        As in `OpenSeeds`, ``low < high``.
    """
    differ = one != other
    one, other, height, lies = one[differ], other[differ], height[differ], lies[differ]
    pair = np.minimum(one, other).astype(np.int64) << 32 | np.maximum(one, other)
    order = np.lexsort((lies, -height, pair))
    first = order[np.flatnonzero(np.diff(pair[order], prepend=-1))]
    first = first[np.lexsort((lies[first], -height[first]))]
    return pair[first] >> 32, pair[first] & 0xFFFFFFFF, height[first], lies[first]


def join_to_seeds(
    low: IndexArray, high: IndexArray, rooted: BoolArray, unsure: BoolArray
) -> tuple[IndexArray, IndexArray]:
    """Join basins (B,) over passes in their order, but never two seeds, as far as that is sure.

    A basin without a seed joins what lies behind its first pass, whatever that is. Whether one that goes on elsewhere
    does depends on what it joins there, so its passes to seeds and to others of its kind are kept.

    Returns
    -------
    root : (B,) integer array
        The basin that stands for what each joins.
    kept : (K,) integer array
        The passes that are not decided.
    """
    fixed = (rooted | unsure).tolist()
    doubtful = unsure.tolist()
    parent = list(range(rooted.size))
    kept = []
    for number, (a, b) in enumerate(zip(low.tolist(), high.tolist(), strict=True)):
        while (up := parent[a]) != a:  # to the root, and half the way next time
            parent[a] = a = parent[up]
        while (up := parent[b]) != b:
            parent[b] = b = parent[up]
        if a == b:
            continue
        if fixed[a] and fixed[b]:
            if doubtful[a] or doubtful[b]:
                kept.append(number)
        elif fixed[a]:
            parent[b] = a
        else:
            parent[a] = b
    root = np.array(parent, np.intp)
    while not np.array_equal(root, root[root]):
        root = root[root]
    return root, np.array(kept, np.intp)


def join_seeded(blocks: Mapping[Key, OpenSeeds], grid: Grid) -> dict[Key, NDArray[np.int32]]:
    """Say of each block's open basins which seed they belong to; 0 for none."""
    offset: dict[Key, int] = {}
    total = 0
    for key in grid:
        offset[key] = total
        total += blocks[key].seed.size
    goes = where_they_end(blocks, grid, offset, total)
    seed, place, side = (
        np.concatenate([getattr(blocks[key], name) for key in grid]) for name in ("seed", "place", "side")
    )
    ids, which = np.unique(seed[seed > 0], return_inverse=True)
    number = np.full(total, -1, np.int64)
    number[seed > 0] = which
    bare = np.flatnonzero((seed == 0) & (side < 0))
    number[bare[np.argsort(place[bare])]] = ids.size + np.arange(bare.size)
    node = number[goes]
    found: list[Passes] = []
    for key in grid:
        block, start, window = blocks[key], offset[key], grid.window(key)
        found.append((node[block.low + start], node[block.high + start], block.height, block.lies))
        for where in (BOTTOM, RIGHT):
            behind = grid.neighbour(key, where)
            if behind is None:
                continue
            here, there = block.edges[where], blocks[behind].edges[BEHIND[where]]
            meet = np.flatnonzero((here >= 0) & (there >= 0))
            level = np.minimum(block.heights[where], blocks[behind].heights[BEHIND[where]])[meet]
            last_y, last_x = np.subtract(window.stop, 1)
            y = np.full(meet.size, last_y) if where == BOTTOM else window.start[0] + meet
            x = np.full(meet.size, last_x) if where == RIGHT else window.start[1] + meet
            lies = 2 * (y * grid.shape[1] + x) + int(where == BOTTOM)
            near, far = node[here[meet] + start], node[there[meet] + offset[behind]]
            found.append(first_passes(near, far, level, lies))
    one, other, height, lies = (np.concatenate(each) for each in zip(*found, strict=True))
    low, high, *_ = first_passes(one, other, height, lies)
    rooted = np.arange(ids.size + bare.size) < ids.size
    root, _ = join_to_seeds(low, high, rooted, np.zeros(rooted.size, bool))
    value = np.zeros(rooted.size, np.int32)
    value[: ids.size] = ids
    value = value[root]
    return {
        key: value[node[offset[key] + np.flatnonzero(blocks[key].seed == 0)]].astype(np.int32) for key in grid
    }


class SeedGrower:
    """Grows the seeds of a plane block by block, in three steps: each block, all together, each block.

    Parameters
    ----------
    grid : Grid
    shelf : Shelf
    relief : callable
        Gives the relief (y, x) of a window of the plane: at least 0, high inside cells, -1 where no cell may be.
    seeds : callable
        Gives the seeds (y, x) in a window of the plane.
    """

    def __init__(
        self,
        grid: Grid,
        shelf: Shelf,
        relief: Callable[[Window], FloatArray],
        seeds: Callable[[Window], Labels],
    ) -> None:
        self._grid, self._shelf, self._relief, self._seeds = grid, shelf, relief, seeds

    def basins(self, key: Key) -> None:
        """Grow the seeds of a block, as far as it decides that."""
        around = self._grid.around(key, RING)
        relief, seeds = self._relief(around), self._seeds(around)
        cells, told = find_seeded(relief, seeds, around, self._grid.window(key), self._grid.shape)
        self._shelf.keep_plane("cells", key, cells)
        self._shelf.keep_facts("basins", key, vars(told))

    def merge_basins(self) -> None:
        """Join what the blocks left open."""
        blocks = {key: OpenSeeds(**self._shelf.facts("basins", key)) for key in self._grid}
        self._shelf.keep_facts("basins", None, joined(join_seeded(blocks, self._grid), self._grid))

    def labels(self, key: Key) -> NDArray[np.int32]:
        """Return the labels (y, x) of a block."""
        opened = part_of(self._shelf.facts("basins", None), self._grid, key)
        cells = np.broadcast_to(self._shelf.plane("cells", key), self._grid.window(key).shape)
        # Open basins are counted from -1 down: as an index, from the end.
        ids = np.append(0, opened[::-1]).astype(np.int32)
        return np.where(cells < 0, ids[np.minimum(cells, 0)], cells)
