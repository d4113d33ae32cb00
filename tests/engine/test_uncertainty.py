import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_utile.engine.cells.uncertainty import (
    confidence_of,
    confidences,
    depth_score,
    depths,
    score_of,
)


def test_a_certain_cell_on_certain_background_has_confidence_one():
    labels = np.zeros((7, 7), dtype=int)
    labels[2:5, 2:5] = 4
    ids, confidence = confidences(labels, labels / 4.0)
    assert ids.tolist() == [4]
    assert confidence.tolist() == [1.0]


def test_a_label_on_background_has_confidence_zero():
    assert confidences(np.ones((2, 2), dtype=int), np.zeros((2, 2)))[1].tolist() == [0.0]


def test_a_cell_of_which_half_is_missed_scores_the_overlap():
    probability = np.zeros((5, 8))
    probability[2, 2:6] = 1
    labels = np.zeros((5, 8), dtype=int)
    labels[2, 2:4] = 9
    assert confidences(labels, probability)[1].tolist() == [0.5]


def test_the_neighbour_of_a_cell_does_not_lower_its_confidence():
    labels = np.array([[1, 1, 2, 2]])
    assert confidences(labels, np.ones((1, 4)))[1].tolist() == [1.0, 1.0]


def test_nan_is_background_and_no_labels_give_nothing():
    labels = np.array([[3, 3]])
    assert confidences(labels, np.array([[1.0, np.nan]]))[1].tolist() == [0.5]
    assert confidences(np.zeros((2, 2), dtype=int), np.ones((2, 2)))[0].size == 0
    with pytest.raises(ValueError, match="shape"):
        confidences(np.zeros((2, 2), dtype=int), np.ones((2, 3)))


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 20), st.integers(1, 20))
def test_confidences_lie_between_zero_and_one_and_do_not_depend_on_ids(seed, height, width):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 5, (height, width))
    probability = rng.random((height, width))
    ids, confidence = confidences(labels, probability)
    assert ids.tolist() == [i for i in np.unique(labels).tolist() if i]
    assert ((confidence >= 0) & (confidence <= 1)).all()
    assert np.array_equal(confidences(np.where(labels, labels + 1000, 0), probability)[1], confidence)


@given(
    labels=st.lists(st.sampled_from([0, 2, 3, 90]), min_size=20, max_size=20),
    edge=st.lists(st.floats(-0.5, 1.5) | st.just(float("nan")), min_size=20, max_size=20),
)
def test_the_depth_of_a_cell_is_the_largest_distance_that_is_predicted_in_it(labels, edge):
    labels, edge = np.reshape(labels, (4, 5)), np.reshape(edge, (4, 5))
    wanted = [
        np.clip(np.nan_to_num(edge[labels == each]).max(), 0, 1) for each in np.unique(labels[labels > 0])
    ]
    ids, found = depths(labels, edge)
    assert ids.tolist() == np.unique(labels[labels > 0]).tolist()
    assert found.tolist() == wanted


def test_few_cells_lower_the_score_of_a_depth_and_a_part_of_the_image_stands_for_all_of_it():
    assert depth_score(np.full(4, 0.8)) == pytest.approx(0.75)
    assert depth_score(np.full(1, 0.8), share=1 / 16) == pytest.approx(0.75)


@pytest.mark.parametrize("expected", [5.0, 20.0])
def test_cells_half_or_twice_as_large_as_the_model_knows_them_lower_the_score(expected):
    confidence, area = np.full(4, 0.8), np.full(4, np.pi * 25)  # 10 pixels across
    assert score_of(confidence, area, 10.0) == pytest.approx((0.8 - 0.3 / 2, 10))
    assert score_of(confidence, area, expected) == pytest.approx((0.8 - 0.3 / 2 - 0.05, 10))


def test_a_model_that_predicts_distances_is_rated_by_them_and_not_by_its_probability():
    labels = np.zeros((20, 40), int)
    labels[4:12, 4:12], labels[4:12, 20:28] = 1, 2
    certain = (labels > 0).astype(float)
    flat, deep = 0.3 * certain, 0.9 * certain
    assert confidence_of(labels, certain, 9.0, flat)[0] == pytest.approx(0.3 - 0.1 / np.sqrt(2))
    assert confidence_of(labels, 0.5 * certain, 9.0, deep)[0] == pytest.approx(0.9 - 0.1 / np.sqrt(2))
    assert confidence_of(np.zeros((9, 9), int), np.zeros((9, 9)), 9.0, np.zeros((9, 9))) == (None, 0)
