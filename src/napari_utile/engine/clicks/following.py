"""From the section of a cell in one plane to the next one, for as long as the model is sure of it."""

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import ndimage

from napari_utile.engine.cells.instances import InstanceParams
from napari_utile.engine.clicks.prompts import Cell, Probability, cell_at

_COVERED = 0.5
"""Share of the smaller section that lies inside the other, at least: as for linking."""
_WAIST = 0.25
"""By how much a cell becomes thinner before a thicker section is another cell: as for linking."""
_SURE = 0.75
"""How probable a section is on average, as a share of the one that was clicked, at least."""


@dataclass(frozen=True, eq=False)
class Section:
    """A cell in one plane, and what is known of its sections so far.

    Attributes
    ----------
    cell : Cell
    likely : float
        Mean probability of the section that was clicked.
    largest, thinnest : int
        Pixels of the largest section, and of the smallest one behind it.
    """

    cell: Cell
    likely: float
    largest: int
    thinnest: int


def first_section(field: Probability, cell: Cell) -> Generator[None, None, Section]:
    """Begin with the section that was clicked; every yield is a point to stop at."""
    probability = yield from field.read_steps(cell.window)
    return Section(cell, float(probability[cell.mask].mean()), cell.area, cell.area)


def next_section(
    field: Probability, before: Section, params: InstanceParams, radius: int
) -> Generator[None, None, Section | None]:
    """Find the section of a cell in the next plane.

    Parameters
    ----------
    field : Probability
        Of the next plane.
    before : Section
    params, radius
        See `cell_at`.

    Returns
    -------
    Section or None
        None where the cell has ended: where the model sees nothing inside the section before, is less sure, sees a
        cell that lies elsewhere, or one that becomes thicker again, which is another one above or below.
    """
    window, mask = before.cell.window, before.cell.mask
    probability = yield from field.read_steps(window)
    inside = mask & (probability > params.threshold)
    if not inside.any():
        return None
    depth: Any = ndimage.distance_transform_edt(np.pad(inside, 1))
    y, x = np.unravel_index(int(depth[1:-1, 1:-1].argmax()), mask.shape)
    cell = yield from cell_at(field, (int(y) + window.start[0], int(x) + window.start[1]), params, radius)
    if cell is None:
        return None
    both = window & cell.window
    shared = np.count_nonzero(mask[both.relative_to(window)] & cell.mask[both.relative_to(cell.window)])
    if shared < _COVERED * min(before.cell.area, cell.area):
        return None
    found = yield from first_section(field, cell)
    thinner = before.thinnest < (1 - _WAIST) * before.largest
    if found.likely < _SURE * before.likely or (thinner and before.thinnest < (1 - _WAIST) * cell.area):
        return None
    if cell.area >= before.largest:
        return Section(cell, before.likely, cell.area, cell.area)
    return Section(cell, before.likely, before.largest, min(before.thinnest, cell.area))
