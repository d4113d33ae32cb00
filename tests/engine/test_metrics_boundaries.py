"""Pixel and warping error, thinning and the sweep over thresholds."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from napari_utile.engine.metrics.boundaries import (
    boundary_scores,
    boundary_sweep,
    components,
    separate,
)
from napari_utile.engine.metrics.thinning import thin_borders
from napari_utile.engine.metrics.warping import homotopic_warp, warping_error

masks = hnp.arrays(bool, (8, 9))
label_images = hnp.arrays(np.int64, (6, 7), elements=st.integers(0, 3))


def square(top: int, left: int, size: int, shape: tuple[int, int] = (16, 16)) -> np.ndarray:
    mask = np.zeros(shape, bool)
    mask[top : top + size, left : left + size] = True
    return mask


def test_a_shifted_cell_has_a_pixel_error_but_no_warping_error() -> None:
    truth, prediction = square(4, 4, 6), square(5, 6, 6)
    assert boundary_scores(prediction.astype(int), truth.astype(int)).pixel_error == pytest.approx(32 / 256)
    assert warping_error(prediction, truth) == 0


def test_a_missing_cell_costs_all_its_pixels_but_the_last_reached() -> None:
    # Everything of the cell but one pixel is simple: a cell may shrink to a point, not vanish.
    assert warping_error(np.zeros((16, 16), bool), square(4, 4, 4)) == pytest.approx(1 / 256)


def test_a_false_cell_costs_its_pixels() -> None:
    assert warping_error(square(4, 4, 3), np.zeros((16, 16), bool)) == pytest.approx(9 / 256)


def test_a_merge_costs_the_line_between_the_cells() -> None:
    truth = np.ones((5, 7), bool)
    truth[:, 3] = False
    truth = np.pad(truth, 2)
    prediction = truth.copy()
    prediction[2:-2, 5] = True
    assert warping_error(prediction, truth) == pytest.approx(5 / truth.size)


def test_a_hole_costs_its_pixels() -> None:
    truth = square(4, 4, 7)
    prediction = truth.copy()
    prediction[7, 7] = False
    assert warping_error(prediction, truth) == pytest.approx(1 / 256)


def test_a_boundary_moves_no_farther_than_allowed() -> None:
    truth = np.zeros((5, 20), bool)
    truth[1:4, 1:4] = True
    prediction = np.zeros((5, 20), bool)
    prediction[1:4, 1:14] = True
    assert warping_error(prediction, truth, max_displacement=None) == 0
    assert warping_error(prediction, truth, max_displacement=10) == 0
    # Columns 4 and 5 lie within 2 pixels of the cell; 6 to 13 are left over.
    assert warping_error(prediction, truth, max_displacement=2) == pytest.approx(3 * 8 / 100)


@pytest.mark.parametrize("reach", [5, 11, 12, 20, 40])
def test_a_boundary_moves_as_far_as_allowed(reach: int) -> None:
    truth, prediction = np.zeros((3, 200), bool), np.zeros((3, 200), bool)
    truth[:, :100], prediction[:, :160] = True, True
    warped = homotopic_warp(truth, prediction, reach)
    assert warped[1].tolist() == [column < 100 + reach for column in range(200)]


def test_ignored_pixels_are_not_judged() -> None:
    prediction = square(4, 4, 3)
    assert warping_error(prediction, np.zeros((16, 16), bool), ignore=square(3, 3, 6)) == 0
    assert math.isnan(warping_error(prediction, prediction, ignore=np.ones((16, 16), bool)))


def test_warping_wants_planes_of_one_shape() -> None:
    with pytest.raises(ValueError, match=r"2-D, got shape \(2, 2, 2\)"):
        warping_error(np.zeros((2, 2, 2)), np.zeros((2, 2, 2)))
    with pytest.raises(ValueError, match=r"shape \(2, 3\) but truth has shape \(3, 2\)"):
        warping_error(np.zeros((2, 3)), np.zeros((3, 2)))


def topology(mask: np.ndarray) -> tuple[int, int]:
    padded = np.pad(mask, 1)
    objects = ndimage.label(padded)[1]
    holes = ndimage.label(~padded, np.ones((3, 3)))[1]
    return objects, holes


@settings(max_examples=150)
@given(masks, masks)
def test_warping_keeps_the_number_of_objects_and_holes(source: np.ndarray, target: np.ndarray) -> None:
    assert topology(homotopic_warp(source, target, None)) == topology(source)


@given(masks, masks)
def test_warping_changes_only_pixels_that_differed(source: np.ndarray, target: np.ndarray) -> None:
    changed = homotopic_warp(source, target, None) != source
    assert not (changed & (source == target)).any()


@given(masks, masks)
def test_warping_error_lies_between_nothing_and_the_pixel_error(
    prediction: np.ndarray, truth: np.ndarray
) -> None:
    value = warping_error(prediction, truth, max_displacement=None)
    assert 0 <= value <= (prediction != truth).mean()
    assert value <= warping_error(prediction, truth, max_displacement=0)
    assert warping_error(truth, truth) == 0


def test_touching_labels_are_separated_by_a_line() -> None:
    labels = np.array([[1, 1, 2, 2], [1, 1, 2, 2], [0, 0, 3, 3]])
    assert separate(labels).astype(int).tolist() == [[1, 0, 1, 1], [1, 0, 0, 0], [0, 0, 1, 1]]


@given(label_images)
def test_separated_labels_stay_apart(labels: np.ndarray) -> None:
    pieces = components(separate(labels))
    for piece in range(1, pieces.max() + 1):
        assert np.unique(labels[pieces == piece]).size == 1
    assert (separate(labels.T) == separate(labels).T).all()


def test_thick_borders_are_thinned_to_one_pixel() -> None:
    labels = np.array([[1, 0, 0, 0, 2]])
    thinned = thin_borders(labels)
    assert (thinned == 0).sum() == 1
    assert thinned[0, [0, 1, 3, 4]].tolist() == [1, 1, 2, 2]


@given(label_images)
def test_thinning_keeps_every_label_where_it_was(labels: np.ndarray) -> None:
    thinned = thin_borders(labels)
    assert (thinned[labels > 0] == labels[labels > 0]).all()
    assert set(np.unique(thinned)) <= set(np.unique(labels)) | {0}


@settings(max_examples=50)
@given(label_images)
def test_a_reference_has_no_error_against_itself(truth: np.ndarray) -> None:
    scores = boundary_scores(truth, truth)
    assert scores.pixel_error == scores.warping_error == 0
    if truth.any():
        assert scores.rand_error == pytest.approx(0, abs=1e-12)
        assert scores.v_rand == pytest.approx(1)
        assert scores.v_info == pytest.approx(1)


def test_a_stack_is_judged_plane_by_plane() -> None:
    truth = np.stack([square(4, 4, 6), square(4, 4, 7)]).astype(int)
    prediction = np.stack([square(5, 6, 6), square(4, 4, 7)]).astype(int)
    prediction[1, 7, 7] = 0
    assert boundary_scores(prediction, truth).warping_error == pytest.approx(1 / 512)


def test_a_plane_counts_as_much_as_it_has_pixels_that_are_not_ignored() -> None:
    truth = np.stack([square(4, 4, 6)] * 2).astype(int)
    prediction = truth.copy()
    prediction[0] = 0
    ignore = np.zeros(truth.shape, bool)
    ignore[1, 8:] = True
    alone = boundary_scores(prediction[0], truth[0]).warping_error
    assert alone > 0
    assert boundary_scores(prediction, truth, ignore).warping_error == pytest.approx(alone * 256 / 384)


@pytest.mark.parametrize("shape", [(0, 5), (5, 0), (0, 0), (2, 0, 5), (0, 4, 5)])
def test_images_without_a_pixel_have_no_boundary_errors(shape: tuple[int, ...]) -> None:
    empty = np.zeros(shape, int)
    scores = boundary_scores(empty, empty, ignore=empty)
    assert math.isnan(scores.pixel_error)
    assert math.isnan(scores.warping_error)


def test_the_sweep_finds_the_best_threshold_of_each_score() -> None:
    truth = np.zeros((12, 25), int)
    truth[2:10, 2:12] = 1
    truth[2:10, 13:23] = 2
    probability = np.where(truth > 0, 0.9, 0.05)
    probability[2:10, 12] = 0.6  # the gap: above 0.5 the cells stay apart only from 0.7 on
    sweep = boundary_sweep(probability, truth, thresholds=(0.3, 0.5, 0.7, 0.95))
    assert sweep.best_thresholds == dict.fromkeys(
        ("pixel_error", "rand_error", "warping_error", "v_rand", "v_info"), 0.7
    )
    assert sweep.best.pixel_error == sweep.best.rand_error == sweep.best.warping_error == 0
    assert sweep.best.v_rand == sweep.best.v_info == 1
    assert sweep.scores[1].warping_error == pytest.approx(8 / truth.size)
    assert sweep.scores[1].pixel_error == pytest.approx(8 / truth.size)


def test_a_sweep_takes_a_boolean_reference() -> None:
    truth = square(4, 4, 6) | square(12, 12, 3)
    assert boundary_sweep(truth.astype(float), truth, thresholds=(0.5,)).best.rand_error == 0


def test_a_sweep_without_thresholds_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one threshold"):
        boundary_sweep(np.zeros((2, 2)), np.zeros((2, 2), int), thresholds=())


@given(masks, st.integers(0, 4))
def test_only_pixels_near_the_boundary_may_flip(source: np.ndarray, reach: int) -> None:
    padded = np.pad(source, reach)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (2 * reach + 1, 2 * reach + 1))
    mixed = windows.any((2, 3)) & ~windows.all((2, 3))
    assert ((homotopic_warp(source, ~source, reach) != source) <= mixed).all()


@given(label_images, hnp.arrays(bool, (6, 7)))
def test_thinning_only_where_it_counts_gives_the_same_there(labels: np.ndarray, where: np.ndarray) -> None:
    assert (thin_borders(labels, where)[where] == thin_borders(labels)[where]).all()


@settings(max_examples=200)
@given(
    hnp.arrays(
        np.int32,
        hnp.array_shapes(min_dims=2, max_dims=2, max_side=10),
        elements=st.integers(0, 9).map(lambda value: max(value - 5, 0)),
        fill=st.just(0),
    )
)
def test_a_pixel_gets_the_label_that_is_fewest_steps_away(labels: np.ndarray) -> None:
    thinned = thin_borders(labels)
    places = np.argwhere(labels)
    if not places.size:
        assert not thinned.any()
        return
    values = labels[tuple(places.T)]
    nearest = {}  # pixel -> the labels at the least distance
    for pixel in np.ndindex(labels.shape):
        steps = np.abs(places - pixel).sum(axis=1)
        nearest[pixel] = set(values[steps == steps.min()].tolist())
        assert thinned[pixel] in nearest[pixel] | {0}
    for y, x in np.argwhere((thinned == 0) & (labels == 0)):
        around = [nearest[place] for place in ((y + 1, x), (y, x + 1)) if place in nearest]
        assert len(set.union(nearest[y, x], *around)) > 1, "borders lie between labels only"
