"""Separate cells that hang together: steepest-ascent watershed, basins merged by the depth of their valley.

The relief is the distance to the background times the cell probability: it dips both where the outline is
narrow and where the network is unsure. Each pixel climbs to its highest 4-neighbour until it stands on a
summit; the pixels of one summit are a basin [1]_. Two basins are one cell unless the pass between them is low
compared with the lower of their summits [2]_.

References
----------
.. [1] F. Meyer, "Topographic distance and watershed lines", Signal Processing 38, 1994.
.. [2] L. Najman, M. Schmitt, "Geodesic saliency of watershed contours and hierarchical segmentation",
       IEEE TPAMI 18(12), 1996.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from napari_utile.engine.cells.distance import distance_to_background

FloatArray = npt.NDArray[np.float32]
LabelArray = npt.NDArray[np.int32]
IndexArray = npt.NDArray[np.integer[Any]]

# How much a dip of the probability counts beside a narrow outline; chosen on training images.
PROBABILITY_POWER = 2.0


def split_components(
    components: npt.NDArray[np.integer[Any]], probability: FloatArray, strength: float, minimum_size: int = 0
) -> LabelArray:
    """Cut connected components into cells at their necks.

    Parameters
    ----------
    components : (Y, X) integer array
        4-connected components, 0 is background.
    probability : (Y, X) float32 array
        Cell probability, 0..1.
    strength : float
        Two parts are cut apart where the relief at the pass between them is below this share of the lower
        summit: 0 never cuts, 1 cuts at every dip.
    minimum_size : int
        Parts of fewer pixels are not cut off.

    Returns
    -------
    (Y, X) int32 array
        0 is background; the parts' ids are distinct and in no particular order.
    """
    mask = components > 0
    labels = np.zeros(mask.shape, dtype=np.int32)
    pixels = np.flatnonzero(mask)
    if pixels.size == 0:
        return labels
    # The mask's pixels in an array with a border of background, so that every pixel has four neighbours.
    width = mask.shape[1] + 2
    places = pixels + width + 1 + 2 * (pixels // mask.shape[1])
    relief = np.full((mask.shape[0] + 2) * width, -1, dtype=np.float32)
    relief[places] = climbing_relief(mask, probability)[mask]
    summit = _climb(relief, places, width)
    is_summit = summit == np.arange(places.size)
    basin = (np.cumsum(is_summit) - 1)[summit]
    height = relief[places[is_summit]]
    area = np.bincount(basin)
    passes = _passes(relief, places, basin, height, width)
    root = _merge(*passes, height, area, strength, minimum_size)
    labels.ravel()[pixels] = root[basin] + 1
    return labels


def climbing_relief(mask: npt.NDArray[np.bool_], probability: FloatArray) -> FloatArray:
    """Distance to the background in pixels, lowered where cell probability is low; 0 on the background."""
    relief = distance_to_background(mask)
    likely = np.clip(np.nan_to_num(probability[mask]), 0, 1)
    relief[mask] *= likely**PROBABILITY_POWER
    return relief


def _climb(relief: FloatArray, places: IndexArray, width: int) -> IndexArray:
    """Let every pixel climb to its summit; both are numbers into `places`."""
    number = np.zeros(relief.size, dtype=np.int32)
    number[places] = np.arange(places.size, dtype=np.int32)
    # From the lowest to the highest index, so that of equal heights the last in raster order wins.
    best, highest = places - width, relief[places - width]
    for step in (-1, 0, 1, width):
        neighbour = relief[places + step]
        better = neighbour >= highest
        np.copyto(highest, neighbour, where=better)
        np.copyto(best, places + step, where=better)
    above = number[best]
    while True:
        higher = above[above]
        if np.array_equal(higher, above):
            return above.astype(np.int64)
        above = higher


def _passes(
    relief: FloatArray, places: IndexArray, basin: IndexArray, summit: FloatArray, width: int
) -> tuple[IndexArray, IndexArray, FloatArray]:
    """List neighbouring basins and the height of the highest pass between them, highest pass first."""
    basins = np.full(relief.size, -1, dtype=np.int32)
    basins[places] = basin
    firsts, seconds, heights = [], [], []
    for step in (1, width):
        other = basins[places + step]
        border = np.flatnonzero((other != basin) & (other >= 0))
        firsts.append(basin[border])
        seconds.append(other[border])
        heights.append(np.minimum(relief[places[border]], relief[places[border] + step]))
    a, b, height = np.concatenate(firsts), np.concatenate(seconds), np.concatenate(heights)
    pair = np.minimum(a, b).astype(np.int64) << 32 | np.maximum(a, b)
    by_height = np.argsort(-height, kind="stable")
    _, first = np.unique(pair[by_height], return_index=True)
    pair, height = pair[by_height[first]], height[by_height[first]]
    low, high = pair >> 32, pair & 0xFFFFFFFF
    # Several passes may share their lowest pixel: the highest summits go first, then raster order.
    one, other_summit = summit[low], summit[high]
    order = np.lexsort((-np.minimum(one, other_summit), -np.maximum(one, other_summit), -height))
    return low[order], high[order], height[order]


def _merge(
    low: IndexArray,
    high: IndexArray,
    passes: FloatArray,
    height: FloatArray,
    area: IndexArray,
    strength: float,
    minimum_size: int,
) -> npt.NDArray[np.int64]:
    """Join basins across passes, highest first, unless the pass lies too deep below the lower summit."""
    parent = list(range(len(height)))
    summit = height.tolist()
    size = area.tolist()

    def find(basin: int) -> int:
        while parent[basin] != basin:
            parent[basin] = parent[parent[basin]]
            basin = parent[basin]
        return basin

    for a, b, level in zip(low.tolist(), high.tolist(), passes.tolist(), strict=True):
        a, b = find(a), find(b)
        if a == b:
            continue
        lower = min(summit[a], summit[b])
        if level >= strength * lower or min(size[a], size[b]) < minimum_size:
            keep, gone = (a, b) if summit[a] >= summit[b] else (b, a)
            parent[gone] = keep
            size[keep] += size[gone]
    return np.array([find(basin) for basin in range(len(parent))], dtype=np.int64)
