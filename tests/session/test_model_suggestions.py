"""Which model fits, as the docks ask it."""

from dataclasses import replace

import numpy as np
import pytest

from napari_utile.engine.fitting.ranking import RatedModel
from napari_utile.engine.inference.cell_size import CellSize, SizeTrial
from napari_utile.engine.inference.confidence import Fit, Suggestion
from napari_utile.engine.models import catalogue, library
from napari_utile.engine.models.catalogue import card_of, user_model_folder
from napari_utile.engine.planes.axes import plane_from_array
from napari_utile.engine.segment_params import SegmentParams
from napari_utile.engine.steps import Run
from napari_utile.session import state
from napari_utile.session.cell_size import measured_steps
from napari_utile.session.measured import Stack
from napari_utile.session.model_suggestions import suggest_job
from napari_utile.session.state import Session


@pytest.fixture(autouse=True)
def _own_models(make_bright_model, monkeypatch, tmp_path):
    """Give a library with a model that fits, one that expects more, and a broken file."""
    monkeypatch.setattr(catalogue, "BUNDLED_FOLDER", tmp_path)
    folder = user_model_folder()
    make_bright_model(folder / "nuclei.safetensors", object_diameter=20.0, confidence=0.2)
    make_bright_model(folder / "strict.safetensors", object_diameter=20.0, confidence=0.99)
    (folder / "broken.safetensors").write_bytes(b"nothing")


@pytest.fixture
def stack():
    y, x = np.mgrid[:160, :160]
    cells = (((y % 40) - 20) ** 2 + ((x % 40) - 20) ** 2 < 100) * 200.0
    return Stack((plane_from_array(cells.astype(np.float32)),), "these")


def ratings_of(session, stack, params=None):
    return Run(suggest_job(session, params or SegmentParams(), stack)).result


def test_models_are_ranked_and_those_that_cannot_be_used_come_last_with_the_reason(stack):
    ratings = ratings_of(Session(), stack)
    assert [each.name for each in ratings.models] == ["nuclei", "strict", "broken"]
    assert [each.fit is not None and each.fit.looks_right for each in ratings.models] == [True, False, False]
    assert ratings.any_looks_right
    assert ratings.models[0].in_words().startswith("Looks right: 0.")
    assert ratings.models[1].in_words().startswith("Does not look right: 0.")
    assert ratings.models[0].diameter == pytest.approx(20, rel=0.2)
    assert ratings.models[2].in_words().startswith("Cannot be used: broken.safetensors")


def test_a_model_trained_on_own_images_is_rated_at_its_own_size(stack, make_bright_model):
    make_bright_model(
        user_model_folder() / "mine.safetensors",
        object_diameter=20.0,
        confidence=0.1,
        training={"base": "nuclei"},
    )
    session = Session()
    known = Run(measured_steps(session, stack, SegmentParams(model="mine"))).result
    assert not known.trials
    mine = next(each for each in ratings_of(session, stack).models if each.name == "mine")
    assert mine.in_words().startswith("Looks right: 0.")
    assert len(mine.suggestion.size.trials) == 1
    assert mine.suggestion.size.diameter is None


def test_a_model_for_more_channels_says_so(stack, make_bright_model):
    wide = make_bright_model(user_model_folder() / "two.safetensors", object_diameter=20.0)
    two = replace(wide.card, inputs=wide.card.inputs * 2, config={**wide.card.config, "in_channels": 2})
    from napari_utile.engine.networks.families import build_network

    library.save_model(two, build_network("unet", two.config), user_model_folder() / "two.safetensors")
    said = {each.name: each.in_words() for each in ratings_of(Session(), stack).models}
    assert "reads 2 channels, and 1 channel of" in said["two"]


def test_nothing_is_loaded_or_measured_twice(stack, monkeypatch):
    loaded, load = [], library.load_model
    monkeypatch.setattr(state, "load_model", lambda path: loaded.append(path.stem) or load(path))
    session = Session()
    session.load_model("nuclei")
    first = ratings_of(session, stack)
    again = ratings_of(session, stack)
    session.load_model("nuclei")
    assert sorted(loaded) == ["nuclei", "strict"]
    assert [each.suggestion and each.suggestion.size for each in first.models] == [
        each.suggestion and each.suggestion.size for each in again.models
    ]


def test_the_chosen_model_is_rated_first_and_each_is_told(stack):
    steps = list(suggest_job(Session(model="strict"), SegmentParams(), stack))
    assert steps[0].next_title == "strict"
    assert {len(each.models) for each in steps} == {0, 1, 2}
    assert {each.total for each in steps} == {3}


def test_it_can_be_stopped_between_magnifications(stack):
    job = suggest_job(Session(), SegmentParams(), stack)
    next(job)
    next(job)
    job.close()
    assert next(job, "ended") == "ended"


@pytest.mark.parametrize(
    ("fit", "said"),
    [
        (Fit("nuclei", None, 0.5, 0), "No cells found."),
        (Fit("nuclei", 0.6, None, 1), "Confidence 0.60; what to expect is not known."),
    ],
)
def test_what_is_said_of_a_model(fit, said):
    size = CellSize(
        24.0, (SizeTrial(1.0, fit.cells, 0.6, 24.0, 0.6) if fit.cells else SizeTrial(1, 0, 0, None, 0),)
    )
    assert RatedModel("nuclei", "Nuclei", Suggestion(card_of("nuclei"), size, fit)).in_words() == said


def test_models_that_only_teach_are_rated_where_they_are_chosen_and_nowhere_else(make_bright_model, stack):
    make_bright_model(user_model_folder() / "fcn.safetensors", object_diameter=20.0, teaching=True)
    assert "fcn" in [each.name for each in catalogue.list_models()]
    assert catalogue.candidates() == ["nuclei", "strict"]
    assert "fcn" not in [each.name for each in ratings_of(Session(), stack).models]
    session = Session()
    session.model = "fcn"
    assert "fcn" in [each.name for each in ratings_of(session, stack).models]
