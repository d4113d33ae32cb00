"""One plane made of several: what one of them lacks the others give."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_utile import segment
from napari_utile.engine.planes.axes import ImagePlane
from napari_utile.engine.planes.projection import projected


def made(stack, how, window=...):
    return np.asarray(projected([ImagePlane(each[None]) for each in stack], how).data[window])


@given(
    how=st.sampled_from(["max", "mean"]),
    kind=st.sampled_from(["f2", "f4", "f8"]),
    seed=st.integers(0, 2**31),
    planes=st.integers(2, 4),
    lost=st.sampled_from([np.nan, np.inf, -np.inf]),
)
@settings(deadline=None, max_examples=60)
def test_what_one_plane_lacks_the_others_give(how, kind, seed, planes, lost) -> None:
    rng = np.random.default_rng(seed)
    stack = rng.normal(size=(planes, 7, 9)).astype(kind)
    broken, which = stack.copy(), int(rng.integers(planes))
    missing = rng.random((7, 9)) < 0.3
    broken[which, missing] = lost
    found = made(broken, how)[0]
    np.testing.assert_array_equal(found[~missing], made(stack, how)[0][~missing])
    others = np.delete(stack, which, 0)
    np.testing.assert_array_equal(found[missing], made(others, how)[0][missing].astype(found.dtype))
    np.testing.assert_array_equal(made(broken, how, np.s_[:, 2:5, 1:8])[0], found[2:5, 1:8])


@pytest.mark.parametrize("how", ["max", "mean"])
def test_what_all_planes_lack_is_missing(how) -> None:
    stack = np.ones((3, 4, 5), np.float32)
    stack[:, 1, 2], stack[0, 3, 3] = (np.nan, np.inf, -np.inf), np.nan
    expected = np.ones((4, 5), np.float32)
    expected[1, 2] = np.nan
    np.testing.assert_array_equal(made(stack, how)[0], expected)


@pytest.mark.parametrize("how", ["max", "mean"])
def test_a_plane_that_is_missing_costs_no_cells(small_model, how) -> None:
    image = np.random.default_rng(0).random((48, 56)).astype(np.float32)
    stack = np.stack([image, np.full_like(image, np.nan), image])
    found = segment(stack, small_model, axes="ZYX", project=f"z:{how}", diameter=None)
    np.testing.assert_array_equal(found.labels, segment(image, small_model, diameter=None).labels)
