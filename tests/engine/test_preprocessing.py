"""Steps before the network: a window gives what the whole plane gives, and a recipe says them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_utile.engine.parameters import from_json, to_json
from napari_utile.engine.planes.axes import ImagePlane
from napari_utile.engine.planes.preprocessing import parse_steps, preprocessed, reach_of
from napari_utile.engine.provenance.command import segment_command
from napari_utile.engine.segment import segment
from napari_utile.engine.segment_params import SegmentParams, suggested_instances

STEPS = ["invert", "smooth:1.5", "median:1", "background:3", "contrast:4"]


@settings(max_examples=40, deadline=None)
@given(
    steps=st.lists(st.sampled_from(STEPS), min_size=1, max_size=3),
    seed=st.integers(0, 2**31),
    data=st.data(),
)
def test_a_window_is_a_piece_of_the_whole(steps, seed, data) -> None:
    pixels = np.random.default_rng(seed).integers(0, 4000, (2, 40, 33)).astype(np.uint16)
    plane = preprocessed(ImagePlane(pixels), ",".join(steps))
    whole = plane.data[...]
    y, x = (
        sorted(data.draw(st.lists(st.integers(0, n), min_size=2, max_size=2, unique=True))) for n in (40, 33)
    )
    window = (slice(None), slice(*y), slice(*x))
    np.testing.assert_array_equal(plane.data[window], whole[window])
    np.testing.assert_array_equal(plane.data[1], whole[1])


@pytest.mark.parametrize("text", [*STEPS, "invert,smooth:2"])
def test_what_is_missing_stays_missing(text) -> None:
    pixels = np.random.default_rng(1).random((1, 40, 33), np.float32)
    pixels[:, 10:20, 5:9] = np.nan
    missing = preprocessed(ImagePlane(pixels), text).data[...]
    np.testing.assert_array_equal(np.isnan(missing), np.isnan(pixels))
    pixels[:, 10:14, 5:9], pixels[:, 14:18, 5:9] = np.inf, -np.inf
    np.testing.assert_array_equal(preprocessed(ImagePlane(pixels), text).data[...], missing)


def test_local_contrast_does_not_depend_on_the_unit_of_grey_values() -> None:
    pixels = np.random.default_rng(1).random((1, 40, 33))
    for exponent in (990, 20):
        np.testing.assert_array_equal(
            preprocessed(ImagePlane(np.ldexp(pixels, exponent)), "contrast:4").data[...],
            preprocessed(ImagePlane(np.ldexp(pixels, 10)), "contrast:4").data[...],
        )


def test_a_step_reaches_no_further_than_it_says() -> None:
    for text in STEPS:
        pixels = np.zeros((1, 61, 61), np.float32)
        pixels[0, 30, 30] = 100
        blank = preprocessed(ImagePlane(pixels * 0), text).data[0]
        changed = preprocessed(ImagePlane(pixels), text).data[0] != blank
        far = np.abs(np.indices(changed.shape) - 30).max(axis=0) > reach_of(text)
        assert not (changed & far).any(), text


@pytest.mark.parametrize(
    "text", ["smooth", "smooth:0", "smooth:x", "invert:2", "blur:2", "median:-1", "median:999"]
)
def test_a_step_that_is_none_is_named(text) -> None:
    with pytest.raises(ValueError, match="preprocess"):
        SegmentParams(preprocess=text)
    assert parse_steps(None) == parse_steps("") == ()


def test_what_is_inverted_twice_gives_the_same_labels_and_is_recorded(small_model) -> None:
    pixels = np.random.default_rng(0).random((48, 56)).astype(np.float32)
    plain = segment(pixels, small_model, diameter=None)
    inverted = segment(-pixels, small_model, diameter=None, preprocess="invert")
    np.testing.assert_array_equal(inverted.labels, plain.labels)
    params = inverted.params
    assert from_json(SegmentParams, to_json(params)).preprocess == "invert"
    assert "--preprocess invert" in segment_command("a.tif", params, suggested_instances(small_model.card))
