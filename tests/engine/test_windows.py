"""Windows against sets of pixels, in one to three axes."""

import copy
import itertools
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_utile.engine.windows import Window


def windows(axes: int, low: int = -4, high: int = 9) -> st.SearchStrategy[Window]:
    part = st.tuples(st.integers(low, high), st.integers(0, 6)).map(lambda p: slice(p[0], p[0] + p[1]))
    return st.lists(part, min_size=axes, max_size=axes).map(lambda parts: Window(*parts))


def pairs() -> st.SearchStrategy[tuple[Window, Window]]:
    return st.integers(1, 3).flatmap(lambda axes: st.tuples(windows(axes), windows(axes)))


def pixels(window: Window) -> set[tuple[int, ...]]:
    return set(itertools.product(*(range(part.start, part.stop) for part in window)))


@given(pairs())
def test_intersection_and_inclusion_are_those_of_the_pixels(pair: tuple[Window, Window]) -> None:
    one, other = pair
    assert pixels(one & other) == pixels(one) & pixels(other)
    assert (one & other).size == len(pixels(one) & pixels(other))
    if one.holds(other):
        assert pixels(other) <= pixels(one)
    assert all(one.holds_point(point) for point in pixels(one))
    around = Window.around(pair)
    assert around.holds(one)
    assert around.holds(other)


@given(pairs(), st.integers(0, 3))
def test_moving_and_growing_go_there_and_back(pair: tuple[Window, Window], by: int) -> None:
    one, other = pair
    assert one.relative_to(other).moved(other.start) == one
    assert one.grown(by).grown(-by) == one
    assert one.grown([by] * len(one)) == one.grown(by)
    assert one.grown(by).shape == tuple(n + 2 * by for n in one.shape)


@given(windows(2, 0), st.integers(1, 5), st.integers(1, 5))
def test_blocks_of_a_grid_tile_a_window(window: Window, height: int, width: int) -> None:
    if not window.size:
        return
    blocks = list(window.blocks((height, width)))
    inside = [block & window for block in blocks]
    assert sum(each.size for each in inside) == window.size
    assert set().union(*map(pixels, inside)) == pixels(window)
    assert all(block.shape == (height, width) for block in blocks)
    assert all(block.start[0] % height == block.start[1] % width == 0 for block in blocks)
    assert blocks == sorted(blocks, key=lambda block: block.start)


@given(windows(2), st.integers(1, 8))
def test_the_middle_of_a_window_leaves_as_much_on_either_side(window: Window, side: int) -> None:
    middle = window.central(side)
    assert middle.shape == tuple(min(side, n) for n in window.shape)
    for part, whole in zip(middle, window, strict=True):
        assert (whole.stop - part.stop) - (part.start - whole.start) in (0, 1)


@given(windows(1), st.integers(1, 8), st.floats(-9, 20))
def test_the_part_around_a_point_is_the_nearest_one_inside(window: Window, side: int, at: float) -> None:
    (part,) = window.central(side, (at,))
    (whole,) = window
    size = min(side, *window.shape)
    assert part.stop - part.start == size
    inside = range(whole.start, whole.stop - size + 1)
    assert part.start in inside
    assert abs(part.start + side / 2 - at) - min(abs(start + side / 2 - at) for start in inside) < 1


def test_a_window_is_an_index() -> None:
    image = np.arange(60).reshape(3, 4, 5)
    window = Window(slice(1, 3), slice(2, 4))
    assert (image[0][window] == image[0, 1:3, 2:4]).all()
    assert (image[:, *window] == image[:, 1:3, 2:4]).all()
    rows, columns = window
    assert (rows, columns) == window
    assert window.clipped((2, 9)) == Window(slice(1, 2), slice(2, 4))


@given(windows(2, 0))
def test_the_window_of_a_mask_is_the_smallest(window: Window) -> None:
    mask = np.zeros((20, 20), bool)
    assert Window.of_mask(mask) is None
    mask[window] = True
    assert Window.of_mask(mask) == (window if window.size else None)


def test_windows_are_values() -> None:
    window = Window(slice(np.int64(1), 3), slice(0, 2))
    assert {window: 1}[Window(slice(1, 3), slice(0, 2))] == 1
    assert type(window.start[0]) is int
    assert copy.deepcopy(window) == window == pickle.loads(pickle.dumps(window))
    assert repr(window) == "Window(1:3, 0:2)"
    assert Window.span(*zip(*window.bounds, strict=True)) == window


def test_a_region_may_leave_ends_out_but_has_no_step() -> None:
    assert Window.part_of((5, 7)) == Window.whole((5, 7))
    assert Window.part_of((5, 7), (slice(None), slice(2, 4))) == Window(slice(0, 5), slice(2, 4))
    with pytest.raises(ValueError, match="step"):
        Window.part_of((5, 7), (slice(0, 4, 2), slice(0, 2)))
    with pytest.raises(ValueError, match="argument"):
        Window.part_of((5, 7), (slice(0, 4),))
