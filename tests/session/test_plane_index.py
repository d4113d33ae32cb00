import doctest

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_utile.engine.windows import Window
from napari_utile.session import plane_index
from napari_utile.session.plane_index import PlaneIndex


@st.composite
def planes(draw):
    """Draw an array and a plane of it, with a further slice (channels) or without."""
    shape = draw(st.lists(st.integers(1, 5), min_size=2, max_size=5))
    first, second, *rest = draw(st.permutations(range(len(shape))))
    channel = rest[0] if rest and draw(st.booleans()) else None
    index = tuple(
        slice(None) if axis in (first, second, channel) else draw(st.integers(0, size - 1))
        for axis, size in enumerate(shape)
    )
    rows, columns = sorted((first, second))
    return np.arange(np.prod(shape)).reshape(shape), PlaneIndex(index, (rows, columns))


@given(planes(), st.data())
def test_pixels_windows_and_points_are_the_same_pixels_of_the_array(array_and_plane, data):
    array, plane = array_and_plane
    height, width = (array.shape[axis] for axis in plane.axes)
    row, column = data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))
    one = array[plane.point((row, column))]
    assert array[plane.pixels([row], [column])].tolist() == [one]
    corner = array[plane.window(Window(slice(row, height), slice(column, width)))]
    assert corner.flat[0] == one
    assert array[plane.window(None)].size == array[plane.index].size
    assert plane.at(plane.steps) == plane
    assert len(plane.sliders) == len(plane.steps)
    expanded = plane.expanded(np.zeros((height, width)))
    assert all(
        size == (array.shape[axis] if axis in plane.axes else 1) for axis, size in enumerate(expanded.shape)
    )


def test_a_plane_has_two_axes():
    assert PlaneIndex.of((3, slice(None), slice(None))).axes == (1, 2)
    with pytest.raises(ValueError, match="leaves 1"):
        PlaneIndex.of((3, 4, slice(None)))


def test_the_examples_are_true():
    assert doctest.testmod(plane_index, extraglobs={"np": np, "Window": Window}).failed == 0
