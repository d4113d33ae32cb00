"""What became of each cell: matched, missed, false, split or merged.

One object *holds* another when more than half of the other lies in it. A reference object that holds two or
more predicted ones was **split**; a predicted object that holds two or more reference ones **merged** them.
What is neither matched nor part of a split or merge was **missed** (reference) or is **false** (prediction).
Exchanging prediction and reference exchanges split with merged and missed with false.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from napari_utile.engine.arrays import Int64Array
from napari_utile.engine.metrics.contingency import Contingency
from napari_utile.engine.metrics.matching import Matching


class CellKind(IntEnum):
    """What became of a cell; the values are the labels of the Error layer."""

    BACKGROUND = 0
    MATCHED = 1
    MISSED = 2
    FALSE = 3
    SPLIT = 4
    MERGED = 5


@dataclass(frozen=True, eq=False)
class CellError:
    """One mistake, with the ids of the cells it concerns.

    Attributes
    ----------
    kind
        Missed, false, split or merged.
    prediction_ids, truth_ids
        Label ids of the predicted and of the reference objects concerned.
    cells
        How many cells too many or too few there are: n - 1 for a split into n or a merge of n, else 1.
    pixels
        Area concerned: of the missed, false or split cell, or of the merged ones.
    iou
        Best IoU that one of the cells concerned reaches with any other; 0 where nothing overlaps.
    """

    kind: CellKind
    prediction_ids: tuple[int, ...]
    truth_ids: tuple[int, ...]
    cells: int
    pixels: int
    iou: float


@dataclass(frozen=True, eq=False)
class CellKinds:
    """Kind of each object, and the groups that were split and merged.

    Attributes
    ----------
    prediction, truth
        (P,) and (T,) uint8 `CellKind` of each object of the table; 0 for the background and where not judged.
    splits
        Reference index -> indices of the predicted objects that it holds.
    merges
        Prediction index -> indices of the reference objects that it holds.
    """

    prediction: NDArray[np.uint8]
    truth: NDArray[np.uint8]
    splits: dict[int, Int64Array]
    merges: dict[int, Int64Array]


def cell_kinds(table: Contingency, matching: Matching) -> CellKinds:
    """Say what became of each object, given which ones matched."""
    overlaps = table.overlaps
    held = 2 * overlaps.shared > table.prediction_areas[overlaps.rows]
    splits = _groups(overlaps.columns[held], overlaps.rows[held], table.prediction_counted)
    held = 2 * overlaps.shared > table.truth_areas[overlaps.columns]
    merges = _groups(overlaps.rows[held], overlaps.columns[held], table.truth_counted)

    prediction = np.zeros(table.prediction_ids.size, np.uint8)
    truth = np.zeros(table.truth_ids.size, np.uint8)
    prediction[matching.false] = CellKind.FALSE
    truth[matching.missed] = CellKind.MISSED
    left_prediction, left_truth = prediction > 0, truth > 0
    for whole, parts in merges.items():
        prediction[whole] = CellKind.MERGED
        truth[parts] = CellKind.MERGED
    for whole, parts in splits.items():
        # Of an object in both a split and a merge, being a part of something says more than being the whole.
        truth[whole] = truth[whole] if truth[whole] == CellKind.MERGED else CellKind.SPLIT
        prediction[parts] = CellKind.SPLIT
    prediction[~left_prediction] = CellKind.BACKGROUND
    truth[~left_truth] = CellKind.BACKGROUND
    prediction[matching.rows] = CellKind.MATCHED
    truth[matching.columns] = CellKind.MATCHED
    return CellKinds(prediction, truth, splits, merges)


def cell_errors(table: Contingency, kinds: CellKinds) -> list[CellError]:
    """List the mistakes, worst first: by the number of cells concerned, then by their area."""
    found = [*_group_errors(table, kinds), *_single_errors(table, kinds)]
    return sorted(
        found, key=lambda error: (-error.cells, -error.pixels, error.truth_ids, error.prediction_ids)
    )


def error_map(
    prediction: NDArray[np.integer], truth: NDArray[np.integer], table: Contingency, kinds: CellKinds
) -> NDArray[np.uint8]:
    """Paint the kind of each cell where it lies.

    Of the kinds of the two cells that share a pixel, the wrong one is painted; else that of the one there is.

    Returns
    -------
    array of uint8
        Of the shape of the labels, holding `CellKind` values.
    """
    from_prediction = _painted(prediction, table.prediction_ids, kinds.prediction)
    from_truth = _painted(truth, table.truth_ids, kinds.truth)
    return np.where(from_truth > CellKind.MATCHED, from_truth, np.maximum(from_prediction, from_truth))


def _groups(wholes: Int64Array, parts: Int64Array, counted: NDArray[np.bool_]) -> dict[int, Int64Array]:
    judged = counted[parts]
    wholes, parts = wholes[judged], parts[judged]
    order = np.lexsort((parts, wholes))
    wholes, parts = wholes[order], parts[order]
    ids, starts, sizes = np.unique(wholes, return_index=True, return_counts=True)
    several = sizes > 1
    return {
        int(whole): parts[start : start + size]
        for whole, start, size in zip(ids[several], starts[several], sizes[several], strict=True)
    }


def _group_errors(table: Contingency, kinds: CellKinds) -> Iterator[CellError]:
    best_prediction, best_truth = _best_iou(table)
    for whole, parts in kinds.splits.items():
        yield CellError(
            CellKind.SPLIT,
            tuple(table.prediction_ids[parts].tolist()),
            (int(table.truth_ids[whole]),),
            parts.size - 1,
            int(table.truth_areas[whole]),
            float(best_truth[whole]),
        )
    for whole, parts in kinds.merges.items():
        yield CellError(
            CellKind.MERGED,
            (int(table.prediction_ids[whole]),),
            tuple(table.truth_ids[parts].tolist()),
            parts.size - 1,
            int(table.truth_areas[parts].sum()),
            float(best_prediction[whole]),
        )


def _single_errors(table: Contingency, kinds: CellKinds) -> Iterator[CellError]:
    best_prediction, best_truth = _best_iou(table)
    for index in np.flatnonzero(kinds.truth == CellKind.MISSED):
        ids = (int(table.truth_ids[index]),)
        area, iou = int(table.truth_areas[index]), float(best_truth[index])
        yield CellError(CellKind.MISSED, (), ids, 1, area, iou)
    for index in np.flatnonzero(kinds.prediction == CellKind.FALSE):
        ids = (int(table.prediction_ids[index]),)
        area, iou = int(table.prediction_areas[index]), float(best_prediction[index])
        yield CellError(CellKind.FALSE, ids, (), 1, area, iou)


def _best_iou(table: Contingency) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    best_prediction = np.zeros(table.prediction_ids.size)
    best_truth = np.zeros(table.truth_ids.size)
    np.maximum.at(best_prediction, table.overlaps.rows, table.overlaps.iou)
    np.maximum.at(best_truth, table.overlaps.columns, table.overlaps.iou)
    return best_prediction, best_truth


def _painted(labels: NDArray[np.integer], ids: Int64Array, kinds: NDArray[np.uint8]) -> NDArray[np.uint8]:
    largest = int(ids[-1])
    if largest > 4 * labels.size + 65536:
        return np.asarray(kinds[np.searchsorted(ids, labels)])
    lookup = np.zeros(largest + 1, np.uint8)
    lookup[ids] = kinds
    return np.asarray(lookup[labels])
