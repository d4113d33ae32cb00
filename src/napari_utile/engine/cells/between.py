"""Split a cell between markers, in a plane or in a volume."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.segmentation import watershed

from napari_utile.engine.arrays import BoolArray, Float32Array
from napari_utile.engine.cells.relief import climbing_relief
from napari_utile.engine.cells.watershed import split_components

LabelArray = NDArray[np.int32]
Point = tuple[int, ...]

# A valley counts as one between two cells where it is at least a tenth lower than the lower summit.
NOTABLE_DIP = 0.9


def split_between(
    mask: BoolArray,
    probability: Float32Array,
    groups: Sequence[Sequence[Point]],
    height: Float32Array | None = None,
) -> LabelArray:
    """Split a cell between markers, along the valley of the probability where there is one.

    Markers whose hills differ are separated by a watershed. Markers on one hill are separated halfway between them.

    Parameters
    ----------
    mask : (y, x) or (z, y, x) bool array
        The cell.
    probability : float32 array of the same shape
        Cell probability, 0..1.
    groups : sequence of sequences of (row, column) or (plane, row, column)
        Markers of one group stay together; every marker lies inside the mask.
    height : float32 array of the same shape, optional
        As for `climbing_relief`: where a model tells cells apart by it, so do markers.

    Returns
    -------
    int32 array of the same shape
        Part ``i + 1`` belongs to group ``i``; 0 outside the mask. The parts cover the mask exactly; pieces
        of the mask without a marker go to the nearest part.

    Raises
    ------
    ValueError
        If a marker lies outside the mask, or a pixel carries markers of two groups.
    """
    owner = checked_markers(mask, groups)
    hills = split_components(mask, probability, NOTABLE_DIP, height=height)
    on_hill: dict[int, list[Point]] = {}
    for point in sorted(owner):
        on_hill.setdefault(int(hills[point]), []).append(point)
    parts = np.zeros(mask.shape, dtype=np.int32)
    marked = np.where(np.isin(hills, list(on_hill)), hills, 0)
    territory = watershed(-climbing_relief(mask, probability, height=height), marked, mask=mask)
    for hill, points in on_hill.items():
        own = territory == hill
        if len({owner[point] for point in points}) == 1:
            parts[own] = owner[points[0]]
        else:
            parts[own] = _halfway(own, {point: owner[point] for point in points})[own]
    return _nearest_for_rest(parts, mask)


def checked_markers(mask: BoolArray, groups: Sequence[Sequence[Point]]) -> dict[Point, int]:
    """Return the number of the group of each marker, counted from 1."""
    owner: dict[Point, int] = {}
    for number, group in enumerate(groups, start=1):
        for place in group:
            point = tuple(int(each) for each in place)
            if not all(0 <= at < size for at, size in zip(point, mask.shape, strict=True)) or not mask[point]:
                raise ValueError(f"The marker at {point} lies outside the cell.")
            if owner.setdefault(point, number) != number:
                raise ValueError(f"Two markers at {point} cannot be separated; put them further apart.")
    return owner


def _halfway(mask: BoolArray, owner: dict[Point, int]) -> LabelArray:
    """Part a mask by the straight distance to the markers, every part in one piece."""
    seeds = np.zeros(mask.shape, dtype=np.int32)
    for number, point in enumerate(sorted(owner), start=1):
        seeds[point] = number
    regions = watershed(np.zeros(mask.shape), seeds, mask=mask, compactness=1.0)
    number_to_owner = np.array([0, *(owner[point] for point in sorted(owner))], dtype=np.int32)
    parts: LabelArray = number_to_owner[regions]
    return parts


def _nearest_for_rest(parts: LabelArray, mask: BoolArray) -> LabelArray:
    rest = mask & (parts == 0)
    if rest.any():
        nearest: NDArray[Any] = ndimage.distance_transform_edt(
            parts == 0, return_distances=False, return_indices=True
        )
        parts[rest] = parts[tuple(nearest)][rest]
    return parts
