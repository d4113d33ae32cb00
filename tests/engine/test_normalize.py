"""Intensity limits."""

import dask.array
import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy
from scipy import ndimage

from napari_utile.engine.planes.normalize import IntensityLimits, Normalization, measure_limits


@settings(max_examples=80, deadline=None)
@given(
    pixels=st_numpy.arrays(
        st.sampled_from([np.uint8, np.uint16, np.int16, np.float32, np.float64]),
        st.tuples(st.integers(1, 2), st.integers(1, 20), st.integers(1, 20)),
        elements=st.integers(0, 100),
    ),
    low=st.floats(0, 50),
    high=st.floats(50, 100),
)
def test_limits_are_the_percentiles(pixels, low, high) -> None:
    limits = measure_limits(pixels, Normalization(low, high, "percentiles"))
    for channel, values in enumerate(pixels):
        expected = np.percentile(values.astype(float), (low, high))
        if expected[1] > expected[0]:
            np.testing.assert_allclose(
                [limits.low[channel], limits.high[channel]], expected, rtol=1e-5, atol=1e-9
            )
        else:
            assert (limits.low[channel], limits.high[channel]) == (values.min(), values.max())


@settings(max_examples=50, deadline=None)
@given(
    pixels=st_numpy.arrays(
        np.float64,
        (1, 6, 7),
        elements=st.floats(-1e6, 1e6) | st.sampled_from([np.nan, np.inf, -np.inf]),
    )
)
@example(pixels=np.eye(6, 7)[None] * 5e-324)
def test_whatever_the_pixels_the_network_sees_finite_numbers(pixels) -> None:
    seen = measure_limits(pixels).apply(pixels)
    assert seen.dtype == np.float32
    assert np.isfinite(seen).all()
    assert seen.min() >= -1
    assert seen.max() <= 4


@settings(max_examples=30, deadline=None)
@given(gain=st.floats(1e-2, 1e2), offset=st.floats(-1e3, 1e3), seed=st.integers(0, 2**31))
def test_gain_and_offset_of_the_camera_do_not_matter(gain, offset, seed) -> None:
    pixels = np.random.default_rng(seed).random((1, 15, 16)) * 100
    other = pixels * gain + offset
    np.testing.assert_allclose(
        measure_limits(pixels).apply(pixels), measure_limits(other).apply(other), atol=2e-4
    )


@settings(max_examples=30, deadline=None)
@given(y=st.integers(0, 14), x=st.integers(0, 15), seed=st.integers(0, 2**31))
def test_a_window_gets_the_values_it_has_in_the_whole_image(y, x, seed) -> None:
    pixels = np.random.default_rng(seed).integers(0, 60_000, (2, 15, 16)).astype(np.uint16)
    limits = measure_limits(pixels)
    np.testing.assert_array_equal(limits.apply(pixels)[:, y:, x:], limits.apply(pixels[:, y:, x:]))


def test_the_low_limit_becomes_zero_and_the_high_one_becomes_one() -> None:
    limits = IntensityLimits((10.0,), (20.0,))
    seen = limits.apply(np.array([[[10, 20, 15, 0, 255]]], np.uint8))
    np.testing.assert_allclose(seen, [[[0, 1, 0.5, -1, 4]]])


def test_channels_are_scaled_each_by_its_own_limits() -> None:
    limits = IntensityLimits((0.0, 100.0), (1.0, 200.0))
    np.testing.assert_allclose(limits.apply(np.array([[[0.5]], [[150.0]]])), [[[0.5]], [[0.5]]])


def test_one_hot_pixel_does_not_darken_the_cells() -> None:
    pixels = np.random.default_rng(0).integers(100, 200, (1, 100, 100)).astype(np.uint16)
    calm = measure_limits(pixels)
    pixels[0, 3, 3] = 65_535
    hot = measure_limits(pixels)
    assert hot.high[0] <= calm.high[0] + 1


def test_few_bright_pixels_on_an_even_ground_use_the_whole_range() -> None:
    pixels = np.zeros((1, 100, 100), np.uint16)
    pixels[0, 0, 0] = 500
    assert measure_limits(pixels) == IntensityLimits((0.0,), (500.0,))


@pytest.mark.parametrize("value", [0, 7, 255])
def test_an_even_image_becomes_zero_everywhere(value) -> None:
    pixels = np.full((1, 5, 6), value, np.uint8)
    assert not measure_limits(pixels).apply(pixels).any()


def test_an_even_image_is_its_mean_everywhere_where_the_spread_counts() -> None:
    pixels = np.full((1, 5, 6), 7, np.uint8)
    assert (measure_limits(pixels, Normalization(rule="spread")).apply(pixels) == 0.5).all()


def test_an_image_of_nan_becomes_zero_everywhere() -> None:
    pixels = np.full((1, 5, 6), np.nan)
    limits = measure_limits(pixels)
    assert limits == IntensityLimits((0.0,), (0.0,))
    assert not limits.apply(pixels).any()


def test_nan_and_infinities_do_not_move_the_limits() -> None:
    pixels = np.random.default_rng(0).random((1, 40, 50))
    broken = np.concatenate([pixels, np.full((1, 3, 50), np.nan), np.full((1, 2, 50), np.inf)], axis=1)
    assert measure_limits(broken) == measure_limits(pixels)


def test_booleans_go_from_zero_to_one() -> None:
    pixels = np.array([[[True, False], [False, False]]])
    np.testing.assert_array_equal(measure_limits(pixels).apply(pixels), [[[1, 0], [0, 0]]])


def test_the_window_given_is_not_changed() -> None:
    pixels = np.random.default_rng(0).random((1, 5, 6)).astype(np.float32)
    before = pixels.copy()
    IntensityLimits((0.2,), (0.4,)).apply(pixels)
    np.testing.assert_array_equal(pixels, before)


def test_large_images_are_measured_at_blocks_spread_over_them() -> None:
    read = []

    def block(block_info=None):
        location = block_info[None]["array-location"]
        read.append(1)
        rows = np.arange(*location[1], dtype=np.float32)[None, :, None]
        return np.broadcast_to(rows, [stop - start for start, stop in location])

    height = width = 256 * 40
    lazy = dask.array.map_blocks(block, chunks=((1,), (256,) * 40, (256,) * 40), dtype=np.float32)
    limits = measure_limits(lazy)
    assert len(read) < 1000  # of 1600 blocks
    assert limits.low[0] == pytest.approx(0.01 * height, abs=0.02 * height)
    assert limits.high[0] == pytest.approx(height, abs=0.02 * height)
    assert lazy.shape == (1, height, width)


def test_limits_do_not_depend_on_chunks() -> None:
    pixels = np.random.default_rng(0).integers(0, 999, (1, 60, 70)).astype(np.uint16)
    assert measure_limits(dask.array.from_array(pixels, chunks=13)) == measure_limits(pixels)


@pytest.mark.parametrize(("low", "high"), [(-1, 99), (60, 99), (1, 101), (1, 40), (float("nan"), 99)])
def test_percentiles_out_of_bounds_are_refused(low, high) -> None:
    with pytest.raises(ValueError, match=r"low|high"):
        Normalization(low, high)


def scene(rng, *, cells: int, bright: float = 1000, noise: float = 10, blur: float = 1.5) -> np.ndarray:
    """Discs of 8 pixels radius on a noisy ground."""
    image = np.zeros((256, 256))
    y, x = np.mgrid[:256, :256]
    for _ in range(cells):
        row, column = rng.integers(10, 246, 2)
        image[np.hypot(y - row, x - column) < 8] = bright
    return ndimage.gaussian_filter(image, blur) + 200 + rng.normal(0, noise, image.shape)


def with_debris(image: np.ndarray, rng, share: float, radius: int, times: float) -> np.ndarray:
    """Put specks, together that share of the image, `times` as bright as its range."""
    places = rng.random(image.shape) < share / (3.2 * radius**2)
    specks = ndimage.binary_dilation(places, iterations=radius)
    return image + times * (image.max() - image.min()) * specks


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 99),
    share=st.floats(0.003, 0.02),
    radius=st.integers(1, 6),
    times=st.floats(12, 100),
    cells=st.integers(60, 150),
    dtype=st.sampled_from([np.uint16, np.float32]),
)
def test_debris_leaves_the_cells_their_range(seed, share, radius, times, cells, dtype) -> None:
    # Where specks and their surroundings cover most of the image nothing is left that tells them from cells.
    assume(share / (3.2 * radius**2) * (2 * (radius + 4) + 1) ** 2 < 0.5)
    rng = np.random.default_rng(seed)
    clean = scene(rng, cells=cells, bright=500)
    dirty = with_debris(clean, rng, share, radius, times)
    assume(dirty.max() < 65_000)
    # What covers as much as sparse cells do must be many times as bright.
    assume(times > 35 or (dirty > clean.max()).mean() < 0.02)
    before, after = (measure_limits(each.astype(dtype)[None]) for each in (clean, dirty))
    assert 0.3 < (after.high[0] - after.low[0]) / (before.high[0] - before.low[0]) < 4.5


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 99),
    cells=st.integers(0, 200),
    bright=st.floats(0, 10_000),
    noise=st.floats(0.1, 300),
    blur=st.floats(0, 6),
    slope=st.floats(0, 10),
)
def test_cells_few_or_many_are_no_debris(seed, cells, bright, noise, blur, slope) -> None:
    rng = np.random.default_rng(seed)
    pixels = scene(rng, cells=cells, bright=bright, noise=noise, blur=blur) + slope * np.arange(256)
    assert measure_limits(pixels[None]) == measure_limits(pixels[None], Normalization(rule="percentiles"))


@pytest.mark.parametrize("seed", range(4))
def test_sparse_cells_on_a_faint_uneven_ground_are_no_debris(seed) -> None:
    """Nuclei on 4 % of an image, 15 times as bright as faint fibres; in float, where 8 steps of grey tell nothing."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:128, :128]
    image = rng.normal(0, 0.1, (128, 128))
    for angle, row, column in rng.uniform(0, [np.pi, 128, 128], (4, 3)):
        image += 3 * np.exp(-(((x - column) * np.sin(angle) - (y - row) * np.cos(angle)) ** 2) / 8)
    nuclei = sum(np.hypot(y - row, x - column) < 4 for row, column in rng.integers(8, 120, (12, 2))) > 0
    image = (image + 60 * ndimage.gaussian_filter(nuclei * 1.0, 0.8)).astype(np.float32)
    assert measure_limits(image[None]) == measure_limits(image[None], Normalization(rule="percentiles"))


def test_debris_in_an_image_too_large_to_be_read_whole(monkeypatch) -> None:
    rng = np.random.default_rng(0)
    clean = np.tile(scene(rng, cells=60), (4, 4))[:900]
    dirty = with_debris(clean, rng, 0.01, 2, 30)
    monkeypatch.setattr("napari_utile.engine.planes.normalize.EXACT_PIXELS", 1000)
    assert measure_limits(dirty[None]).high[0] < 2 * measure_limits(clean[None]).high[0]


def test_percentiles_are_kept_where_the_card_asks_for_them() -> None:
    rng = np.random.default_rng(0)
    dirty = with_debris(scene(rng, cells=60), rng, 0.01, 2, 30)[None]
    plain = Normalization(rule="percentiles")
    assert measure_limits(dirty, plain).high[0] == pytest.approx(np.percentile(dirty, 99.8))
