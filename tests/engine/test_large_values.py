"""An image of very large values has the cells, the sharpness and the picture of the same image of small ones."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from napari_utile.engine.errors import UtileError
from napari_utile.engine.planes.axes import ImagePlane
from napari_utile.engine.planes.normalize import measure_limits
from napari_utile.engine.planes.preprocessing import preprocessed
from napari_utile.engine.planes.projection import projected, sharpness_of
from napari_utile.engine.reports.figure import as_colours


def scene(seed: int, debris: bool = True) -> np.ndarray:
    rng = np.random.default_rng(seed)
    image = ndimage.gaussian_filter(rng.random((64, 80)), 3)
    image[rng.random(image.shape) < 0.005 * debris] = 100
    return image


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 99), exponent=st.integers(0, 1000), debris=st.booleans())
def test_a_power_of_two_changes_nothing(seed, exponent, debris) -> None:
    image = scene(seed, debris)
    image = image - image.min()  # black must not depend on the smallest step of a picture
    large = np.ldexp(image, exponent)
    small, limits = measure_limits(image[None]), measure_limits(large[None])
    assert limits.low == tuple(np.ldexp(small.low, exponent))
    assert limits.high == tuple(np.ldexp(small.high, exponent))
    assert sharpness_of(large[None]) == sharpness_of(image[None])
    np.testing.assert_array_equal(as_colours(large), as_colours(image))


@pytest.mark.parametrize("value", [3e38, -3e38, 2**62])
def test_the_mean_of_colours_is_among_them_however_large_they_are(value) -> None:
    kind = np.int64 if isinstance(value, int) else np.float32
    plane = ImagePlane(np.full((3, 8, 8), value, kind), rgb=True)
    np.testing.assert_array_equal(plane.for_network(1).data[0, 2:, :3], np.full((6, 3), value, np.float32))


@pytest.mark.parametrize("make", ["mean", "smooth", "colours"])
def test_values_that_cannot_be_computed_with_are_refused(make) -> None:
    plane = ImagePlane(np.stack([scene(0)] * 3) * 1e300, rgb=make == "colours")
    made = {
        "mean": lambda: projected([plane, plane], "mean"),
        "smooth": lambda: preprocessed(plane, "smooth:1"),
        "colours": lambda: plane.for_network(1),
    }[make]()
    with pytest.raises(UtileError, match=r"e\+30\d is too large .* go up to 3.4e\+38"):
        made.data[...]
