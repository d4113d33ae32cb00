"""Whether a model fits an image, said honestly."""

from dataclasses import replace

import numpy as np
import pytest

from napari_utile.engine.errors import UtileWarning
from napari_utile.engine.fitting.ranking import RatedModel, ranked, suggest
from napari_utile.engine.inference.cell_size import CellSize, SizeTrial
from napari_utile.engine.inference.confidence import Fit, fit_at, fit_of, overall
from napari_utile.engine.inference.size import measure_size
from napari_utile.engine.models.card import ModelCard
from napari_utile.engine.models.library import load_model
from napari_utile.engine.models.outputs import InputChannel
from napari_utile.engine.planes.axes import plane_from_array
from napari_utile.engine.segment import segment
from napari_utile.engine.steps import Run


def nuclei_image(shape=(160, 200), seed=0, radius=8):
    rng = np.random.default_rng(seed)
    yy, xx = np.mgrid[: shape[0], : shape[1]]
    image = rng.normal(20, 3, shape)
    for y in range(20, shape[0] - 10, 3 * radius):
        for x in range(20, shape[1] - 10, 3 * radius):
            image += 100 / (1 + np.exp(np.hypot(yy - y, xx - x) - radius))
    return image.astype(np.float32)


@pytest.fixture(scope="module")
def nuclei():
    model = load_model("nuclei")
    return replace(model, card=replace(model.card, confidence=0.5))


def test_nuclei_look_right_to_the_model_of_nuclei(nuclei):
    fit = fit_of(segment(nuclei_image(), nuclei))
    assert fit.looks_right
    assert fit.cells > 20


def test_a_field_without_cells_says_only_that(nuclei):
    fit = fit_of(segment(np.zeros((64, 64), np.float32), nuclei, diameter=None))
    assert (fit.confidence, fit.looks_right, str(fit)) == (None, None, "no cells found")


def test_a_model_without_a_threshold_says_nothing(nuclei):
    model = replace(nuclei, card=replace(nuclei.card, confidence=None))
    fit = fit_of(segment(nuclei_image(), model, diameter=None))
    assert fit.looks_right is None
    assert "does not look" not in str(fit)


def test_a_result_and_a_measurement_of_windows_rate_an_image_alike(nuclei):
    image = plane_from_array(nuclei_image())
    size = measure_size(image, nuclei).result
    made = fit_of(segment(image, nuclei, diameter=size.diameter), size)
    assert made.confidence == pytest.approx(fit_at(size, nuclei.card).confidence, abs=0.05)
    assert size.confidence == size.best.depth - size.unsteadiness


def test_a_large_result_is_rated_by_blocks_about_as_a_whole(nuclei, monkeypatch):
    made = segment(nuclei_image((300, 300)), nuclei, diameter=None)
    whole = fit_of(made)
    monkeypatch.setattr("napari_utile.engine.cells.uncertainty.MOST_PIXELS", 40_000)
    monkeypatch.setattr("napari_utile.engine.cells.uncertainty.BLOCK", 100)
    some = fit_of(made)
    assert 0 < some.cells < whole.cells
    assert some.confidence == pytest.approx(whole.confidence, abs=0.1)


def test_low_confidence_names_the_model_and_the_numbers():
    fit = Fit("nuclei", 0.41, 0.6, 30)
    assert fit.looks_right is False
    assert str(fit) == (
        "this does not look like what nuclei was trained on (confidence 0.41, at least 0.60 expected)"
    )


@pytest.mark.parametrize(
    ("cells", "looks_right", "few"), [(1, None, True), (2, None, True), (3, True, False)]
)
def test_one_or_two_cells_do_not_show_that_a_model_fits(cells, looks_right, few):
    fit = Fit("cells", 0.7, 0.55, cells, whole=True)
    assert (fit.looks_right, fit.too_few) == (looks_right, few)
    assert str(fit).endswith("is the cell size right?") is few
    assert Fit("cells", 0.5, 0.55, cells, whole=True).looks_right is False
    assert not Fit("cells", 0.7, None, cells, whole=True).too_few
    assert Fit("cells", 0.7, 0.55, cells).looks_right, "in windows of the image few are whole"


def test_a_stack_counts_its_planes_by_their_cells():
    fit = overall([Fit("m", 0.8, 0.5, 30), Fit("m", None, 0.5, 0), Fit("m", 0.4, 0.5, 10)])
    assert (fit.confidence, fit.cells) == (pytest.approx(0.7), 40)
    assert overall([Fit("m", None, 0.5, 0)]).confidence is None


def test_the_surest_of_the_models_that_look_right_comes_first():
    surest, modest = Fit("nuclei", 0.8, 0.725, 30), Fit("cells", 0.74, 0.55, 30)
    wrong, unknown = Fit("tissue", 0.7, 0.95, 30), Fit("own", 0.95, None, 30)
    few, nothing = Fit("phase", 0.9, 0.6, 1, whole=True), Fit("empty", None, 0.5, 0)
    unsure = Fit("tissue-cells", 0.2, None, 30)
    mixed = [unsure, few, nothing, wrong, modest, unknown, surest]
    best_first = [surest, modest, unknown, few, wrong, unsure, nothing]
    assert sorted(mixed, key=lambda each: each.rank, reverse=True) == best_first


def test_of_models_that_do_not_look_right_the_one_that_lacks_least_comes_first():
    eager, near = Fit("bacteria", 0.56, 0.7, 30), Fit("phase", 0.54, 0.62, 30)
    assert max(eager, near, key=lambda each: each.rank) is near


@pytest.mark.parametrize("diameter", ["auto", 16])
@pytest.mark.parametrize("stacked", [False, True])
def test_python_is_warned_where_the_model_does_not_look_right(nuclei, diameter, stacked):
    strict = replace(nuclei, card=replace(nuclei.card, confidence=0.99))
    image, options = nuclei_image(), {}
    if stacked:
        image, options = np.stack([image, image]), {"axes": "ZYX", "link": "z"}
    with pytest.warns(UtileWarning, match=r"this does not look like what nuclei was trained on .*utile fit"):
        segment(image, strict, diameter=diameter, **options)
    segment(image, nuclei, diameter=diameter, **options)  # and not otherwise: warnings are errors
    segment(np.zeros((64, 64), np.float32), strict, diameter=diameter)  # nor of an empty field


def test_models_that_look_right_are_ranked_before_those_that_do_not(nuclei):
    strict = replace(nuclei, card=replace(nuclei.card, name="strict", confidence=0.95))
    found = suggest(plane_from_array(nuclei_image()), [strict, nuclei]).result
    assert [each.card.name for each in found] == [nuclei.card.name, "strict"]
    assert [each.fit.looks_right for each in found] == [True, False]


def test_models_that_need_more_channels_are_left_out(nuclei):
    three = replace(
        nuclei, card=replace(nuclei.card, inputs=nuclei.card.inputs * 3, config={"in_channels": 3})
    )
    assert suggest(plane_from_array(np.zeros((64, 64))), [three]).result == []


def test_a_model_that_is_sure_of_few_cells_comes_after_one_that_finds_many():
    found = {"few": (4, 0.9), "many": (58, 0.55), "some": (20, 0.5)}
    models = [RatedModel(name, name, card=ModelCard(name, "unet", {}, confidence=0.6)) for name in found]

    def measure(name, card):
        yield from ()
        cells, score = found[name]
        return CellSize(20.0, (SizeTrial(1.0, cells, score, 20.0, score),))

    ratings = Run(ranked(models, measure)).result
    assert [each.name for each in ratings.models] == ["many", "some", "few"]
    assert ratings.models[-1].in_words().startswith("Sure of far fewer cells than another model finds: 0.90")


@pytest.mark.parametrize(("sure", "first"), [(0.7, "colours"), (0.5, "grey")])
def test_of_models_that_look_right_one_that_reads_the_colours_comes_first(sure, first):
    inputs = {"grey": ("any",), "colours": ("red", "green", "blue")}
    found = {"grey": 0.9, "colours": sure}
    models = [
        RatedModel(
            name,
            name,
            card=ModelCard(
                name,
                "unet",
                {"in_channels": len(inputs[name])},
                inputs=tuple(InputChannel(each) for each in inputs[name]),
                confidence=0.6,
            ),
        )
        for name in found
    ]

    def measure(name, card):
        yield from ()
        return CellSize(20.0, (SizeTrial(1.0, 30, found[name], 20.0, found[name]),))

    assert Run(ranked(models, measure)).result.models[0].name == first


@pytest.mark.parametrize(
    ("specks", "sure", "cells", "score", "first"),
    [
        (7, 0.62, 9, 0.58, "cells"),  # specks within cells that another model knows nearly as well
        (7, 0.9, 9, 0.58, "specks"),  # which says little where the first one is much surer
        (20, 0.62, 9, 0.58, "specks"),  # or the other sees a few large things among many small ones
        (2, 0.62, 2, 0.58, "specks"),  # or one or two
    ],
)
def test_a_model_that_is_sure_of_specks_within_cells_comes_after_the_one_that_sees_cells(
    specks, sure, cells, score, first
):
    found = {"specks": (specks, sure, 10.0), "cells": (cells, score, 50.0)}
    models = [RatedModel(name, name, card=ModelCard(name, "unet", {}, confidence=0.6)) for name in found]

    def measure(name, card):
        yield from ()
        count, confidence, diameter = found[name]
        return CellSize(diameter, (SizeTrial(1.0, count, confidence, diameter, confidence),))

    ratings = Run(ranked(models, measure)).result
    assert ratings.models[0].name == first
    assert ratings.any_looks_right == (first == "specks")
    said = {each.name: each.in_words() for each in ratings.models}
    assert said["specks"].startswith("Sure of much smaller things" if first == "cells" else "Looks right")
