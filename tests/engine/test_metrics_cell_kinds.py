"""What became of each cell, and the list of mistakes."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_utile.engine.metrics.cell_kinds import CellKind, cell_errors, cell_kinds, error_map
from napari_utile.engine.metrics.contingency import contingency
from napari_utile.engine.metrics.matching import match

# A found cell (1), two cells merged (2, 3), one cell split (4), one missed (5) and one false (prediction 9).
TRUTH = np.array([[1, 1, 0, 2, 2, 3, 3, 0, 4, 4, 4, 4, 0, 5, 5, 5, 0, 0]])
PREDICTION = np.array([[8, 8, 0, 7, 7, 7, 7, 0, 1, 0, 0, 2, 0, 0, 0, 0, 9, 9]])


def test_each_cell_has_its_kind() -> None:
    table = contingency(PREDICTION, TRUTH)
    kinds = cell_kinds(table, match(table, 0.6))
    by_truth = {int(i): CellKind(k).name for i, k in zip(table.truth_ids, kinds.truth, strict=True) if i}
    assert by_truth == {1: "MATCHED", 2: "MERGED", 3: "MERGED", 4: "SPLIT", 5: "MISSED"}
    by_prediction = {
        int(i): CellKind(k).name for i, k in zip(table.prediction_ids, kinds.prediction, strict=True) if i
    }
    assert by_prediction == {8: "MATCHED", 7: "MERGED", 1: "SPLIT", 2: "SPLIT", 9: "FALSE"}


def test_mistakes_come_worst_first_with_the_ids_they_concern() -> None:
    table = contingency(PREDICTION, TRUTH)
    errors = cell_errors(table, cell_kinds(table, match(table, 0.6)))
    listed = [(e.kind.name, e.prediction_ids, e.truth_ids, e.pixels) for e in errors]
    assert listed == [
        ("MERGED", (7,), (2, 3), 4),
        ("SPLIT", (1, 2), (4,), 4),
        ("MISSED", (), (5,), 3),
        ("FALSE", (9,), (), 2),
    ]


def test_a_merge_of_three_is_worse_than_a_large_missed_cell() -> None:
    truth = np.array([[1, 1, 2, 2, 3, 3, 0, 4, 4, 4, 4, 4, 4, 4, 4, 4]])
    prediction = np.array([[5, 5, 5, 5, 5, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]])
    table = contingency(prediction, truth)
    worst = cell_errors(table, cell_kinds(table, match(table)))[0]
    assert (worst.kind, worst.cells, worst.truth_ids) == (CellKind.MERGED, 2, (1, 2, 3))


def test_the_map_paints_each_kind_where_the_cell_lies() -> None:
    table = contingency(PREDICTION, TRUTH)
    painted = error_map(PREDICTION, TRUTH, table, cell_kinds(table, match(table, 0.6)))
    assert painted.tolist() == [[1, 1, 0, 5, 5, 5, 5, 0, 4, 4, 4, 4, 0, 2, 2, 2, 3, 3]]
    assert painted.dtype == np.uint8


def test_the_map_takes_very_large_ids() -> None:
    far = np.where(TRUTH > 0, TRUTH + 2**40, 0)
    table = contingency(PREDICTION, far)
    painted = error_map(PREDICTION, far, table, cell_kinds(table, match(table, 0.6)))
    assert painted.tolist() == [[1, 1, 0, 5, 5, 5, 5, 0, 4, 4, 4, 4, 0, 2, 2, 2, 3, 3]]


label_images = hnp.arrays(np.int64, (5, 6), elements=st.integers(0, 4))


@given(label_images, label_images)
def test_every_judged_cell_has_one_kind_and_every_unmatched_one_is_in_the_list(
    prediction: np.ndarray, truth: np.ndarray
) -> None:
    table = contingency(prediction, truth)
    matching = match(table)
    kinds = cell_kinds(table, matching)
    assert (kinds.truth[1:] > 0).all()
    assert (kinds.prediction[1:] > 0).all()
    assert (kinds.truth == CellKind.MATCHED).sum() == matching.true_positives
    errors = cell_errors(table, kinds)
    listed_truth = {i for error in errors for i in error.truth_ids}
    listed_prediction = {i for error in errors for i in error.prediction_ids}
    assert set(table.truth_ids[matching.missed].tolist()) <= listed_truth
    assert set(table.prediction_ids[matching.false].tolist()) <= listed_prediction
