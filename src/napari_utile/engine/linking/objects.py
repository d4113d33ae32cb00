"""Sections of a z stack become objects: each follows the one that it overlaps best, and waists are cut."""

import numpy as np
from numpy.typing import NDArray

from napari_utile.engine.arrays import Int64Array
from napari_utile.engine.linking.matching import best_pairs, chains_of
from napari_utile.engine.linking.params import LinkParams
from napari_utile.engine.linking.sections import Sections

_WAIST = 0.25
"""How much thinner than on both sides an object may become: where it is more, two objects lie one above the other."""


def follow_through_z(sections: Sections, params: LinkParams) -> Int64Array:
    """Say which section continues each one in a deeper plane.

    Two sections may belong together where at least `link_overlap` of the smaller one lies inside the other: the ends
    of a cell are small, and lie inside the section next to them. Of all such pairs those of the greatest total of
    overlap times intersection over union are taken, none twice; planes in which a cell is missing are bridged last.

    Then each object is cut where it becomes thinner and thicker again: one cell ends there, and another begins.

    Parameters
    ----------
    sections : Sections
        With overlaps up to ``params.link_gap + 1`` planes on.
    params : LinkParams

    Returns
    -------
    (N,) int64 array
        Index of the section that follows; -1 for none.
    """
    following = np.full(len(sections), -1, np.int64)
    taken = np.zeros(len(sections), bool)
    gain = sections.covered * sections.iou
    step = sections.plane[sections.after] - sections.plane[sections.before]
    good = sections.covered >= params.link_overlap
    for distance in range(1, params.link_gap + 2):
        free = (following[sections.before] < 0) & ~taken[sections.after]
        edges = np.flatnonzero(good & free & (step == distance))
        edges = edges[best_pairs(sections.before[edges], sections.after[edges], gain[edges])]
        following[sections.before[edges]] = sections.after[edges]
        taken[sections.after[edges]] = True
    for chain in chains_of(following):
        moved = np.hypot(np.diff(sections.y[chain]), np.diff(sections.x[chain]))
        for last in _waists(sections.area[chain], moved):
            following[chain[last]] = -1
    return following


def _waists(area: NDArray[np.int64], moved: NDArray[np.float64]) -> list[int]:
    """Give the places after which the sections of a chain belong to the next object."""
    cuts, waiting = [], [(0, int(area.size))]
    while waiting:
        start, stop = waiting.pop()
        part = area[start:stop]
        if part.size < 3:
            continue
        thicker = np.minimum(np.maximum.accumulate(part), np.maximum.accumulate(part[::-1])[::-1])
        thinner = 1 - part / thicker
        if thinner.max() < _WAIST:
            continue
        # The thinnest section is the end of one of the two. The square root of a convex body's sections is concave
        # (Brunn-Minkowski): the cut is where that curve is bent the least.
        waist = np.flatnonzero(thinner == thinner.max())
        places = range(int(waist[0]) - 1, int(waist[-1]) + 1)
        bent = [_bent(part[: place + 1]) + _bent(part[place + 1 :]) for place in places]
        last = (
            start
            + min(zip(bent, -moved[start + places.start : start + places.stop], places, strict=True))[-1]
        )
        cuts.append(last)
        waiting += [(start, last + 1), (last + 1, stop)]
    return cuts


def _bent(area: NDArray[np.int64]) -> float:
    """Say how far the square root of areas is from concave."""
    return float(np.maximum(np.diff(np.sqrt(area), 2), 0).sum()) if area.size > 2 else 0.0
