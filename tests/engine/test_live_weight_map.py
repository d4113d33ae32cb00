import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_utile.engine.weights.live_weight_map import LiveWeightMap
from napari_utile.engine.weights.weight_map import WeightMapParams, weight_map


def grid_of_cells(side=96, pitch=12, size=9):
    labels = np.zeros((side, side), np.int32)
    for i, (y, x) in enumerate(np.ndindex(side // pitch, side // pitch), start=1):
        labels[y * pitch : y * pitch + size, x * pitch : x * pitch + size] = i
    return labels


def assert_equals_a_new_map(live, labels, pixel_size=None):
    params = live.params
    fresh = weight_map(
        labels, params.w0, params.sigma, params.balance, params.everywhere, pixel_size, params.balance_limit
    )
    np.testing.assert_array_equal(live.cells, fresh.cells)
    np.testing.assert_array_equal(live.border, fresh.border)
    np.testing.assert_array_equal(live.class_balance(), fresh.class_balance)
    np.testing.assert_array_equal(live.total(), fresh.total)


strokes = st.lists(
    st.tuples(
        st.integers(0, 39), st.integers(0, 39), st.integers(1, 9), st.integers(1, 9), st.integers(0, 5)
    ),
    min_size=1,
    max_size=6,
)


@settings(max_examples=60, deadline=None)
@given(
    strokes=strokes,
    sigma=st.sampled_from([0.6, 2.0]),
    everywhere=st.booleans(),
    pixel_size=st.sampled_from([None, (2.0, 1.0)]),
    ids=st.sampled_from([[0, 1, 2, 3, 4, 5], [0, 9 * 10**12, 7, 5, 10**6, 1]]),
)
def test_updates_equal_a_new_map_bit_for_bit(strokes, sigma, everywhere, pixel_size, ids):
    labels = np.zeros((40, 44), np.int64)
    labels[3:10, 3:12] = ids[1]
    labels[3:10, 12:30] = ids[2]
    live = LiveWeightMap(labels, WeightMapParams(sigma=sigma, everywhere=everywhere), pixel_size)
    for y, x, height, width, cell in strokes:
        region = slice(y, y + height), slice(x, x + width)
        labels[region] = ids[cell]
        live.update(region)
        assert_equals_a_new_map(live, labels, pixel_size)


def test_a_stroke_recomputes_only_its_neighbourhood():
    labels = grid_of_cells()
    live = LiveWeightMap(labels, WeightMapParams(sigma=1.0))
    live.border[80, 80] = -1
    labels[9:11, 3:6] = 1
    rows, columns = live.update((slice(9, 11), slice(3, 6)))
    assert rows.stop <= 20
    assert columns.stop <= 16
    assert live.border[80, 80] == -1


def test_a_cell_that_grows_beyond_its_neighbour_gives_way_along_the_whole_contact():
    labels = np.zeros((30, 60), int)
    labels[5:25, 10:20] = 1
    labels[5:25, 20:29] = 2
    live = LiveWeightMap(labels, WeightMapParams(sigma=1.0))
    assert (live.cells[5:25, 19] == 0).all()
    labels[5:25, 29:35] = 2
    live.update((slice(5, 25), slice(29, 35)))
    assert (live.cells[5:25, 19] == 1).all()
    assert_equals_a_new_map(live, labels)


def test_without_a_change_nothing_is_recomputed():
    live = LiveWeightMap(grid_of_cells())
    assert live.update() is None


def test_undoing_a_stroke_gives_the_map_before_it():
    labels = grid_of_cells()
    live = LiveWeightMap(labels)
    before = live.snapshot()
    labels[0:40, 0:40] = 7
    live.update()
    labels[...] = grid_of_cells()
    live.update()
    np.testing.assert_array_equal(live.snapshot().total, before.total)


@pytest.mark.parametrize(
    "params", [{"sigma": 2.0}, {"sigma": 9.0}, {"w0": 40.0}, {"w0": 0.0}, {"balance": False}]
)
def test_other_parameters_equal_a_new_map(params):
    labels = grid_of_cells()
    live = LiveWeightMap(labels, WeightMapParams(sigma=5.0))
    live.adjust(WeightMapParams(**params))
    assert_equals_a_new_map(live, labels)
    labels[20:23, 20:30] = 0
    live.update()
    assert_equals_a_new_map(live, labels)


def test_distances_are_kept_up_to_the_reach_when_asked_for():
    labels = np.zeros((40, 80), int)
    labels[:, :5] = 1
    labels[:, 35:40] = 2
    live = LiveWeightMap(labels, distances=True)
    fresh = weight_map(labels)
    near = fresh.d1 <= live.params.reach
    np.testing.assert_array_equal(live.d1[near], fresh.d1[near])
    assert np.isinf(live.d1[~near]).all()
    assert_equals_a_new_map(live, labels)


def test_negative_labels_painted_later_are_refused():
    labels = grid_of_cells()
    live = LiveWeightMap(labels)
    labels[0, 0] = -4
    with pytest.raises(ValueError, match="-4"):
        live.update()
