"""Planes taken out of any array."""

import dask.array
import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_utile.engine.errors import UtileError
from napari_utile.engine.planes.axes import ImagePlane, guess_axes, plane_from_array

SIZES = {"T": 2, "Z": 3, "C": 2, "Y": 5, "X": 7, "S": 3}


@pytest.mark.parametrize(
    ("shape", "axes"),
    [
        ((5, 7), "YX"),
        ((1, 1), "YX"),
        ((3, 5), "YX"),
        ((2, 5, 7), "CYX"),
        ((1, 5, 7), "CYX"),
        ((50, 70, 3), "YXS"),
        ((50, 70, 4), "YXS"),
        ((50, 3, 3), "YXS"),
        ((3, 50, 3), "CYX"),
        ((3, 3, 3), "CYX"),
        ((50, 70, 2), "YXC"),
        ((1, 5, 3), "CYX"),
    ],
)
def test_axes_without_names_are_guessed_from_the_shape(shape, axes) -> None:
    assert guess_axes(np.zeros(shape, np.uint8)) == axes


@pytest.mark.parametrize("shape", [(), (5,), (2, 3, 4, 5)])
def test_shapes_that_need_names_are_refused(shape) -> None:
    with pytest.raises(UtileError, match="axes"):
        plane_from_array(np.zeros(shape))


@settings(max_examples=80, deadline=None)
@given(
    axes=st.permutations("TZCYX").flatmap(
        lambda order: st.integers(0, 3).map(
            lambda dropped: "".join(axis for axis in order if axis not in "TZC"[:dropped])
        )
    ),
    kind=st.sampled_from(["numpy", "dask", "zarr"]),
    lower=st.booleans(),
    seed=st.integers(0, 2**31),
)
def test_any_order_of_axes_and_any_array_give_the_same_plane(axes, kind, lower, seed) -> None:
    index = {"T": 1, "Z": 2}
    pixels = np.random.default_rng(seed).integers(0, 999, [SIZES[axis] for axis in axes]).astype(np.uint16)
    order = [axes.index(axis) for axis in "TZCYX" if axis in axes]
    sorted_axes = "".join(axis for axis in "TZCYX" if axis in axes)
    expected = pixels.transpose(order)[tuple(index[axis] for axis in sorted_axes if axis in "TZ")]
    expected = expected if "C" in axes else expected[None]
    array = pixels
    if kind == "dask":
        array = dask.array.from_array(pixels, chunks=2)
    elif kind == "zarr":
        array = zarr.create_array({}, shape=pixels.shape, dtype=pixels.dtype, chunks=(2,) * pixels.ndim)
        array[...] = pixels
    plane = plane_from_array(array, axes.lower() if lower else axes, index=index)
    assert plane.shape == (SIZES["Y"], SIZES["X"])
    np.testing.assert_array_equal(np.asarray(plane.data[:, 1:4, 2:6]), expected[:, 1:4, 2:6])
    np.testing.assert_array_equal(np.asarray(plane.data[...]), expected)


@pytest.mark.parametrize(
    ("axes", "shape"), [("YXS", (5, 7, 3)), ("SYX", (3, 5, 7)), ("TYXS", (2, 5, 7, 4)), ("YSX", (5, 3, 7))]
)
def test_colours_are_channels_wherever_their_axis_is(axes, shape) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, shape).astype(np.uint8)
    plane = plane_from_array(pixels, axes, index={"T": 1})
    assert plane.rgb
    frame = pixels[1] if "T" in axes else pixels
    np.testing.assert_array_equal(plane.data, np.moveaxis(frame, axes.removeprefix("T").index("S"), 0))


def test_two_samples_are_no_colours() -> None:
    assert not plane_from_array(np.zeros((5, 7, 2), np.uint8), "YXS").rgb


def test_a_dask_plane_is_not_computed_before_it_is_read() -> None:
    def explode(block):
        raise AssertionError("a block was read")

    lazy = dask.array.zeros((3, 2, 512, 512), chunks=(1, 1, 256, 256), dtype="u2").map_blocks(
        explode, dtype="u2"
    )
    plane = plane_from_array(lazy, "TCYX", index={"T": 1})
    assert plane.data.shape == (2, 512, 512)
    chosen = plane.with_channels([1])
    assert chosen.data.shape == (1, 512, 512)


@pytest.mark.parametrize(
    ("image", "axes"),
    [
        (np.zeros((5, 7)), "CYX"),
        (np.zeros((5, 7)), "YY"),
        (np.zeros((5, 7)), "CX"),
        (np.zeros((2, 5, 7)), "YX"),
        (np.zeros((0, 7)), "YX"),
        (np.zeros((0, 5, 7)), "CYX"),
        (np.zeros((2, 0, 5, 7)), "TCYX"),
        (np.zeros((5, 7), complex), "YX"),
        (np.array([["a", "b"]]), "YX"),
        (np.array([[object()]]), "YX"),
        (np.zeros((5, 7), "M8[s]"), "YX"),
    ],
)
def test_arrays_that_are_no_images_give_one_sentence(image, axes) -> None:
    with pytest.raises(UtileError) as caught:
        plane_from_array(image, axes, name="odd")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("index", [{"T": 2}, {"T": -3}, {"T": 10**9}])
def test_a_frame_that_does_not_exist_is_an_error(index) -> None:
    with pytest.raises((UtileError, IndexError)):
        plane_from_array(np.zeros((2, 5, 7)), "TYX", index=index)


def test_lists_are_images_too() -> None:
    np.testing.assert_array_equal(plane_from_array([[1, 2], [3, 4]]).data, [[[1, 2], [3, 4]]])


# Channels


@pytest.fixture
def plane() -> ImagePlane:
    return ImagePlane(np.arange(3 * 4 * 5, dtype=np.uint8).reshape(3, 4, 5), "cells", rgb=True)


def test_channels_are_taken_in_the_order_given(plane) -> None:
    np.testing.assert_array_equal(plane.with_channels([2, 0]).data, plane.data[[2, 0]])
    assert plane.with_channels([0, 1, 2]) is plane
    assert not plane.with_channels([2, 1, 0]).rgb


@pytest.mark.parametrize("channels", [[3], [-1], [0, 7]])
def test_a_channel_that_does_not_exist_is_named(plane, channels) -> None:
    with pytest.raises(UtileError, match=r"3 channels.*no channel"):
        plane.with_channels(channels)


@pytest.mark.parametrize("lazy", [False, True])
def test_channels_of_lazy_arrays_are_read_by_windows(lazy) -> None:
    pixels = np.random.default_rng(0).integers(0, 99, (3, 8, 9)).astype(np.uint8)
    array = (
        zarr.create_array({}, shape=pixels.shape, dtype=pixels.dtype, chunks=(1, 4, 4)) if lazy else pixels
    )
    array[...] = pixels
    chosen = ImagePlane(array).with_channels([2, 0])
    np.testing.assert_array_equal(np.asarray(chosen.data[:, 2:7, 1:9]), pixels[[2, 0]][:, 2:7, 1:9])
    np.testing.assert_array_equal(np.asarray(chosen.data[1]), pixels[0])


def test_a_network_of_one_channel_sees_colours_as_grey(plane) -> None:
    grey = plane.for_network(1)
    assert grey.data.shape == (1, 4, 5)
    np.testing.assert_allclose(grey.data[:, 1:3, :], plane.data.mean(axis=0)[None, 1:3])
    np.testing.assert_allclose(grey.data[0], plane.data.mean(axis=0))
    np.testing.assert_allclose(np.asarray(grey.data[...]), plane.data.mean(axis=0)[None])


def test_transparency_does_not_darken_the_grey() -> None:
    pixels = np.full((4, 4, 5), 90, np.uint8)
    pixels[3] = 255
    assert (ImagePlane(pixels, rgb=True).for_network(1).data[0] == 90).all()


def test_a_network_gets_the_channels_it_reads(plane) -> None:
    assert plane.for_network(3) is plane
    np.testing.assert_array_equal(plane.for_network(1, [2]).data, plane.data[[2]])
    channels = ImagePlane(plane.data, rgb=False)
    np.testing.assert_array_equal(channels.for_network(1).data, plane.data[:1])
    np.testing.assert_array_equal(channels.for_network(2).data, plane.data[:2])


def test_too_few_or_too_many_channels_for_the_network_are_named(plane) -> None:
    with pytest.raises(UtileError, match="reads 4 channel"):
        plane.for_network(4)
    with pytest.raises(UtileError, match=r"reads 1 channel, and 2 channels"):
        plane.for_network(1, [0, 1])


def test_which_stains_the_colours_of_an_image_are_is_not_guessed(plane) -> None:
    with pytest.raises(UtileError, match="is a colour image: choose them, red is 0, green 1 and blue 2"):
        plane.for_network(2)
    np.testing.assert_array_equal(plane.for_network(2, [0, 2]).data, plane.data[[0, 2]])


def test_a_plane_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\(C, Y, X\)"):
        ImagePlane(np.zeros((4, 5)))
    with pytest.raises(UtileError, match="empty"):
        ImagePlane(np.zeros((1, 0, 5)))
