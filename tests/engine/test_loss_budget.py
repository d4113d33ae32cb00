import numpy as np
import pytest
from scipy import ndimage

from napari_utile.engine.weights.loss_budget import loss_budget
from napari_utile.engine.weights.nearest_cells import nearest_ids_within
from napari_utile.engine.weights.pixel_weight import nearest_cells_at, profile_along
from napari_utile.engine.weights.touching import separate_touching
from napari_utile.engine.weights.weight_map import weight_map


def three_cells():
    labels = np.zeros((60, 80), np.int32)
    labels[10:30, 10:20] = 4
    labels[10:30, 22:32] = 9
    labels[10:30, 50:60] = 1000
    return labels


def test_the_shares_sum_to_one_and_to_the_map():
    made = weight_map(three_cells())
    budget = loss_budget(made)
    assert budget.borders + budget.background + budget.cells == pytest.approx(1)
    assert budget.sum == pytest.approx(made.total.sum(dtype=float), rel=1e-6)
    assert budget.borders * budget.sum == pytest.approx(made.border.sum(dtype=float), rel=1e-6)
    assert budget.mean == pytest.approx(made.total.mean(dtype=float), rel=1e-6)


def test_the_narrowest_gap_carries_most():
    made = weight_map(three_cells())
    budget = loss_budget(made)
    first = budget.gaps[0]
    assert first.cells == (4, 9)
    row, column = first.position
    assert 20 <= column < 22
    assert made.border[int(row), int(column)] == first.peak == made.border.max()
    assert sum(gap.share for gap in budget.gaps) == pytest.approx(budget.borders)
    assert [gap.share for gap in budget.gaps] == sorted((gap.share for gap in budget.gaps), reverse=True)


def test_without_cells_there_are_no_gaps():
    budget = loss_budget(weight_map(np.zeros((10, 10), int)))
    assert budget.gaps == ()
    assert (budget.borders, budget.cells, budget.background) == (0, 0, 1)


def test_probabilities_give_the_weighted_cross_entropy():
    made = weight_map(three_cells())
    inside = made.cells != 0
    probability = np.where(inside, 0.8, 0.4).astype(np.float32)
    budget = loss_budget(made, probability)
    expected = made.total * np.where(inside, -np.log(0.8), -np.log(0.6))
    np.testing.assert_allclose(budget.loss, expected, rtol=1e-5)
    assert budget.sum == pytest.approx(expected.sum(dtype=float), rel=1e-5)
    both = loss_budget(made, np.stack([1 - probability, probability]))
    assert both.sum == pytest.approx(budget.sum)


def test_a_perfect_prediction_leaves_no_loss_and_a_wrong_one_stays_finite():
    made = weight_map(three_cells())
    inside = (made.cells != 0).astype(float)
    assert loss_budget(made, inside).sum == 0
    assert np.isfinite(loss_budget(made, 1 - inside).loss).all()


@pytest.mark.parametrize(
    ("probability", "message"), [(np.zeros((3, 3)), r"\(3, 3\)"), (np.full((60, 80), 2.0), "2")]
)
def test_probabilities_that_make_no_sense_are_refused(probability, message):
    with pytest.raises(ValueError, match=message):
        loss_budget(weight_map(three_cells()), probability)


@pytest.mark.parametrize("aspect", [(1.0, 1.0), (1.5, 1.0)])
@pytest.mark.parametrize("offset", [0, 10**12])
def test_the_two_nearest_cells_of_every_pixel_are_named(aspect, offset):
    rng = np.random.default_rng(4)
    seeds = np.zeros((50, 60), np.int64)
    seeds[rng.integers(0, 50, 25), rng.integers(0, 60, 25)] = np.arange(1, 26)
    cells = separate_touching(ndimage.grey_dilation(seeds, size=(4, 5)))
    cells[cells != 0] += offset
    first, second = nearest_ids_within(cells, 18.0, aspect)
    distance = {
        i: ndimage.distance_transform_edt(cells != i, sampling=aspect) for i in np.unique(cells[cells != 0])
    }
    d1, d2 = np.sort(np.stack(list(distance.values())), axis=0)[:2]
    near = d1 + d2 <= 18 - 1e-6
    assert ((first != 0) == (second != 0)).all()
    assert (first[near] != second[near]).all()
    for y, x in zip(*np.nonzero(near), strict=True):
        assert distance[first[y, x]][y, x] == pytest.approx(d1[y, x])
        assert distance[second[y, x]][y, x] == pytest.approx(d2[y, x])
    assert near.any()


def test_a_pixel_is_explained_by_its_two_nearest_cells_however_far():
    labels = np.zeros((300, 400), int)
    labels[10:20, 10:20] = 5
    labels[250:260, 380:390] = 2
    near, far = nearest_cells_at(labels, 10, 60)
    assert (near.cell, near.distance, near.point) == (5, 41.0, (10, 19))
    assert far.cell == 2
    assert far.distance == pytest.approx(np.hypot(240, 320))
    assert far.point == (250, 380)


@pytest.mark.parametrize("aspect", [(1.0, 1.0), (3.0, 1.0)])
def test_the_explanation_agrees_with_the_map(aspect):
    labels = separate_touching(three_cells())
    made = weight_map(labels, pixel_size=aspect)
    for row, column in [(0, 0), (15, 21), (59, 79), (15, 12), (20, 40)]:
        near, far = nearest_cells_at(labels, row, column, aspect)
        assert near.distance == pytest.approx(made.d1[row, column])
        assert far.distance == pytest.approx(made.d2[row, column])


def test_of_two_cells_as_near_the_smaller_id_is_the_first():
    assert [near.cell for near in nearest_cells_at(np.array([[5, 0, 1]]), 0, 1)] == [1, 5]


def test_in_high_pixels_a_cell_far_to_the_side_is_nearer_than_one_below():
    labels = np.zeros((200, 200), int)
    labels[100, 90], labels[130, 100], labels[100, 140] = 1, 2, 3  # 10, 30 and 40 pixels away
    near, far = nearest_cells_at(labels, 100, 100, aspect=(3.0, 1.0))
    assert (near.cell, far.cell, far.distance) == (1, 3, 40.0)


def test_with_fewer_than_two_cells_fewer_are_found():
    labels = np.zeros((9, 9), int)
    assert nearest_cells_at(labels, 0, 0) == ()
    labels[4, 4] = 3
    assert [near.cell for near in nearest_cells_at(labels, 4, 4)] == [3]
    with pytest.raises(ValueError, match="outside"):
        nearest_cells_at(labels, 9, 0)


def test_the_profile_across_a_gap_rises_in_it():
    made = weight_map(three_cells())
    profile = profile_along([(20, 12), (20, 30)], made.class_balance, made.border)
    assert profile.distance[-1] == 18
    np.testing.assert_array_equal(profile.total, profile.class_balance + profile.border)
    peak = profile.distance[np.argmax(profile.border)]
    assert 7.5 <= peak <= 9.5


def test_a_line_that_leaves_the_image_has_no_weight_there():
    made = weight_map(three_cells())
    profile = profile_along([(20, -10), (20, 10)], made.class_balance, made.border)
    assert np.isnan(profile.total[:15]).all()
    assert np.isfinite(profile.total[-5:]).all()
    with pytest.raises(ValueError, match="two points"):
        profile_along([(1, 2)], made.class_balance, made.border)
