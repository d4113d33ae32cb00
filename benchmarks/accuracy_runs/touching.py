"""What became of the true cells that touch another one: those that the border weights are for."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from napari_utile.engine.metrics.cell_kinds import CellKind, cell_kinds
from napari_utile.engine.metrics.cells import cell_jaccards
from napari_utile.engine.metrics.contingency import contingency
from napari_utile.engine.metrics.matching import match

REACH = 2
"""Cells touch when a pixel of one lies within so many rows and columns of a pixel of the other."""


@dataclass(frozen=True)
class Touching:
    """Counts of one image: true cells that touch another one, and what became of them.

    Attributes
    ----------
    cells : int
    found, found_well : int
        Matched at an IoU of 0.5, and of 0.75.
    jaccards : float
        Sum over the cells of what each adds to SEG.
    merged : int
        Swallowed, together with another true cell, by one prediction, and not matched.
    merges, splits : int
        Predictions that hold several true cells; true cells in pieces (all of the image's, touching or not).
    """

    cells: int
    found: int
    found_well: int
    jaccards: float
    merged: int
    merges: int
    splits: int


def touching_ids(labels: np.ndarray, reach: int = REACH) -> np.ndarray:
    """Return the sorted ids of the cells of a (Y, X) label image that touch another cell."""
    side = 2 * reach + 1
    cells = labels.astype(np.int64)
    highest = ndimage.maximum_filter(cells, side, mode="constant", cval=0)
    beyond = int(cells.max(initial=0)) + 1
    lowest = ndimage.minimum_filter(np.where(cells > 0, cells, beyond), side, mode="constant", cval=beyond)
    return np.unique(cells[(cells > 0) & ((highest != cells) | (lowest != cells))])


def touching_scores(prediction: np.ndarray, truth: np.ndarray) -> Touching:
    """Count what became of the true cells that touch another one."""
    table = contingency(prediction, truth)
    ids = np.searchsorted(table.truth_ids, touching_ids(truth))
    half, well = match(table, 0.5), match(table, 0.75)
    kinds = cell_kinds(table, half)
    return Touching(
        cells=ids.size,
        found=int(np.isin(ids, half.columns).sum()),
        found_well=int(np.isin(ids, well.columns).sum()),
        jaccards=float(cell_jaccards(table)[ids - 1].sum()),
        merged=int((kinds.truth[ids] == CellKind.MERGED).sum()),
        merges=len(kinds.merges),
        splits=len(kinds.splits),
    )
