"""Rand error, V-Rand, V-Info: hand-computed tables, laws, and scikit-image where it has the same."""

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from skimage import metrics as skimage_metrics
from skimage.measure import shannon_entropy

from napari_utile.engine.metrics.contingency import contingency
from napari_utile.engine.metrics.regions import rand_error, v_info, v_rand
from napari_utile.engine.metrics.semantic import semantic_scores

label_images = hnp.arrays(np.int64, (6, 7), elements=st.integers(0, 4))


def test_rand_error_of_a_cell_cut_in_two_equal_halves() -> None:
    # Of 4 pixels there are 12 ordered pairs; the prediction keeps 4 of them: precision 1, recall 1/3, F 1/2.
    table = contingency(np.array([[1, 1, 2, 2]]), np.array([[1, 1, 1, 1]]))
    assert rand_error(table) == pytest.approx(0.5)


def test_v_rand_of_a_cell_cut_in_two_equal_halves() -> None:
    # sum p² = 2/4, sum s² = 2/4, sum t² = 1.
    agreement = v_rand(contingency(np.array([[1, 1, 2, 2]]), np.array([[1, 1, 1, 1]])))
    assert agreement == pytest.approx(0.5 / 0.75)


def test_v_info_of_two_of_four_cells_merged() -> None:
    # H(T) = 2 bits, H(S) = 1.5 bits, and S is a function of T, so that I = H(S).
    agreement = v_info(contingency(np.array([[1, 1, 2, 3]]), np.array([[1, 2, 3, 4]])))
    assert agreement == pytest.approx(1.5 / 1.75)


def test_predicted_background_pixels_are_objects_of_their_own_for_v_rand() -> None:
    with_background = contingency(np.array([[1, 1, 0, 0]]), np.array([[1, 1, 1, 1]]))
    as_single_pixels = contingency(np.array([[1, 1, 2, 3]]), np.array([[1, 1, 1, 1]]))
    assert v_rand(with_background) == v_rand(as_single_pixels)
    assert v_info(with_background) == pytest.approx(v_info(as_single_pixels))


def test_without_foreground_nothing_is_defined() -> None:
    table = contingency(np.array([[1, 1, 2, 2]]), np.zeros((1, 4), int))
    assert math.isnan(rand_error(table))
    assert math.isnan(v_rand(table))
    assert math.isnan(v_info(table))


def test_one_object_found_whole_is_full_agreement() -> None:
    table = contingency(np.full((2, 2), 3), np.full((2, 2), 8))
    assert rand_error(table) == 0
    assert v_rand(table) == v_info(table) == 1


def test_single_pixel_objects_that_agree_have_no_error() -> None:
    labels = np.array([[1, 0, 2]])
    assert rand_error(contingency(labels, labels)) == 0


@given(label_images, label_images)
def test_rand_error_agrees_with_scikit_image(prediction: np.ndarray, truth: np.ndarray) -> None:
    value = rand_error(contingency(prediction, truth))
    with np.errstate(all="ignore"):
        expected = skimage_metrics.adapted_rand_error(truth, prediction)[0]
    assume(not math.isnan(expected))
    assert value == pytest.approx(expected, abs=1e-12)


@given(label_images.map(lambda labels: labels + 1), label_images)
def test_v_info_agrees_with_the_entropies_of_scikit_image(prediction: np.ndarray, truth: np.ndarray) -> None:
    foreground = truth > 0
    assume(foreground.any())
    predicted, reference = prediction[foreground], truth[foreground]
    whole = shannon_entropy(predicted) + shannon_entropy(reference)
    apart = sum(skimage_metrics.variation_of_information(reference, predicted))
    expected = 1 - apart / whole if whole > 1e-9 else 1
    assert v_info(contingency(prediction, truth)) == pytest.approx(expected, abs=1e-9)


@given(label_images)
def test_a_reference_agrees_fully_with_itself(truth: np.ndarray) -> None:
    assume(truth.any())
    table = contingency(truth, truth)
    assert rand_error(table) == pytest.approx(0, abs=1e-12)
    assert v_rand(table) == pytest.approx(1)
    assert v_info(table) == pytest.approx(1)


@given(label_images, label_images, st.permutations([0, 1, 2, 3]))
def test_agreement_does_not_depend_on_ids_or_transposition(
    prediction: np.ndarray, truth: np.ndarray, order: list[int]
) -> None:
    assume(truth.any())
    renamed = np.array([0, *(7 * one + 3 for one in order)])[prediction]
    there, back = contingency(prediction, truth), contingency(renamed.T, truth.T)
    assert rand_error(back) == pytest.approx(rand_error(there), abs=1e-12)
    assert v_rand(back) == pytest.approx(v_rand(there))
    assert v_info(back) == pytest.approx(v_info(there))


@settings(max_examples=50)
@given(label_images, label_images, hnp.arrays(bool, (6, 7)))
def test_ignored_pixels_do_not_matter(prediction: np.ndarray, truth: np.ndarray, ignore: np.ndarray) -> None:
    assume((truth > 0)[~ignore].any())
    scrambled = np.where(ignore, 9, prediction)
    assert rand_error(contingency(prediction, truth, ignore)) == rand_error(
        contingency(scrambled, truth, ignore)
    )


def test_the_four_scores_of_the_fcn_paper_by_hand() -> None:
    truth = np.array([[0, 0, 0, 1, 1, 2]])
    prediction = np.array([[0, 0, 1, 1, 1, 0]])
    # n_00 2 of 3, n_11 2 of 2, n_22 0 of 1; IU: 2/4, 2/3, 0/1.
    scores = semantic_scores(prediction, truth)
    assert scores.pixel_accuracy == pytest.approx(4 / 6)
    assert scores.mean_accuracy == pytest.approx((2 / 3 + 1 + 0) / 3)
    assert scores.mean_iu == pytest.approx((2 / 4 + 2 / 3 + 0) / 3)
    assert scores.frequency_weighted_iu == pytest.approx((3 * 2 / 4 + 2 * 2 / 3 + 0) / 6)


def test_a_class_that_is_only_predicted_lowers_the_mean_iu_only() -> None:
    scores = semantic_scores(np.array([[0, 5]]), np.array([[0, 0]]))
    assert scores.mean_accuracy == pytest.approx(0.5)
    assert scores.mean_iu == pytest.approx((0.5 + 0) / 2)


def test_semantic_scores_of_ignored_or_empty_images_are_undefined() -> None:
    assert math.isnan(semantic_scores(np.zeros((0, 3), int), np.zeros((0, 3), int)).pixel_accuracy)
    everything = np.ones((1, 2), bool)
    assert math.isnan(semantic_scores(np.array([[0, 1]]), np.array([[0, 1]]), everything).mean_iu)


@given(label_images, label_images)
def test_semantic_scores_agree_with_a_dense_confusion_matrix(
    prediction: np.ndarray, truth: np.ndarray
) -> None:
    n = np.array([[((truth == i) & (prediction == j)).sum() for j in range(5)] for i in range(5)], float)
    right, t, either = np.diag(n), n.sum(1), n.sum(1) + n.sum(0) - np.diag(n)
    scores = semantic_scores(prediction, truth)
    assert scores.pixel_accuracy == pytest.approx(right.sum() / n.sum())
    assert scores.mean_accuracy == pytest.approx(np.mean(right[t > 0] / t[t > 0]))
    assert scores.mean_iu == pytest.approx(np.mean(right[either > 0] / either[either > 0]))
    iu = np.divide(right, either, out=np.zeros(5), where=either > 0)
    assert scores.frequency_weighted_iu == pytest.approx((t * iu).sum() / n.sum())
