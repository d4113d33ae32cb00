import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_utile.engine.cells.uncertainty import confidences


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
