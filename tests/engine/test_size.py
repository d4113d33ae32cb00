"""The size of cells, measured."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from napari_utile import segment
from napari_utile.engine.inference.cell_size import CellSize
from napari_utile.engine.inference.field import Field, scale_factors
from napari_utile.engine.inference.size import ENOUGH, SIDES, measure_size
from napari_utile.engine.models.library import Model, load_model
from napari_utile.engine.planes.axes import ImagePlane
from napari_utile.engine.planes.spread import spread
from napari_utile.engine.segment_params import SegmentParams


def nuclei(diameter: float, side: int = 400, seed: int = 0) -> np.ndarray:
    """Blurred discs on a noisy ground, on a grid that leaves gaps."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side].astype(np.float32)
    image = np.zeros((side, side), np.float32)
    step = 1.6 * diameter
    for row in np.arange(step / 2, side, step):
        for column in np.arange(step / 2, side, step):
            near = np.hypot(y - row - rng.normal(0, 0.05 * step), x - column)
            image[near < diameter / 2] = 600 + 200 * rng.random()
    image = ndimage.gaussian_filter(image, max(0.6, diameter / 25))
    return (image + 100 + rng.normal(0, 10, image.shape)).astype(np.float32)


@pytest.fixture(scope="module")
def bundled() -> Model:
    return load_model("nuclei")


@pytest.mark.parametrize("diameter", [9, 60])
def test_the_diameter_of_cells_small_or_large_is_measured(bundled, diameter) -> None:
    image = nuclei(diameter, side=240 if diameter < 20 else 400)
    run = measure_size(ImagePlane(image[None]), bundled)
    trials = list(run)
    assert run.result.diameter == pytest.approx(diameter, rel=0.25)
    last = {trial.magnification: trial for trial in trials}
    assert run.result.trials == tuple(last[each] for each in sorted(last))
    assert str(run.result) == f"cells about {run.result.diameter:.3g} px across, measured"
    result = segment(image, bundled)
    assert result.diameter == run.result.diameter
    area = np.median(np.bincount(result.labels.ravel())[1:])
    assert 2 * np.sqrt(area / np.pi) == pytest.approx(diameter, rel=0.15)
    again = segment(image, bundled, diameter=result.diameter)
    np.testing.assert_array_equal(again.labels, result.labels)


def test_where_a_window_shows_few_cells_the_best_magnification_is_looked_at_in_more(bundled) -> None:
    image = np.full((600, 600), 100, np.float32)
    y, x = np.mgrid[:600, :600]
    for row in range(50, 600, 100):
        for column in range(50, 600, 100):
            image[np.hypot(y - row, x - column) < 10] = 700
    image = ndimage.gaussian_filter(image, 1) + np.random.default_rng(0).normal(0, 10, image.shape)
    run = measure_size(ImagePlane(image[None].astype(np.float32)), bundled)
    seen: dict[float, list[int]] = {}
    for trial in run:
        seen.setdefault(trial.magnification, []).append(trial.cells)
    best = run.result.best
    assert best.diameter == pytest.approx(20, rel=0.15)
    first, *more = seen[best.magnification]
    assert first < ENOUGH
    assert more == sorted(more)
    assert more[-1] == best.cells > first
    assert all(len(cells) == 1 for zoom, cells in seen.items() if zoom != best.magnification)


def test_cells_as_the_model_knows_them_leave_the_image_as_it_is(bundled) -> None:
    image = nuclei(19.5, side=220)
    auto, plain = segment(image, bundled), segment(image, bundled, diameter=None)
    assert auto.diameter == bundled.card.object_diameter
    np.testing.assert_array_equal(auto.labels, plain.labels)


def test_an_empty_field_has_no_size_and_says_so(bundled) -> None:
    image = np.random.default_rng(0).normal(100, 5, (200, 220))
    size = measure_size(ImagePlane(image[None]), bundled).result
    assert size.diameter is None
    assert str(size).startswith("the image is used as it is: no cells")
    assert segment(image, bundled).diameter is None


def test_a_model_without_a_diameter_and_a_fine_tuned_one_measure_nothing(small_model) -> None:
    plane = ImagePlane(np.zeros((1, 40, 50)))
    unknown = replace(small_model, card=replace(small_model.card, object_diameter=None))
    assert "does not say" in str(measure_size(plane, unknown).result)
    tuned = replace(small_model, card=replace(small_model.card, object_diameter=9.0, training={"base": None}))
    assert "its own size" in str(measure_size(plane, tuned).result)
    smaller = replace(tuned, card=replace(tuned.card, scale=0.696))
    assert str(measure_size(plane, smaller).result) == (
        "the image is rescaled by 0.696: the model was trained on images that were rescaled like this"
    )


@pytest.mark.parametrize(
    ("pixel", "said"),
    [
        (0.6499999, "used as it is: the model was trained on images of its own size"),
        (0.325, "rescaled by 0.5: the model was trained on images that were rescaled like this"),
    ],
)
def test_an_image_of_nearly_the_model_s_pixel_size_is_used_as_it_is(small_model, pixel, said) -> None:
    card = replace(small_model.card, object_diameter=9.0, training={"base": None}, pixel_size=0.65)
    plane = ImagePlane(np.zeros((1, 40, 50)), pixel_size=(pixel, pixel), unit="µm")
    size = measure_size(plane, replace(small_model, card=card)).result
    assert str(size) == f"the image is {said}"


def test_one_of_several_planes_may_hold_no_number(bundled) -> None:
    planes = [ImagePlane(nuclei(20, side=220)[None]), ImagePlane(np.full((1, 220, 220), np.nan, np.float32))]
    assert measure_size(planes, bundled).result.diameter is not None


def test_one_size_is_measured_over_the_planes_of_a_stack(bundled) -> None:
    empty = np.random.default_rng(0).normal(100, 5, (220, 220)).astype(np.float32)
    stack = [ImagePlane(each[None]) for each in (empty, nuclei(30, 220), nuclei(30, 220, 1), empty)]
    assert measure_size(stack, bundled).result.diameter == pytest.approx(30, rel=0.25)
    assert spread(4, 3) == [0, 2, 3]


def test_the_pixel_size_counts_where_it_agrees_with_what_is_seen(bundled) -> None:
    known = replace(bundled, card=replace(bundled.card, pixel_size=0.5))
    image = nuclei(30, 220)[None]
    pixel = known.card.object_diameter * 0.5 / 31
    agrees = measure_size(ImagePlane(image, pixel_size=(pixel, pixel), unit="µm"), known).result
    assert (agrees.diameter, agrees.origin) == (31, "by the pixel size")
    pixel /= 2
    differs = measure_size(ImagePlane(image, pixel_size=(pixel, pixel), unit="µm"), known).result
    assert differs.diameter == pytest.approx(30, rel=0.25)
    assert "by the pixel size they would be 62 px" in str(differs)


def test_a_pixel_size_by_which_cells_would_not_fit_the_image_is_not_believed(bundled) -> None:
    known = replace(bundled, card=replace(bundled.card, pixel_size=0.5))
    image = np.random.default_rng(0).normal(100, 5, (1, 220, 220))
    plane = ImagePlane(image, pixel_size=(0.001, 0.001), unit="µm")
    size = measure_size(plane, known).result
    assert scale_factors(plane, known.card, size.diameter) == (1, 1)
    assert str(size) == (
        "cells about 20 px across, as the model knows them; by its pixel size cells would be 10,000 px across, "
        "more than the image"
    )


def test_large_sizes_are_written_as_people_do() -> None:
    assert str(CellSize(1234.0)) == "cells about 1,230 px across, measured"


def test_the_cost_of_measuring_is_bounded(bundled, monkeypatch) -> None:
    """A large image is not read but where windows lie, and no more than two megapixels are computed."""
    computed = []
    monkeypatch.setattr(Field, "seen", lambda field, window: _nothing(field, window, computed))
    image = np.random.default_rng(0).random((1, 3000, 3000), np.float32)
    list(measure_size(ImagePlane(image), bundled))
    assert 0 < sum(computed) <= 2_000_000
    computed.clear()
    list(measure_size(ImagePlane(image[:, :1024, :1024]), bundled))
    assert sum(computed) <= 0.5 * 1024**2
    computed.clear()
    list(measure_size(ImagePlane(image[:, :200, :200]), bundled))
    assert sum(computed) <= 7 * SIDES[-1] ** 2


def _nothing(field, window, computed):
    region = field.plan(window).region
    computed.append(region.size)
    return np.zeros((field.model.card.output_channels, *region.shape), np.float32)


@pytest.mark.parametrize(("word", "kept"), [("none", None), ("auto", "auto"), ("same", "same"), (12.5, 12.5)])
def test_diameters_are_numbers_or_words(word, kept) -> None:
    params = SegmentParams(diameter=word)
    assert params.diameter == kept
    assert params.known_diameter == (kept if isinstance(kept, float) else None)


@pytest.mark.parametrize("wrong", ["large", 0, -3, float("nan"), True])
def test_other_diameters_are_refused(wrong) -> None:
    with pytest.raises(ValueError, match="diameter"):
        SegmentParams(diameter=wrong)
