"""The one call from image to cells, on images of every kind."""

import dataclasses

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from napari_utile.engine.cells.instances import InstanceParams
from napari_utile.engine.errors import UtileError
from napari_utile.engine.inference.cost import duration
from napari_utile.engine.inference.estimate import estimate
from napari_utile.engine.inference.field import scale_factors
from napari_utile.engine.planes.axes import ImagePlane
from napari_utile.engine.segment import segment, segment_steps
from napari_utile.engine.segment_params import SegmentParams, suggested_instances
from napari_utile.engine.steps import Run


@pytest.fixture
def image():
    return np.random.default_rng(0).integers(0, 255, (40, 56), dtype=np.uint8)


def test_arrays_cover_the_image_and_probabilities_sum_to_one(small_model, image):
    result = segment(image, small_model)
    assert result.probabilities.shape == (2, 40, 56)
    np.testing.assert_allclose(result.probabilities.sum(0), 1, atol=1e-5)
    assert result.labels.dtype == np.int32
    assert np.array_equal(result.mask, result.labels > 0)
    assert set(np.unique(result.labels)) == set(range(result.labels.max() + 1))


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((1, 1)),
        np.zeros((1, 7), np.uint16),
        np.full((20, 20), 7, np.int16),
        np.eye(12, dtype=bool),
        np.ones((8, 30, 3), np.uint8),
        np.random.default_rng(0).random((2, 15, 15)),
    ],
    ids=lambda image: f"{image.dtype}{image.shape}",
)
def test_odd_images_give_a_result_of_their_size(small_model, image):
    result = segment(image, small_model)
    size = image.shape[:2] if image.shape[-1] == 3 else image.shape[-2:]
    assert result.labels.shape == size
    assert np.isfinite(result.probabilities).all()


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (np.zeros((0, 4)), "empty"),
        (np.zeros((4, 4), complex), "real numbers"),
        (np.zeros(4), "axes named"),
        (np.zeros((2, 2, 4, 4)), "axes named"),
        (np.full((9, 5), np.nan), "has no finite values"),
        (np.full((9, 5), np.inf), "has no finite values"),
    ],
)
def test_what_is_no_image_is_refused_in_one_sentence(small_model, image, words):
    with pytest.raises(UtileError, match=words):
        segment(image, small_model)


def test_broken_pixels_do_not_change_the_rest_of_the_image(small_model, image):
    whole = segment(image.astype(np.float32), small_model)
    broken = image.astype(np.float32)
    broken[0, 0] = np.nan
    broken[0, 1] = np.inf
    far = (slice(None), slice(30, None), slice(30, None))
    np.testing.assert_allclose(
        segment(broken, small_model).probabilities[far], whole.probabilities[far], atol=0.02
    )


def test_grey_values_may_have_any_offset_and_scale(small_model, image):
    whole = segment(image, small_model)
    shifted = segment(image.astype(np.float64) * 1e-3 + 5, small_model)
    np.testing.assert_allclose(shifted.probabilities, whole.probabilities, atol=1e-3)


def test_channels_are_chosen_by_number(small_model, image):
    stack = np.stack([np.zeros_like(image), image])
    np.testing.assert_array_equal(
        segment(stack, small_model, channels=[1]).labels, segment(image, small_model).labels
    )
    with pytest.raises(UtileError, match="no channel 2"):
        segment(stack, small_model, channels=[2])
    with pytest.raises(UtileError, match=r"reads 1 channel, and 2 channels"):
        segment(stack, small_model, channels=[0, 1])


def test_the_diameter_rescales_what_the_network_sees_and_not_the_result(small_model, image):
    coarse_image = gaussian_filter(image.astype(np.float32), 3)
    fine_image = np.kron(coarse_image, np.ones((2, 2), np.float32))
    fine = segment(fine_image, small_model, diameter=40)  # cells twice as large as the model's 20 px
    coarse = segment(coarse_image, small_model, diameter=20)
    assert fine.labels.shape == fine_image.shape

    def likeness(result):
        halved = result.foreground.reshape(40, 2, 56, 2).mean((1, 3))
        return np.corrcoef(halved.ravel(), coarse.foreground.ravel())[0, 1]

    assert likeness(fine) > 0.9
    assert likeness(segment(fine_image, small_model)) < 0.7


def test_a_diameter_needs_a_model_that_says_which_it_expects(small_model, image):
    unknown = dataclasses.replace(
        small_model, card=dataclasses.replace(small_model.card, object_diameter=None)
    )
    with pytest.raises(UtileError, match="which cell diameter"):
        segment(image, unknown, diameter=20)


def test_the_pixel_size_rescales_where_plane_and_model_have_one(small_model, image):
    card = dataclasses.replace(small_model.card, pixel_size=0.5)
    plane = ImagePlane(image[None], pixel_size=(1000.0, 250.0), unit="nm")
    assert scale_factors(plane, card, None) == (2.0, 0.5)
    assert scale_factors(dataclasses.replace(plane, unit=None), card, None) == (1.0, 1.0)
    assert scale_factors(plane, small_model.card, None) == (1.0, 1.0)
    assert scale_factors(plane, card, 10.0) == (2.0, 2.0)


def test_another_threshold_runs_no_network(small_model, image):
    result = segment(image, small_model, threshold=0.5)
    lower = InstanceParams(threshold=0.3)
    again = result.relabelled(lower)
    assert again.values is result.values
    np.testing.assert_array_equal(
        again.labels, segment(image, small_model, **dataclasses.asdict(lower)).labels
    )


def test_the_card_suggests_instance_parameters_and_the_caller_overrides_them(small_model):
    card = dataclasses.replace(small_model.card, instances={"threshold": 0.3, "grow": 2})
    assert suggested_instances(card, grow=0) == InstanceParams(threshold=0.3, grow=0)


@pytest.mark.parametrize("diameter", [None, 31.0])
def test_previews_cover_the_region_while_the_tiles_come(small_model, image, diameter):
    params = SegmentParams(tile=16, diameter=diameter, precision="float32")
    region = (slice(3, 40), slice(0, 51))
    run = Run(segment_steps(ImagePlane(image[None]), params, model=small_model, region=region))
    seen = np.zeros(image.shape, bool)
    for step in run:
        if step.window is None:
            assert seen[region].all(), "no tile comes after the cells"
            continue
        assert step.foreground.shape == seen[step.window].shape
        seen[step.window] = True
    result = run.result
    assert seen[region].all()
    assert seen.sum() == seen[region].sum()
    assert result.labels.shape == (37, 51)


def test_the_estimate_counts_what_will_run(small_model, image):
    plane = ImagePlane(image[None])
    params = SegmentParams(tile=16)
    said = estimate(plane, small_model, params)
    ran = sum(step.stage == "tiles" for step in segment_steps(plane, params, model=small_model))
    assert said.tiles == ran
    assert said.seconds > 0
    half = estimate(plane, small_model, params, region=(slice(0, 40), slice(0, 28)))
    assert half.tiles < said.tiles
    assert half.gflop < said.gflop
    assert f"{ran} tiles" in str(said)


@pytest.mark.parametrize(("seconds", "words"), [(0.2, "1 s"), (42, "42 s"), (600, "10 min"), (9000, "2.5 h")])
def test_durations_are_said_as_precisely_as_they_deserve(seconds, words):
    assert duration(seconds) == words


def test_after_the_last_tile_a_segmentation_can_still_be_cancelled(small_model, image):
    steps = segment_steps(ImagePlane(image[None]), SegmentParams(), model=small_model)
    stages = [step.stage for step in steps]
    assert stages.count("cells") >= 2
    assert stages.index("cells") == stages.count("tiles")


def test_drawn_shapes_are_decoded_once_and_as_if_the_rest_were_background(small_model, image):
    plane, region = ImagePlane(image[None]), (slice(3, 40), slice(0, 51))
    inside = np.hypot(*np.mgrid[-18:19, -25:26]) < 17
    whole = Run(segment_steps(plane, model=small_model, region=region)).result
    cut = Run(segment_steps(plane, model=small_model, region=region, inside=inside)).result
    np.testing.assert_array_equal(cut.labels, whole.only_inside(inside).labels)
    np.testing.assert_array_equal(cut.probabilities, whole.only_inside(inside).probabilities)
    assert not cut.foreground[~inside].any()
    with pytest.raises(ValueError, match="shape"):
        list(segment_steps(plane, model=small_model, inside=inside))
