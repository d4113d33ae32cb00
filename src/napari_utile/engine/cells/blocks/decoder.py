"""The stages of block-wise decoding, each over all blocks in any order, with a merge of small tables in between.

What crosses a block's border, and nothing else does:

1. holes: background components that reach the border; merged, some of them are filled;
2. basins: those of components that reach the border, where they go on, and the passes between them; merged, cut;
3. growth: the cells within three times the growth around a block; each cell's first pixel; merged, numbered;
4. labels.

Ties are broken by the plane's raster order, which a block sees as well, and every float32 value comes from the same
operations on the same pixels: so the labels are those of `label_cells` on the whole plane, to the bit.
"""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from napari_utile.engine.cells.blocks.basins import RING, OpenBasins, find_basins
from napari_utile.engine.cells.blocks.grid import Grid, Key
from napari_utile.engine.cells.blocks.holes import OpenHoles, fill_open, find_holes, join_holes
from napari_utile.engine.cells.blocks.merge import join_basins
from napari_utile.engine.cells.blocks.numbering import first_pixels, numbers_of
from napari_utile.engine.cells.gaps import gap_pixels
from napari_utile.engine.cells.instances import InstanceParams
from napari_utile.engine.cells.relief import HEIGHT_REACH, climbing_relief, smoothed
from napari_utile.engine.windows import Window

Facts = dict[str, NDArray[Any]]
FloatArray = NDArray[np.float32]
Change = Callable[[NDArray[Any], Key], NDArray[Any]]
_AT_SIDES = range(4)

STAGES = ("holes", "fill", "basins", "growth", "labels")
"""The methods of `BlockDecoder` to call for every block, in this order."""
MERGES = {"holes": "merge_holes", "basins": "merge_basins", "growth": "merge_growth"}
"""What is called once, after all blocks of a stage."""


class Shelf(Protocol):
    """Where stages keep what they make: planes block by block, and small tables of a block or (None) of all."""

    def plane(self, name: str, key: Key) -> NDArray[Any]:
        """Return a block of a plane; an array of one pixel stands for a block that is the same everywhere."""

    def keep_plane(self, name: str, key: Key, block: NDArray[Any]) -> None:
        """Keep a block of a plane."""

    def facts(self, name: str, key: Key | None) -> Facts:
        """Return tables that were kept."""

    def keep_facts(self, name: str, key: Key | None, facts: Facts) -> None:
        """Keep tables."""


class BlockDecoder:
    """Decodes the cells of a plane of which a shelf holds the outputs block by block.

    Parameters
    ----------
    grid : Grid
    params : InstanceParams
    shelf : Shelf
        With the planes ``foreground``, the cell probability, and where the relief is made of distances, ``height``:
        see `relief.unsmoothed_height`.
    by_height : bool
        Whether it is.
    """

    def __init__(self, grid: Grid, params: InstanceParams, shelf: Shelf, *, by_height: bool = False) -> None:
        self.grid, self._params, self._shelf, self._by_height = grid, params, shelf, by_height

    def holes(self, key: Key) -> None:
        """Threshold a block and fill the holes inside it."""
        foreground = self._read("foreground", self.grid.window(key))
        at_side = tuple(self.grid.neighbour(key, where) is None for where in _AT_SIDES)
        mask, open_holes = find_holes(foreground > self._params.threshold, self._params.fill_holes, at_side)
        self._shelf.keep_plane("mask", key, mask)
        self._shelf.keep_facts("holes", key, vars(open_holes))

    def merge_holes(self) -> None:
        """Find which components of the background are holes over all blocks."""
        holes = {key: OpenHoles(**self._shelf.facts("holes", key)) for key in self.grid}
        fill = join_holes(holes, self.grid, self._params.fill_holes)
        self._shelf.keep_facts("holes", None, joined(fill, self.grid))

    def fill(self, key: Key) -> None:
        """Fill the holes of a block that reach over its border."""
        fill = part_of(self._shelf.facts("holes", None), self.grid, key)
        if fill.any():
            holes = OpenHoles(**self._shelf.facts("holes", key))
            mask = self._read("mask", self.grid.window(key))
            self._shelf.keep_plane("mask", key, fill_open(mask, holes, fill))

    def basins(self, key: Key) -> None:
        """Find the basins of a block, and the cells that lie inside it."""
        block, lies = self.grid.window(key), self.grid.around(key, RING)
        relief = self._relief(lies)
        cells, basins = find_basins(relief, lies, block, self.grid.shape, self._params)
        self._shelf.keep_plane("cells", key, cells)
        self._shelf.keep_facts("basins", key, vars(basins))

    def merge_basins(self) -> None:
        """Join the basins that meet at borders to cells."""
        blocks = {key: OpenBasins(**self._shelf.facts("basins", key)) for key in self.grid}
        first, ids, count = join_basins(blocks, self.grid, self._params)
        firsts = np.array([first[key] for key in self.grid])
        facts = {**joined(ids, self.grid), "first": firsts, "count": np.array(count)}
        self._shelf.keep_facts("basins", None, facts)

    def growth(self, key: Key) -> None:
        """Close the gaps in a block, and find the first pixel of each cell."""
        self._shelf.keep_facts("growth", key, self._growth(key))

    def merge_growth(self) -> None:
        """Give the cells their numbers."""
        firsts = (self._shelf.facts("growth", key) for key in self.grid)
        count = int(self._shelf.facts("basins", None)["count"])
        number = numbers_of(((each["present"], each["place"]) for each in firsts), count)
        self._shelf.keep_facts("growth", None, {"number": number})

    def labels(self, key: Key) -> NDArray[np.int32]:
        """Return the labels (y, x) of a block."""
        number: NDArray[np.int32] = self._shelf.facts("growth", None)["number"]
        grown = self._shelf.facts("growth", key)
        if "gap" not in grown:  # of stores that were started when it was not kept
            grown = self._growth(key)
        labels = self._ids(self.grid.window(key), number)
        labels.ravel()[grown["gap"]] = number[grown["owner"]]
        return labels

    def _growth(self, key: Key) -> Facts:
        """Find the pixels between cells that are given to one, and the first pixel of each cell."""
        block, lies = self.grid.window(key), self.grid.around(key, 3 * self._params.grow)
        ids, here = self._ids(lies), block.relative_to(lies)
        gap, owner = gap_pixels(ids, self._params.grow)
        ids.ravel()[gap] = owner
        present, place = first_pixels(np.ascontiguousarray(ids[here]), block, self.grid.shape[1])
        y, x = (at - start for at, start in zip(np.divmod(gap, ids.shape[1]), here.start, strict=True))
        rows, columns = block.shape
        inside = (y >= 0) & (y < rows) & (x >= 0) & (x < columns)
        flat = (y * columns + x)[inside].astype(np.int32)
        return {"present": present, "place": place, "gap": flat, "owner": owner[inside].astype(np.int32)}

    def _ids(self, window: Window, number: NDArray[np.int32] | None = None) -> NDArray[np.int32]:
        """Return the cells of a window as they were found, by id, or by the number of each id."""
        merged = self._shelf.facts("basins", None)

        def by_id(cells: NDArray[Any], of: Key) -> NDArray[Any]:
            first = merged["first"][of[0] * self.grid.counts[1] + of[1]]
            opened, closed = part_of(merged, self.grid, of), int(cells.max(initial=0))
            # Open basins are counted from -1 down: as an index, from the end.
            ids: NDArray[np.int32] = np.concatenate(
                [[0], first + 1 + np.arange(closed), opened[::-1]]
            ).astype("i4")
            of_cells: NDArray[np.int32] = (ids if number is None else number[ids])[cells]
            return of_cells

        return self._read("cells", window, by_id)

    def _relief(self, window: Window) -> FloatArray:
        """Return the relief of a window, by all the pixels around it that it depends on."""
        reach = HEIGHT_REACH if self._by_height else self._params.relief_limit
        far = window.grown(reach).clipped(self.grid.shape)
        here = window.relative_to(far)
        if self._by_height:
            mask = self._read("mask", window)
            height = smoothed(self._read("height", far))[here]
            return climbing_relief(mask, mask, -1, height)
        mask, likely = self._read("mask", far), self._read("foreground", far)
        limit = self._params.relief_limit
        return np.ascontiguousarray(climbing_relief(mask, likely, -1, limit=limit)[here])

    def _read(self, name: str, window: Window, change: Change | None = None) -> NDArray[Any]:
        return read_window(self.grid, self._shelf, name, window, change)


def read_window(
    grid: Grid, shelf: Shelf, name: str, window: Window, change: Change | None = None
) -> NDArray[Any]:
    """Read a window of a plane that a shelf keeps, each block's part of it changed."""
    read: NDArray[Any] | None = None
    for key in grid.touched(window):
        block = grid.window(key)
        both = block & window
        part = np.broadcast_to(shelf.plane(name, key), block.shape)[both.relative_to(block)]
        part = part if change is None else change(part, key)
        read = np.empty(window.shape, part.dtype) if read is None else read
        read[both.relative_to(window)] = part
    assert read is not None
    return read


class MemoryShelf:
    """Keeps all in memory."""

    def __init__(self) -> None:
        self._planes: dict[tuple[str, Key], NDArray[Any]] = {}
        self._facts: dict[tuple[str, Key | None], Facts] = {}

    def plane(self, name: str, key: Key) -> NDArray[Any]:
        """Return a block of a plane."""
        return self._planes[name, key]

    def keep_plane(self, name: str, key: Key, block: NDArray[Any]) -> None:
        """Keep a block of a plane."""
        self._planes[name, key] = block

    def facts(self, name: str, key: Key | None) -> Facts:
        """Return tables that were kept."""
        return self._facts[name, key]

    def keep_facts(self, name: str, key: Key | None, facts: Facts) -> None:
        """Keep tables."""
        self._facts[name, key] = facts


def label_blocks(
    foreground: FloatArray,
    params: InstanceParams,
    side: tuple[int, int],
    height: FloatArray | None = None,
) -> NDArray[np.int32]:
    """Label the cells of a plane block by block: the same labels as in one piece.

    Parameters
    ----------
    foreground : (Y, X) float32 array
        Cell probability.
    params : InstanceParams
    side : (int, int)
        Rows and columns of a block.
    height : (Y, X) float32 array, optional
        From `relief.unsmoothed_height`, where the relief is made of distances.

    Returns
    -------
    (Y, X) int32 array

    Examples
    --------
    >>> import numpy as np
    >>> from napari_utile.engine.cells.instances import InstanceParams
    >>> spots = np.zeros((9, 9), np.float32)
    >>> spots[1:4, 1:4] = spots[5:8, 3:8] = 0.9
    >>> int(label_blocks(spots, InstanceParams(minimum_size=1), (2, 5)).max())
    2
    """
    grid, shelf = Grid((foreground.shape[0], foreground.shape[1]), side), MemoryShelf()
    for key in grid:
        shelf.keep_plane("foreground", key, foreground[grid.window(key)])
        if height is not None:
            shelf.keep_plane("height", key, height[grid.window(key)])
    decoder = BlockDecoder(grid, params, shelf, by_height=height is not None)
    labels = np.empty(grid.shape, np.int32)
    for stage in STAGES:
        for key in grid:
            made = getattr(decoder, stage)(key)
            if stage == "labels":
                labels[grid.window(key)] = made
        if stage in MERGES:
            getattr(decoder, MERGES[stage])()
    return labels


def joined(arrays: Mapping[Key, NDArray[Any]], grid: Grid) -> Facts:
    """Put an array of each block into one, see `part_of`."""
    every = [arrays[key] for key in grid]
    return {"values": np.concatenate(every), "starts": np.cumsum([0, *(each.size for each in every)])}


def part_of(joined: Facts, grid: Grid, key: Key) -> NDArray[Any]:
    """Return the array of one block."""
    number = key[0] * grid.counts[1] + key[1]
    start, stop = joined["starts"][number : number + 2]
    part: NDArray[Any] = joined["values"][start:stop]
    return part
