"""Separate cells that touch: steepest-ascent watershed, basins merged by the depth of their valley.

The relief is the distance to the background times the cell probability, which dips both where the outline is
narrow and where the network is unsure, or what the network itself says of heights (see `relief`). Each pixel climbs
to its highest neighbour, of 4 in a plane and of 6 in a volume, until it stands on a summit; the pixels of one summit
are a basin [1]_. Two basins are one cell unless the pass between them is low compared with the lower of their
summits [2]_.

References
----------
.. [1] F. Meyer, "Topographic distance and watershed lines", Signal Processing 38, 1994.
.. [2] L. Najman, M. Schmitt, "Geodesic saliency of watershed contours and hierarchical segmentation",
       IEEE TPAMI 18(12), 1996.
"""

from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_utile.engine.arrays import BoolArray, Float32Array, IntArray
from napari_utile.engine.cells.relief import climbing_relief
from napari_utile.engine.cells.runs import Runs, connected, runs_of, sums

LabelArray = NDArray[np.int32]

# A strip of rows stays in the processor's cache.
_ROWS_AT_ONCE = 64
_PASSES_AT_ONCE = 4096


@dataclass(frozen=True, eq=False)
class Landscape:
    """The basins of a mask and the passes between them: all that a cut at any strength depends on.

    Attributes
    ----------
    runs : Runs
        Of equal basin, 0 to B - 1; -1 outside the mask.
    component : (B,) integer array
        The connected component that each basin is a part of.
    component_area : (K,) integer array
        Pixels of each component.
    area : (B,) integer array
        Pixels of each basin.
    summit : (B,) float32 array
        Height of each basin's highest pixel.
    low, high : (P,) integer arrays
        The two basins at each pass, ``low < high``.
    height : (P,) float32 array
        Of each pass, the highest between its basins; highest pass first.
    """

    runs: Runs
    component: IntArray
    component_area: IntArray
    area: IntArray
    summit: Float32Array
    low: IntArray
    high: IntArray
    height: Float32Array

    @property
    def nbytes(self) -> int:
        """Bytes that it keeps in memory."""
        arrays = (
            self.component,
            self.component_area,
            self.area,
            self.summit,
            self.low,
            self.high,
            self.height,
        )
        return self.runs.nbytes + sum(each.nbytes for each in arrays)

    def paint(self, per_basin: NDArray[np.integer[Any]]) -> LabelArray:
        """Return the plane or volume whose pixels have their basin's value (B,); 0 outside the mask."""
        values = np.append(per_basin, 0).astype(np.int32)  # -1, outside, is the last
        painted: LabelArray = self.runs.paint(values[self.runs.values])
        return painted

    def cells(self, strength: float, minimum_size: int = 0) -> NDArray[np.intp]:
        """Join the basins that are one cell.

        Parameters
        ----------
        strength : float
            Two parts are cut apart where the relief at the pass between them is below this share of the lower
            summit: 0 never cuts, 1 cuts at every dip.
        minimum_size : int
            Parts of fewer pixels are not cut off.

        Returns
        -------
        (B,) integer array
            The basin that stands for each basin's cell.
        """
        return self.settled(strength, minimum_size, np.zeros(self.summit.size, bool))[0]

    def settled(
        self, strength: float, minimum_size: int, unsure: BoolArray
    ) -> tuple[NDArray[np.intp], BoolArray]:
        """Join basins as `cells` does, as far as that is sure when some of them are known in part only.

        A basin that goes on elsewhere can only become larger and higher than what is known of it, and so can what it
        joins. So where it is cut off now it is cut off in any case, and what it is cut off from is not touched by
        it; what it may join is unsure like itself from that pass on.

        Parameters
        ----------
        strength, minimum_size
            As for `cells`.
        unsure : (B,) bool array
            The basins that are known in part: their area and summit are at least what they are here, and they may
            have other passes.

        Returns
        -------
        cell : (B,) integer array
            The basin that stands for each basin's cell.
        unsure : (B,) bool array
            The basins whose cells depend on what is not known.
        """
        # Arrays of Python's own: an item is read as fast as from a list, and takes a fifth of the memory.
        parent = array("q", np.arange(self.summit.size, dtype=np.int64).tobytes())
        summit = array("d", self.summit.astype(np.float64).tobytes())
        size = array("q", self.area.astype(np.int64).tobytes())
        open_ended = bytearray(unsure.tobytes())

        for a, b, level in self._passes():
            while (up := parent[a]) != a:  # to the basin that stands for its cell, and half the way next time
                parent[a] = a = parent[up]
            while (up := parent[b]) != b:
                parent[b] = b = parent[up]
            if a == b:
                continue
            lower = min(summit[a], summit[b])
            if level < strength * lower and min(size[a], size[b]) >= minimum_size:
                continue
            if open_ended[a] or open_ended[b]:
                open_ended[a] = open_ended[b] = True
                continue
            keep, gone = (a, b) if summit[a] >= summit[b] else (b, a)
            parent[gone] = keep
            size[keep] += size[gone]
        cell = np.array(parent, np.intp)
        while not np.array_equal(cell, cell[cell]):
            cell = cell[cell]
        return cell, np.array(open_ended, bool)[cell]

    def _passes(self) -> Iterator[tuple[int, int, float]]:
        """Yield the passes, as Python's own numbers for so many at a time."""
        for start in range(0, self.low.size, _PASSES_AT_ONCE):
            part = slice(start, start + _PASSES_AT_ONCE)
            yield from zip(
                self.low[part].tolist(), self.high[part].tolist(), self.height[part].tolist(), strict=True
            )


def landscape_of(
    mask: Runs,
    probability: Float32Array,
    height: Float32Array | None = None,
    limit: int = 64,
    depth: float = 1.0,
) -> Landscape:
    """Find the basins of a mask and the passes between them.

    Parameters
    ----------
    mask : Runs
        With the values True and False.
    probability, height, limit, depth
        As for `climbing_relief`.
    """
    inside = mask.paint(mask.values)
    relief = climbing_relief(inside, probability, -1, height, limit, depth)
    summits, basins = _climb(relief, inside)
    runs = runs_of(basins)
    low, high, height = passes_between(relief, inside, basins, runs)
    summit = relief.ravel()[summits]
    order = order_of_passes(low, high, height, summit)
    part = runs.values >= 0
    area = sums(runs.values[part], runs.lengths[part], summits.size)
    count, component = connected(low, high, summits.size)
    return Landscape(
        runs, component, sums(component, area, count), area, summit, low[order], high[order], height[order]
    )


def split_components(
    mask: BoolArray, probability: Float32Array, strength: float, height: Float32Array | None = None
) -> LabelArray:
    """Cut the connected components of a mask into cells at their necks.

    Parameters
    ----------
    mask : (Y, X) bool array
    probability : (Y, X) float32 array
        Cell probability, 0..1.
    strength : float
        As for `Landscape.cells`.
    height : (Y, X) float32 array, optional
        As for `climbing_relief`.

    Returns
    -------
    (Y, X) int32 array
        0 is background; the parts' ids are distinct and in no particular order.
    """
    landscape = landscape_of(runs_of(mask), probability, height)
    return landscape.paint(landscape.cells(strength) + 1)


def _climb(relief: Float32Array, inside: BoolArray) -> tuple[IntArray, LabelArray]:
    """Let every pixel climb to its summit.

    Returns
    -------
    summits : (B,) integer array
        Flat index of each summit, in raster order.
    basins : int32 array
        The summit that each pixel climbs to, by number; -1 outside.
    """
    ways = highest_neighbours(relief)
    pixels, above = climbed(ways, inside)
    summits = np.flatnonzero(ways.ravel()[pixels] == ways.ndim)
    basin = np.empty(pixels.size, dtype=np.int32)
    basin[summits] = np.arange(summits.size, dtype=np.int32)
    basins = np.full(relief.shape, -1, dtype=np.int32)
    basins.ravel()[pixels] = basin[above]
    return pixels[summits], basins


def climbed(ways: NDArray[np.uint8], inside: BoolArray) -> tuple[IntArray, IntArray]:
    """Follow the way of each pixel to where it ends.

    Parameters
    ----------
    ways : uint8 array
        From `highest_neighbours`.
    inside : bool array
        The pixels that climb, and that ways lead to.

    Returns
    -------
    pixels : (N,) integer array
        Flat indices of those inside.
    above : (N,) integer array
        Which of them stands at the end of each one's way.
    """
    pixels = np.flatnonzero(inside)
    apart = [stride // ways.itemsize for stride in np.ascontiguousarray(ways).strides]
    steps = np.array([*(-each for each in apart), 0, *reversed(apart)])
    number = np.empty(ways.size, dtype=np.int32)
    number[pixels] = np.arange(pixels.size, dtype=np.int32)
    above = number[pixels + steps.take(ways.ravel()[pixels])].astype(np.intp)
    while True:
        higher = above[above]
        above = higher[higher]
        if np.array_equal(higher, above):
            return pixels, above


def highest_neighbours(relief: Float32Array) -> NDArray[np.uint8]:
    """Say which of its neighbours and itself is highest; of equal ones the last in raster order.

    Parameters
    ----------
    relief : (Y, X) or (Z, Y, X) float32 array

    Returns
    -------
    uint8 array
        The way there: neighbours are counted from 0 in raster order, so a pixel itself is way ``relief.ndim``.
    """
    highest_ways = np.empty(relief.shape, dtype=np.uint8)
    padded = np.pad(relief, 1, constant_values=-1)
    at_once = _ROWS_AT_ONCE if relief.ndim == 2 else 1
    for top in range(0, relief.shape[0], at_once):
        first, *others = _neighbours(padded[top : top + at_once + 2])
        highest = first.copy()
        last = highest_ways[top : top + at_once]
        last[...] = 0
        for way, heights in enumerate(others, start=1):
            at_least = (heights >= highest).view(np.uint8)
            at_least *= np.uint8(way)
            np.maximum(last, at_least, out=last)
            np.maximum(highest, heights, out=highest)
    return highest_ways


def _neighbours(padded: Float32Array) -> Iterator[Float32Array]:
    """Yield, in raster order, the neighbours and itself of each pixel but the outermost."""
    inner, before, behind = slice(1, -1), slice(None, -2), slice(2, None)
    axes = range(padded.ndim)
    for axis in axes:
        yield padded[tuple(before if each == axis else inner for each in axes)]
    yield padded[(inner,) * padded.ndim]
    for axis in reversed(axes):
        yield padded[tuple(behind if each == axis else inner for each in axes)]


def order_of_passes(
    low: IntArray, high: IntArray, height: Float32Array, summit: Float32Array
) -> NDArray[np.intp]:
    """Return in which order passes are looked at, the highest first.

    Several may share their lowest pixel: the one with the highest summits goes first, then raster order.
    """
    one, other = summit[low], summit[high]
    return np.lexsort((-np.minimum(one, other), -np.maximum(one, other), -height))


def passes_between(
    relief: Float32Array, inside: BoolArray, basins: LabelArray, runs: Runs
) -> tuple[IntArray, IntArray, Float32Array]:
    """List neighbouring basins and the height of the highest pass between them."""
    heights, flat = relief.ravel(), basins.ravel()
    begins = runs.starts[1:][(runs.values[1:] >= 0) & (runs.values[:-1] >= 0)]
    right = begins[begins % relief.shape[-1] > 0]
    here, there = [right - 1], [right]
    for axis in range(relief.ndim - 1):
        before, behind = ((slice(None),) * axis + (part,) for part in (slice(None, -1), slice(1, None)))
        meets = np.zeros(relief.shape, bool)
        meets[before] = basins[behind] != basins[before]
        meets[before] &= inside[behind]
        meets[before] &= inside[before]
        found = np.flatnonzero(meets)
        here.append(found)
        there.append(found + int(np.prod(relief.shape[axis + 1 :])))
    one, other = np.concatenate(here), np.concatenate(there)
    return highest_passes(flat[one], flat[other], np.minimum(heights[one], heights[other]))


def highest_passes(
    one: IntArray, other: IntArray, height: Float32Array
) -> tuple[IntArray, IntArray, Float32Array]:
    """Reduce meetings (M,) of basins to the highest between each two; those of a basin with itself are left out.

    Returns
    -------
    low, high : (P,) integer arrays
        The two basins, ``low < high``, in ascending order.
    height : (P,) float32 array
    """
    differ = one != other
    one, other, height = one[differ], other[differ], height[differ]
    pair = np.minimum(one, other).astype(np.int64) << 32 | np.maximum(one, other)
    order = np.argsort(pair)
    pair, height = pair[order], height[order]
    first = np.flatnonzero(np.diff(pair, prepend=-1))
    pair = pair[first]
    highest = np.maximum.reduceat(height, first) if first.size else height
    return pair >> 32, pair & 0xFFFFFFFF, highest
