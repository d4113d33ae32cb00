"""All scores of one image, means over images, and the paired bootstrap."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_utile import evaluate
from napari_utile.engine.metrics.bootstrap import paired_bootstrap
from napari_utile.engine.metrics.boundaries import boundary_sweep
from napari_utile.engine.metrics.cells import cell_jaccards
from napari_utile.engine.metrics.contingency import contingency
from napari_utile.engine.metrics.evaluation import mean_scores
from napari_utile.engine.metrics.glossary import GLOSSARY

TRUTH = np.zeros((20, 20), np.int32)
TRUTH[2:8, 2:8] = 1
TRUTH[12:18, 3:9] = 2


def test_all_scores_of_a_perfect_prediction() -> None:
    scores = evaluate(TRUTH, TRUTH).scores
    for name, score in GLOSSARY.items():
        if score.higher_is_better is not None:
            assert scores[name] == pytest.approx(1 if score.higher_is_better else 0, abs=1e-12), name
    assert scores["truth_cells"] == scores["predicted_cells"] == 2


def laid_out(array: np.ndarray, how: str) -> np.ndarray:
    """Return an equal array whose bytes lie otherwise."""
    if how == "Fortran":
        return np.asfortranarray(array)
    if how == "strided":
        return np.repeat(np.repeat(array, 2, axis=-2), 3, axis=-1)[..., ::2, ::3]
    if how == "reversed":
        return array[..., ::-1].copy()[..., ::-1]
    return array


layouts = st.sampled_from(["C", "Fortran", "strided", "reversed"])
label_images = hnp.arrays(np.int32, (7, 9), elements=st.integers(0, 4))


@given(label_images, label_images, hnp.arrays(bool, (7, 9)), st.tuples(layouts, layouts, layouts))
def test_how_the_bytes_of_an_array_lie_changes_no_score(
    prediction: np.ndarray, truth: np.ndarray, ignore: np.ndarray, how: tuple[str, str, str]
) -> None:
    plain = evaluate(prediction, truth, ignore=ignore).scores
    given = (laid_out(array, each) for array, each in zip((prediction, truth, ignore), how, strict=True))
    predicted, reference, hidden = given
    assert evaluate(predicted, reference, ignore=hidden).scores == pytest.approx(plain, abs=0, nan_ok=True)
    likely = prediction / 4
    sweep = boundary_sweep(likely, truth, thresholds=(0.3, 0.6))
    other = boundary_sweep(laid_out(likely, how[0]), laid_out(truth, how[1]), thresholds=(0.3, 0.6))
    assert other.best.warping_error == sweep.best.warping_error


def test_every_score_is_in_the_glossary_but_the_single_thresholds() -> None:
    scores = evaluate(TRUTH, TRUTH).scores
    assert set(GLOSSARY) <= set(scores)
    assert all(name.startswith("ap") for name in set(scores) - set(GLOSSARY))


def test_scores_of_instances_and_of_the_foreground_come_together() -> None:
    prediction = np.where(TRUTH == 1, 5, 0)
    scores = evaluate(prediction, TRUTH).scores
    assert scores["seg"] == 0.5
    assert scores["ap50"] == 0.5
    assert scores["pixel_error"] == pytest.approx(36 / 400)
    assert scores["pixel_accuracy"] == pytest.approx(1 - 36 / 400)


def test_the_best_possible_score_stays_with_everything_wrong_ignored() -> None:
    prediction = np.where(TRUTH == 1, 5, 0)
    scores = evaluate(prediction, TRUTH, ignore=TRUTH == 2).scores
    assert scores["seg"] == scores["ap50"] == scores["v_rand"] == 1
    assert scores["pixel_error"] == scores["warping_error"] == 0


def test_means_leave_out_images_where_a_score_is_undefined() -> None:
    empty = np.zeros_like(TRUTH)
    means = mean_scores([evaluate(empty, empty).scores, evaluate(TRUTH, TRUTH).scores])
    assert means["seg"] == means["ap50"] == 1
    assert means["truth_cells"] == 1
    assert math.isnan(mean_scores([evaluate(empty, empty).scores])["seg"])
    assert mean_scores([]) == {}


def test_each_reference_cell_has_its_jaccard() -> None:
    prediction = np.where(TRUTH == 1, 5, 0)
    assert cell_jaccards(contingency(prediction, TRUTH)).tolist() == [1, 0]
    hidden = cell_jaccards(contingency(prediction, TRUTH, TRUTH == 2))
    assert hidden[0] == 1
    assert math.isnan(hidden[1])


def test_a_difference_of_every_pair_is_clear() -> None:
    difference = paired_bootstrap([0.5, 0.6, 0.7], [0.6, 0.7, 0.8])
    assert (difference.mean, difference.low, difference.high) == pytest.approx((0.1, 0.1, 0.1))
    assert difference.is_clear
    assert difference.pairs == 3


def test_the_interval_is_that_of_the_mean() -> None:
    random = np.random.default_rng(3)
    first = random.random(200)
    second = first + 0.1 + 0.2 * random.standard_normal(200)
    difference = paired_bootstrap(first, second)
    expected = 1.96 * (second - first).std() / np.sqrt(200)
    assert (difference.high - difference.low) / 2 == pytest.approx(expected, rel=0.1)
    assert difference.low < difference.mean < difference.high


def test_one_pair_says_nothing_about_certainty() -> None:
    difference = paired_bootstrap([0.2], [0.7])
    assert difference.mean == pytest.approx(0.5)
    assert math.isnan(difference.low)
    assert not difference.is_clear


def test_undefined_pairs_are_left_out() -> None:
    assert paired_bootstrap([0.5, math.nan, 0.5], [0.6, 0.9, 0.6]).pairs == 2
    assert math.isnan(paired_bootstrap([math.nan], [1.0]).mean)


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=2, max_size=20))
def test_exchanging_the_two_turns_the_interval_round(pairs: list[tuple[float, float]]) -> None:
    first, second = zip(*pairs, strict=True)
    there, back = paired_bootstrap(first, second, 200), paired_bootstrap(second, first, 200)
    assert (there.mean, there.low, there.high) == pytest.approx(
        (-back.mean, -back.high, -back.low), abs=1e-12
    )


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (([1.0], [1.0, 2.0]), "the same length"),
        (([1.0], [1.0], 0), "samples must be at least 1"),
        (([1.0], [1.0], 10, 1.0), r"confidence in \(0, 1\)"),
    ],
)
def test_wrong_arguments_are_named(arguments: tuple, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        paired_bootstrap(*arguments)
