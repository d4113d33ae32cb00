"""Cells of a time-lapse become tracks: frame to frame, over gaps, and through divisions."""

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from napari_utile.engine.arrays import Int64Array
from napari_utile.engine.linking.matching import best_pairs
from napari_utile.engine.linking.params import LinkParams
from napari_utile.engine.linking.sections import Sections

_ALIKE = 0.5
"""How much smaller than the other a daughter, or a cell after a gap, may be: the ratio of the areas, at least."""
_SMALLER = 0.85
"""A daughter is smaller than its mother was: the ratio of the areas, at most."""


def follow_through_t(sections: Sections, params: LinkParams) -> tuple[Int64Array, Int64Array]:
    """Say which section continues each one in a later frame, and which mother each divided from.

    Frame to frame those pairs of the greatest total gain are taken, none twice: a pair gains by overlap and by
    nearness. Then ends and beginnings of tracks are joined over gaps, and at last a track that begins beside a cell
    that has just become smaller is its second daughter.

    Parameters
    ----------
    sections : Sections
        With overlaps up to ``params.link_gap + 1`` frames on.
    params : LinkParams

    Returns
    -------
    following : (N,) int64 array
        Index of the section that follows; -1 for none, also for a mother.
    mother : (N,) int64 array
        Index of the section that divided into this one and another; -1 for none.
    """
    reach = sections.diameter if params.link_distance is None else params.link_distance
    following, mother = np.full((2, len(sections)), -1, np.int64)
    taken = np.zeros(len(sections), bool)
    for distance in range(1, params.link_gap + 2):
        before, after, gain = _candidates(sections, distance, reach, params.link_overlap)
        free = (following[before] < 0) & ~taken[after]
        if distance > 1:
            free &= _ratio(sections, before, after) >= _ALIKE
        chosen = np.flatnonzero(free)
        chosen = chosen[best_pairs(before[chosen], after[chosen], gain[chosen])]
        following[before[chosen]] = after[chosen]
        taken[after[chosen]] = True
    for parent, first, second in _divisions(sections, following, taken, reach, params.link_overlap):
        following[parent] = -1
        mother[[first, second]] = parent
    return following, mother


def _candidates(
    sections: Sections, distance: int, reach: float, overlap: float
) -> tuple[Int64Array, Int64Array, NDArray[np.float64]]:
    """Pair the sections of frames so far apart that are near or overlap; what they gain is above 0, at most 2."""
    step = sections.plane[sections.after] - sections.plane[sections.before]
    touching = np.flatnonzero((step == distance) & (sections.covered >= max(overlap, 1e-9)))
    before, after = [sections.before[touching]], [sections.after[touching]]
    places = np.stack([sections.y, sections.x], axis=1)
    ends = np.searchsorted(sections.plane, np.arange(sections.plane.max(initial=-1) + 2))
    for frame in range(ends.size - 1 - distance):
        here, there = (slice(ends[at], ends[at + 1]) for at in (frame, frame + distance))
        if here.start == here.stop or there.start == there.stop or not reach:
            continue
        near = KDTree(places[here]).query_ball_tree(KDTree(places[there]), reach)
        before.append(np.repeat(np.arange(here.start, here.stop), [len(each) for each in near]))
        after.append(np.concatenate([np.asarray(each, np.int64) for each in near]) + there.start)
    pairs = np.unique(np.stack([np.concatenate(before), np.concatenate(after)], axis=1), axis=0)
    before_, after_ = pairs[:, 0].astype(np.int64), pairs[:, 1].astype(np.int64)
    moved = np.hypot(*(places[before_] - places[after_]).T)
    nearness = np.maximum(1 - (moved / reach) ** 2, 0) if reach else np.zeros(moved.size)
    return before_, after_, np.maximum(nearness + _iou_of(sections, before_, after_), 1e-6)


def _iou_of(sections: Sections, before: Int64Array, after: Int64Array) -> NDArray[np.float64]:
    """Look up the intersection over union of pairs; 0 where they do not overlap."""
    size = max(len(sections), 1)
    known = sections.before * size + sections.after
    wanted = before * size + after
    place = np.minimum(np.searchsorted(known, wanted), max(known.size - 1, 0))
    if not known.size:
        return np.zeros(wanted.size)
    return np.where(known[place] == wanted, sections.iou[place], 0.0)


def _ratio(sections: Sections, one: Int64Array, other: Int64Array) -> NDArray[np.float64]:
    """Give the smaller area over the larger."""
    areas = sections.area[one], sections.area[other]
    return np.asarray(np.minimum(*areas) / np.maximum(*areas), float)


def _divisions(
    sections: Sections, following: Int64Array, taken: NDArray[np.bool_], reach: float, overlap: float
) -> list[tuple[int, int, int]]:
    """Find (mother, daughter, daughter): a section, the one that follows it, and one beside it that follows nobody."""
    before, after, _ = _candidates(sections, 1, reach, overlap)
    begins = ~taken[after] & (sections.plane[after] > 0)
    before, after = before[begins], after[begins]
    first = following[before]
    one_frame = (first >= 0) & (sections.plane[first] == sections.plane[after])
    parent, first, second = before[one_frame], first[one_frame], after[one_frame]
    area, first_area, second_area = sections.area[parent], sections.area[first], sections.area[second]
    smaller = np.maximum(first_area, second_area) <= _SMALLER * area
    alike = _ratio(sections, first, second) >= _ALIKE
    share = first_area / (first_area + second_area)
    middle_y = share * sections.y[first] + (1 - share) * sections.y[second]
    middle_x = share * sections.x[first] + (1 - share) * sections.x[second]
    # The mother lies between her daughters.
    away = np.hypot(middle_y - sections.y[parent], middle_x - sections.x[parent])
    apart = np.hypot(sections.y[first] - sections.y[second], sections.x[first] - sections.x[second])
    good = np.flatnonzero(smaller & alike & (away <= np.minimum(apart, reach) / 2))
    gain = 1 - away[good] / max(reach, 1e-9) / 2
    good = good[best_pairs(parent[good], second[good], gain)]
    return [(int(parent[each]), int(first[each]), int(second[each])) for each in good]
