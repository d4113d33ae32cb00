import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from napari_utile.engine.cells.distance import distance_to_background

shares = st.sampled_from([0.3, 0.9, 0.99, 0.999])


@settings(max_examples=80, deadline=None)
@given(st.integers(1, 160), st.integers(1, 160), shares, st.integers(1, 255), st.integers(0, 2**32 - 1))
def test_distances_equal_the_general_transform_up_to_the_limit(height, width, share, limit, seed):
    mask = np.random.default_rng(seed).random((height, width)) < share
    if not mask.all():
        expected = np.minimum(ndimage.distance_transform_edt(mask), limit).astype(np.float32)
        assert np.array_equal(distance_to_background(mask, limit), expected)


@pytest.mark.parametrize("radius", [62, 63, 64, 65, 66, 90])
def test_objects_around_and_beyond_the_limit_are_exact(radius):
    y, x = np.mgrid[:200, :200]
    mask = np.hypot(y - 100, x - 100) < radius
    expected = np.minimum(ndimage.distance_transform_edt(mask), 64).astype(np.float32)
    assert np.array_equal(distance_to_background(mask), expected)


def test_nothing_but_background_is_zero_and_nothing_but_cell_is_far():
    assert distance_to_background(np.zeros((3, 4), dtype=bool)).tolist() == np.zeros((3, 4)).tolist()
    assert (distance_to_background(np.ones((3, 4), dtype=bool)) == 64).all()
    assert distance_to_background(np.zeros((0, 4), dtype=bool)).shape == (0, 4)


@pytest.mark.parametrize("limit", [64, 127, 128, 181, 182, 255])
def test_wide_objects_are_exact_up_to_any_limit(limit):
    y, x = np.mgrid[:420, :420]
    mask = np.hypot(y - 210, x - 200) < 205
    expected = np.minimum(ndimage.distance_transform_edt(mask), limit).astype(np.float32)
    assert np.array_equal(distance_to_background(mask, limit), expected)
