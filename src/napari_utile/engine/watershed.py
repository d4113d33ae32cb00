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

from napari_utile.engine.distance import distance_to_background

FloatArray = npt.NDArray[np.float32]
LabelArray = npt.NDArray[np.int32]

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
    relief = climbing_relief(mask, probability)
    summit, pixels = _climb(relief, mask)
    labels = np.zeros(mask.shape, dtype=np.int32)
    if pixels.size == 0:
        return labels
    summits, basin = np.unique(summit, return_inverse=True)
    labels.ravel()[pixels] = basin + 1
    height = relief.ravel()[summits]
    area = np.bincount(basin)
    root = _merge(*_passes(labels, relief, height), height, area, strength, minimum_size)
    labels.ravel()[pixels] = root[basin] + 1
    return labels


def climbing_relief(mask: npt.NDArray[np.bool_], probability: FloatArray) -> FloatArray:
    """Distance to the background in pixels, lowered where cell probability is low; 0 on the background."""
    relief = distance_to_background(mask)
    relief *= np.clip(np.nan_to_num(probability), 0, 1) ** PROBABILITY_POWER
    return relief


def _climb(
    relief: FloatArray, mask: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Let every mask pixel climb to its summit; returns the flat index of the summit, and the pixels' own."""
    # Bits of a non-negative float32 are ordered like its value; the index below them breaks ties in raster
    # order.
    key = relief.view(np.int32).astype(np.int64)
    key <<= 32
    key |= np.arange(key.size, dtype=np.int64).reshape(key.shape)
    key[~mask] = -1
    best = key.copy()
    np.maximum(best[1:], key[:-1], out=best[1:])
    np.maximum(best[:-1], key[1:], out=best[:-1])
    np.maximum(best[:, 1:], key[:, :-1], out=best[:, 1:])
    np.maximum(best[:, :-1], key[:, 1:], out=best[:, :-1])
    pixels = np.flatnonzero(mask)
    place = np.zeros(mask.size, dtype=np.int64)
    place[pixels] = np.arange(pixels.size)
    above = place[best.ravel()[pixels] & 0xFFFFFFFF]
    while True:
        higher = above[above]
        if np.array_equal(higher, above):
            return pixels[above], pixels
        above = higher


def _passes(
    labels: LabelArray, relief: FloatArray, summit: FloatArray
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """List neighbouring basins and the height of the highest pass between them, highest pass first."""
    firsts, seconds, heights = [], [], []
    for axis in (0, 1):
        one = (slice(None),) * axis + (slice(1, None),)
        other = (slice(None),) * axis + (slice(None, -1),)
        a, b = labels[one], labels[other]
        border = (a != b) & (a > 0) & (b > 0)
        firsts.append(a[border])
        seconds.append(b[border])
        heights.append(np.minimum(relief[one][border], relief[other][border]))
    a, b, height = np.concatenate(firsts), np.concatenate(seconds), np.concatenate(heights)
    pair = np.minimum(a, b).astype(np.int64) << 32 | np.maximum(a, b)
    by_height = np.argsort(-height, kind="stable")
    _, first = np.unique(pair[by_height], return_index=True)
    pair, height = pair[by_height[first]], height[by_height[first]]
    low, high = (pair >> 32) - 1, (pair & 0xFFFFFFFF) - 1
    # Several passes may share their lowest pixel: the highest summits go first, then raster order.
    one, other = summit[low], summit[high]
    order = np.lexsort((-np.minimum(one, other), -np.maximum(one, other), -height))
    return low[order], high[order], height[order]


def _merge(
    low: npt.NDArray[np.int64],
    high: npt.NDArray[np.int64],
    passes: npt.NDArray[np.float32],
    height: npt.NDArray[np.float32],
    area: npt.NDArray[np.int64],
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
