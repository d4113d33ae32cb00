import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import ndimage

from napari_utile.engine.cells.between import split_between
from napari_utile.engine.clicks.corrections import (
    deepest_points,
    grow,
    merge_masks,
    push_back,
    shrink,
)


def numbers(rows):
    return np.array([[int(c) if c != " " else 0 for c in row] for row in rows], dtype=np.int32)


@st.composite
def cells_with_points(draw, at_least=1, at_most=4):
    """A connected mask, a probability map and distinct points inside the mask."""
    height, width = draw(st.integers(2, 30)), draw(st.integers(2, 30))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    smooth = ndimage.gaussian_filter(rng.normal(size=(height, width)), draw(st.sampled_from([0, 1, 3])))
    probability = (0.5 + 0.5 * smooth / (np.abs(smooth).max() or 1)).astype(np.float32)
    pieces, count = ndimage.label(probability > draw(st.floats(0.2, 0.5)))
    assume(count)
    mask = pieces == np.argmax(np.bincount(pieces.ravel())[1:]) + 1
    inside = [tuple(int(v) for v in p) for p in np.argwhere(mask)]
    assume(len(inside) >= at_least)
    points = draw(st.lists(st.sampled_from(inside), min_size=at_least, max_size=at_most, unique=True))
    return mask, probability, points


def test_a_valley_of_the_probability_is_the_border():
    mask = np.ones((5, 9), dtype=bool)
    probability = np.full((5, 9), 0.9, dtype=np.float32)
    probability[:, 6] = 0.55
    parts = split_between(mask, probability, [[(2, 1)], [(2, 8)]])
    assert (parts[:, :6] == 1).all()
    assert (parts[:, 7:] == 2).all()


def test_without_a_valley_the_border_runs_halfway_between_the_markers():
    parts = split_between(np.ones((3, 10), bool), np.ones((3, 10), np.float32), [[(1, 1)], [(1, 6)]])
    assert parts.tolist() == numbers(["1111222222"] * 3).tolist()


def test_markers_of_one_group_stay_together_on_both_sides_of_another():
    parts = split_between(np.ones((1, 9), bool), np.ones((1, 9), np.float32), [[(0, 0), (0, 8)], [(0, 4)]])
    assert parts[0, [0, 4, 8]].tolist() == [1, 2, 1]


@settings(max_examples=80, deadline=None)
@given(cells_with_points(at_least=2))
def test_parts_cover_the_cell_exactly_and_every_marker_is_in_its_own(drawn):
    mask, probability, points = drawn
    parts = split_between(mask, probability, [[point] for point in points])
    assert np.array_equal(parts > 0, mask)
    assert [parts[point] for point in points] == list(range(1, len(points) + 1))
    for part in range(1, len(points) + 1):
        assert ndimage.label(parts == part)[1] == 1


@settings(max_examples=80, deadline=None)
@given(cells_with_points(at_least=2), st.randoms())
def test_the_order_of_the_markers_does_not_matter(drawn, random):
    mask, probability, points = drawn
    shuffled = points.copy()
    random.shuffle(shuffled)
    parts = split_between(mask, probability, [[point] for point in points])
    again = split_between(mask, probability, [[point] for point in shuffled])
    for number, point in enumerate(points, start=1):
        assert np.array_equal(parts == number, again == shuffled.index(point) + 1)


@settings(max_examples=60, deadline=None)
@given(cells_with_points(at_least=2))
def test_merging_undoes_a_split(drawn):
    mask, probability, points = drawn
    parts = split_between(mask, probability, [[point] for point in points])
    masks = [parts == number for number in range(1, len(points) + 1)]
    assert np.array_equal(merge_masks(masks, ~mask), mask)


@settings(max_examples=80, deadline=None)
@given(cells_with_points(at_least=2))
def test_a_background_marker_is_out_and_the_others_stay_in(drawn):
    mask, probability, points = drawn
    inside, outside = points[:1], points[1:]
    kept = push_back(mask, probability, inside, outside)
    assert kept[inside[0]]
    assert not any(kept[point] for point in outside)
    assert not (kept & ~mask).any()
    assert ndimage.label(kept)[1] == 1


@settings(max_examples=40, deadline=None)
@given(cells_with_points())
def test_without_markers_inside_the_deepest_pixel_stays(drawn):
    mask, probability, points = drawn
    kept = push_back(mask, probability, [], points)
    assert not any(kept[point] for point in points)
    assert not (kept & ~mask).any()
    deepest = deepest_points(mask, points)
    assert all(kept[point] for point in deepest)
    assert kept.any() == bool(deepest) == (mask.sum() > len(points))


def test_a_background_marker_pushes_the_outline_back_to_its_contour():
    probability = np.array([[0.55, 0.6, 0.8, 0.9, 0.9, 0.9, 0.8, 0.6, 0.55]], dtype=np.float32)
    kept = push_back(np.ones((1, 9), bool), probability, [(0, 4)], [(0, 1)])
    assert kept.tolist() == [[False, False, True, True, True, True, True, False, False]]


def test_a_background_marker_in_a_cell_that_is_certain_everywhere_makes_a_dent():
    mask = np.ones((9, 30), dtype=bool)
    kept = push_back(mask, np.ones((9, 30), np.float32), [(4, 10)], [(4, 28)])
    assert kept[:, :26].all()
    assert not kept[4, 27:].any()


def test_a_background_marker_on_a_hill_of_its_own_takes_the_hill():
    probability = np.array([[0.9, 0.9, 0.9, 0.5, 0.9, 0.9]], dtype=np.float32)
    kept = push_back(np.ones((1, 6), bool), np.repeat(probability, 1, 0), [(0, 1)], [(0, 5)])
    assert kept[0, :3].all()
    assert not kept[0, 4:].any()


def test_nothing_is_pushed_back_without_a_marker():
    mask = numbers(["11", " 1"]) > 0
    assert push_back(mask, mask.astype(np.float32), [(0, 0)], []).tolist() == mask.tolist()


def test_the_deepest_pixel_is_far_from_the_outline_and_the_points():
    mask = np.zeros((7, 11), dtype=bool)
    mask[1:6, 1:10] = True
    ((y, x),) = deepest_points(mask, [(3, 2)])
    assert y == 3
    assert x >= 5
    assert deepest_points(np.zeros((3, 3), bool), []) == []


def test_markers_outside_or_upon_each_other_are_named():
    mask = numbers(["11 "]) > 0
    probability = np.ones((1, 3), np.float32)
    with pytest.raises(ValueError, match=r"\(0, 2\) lies outside the cell"):
        split_between(mask, probability, [[(0, 0)], [(0, 2)]])
    with pytest.raises(ValueError, match=r"\(0, 0\) cannot be separated"):
        split_between(mask, probability, [[(0, 0)], [(0, 0)]])


def test_cells_across_a_gap_are_joined_by_a_bridge_over_background_only():
    one, other = numbers(["11  ", "11  "]) > 0, numbers(["   1", "   1"]) > 0
    assert merge_masks([one, other], ~(one | other)).all()
    wall = np.zeros((2, 4), dtype=bool)
    assert np.array_equal(merge_masks([one, other], wall), one | other)


def test_three_cells_in_a_row_become_one_piece():
    row = numbers(["1  2   3"])
    merged = merge_masks([row == n for n in (1, 3, 2)], row == 0)
    assert ndimage.label(merged)[1] == 1


def test_a_cell_grows_where_it_is_most_probable_and_never_into_others():
    probability = np.array([[0.0, 0.0, 0.0, 0.0, 0.0], [0.1, 0.9, 0.9, 0.8, 0.7], [0.0, 0.0, 0.0, 0.0, 0.0]])
    mask = probability == 0.9
    grown = grow(mask, probability, np.ones_like(mask))
    assert np.argwhere(grown & ~mask).tolist() == [[0, 1], [0, 2], [1, 0], [1, 3], [2, 1], [2, 2]]
    uphill = grow(mask, np.arange(15).reshape(3, 5) / 15, np.ones_like(mask))
    assert np.argwhere(uphill & ~mask).tolist() == [[1, 3], [2, 1], [2, 2]]
    assert np.array_equal(grow(mask, probability, mask), mask)


def test_a_cell_shrinks_from_its_least_probable_side():
    probability = np.array([[0.9, 0.8, 0.7, 0.6]])
    assert shrink(np.ones((1, 4), bool), probability).tolist() == [[True, True, False, False]]


@settings(max_examples=80, deadline=None)
@given(cells_with_points(at_most=2), st.integers(0, 2**32 - 1))
def test_growing_and_shrinking_move_the_outline_by_at_most_a_pixel(drawn, seed):
    mask, probability, points = drawn
    free = ~mask & (np.random.default_rng(seed).random(mask.shape) < 0.8)
    grown = grow(mask, probability, free)
    assert not (mask & ~grown).any()
    assert not (grown & ~mask & ~free).any()
    assert not (grown & ~ndimage.binary_dilation(mask)).any()
    assert ndimage.label(grown)[1] == 1
    smaller = shrink(mask, probability, points)
    assert not (smaller & ~mask).any()
    assert all(smaller[point] for point in points)
    assert shrink(mask, probability).any()


def test_a_single_pixel_does_not_vanish():
    assert shrink(np.ones((1, 1), bool), np.ones((1, 1))).all()


def test_where_a_model_predicts_distances_markers_split_along_their_valley() -> None:
    mask, probability = np.ones((5, 30), bool), np.ones((5, 30), np.float32)
    row = np.interp(np.arange(30), [0, 4, 9, 20, 29], [0.2, 1, 0.3, 1, 0.2]).astype(np.float32)
    height = np.repeat(row[None], 5, axis=0)
    parts = split_between(mask, probability, [[(2, 4)], [(2, 20)]], height)
    assert (parts[:, :9] == 1).all()
    assert (parts[:, 10:] == 2).all()
    kept = push_back(mask, probability, [(2, 20)], [(2, 4)], height)
    assert not kept[:, :9].any()
    assert kept[:, 10:].all()
