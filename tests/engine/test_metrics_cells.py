"""Scores of instance labels: hand-computed arrays, laws, and a slow but obvious second implementation."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_utile.engine.metrics.cells import IOU_THRESHOLDS, average_precision, cell_scores
from napari_utile.engine.metrics.contingency import contingency
from napari_utile.engine.metrics.matching import match

label_images = hnp.arrays(np.int64, (6, 7), elements=st.integers(0, 4))
two_label_images = st.tuples(label_images, label_images)

TRUTH = np.array(
    [
        [1, 1, 1, 0, 2, 2],
        [1, 1, 1, 0, 2, 2],
        [0, 0, 0, 0, 0, 0],
        [3, 3, 0, 4, 4, 4],
    ]
)
PREDICTION = np.array(
    [
        [5, 5, 0, 0, 9, 9],
        [5, 5, 0, 0, 9, 9],
        [0, 0, 0, 0, 0, 0],
        [0, 0, 0, 7, 0, 8],
    ]
)
# IoU: 1-5 is 4/6, 2-9 is 4/4, 4-7 and 4-8 are 1/3 each; 3 (two pixels) is missed and 4 is split into 7 and 8.


def test_hand_computed_scores() -> None:
    scores = cell_scores(PREDICTION, TRUTH)
    assert (scores.truth_cells, scores.predicted_cells) == (4, 4)
    assert (scores.true_positives, scores.false_positives, scores.false_negatives) == (2, 2, 2)
    assert scores.seg == pytest.approx((4 / 6 + 1 + 0 + 0) / 4)
    assert scores.ap50 == pytest.approx(2 / 6)
    assert scores.ap75 == pytest.approx(1 / 7)
    assert scores.average_precision == pytest.approx([2 / 6] * 4 + [1 / 7] * 6)
    assert scores.f1 == pytest.approx(0.5)
    assert scores.mean_iou == pytest.approx((4 / 6 + 1) / 2)
    assert scores.panoptic_quality == pytest.approx((4 / 6 + 1) / (2 + 1 + 1))
    # Intersections 4 + 4 + 1; unions 6 + 4 + 3; one piece of 4 is never chosen (1), 3 has no partner (2).
    assert scores.aggregated_jaccard == pytest.approx(9 / (6 + 4 + 3 + 1 + 2))
    assert (scores.splits, scores.merges, scores.missed, scores.false) == (1, 0, 1, 0)


def test_seg_wants_more_than_half_of_the_reference_covered() -> None:
    truth = np.array([[1, 1, 1, 1]])
    assert cell_scores(np.array([[1, 1, 0, 0]]), truth).seg == 0
    assert cell_scores(np.array([[1, 1, 1, 0]]), truth).seg == pytest.approx(3 / 4)


def test_average_precision_counts_an_iou_of_exactly_the_threshold() -> None:
    truth = np.array([[1, 1, 1, 1]])
    assert average_precision(np.array([[1, 1, 0, 0]]), truth, iou=0.5) == 1
    assert average_precision(np.array([[1, 0, 0, 0]]), truth, iou=0.5) == 0


def test_two_exact_halves_make_one_match() -> None:
    assert average_precision(np.array([[1, 1, 2, 2]]), np.array([[1, 1, 1, 1]])) == pytest.approx(1 / 2)


def test_panoptic_quality_wants_more_than_half() -> None:
    assert cell_scores(np.array([[1, 1, 0, 0]]), np.array([[1, 1, 1, 1]])).panoptic_quality == 0


def test_below_one_half_the_largest_number_of_pairs_is_matched() -> None:
    # Prediction 1 overlaps both cells, prediction 2 only the first: giving 1 to the first loses the second.
    truth = np.array([[1, 1, 1, 2]])
    prediction = np.array([[2, 1, 1, 1]])
    matching = match(contingency(prediction, truth), iou=0.3)
    assert matching.true_positives == 2


def test_nothing_to_find_and_nothing_found_agree() -> None:
    empty = np.zeros((3, 3), int)
    scores = cell_scores(empty, empty)
    assert scores.ap50 == scores.f1 == scores.panoptic_quality == scores.aggregated_jaccard == 1
    assert math.isnan(scores.seg)
    assert math.isnan(scores.mean_iou)
    assert cell_scores(np.zeros((0, 0), int), np.zeros((0, 0), int)).ap50 == 1


def test_an_empty_prediction_misses_everything() -> None:
    scores = cell_scores(np.zeros_like(TRUTH), TRUTH)
    assert scores.seg == scores.ap50 == scores.f1 == scores.panoptic_quality == scores.aggregated_jaccard == 0
    assert (scores.missed, scores.false) == (4, 0)


def test_an_empty_reference_makes_everything_false() -> None:
    scores = cell_scores(PREDICTION, np.zeros_like(TRUTH))
    assert scores.ap50 == scores.f1 == scores.panoptic_quality == scores.aggregated_jaccard == 0
    assert math.isnan(scores.seg)
    assert (scores.missed, scores.false) == (0, 4)


def test_ids_may_be_very_large() -> None:
    far = np.where(TRUTH > 0, TRUTH + 2**31, 0)
    assert cell_scores(far, TRUTH) == cell_scores(TRUTH, TRUTH)


def test_ignored_pixels_are_counted_nowhere() -> None:
    truth = np.array([[1, 1, 0, 2, 2, 2]])
    prediction = np.array([[1, 1, 0, 0, 3, 3]])
    ignore = np.array([[0, 0, 0, 1, 0, 0]], bool)
    scores = cell_scores(prediction, truth, ignore)
    assert scores.seg == scores.ap50 == 1
    assert scores.truth_cells == 2


def test_an_unmatched_object_mostly_inside_the_ignored_region_is_no_error() -> None:
    truth = np.zeros((1, 6), int)
    prediction = np.array([[0, 1, 1, 1, 0, 0]])
    assert cell_scores(prediction, truth, np.array([[0, 0, 1, 1, 1, 1]], bool)).false_positives == 0
    assert cell_scores(prediction, truth, np.array([[0, 0, 0, 1, 1, 1]], bool)).false_positives == 1


def test_an_object_half_inside_the_ignored_region_is_judged() -> None:
    scores = cell_scores(np.zeros((1, 2), int), np.array([[1, 1]]), np.array([[0, 1]], bool))
    assert (scores.truth_cells, scores.false_negatives) == (1, 1)


@pytest.mark.parametrize("ids", [[[1, 2, 2, 2]], [[2, 1, 1, 1]]])
def test_of_two_equal_overlaps_the_judged_object_is_the_match(ids: list[list[int]]) -> None:
    # Of the second object two pixels of three are ignored; each shares one of two pixels with the only one opposite.
    hidden = np.array([[0, 0, 1, 1]], bool)
    one, two = np.array([[1, 1, 0, 0]]), np.array(ids)
    scores = cell_scores(one, two, hidden)
    assert (scores.true_positives, scores.false_negatives, scores.ap50) == (1, 0, 1)
    scores = cell_scores(two, one, hidden)
    assert (scores.true_positives, scores.false_positives, scores.ap50) == (1, 0, 1)


@pytest.mark.parametrize(
    ("prediction", "truth", "sentence"),
    [
        (np.zeros((2, 3), int), np.zeros((3, 2), int), r"shape \(2, 3\) but truth has shape \(3, 2\)"),
        (
            np.full((2, 2), 0.5),
            np.zeros((2, 2), int),
            "prediction must hold whole numbers .* up, got 0.5",
        ),
        (
            np.full((2, 2), -1),
            np.zeros((2, 2), int),
            "prediction must hold whole numbers .* up, got -1",
        ),
    ],
)
def test_bad_labels_are_named(prediction: np.ndarray, truth: np.ndarray, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        cell_scores(prediction, truth)


def test_a_wrong_threshold_is_named() -> None:
    with pytest.raises(ValueError, match="got 0"):
        average_precision(TRUTH, TRUTH, iou=0)


@given(label_images)
def test_a_reference_scores_full_against_itself(truth: np.ndarray) -> None:
    scores = cell_scores(truth, truth)
    assert scores.average_precision == (1,) * len(IOU_THRESHOLDS)
    assert scores.panoptic_quality == scores.aggregated_jaccard == 1
    assert scores.seg == 1 or not truth.any()
    assert scores.splits == scores.merges == scores.missed == scores.false == 0


@given(two_label_images)
def test_scores_do_not_change_when_both_images_are_transposed(images: tuple[np.ndarray, np.ndarray]) -> None:
    prediction, truth = images
    assert repr(cell_scores(prediction.T, truth.T)) == repr(cell_scores(prediction, truth))


@settings(max_examples=300)
@given(
    two_label_images,
    hnp.arrays(bool, (6, 7), elements=st.sampled_from([False, False, False, True])),
    st.tuples(st.permutations([1, 2, 3, 4]), st.permutations([1, 2, 3, 4])),
    st.integers(1, 50),
    st.sampled_from([0.05, 0.2, 0.3, 0.5, 0.7]),
)
def test_scores_do_not_depend_on_the_ids(
    images: tuple[np.ndarray, np.ndarray],
    ignore: np.ndarray,
    orders: tuple[list[int], list[int]],
    step: int,
    iou: float,
) -> None:
    renamed = [
        np.array([0, *(step * one for one in order)])[image]
        for image, order in zip(images, orders, strict=True)
    ]
    before, after = cell_scores(*images, ignore, iou), cell_scores(*renamed, ignore, iou)
    for name, score in vars(before).items():
        if name == "aggregated_jaccard":  # takes either of two objects that overlap as well
            continue
        assert getattr(after, name) == pytest.approx(score, nan_ok=True), name


def test_of_the_largest_matchings_the_one_with_the_best_overlaps_counts() -> None:
    truth = np.array([[1, 1, 1, 1, 1, 1, 0, 0, 0, 0]])
    for small, large in ((1, 2), (2, 1), (5, 1)):
        prediction = np.array([[small, small, large, large, large, large, 0, 0, 0, 0]])
        assert cell_scores(prediction, truth, iou=0.3).mean_iou == pytest.approx(4 / 6)


@pytest.mark.parametrize(("small", "large"), [(1, 2), (2, 1)])
def test_of_equal_overlaps_the_larger_intersection_counts_in_the_aggregated_jaccard(
    small: int, large: int
) -> None:
    truth = np.array([[1] * 4 + [0] * 8])
    prediction = np.array([[small] + [large] * 11])  # IoU 1/4 and 3/12
    assert cell_scores(prediction, truth).aggregated_jaccard == pytest.approx(3 / (12 + 1))


@given(two_label_images)
def test_exchanging_prediction_and_reference_exchanges_the_errors(
    images: tuple[np.ndarray, np.ndarray],
) -> None:
    prediction, truth = images
    there, back = cell_scores(prediction, truth), cell_scores(truth, prediction)
    assert (there.splits, there.merges, there.missed, there.false) == (
        back.merges,
        back.splits,
        back.false,
        back.missed,
    )
    assert there.average_precision == back.average_precision
    assert (there.precision, there.recall) == (back.recall, back.precision)


@settings(max_examples=60)
@given(two_label_images, hnp.arrays(bool, (6, 7)))
def test_the_table_counts_pixels(images: tuple[np.ndarray, np.ndarray], ignore: np.ndarray) -> None:
    prediction, truth = images
    table = contingency(prediction, truth, ignore)
    expected: dict[tuple[int, int], int] = {}
    for pair in zip(prediction[~ignore].tolist(), truth[~ignore].tolist(), strict=True):
        expected[pair] = expected.get(pair, 0) + 1
    keys = zip(
        table.prediction_ids[table.rows].tolist(), table.truth_ids[table.columns].tolist(), strict=True
    )
    assert dict(zip(keys, table.counts.tolist(), strict=True)) == expected
    assert table.pixels == (~ignore).sum()


@settings(max_examples=60)
@given(two_label_images)
def test_scores_agree_with_a_slow_second_implementation(images: tuple[np.ndarray, np.ndarray]) -> None:
    prediction, truth = images
    scores = cell_scores(prediction, truth)
    assert scores.seg == pytest.approx(_slow_seg(prediction, truth), nan_ok=True)
    for threshold, value in zip(IOU_THRESHOLDS[1:], scores.average_precision[1:], strict=True):
        assert value == pytest.approx(_slow_average_precision(prediction, truth, threshold))


def _slow_seg(prediction: np.ndarray, truth: np.ndarray) -> float:
    values = []
    for t in np.unique(truth[truth > 0]):
        values.append(0.0)
        for p in np.unique(prediction[prediction > 0]):
            shared = ((prediction == p) & (truth == t)).sum()
            if shared > 0.5 * (truth == t).sum():
                values[-1] = shared / ((prediction == p) | (truth == t)).sum()
    return float(np.mean(values)) if values else float("nan")


def _slow_average_precision(prediction: np.ndarray, truth: np.ndarray, threshold: float) -> float:
    predicted, reference = np.unique(prediction[prediction > 0]), np.unique(truth[truth > 0])
    hits = 0
    for t in reference:
        for p in predicted:
            shared, union = ((prediction == p) & (truth == t)).sum(), ((prediction == p) | (truth == t)).sum()
            hits += bool(shared / union >= threshold)
    wrong = predicted.size + reference.size - 2 * hits
    return hits / (hits + wrong) if hits + wrong else 1.0
