"""Holes of a mask over block borders: a background component is a hole if all its pieces together are one."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_utile.engine.cells.blocks.grid import BOTTOM, RIGHT, Grid, Key, borders
from napari_utile.engine.cells.runs import connected, connected_runs, runs_of, sums

BoolArray = NDArray[np.bool_]
IndexArray = NDArray[np.integer[Any]]


@dataclass(frozen=True, eq=False)
class OpenHoles:
    """The background components (8-connected) of a block that reach its border.

    Attributes
    ----------
    area : (H,) integer array
        Pixels of each.
    outer : (H,) bool array
        Whether it reaches the side of the plane.
    top, bottom, left, right : integer arrays
        The border lines: which of them each pixel belongs to, -1 for the foreground.
    """

    area: IndexArray
    outer: BoolArray
    top: IndexArray
    bottom: IndexArray
    left: IndexArray
    right: IndexArray

    @property
    def edges(self) -> tuple[IndexArray, ...]:
        """The border lines, in the order of `grid.TOP` ..."""
        return self.top, self.bottom, self.left, self.right


def find_holes(mask: BoolArray, largest: int, at_side: tuple[bool, ...]) -> tuple[BoolArray, OpenHoles]:
    """Fill the holes inside a block, and list the components that may go on behind its border.

    Parameters
    ----------
    mask : (y, x) bool array
        The pixels above the threshold.
    largest : int
        Pixels of the largest hole that is filled; 0 fills none.
    at_side : tuple of bool
        Whether the block ends with the plane at its `TOP`, `BOTTOM`, `LEFT`, `RIGHT`.
    """
    if not largest:
        no_line = {name: np.full(line.size, -1, np.int32) for name, line in borders(mask).items()}
        return mask, OpenHoles(np.zeros(0, np.int64), np.zeros(0, bool), **no_line)
    runs = runs_of(mask)
    background = ~runs.values
    count, component = connected_runs(runs, background, diagonally=True)
    area = sums(component, runs.lengths[background], count)
    of_run = np.full(runs.values.size, -1, np.int32)
    of_run[background] = component
    lines = borders(runs.paint(of_run))
    opened, outer = np.zeros(count + 1, bool), np.zeros(count + 1, bool)  # -1, foreground, is the last
    for line, ends in zip(lines.values(), at_side, strict=True):
        opened[line] = True
        if ends:
            outer[line] = True
    opened, outer = opened[:count], outer[:count]
    values = runs.values.copy()
    values[background] = ((area <= largest) & ~opened)[component]
    number = np.full(count + 1, -1, np.int32)
    number[:count][opened] = np.arange(opened.sum())
    edges = {name: number[line] for name, line in lines.items()}
    return runs.paint(values), OpenHoles(area[opened], outer[opened], **edges)


def join_holes(holes: Mapping[Key, OpenHoles], grid: Grid, largest: int) -> dict[Key, BoolArray]:
    """Say of each block's open components (H,) whether they are holes to fill."""
    offset, total = {}, 0
    for key in grid:
        offset[key] = total
        total += holes[key].area.size
    if not total:
        return {key: np.zeros(0, bool) for key in grid}
    nothing: IndexArray = np.zeros(0, np.int64)
    one, other = [nothing], [nothing]

    def meet(key: Key, line: IndexArray, behind: Key, its_line: IndexArray) -> None:
        both = (line >= 0) & (its_line >= 0)
        here, there = line[both], its_line[both]
        first = np.ones(here.size, bool)  # two components mostly meet along many pixels one after the other
        first[1:] = (here[1:] != here[:-1]) | (there[1:] != there[:-1])
        one.append(here[first].astype(np.int64) + offset[key])
        other.append(there[first].astype(np.int64) + offset[behind])

    for key in grid:
        for where, name in ((BOTTOM, "top"), (RIGHT, "left")):
            behind = grid.neighbour(key, where)
            if behind is None:
                continue
            line, its_line = holes[key].edges[where], getattr(holes[behind], name)
            meet(key, line, behind, its_line)
            meet(key, line[1:], behind, its_line[:-1])  # background is connected over corners as well
            meet(key, line[:-1], behind, its_line[1:])
        below, right = grid.neighbour(key, BOTTOM), grid.neighbour(key, RIGHT)
        if below is not None and right is not None:
            across = (key[0] + 1, key[1] + 1)
            meet(key, holes[key].bottom[-1:], across, holes[across].top[:1])
            meet(right, holes[right].bottom[:1], below, holes[below].top[-1:])
    count, group = connected(np.concatenate(one), np.concatenate(other), total)
    area = np.concatenate([holes[key].area for key in grid])
    outer = np.concatenate([holes[key].outer for key in grid])
    fill = (sums(group, area, count) <= largest) & (np.bincount(group, outer, minlength=count) == 0)
    return {key: fill[group[offset[key] : offset[key] + holes[key].area.size]] for key in grid}


def fill_open(mask: BoolArray, holes: OpenHoles, fill: BoolArray) -> BoolArray:
    """Fill those of a block's open components that are holes; doing it twice does the same.

    Parameters
    ----------
    mask : (y, x) bool array
        From `find_holes`.
    holes : OpenHoles
    fill : (H,) bool array
        From `join_holes`.
    """
    runs = runs_of(mask)
    background = ~runs.values
    count, component = connected_runs(runs, background, diagonally=True)
    of_run = np.full(runs.values.size, -1, np.int32)
    of_run[background] = component
    filled = np.zeros(count, bool)
    for line, known in zip(borders(runs.paint(of_run)).values(), holes.edges, strict=True):
        there = (line >= 0) & (known >= 0)
        filled[line[there]] |= fill[known[there]]
    values = runs.values.copy()
    values[background] = filled[component]
    painted: BoolArray = runs.paint(values)
    return painted
