"""A correction in one plane, carried on to the other planes of an object or track."""

import numpy as np
import pytest

from napari_utile.session.linking import carried

STACK = np.zeros((3, 9, 20), np.int32)
STACK[:, 2:7, 1:17] = 1
STACK[:2, 2:7, 18] = 2


def carry(labels, plane, changed):
    """Give the labels after a plane was changed, and what was carried on."""
    index = np.nonzero(changed != labels[plane])
    full = np.full(index[0].size, plane), *index
    further, values = carried(labels, full, changed[index])
    after = labels.copy()
    after[full] = changed[index]
    after[further] = values
    return after


def test_a_cell_that_is_removed_or_merged_goes_from_all_planes() -> None:
    for new in (0, 1):
        after = carry(STACK, 0, np.where(STACK[0] == 2, new, STACK[0]))
        np.testing.assert_array_equal(after, np.where(STACK == 2, new, STACK))


def test_a_cell_that_is_split_is_separated_in_all_planes() -> None:
    changed = STACK[1].copy()
    changed[2:7, 9:17] = 3
    after = carry(STACK, 1, changed)
    np.testing.assert_array_equal(after[1], changed)
    for plane in (0, 2):
        assert set(np.unique(after[plane][STACK[plane] == 1])) == {1, 3}
        assert abs(int((after[plane] == 3).sum()) - 40) <= 10


@pytest.mark.parametrize("change", ["new cell", "grown"])
def test_what_is_of_one_plane_stays_there(change) -> None:
    changed = STACK[2].copy()
    changed[2:7, 18] = 5 if change == "new cell" else 1
    after = carry(STACK, 2, changed)
    np.testing.assert_array_equal(after[:2], STACK[:2])
    np.testing.assert_array_equal(after[2], changed)


def test_several_stacks_are_left_alone() -> None:
    both = np.stack([STACK, STACK])
    index = tuple(np.zeros(1, np.intp) for _ in range(4))
    assert carried(both, index, np.array([9]))[1].size == 0
