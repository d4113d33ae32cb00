"""Corrections of objects and tracks, each one step, and kept when the planes are linked again."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.plane_file import planes_of
from napari_utile.engine.linking import edits
from napari_utile.engine.linking.links import link_planes
from napari_utile.engine.linking.params import LinkParams

STACK = np.array([[[1, 1, 0, 2]], [[1, 1, 0, 2]], [[1, 0, 0, 2]]])


def test_two_tracks_are_joined_cut_exchanged_and_removed():
    joined = edits.join(STACK, 1, 2)
    assert joined.applied(STACK).tolist() == [[[1, 1, 0, 1]], [[1, 1, 0, 1]], [[1, 0, 0, 1]]]
    parted = edits.cut(STACK, 2, 1)
    assert parted.applied(STACK).tolist() == [[[1, 1, 0, 2]], [[1, 1, 0, 3]], [[1, 0, 0, 3]]]
    exchanged = edits.swap(STACK, 1, 2, 2)
    assert exchanged.applied(STACK).tolist() == [[[1, 1, 0, 2]], [[1, 1, 0, 2]], [[2, 0, 0, 1]]]
    assert edits.remove(STACK, 2).applied(STACK).max() == 1
    assert "cell 3" in parted.said


def test_a_division_ends_the_mother_and_names_the_daughters():
    frames = np.array([[[5, 5, 5, 0]], [[5, 0, 6, 6]]])
    edit, parents = edits.divide(frames, 5, (5, 6), 1)
    assert edit.applied(frames).tolist() == [[[5, 5, 5, 0]], [[7, 0, 6, 6]]]
    assert parents == {7: 5, 6: 5}
    with pytest.raises(UtileError, match="cut it first"):
        edits.divide(np.array([[[5, 6]], [[5, 6]]]), 5, (5, 6), 1)


def test_an_object_is_split_at_its_neck_in_all_planes():
    plane = np.zeros((7, 15), int)
    plane[1:6, 1:6] = plane[1:6, 9:14] = plane[3, 6:9] = 4
    stack = np.stack([plane, plane])
    parts = edits.split(stack, 4, (0, 3, 3), (1, 3, 11)).applied(stack)
    assert (parts[:, 1:6, 1:6] == 4).all()
    assert (parts[:, 1:6, 9:14] == 5).all()
    np.testing.assert_array_equal(parts > 0, stack > 0)
    with pytest.raises(UtileError, match="two different places inside"):
        edits.split(stack, 4, (0, 3, 3), (0, 0, 0))


def test_an_object_without_a_neck_is_split_halfway_between_the_clicks():
    z, y, x = np.indices((9, 17, 25))
    ball = (((z - 4) / 4) ** 2 + ((y - 8) / 8) ** 2 + ((x - 12) / 12) ** 2 <= 1) * 4
    parts = edits.split(ball, 4, (4, 8, 12), (4, 8, 20)).applied(ball)
    np.testing.assert_array_equal(parts > 0, ball > 0)
    assert (parts[..., :16][ball[..., :16] > 0] == 4).all()
    assert (parts[..., 17:][ball[..., 17:] > 0] == 5).all()


def test_planes_between_painted_ones_are_filled_and_nothing_is_painted_over():
    y, x = np.mgrid[:21, :21] - 10
    stack = np.zeros((5, 21, 21), int)
    stack[0][np.hypot(y, x) <= 3] = 1
    stack[4][np.hypot(y, x) <= 7] = 1
    stack[2, 10, 10] = 9
    filled = edits.interpolate(stack, 1).applied(stack)
    areas = [int((plane == 1).sum()) for plane in filled]
    assert areas == sorted(areas)
    assert np.sqrt(areas[2] / np.pi) == pytest.approx(5, abs=0.5)
    assert filled[2, 10, 10] == 9
    with pytest.raises(UtileError, match="none to fill"):
        edits.interpolate(filled, 1)


@pytest.mark.parametrize(
    "edit",
    [
        lambda: edits.cut(STACK, 1, 0),
        lambda: edits.join(STACK, 1, 7),
        lambda: edits.remove(STACK, 0),
        lambda: edits.swap(STACK[:2], 1, 2, 2),
        lambda: edits.join(STACK[0], 1, 2),
    ],
)
def test_what_cannot_be_done_is_one_sentence(edit):
    with pytest.raises(UtileError, match=r"^[^\n]+\.$|shape"):
        edit()


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.integers(1, 4), st.integers(0, 3))
def test_exchanging_twice_changes_nothing(seed, one, other, plane):
    labels = np.random.default_rng(seed).integers(0, 5, (4, 3, 3))
    try:
        once = edits.swap(labels, one, other, plane).applied(labels)
    except UtileError:
        return
    np.testing.assert_array_equal(edits.swap(once, one, other, plane).applied(once), labels)


def test_what_was_corrected_by_hand_stays_when_planes_are_linked_again():
    stack = np.zeros((4, 8, 20), int)
    stack[:, 2:6, 1:6] = 1
    stack[:, 2:6, 12:17] = 2
    edit = edits.swap(stack, 1, 2, 2)
    corrected = edit.applied(stack)
    planes = planes_of(corrected, "TYX")
    again = link_planes(planes, LinkParams("t"))
    assert not np.array_equal(np.stack(list(again.of_planes(planes).read())), corrected)
    kept = link_planes(planes, LinkParams("t"), edit.changed, {2: 1})
    np.testing.assert_array_equal(np.stack(list(kept.of_planes(planes).read())), corrected)
    assert kept.parents == {2: 1}
