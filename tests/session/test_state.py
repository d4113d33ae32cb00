import gc
import weakref
from types import SimpleNamespace

from napari_utile.engine.models.own_models import duplicate_model
from napari_utile.engine.segment_params import SegmentParams
from napari_utile.engine.steps import Run
from napari_utile.session import state
from napari_utile.session.jobs import choices_job
from napari_utile.session.state import Session


class Layer:
    """Something that can be weakly referenced, as layers can."""

    data = None


class Result(SimpleNamespace):
    """Something that can be weakly referenced, as results can."""


def result(nbytes=10, **params):
    made = SimpleNamespace(params=SegmentParams(**params))
    return Result(nbytes=nbytes, segmentation=made, request=made)


def test_models_that_came_while_devices_were_looked_for_are_listed(tmp_path, monkeypatch):
    monkeypatch.setenv("UTILE_MODELS", str(tmp_path))
    run = Run(choices_job())
    before = next(run).models
    duplicate_model("nuclei", "second")
    assert list(run) == []
    assert [each.name for each in run.result.models] == [*(each.name for each in before), "second"]


def test_a_change_is_told_once_and_no_change_is_not():
    session, heard = Session(), []
    session.events.model.connect(heard.append)
    session.model = "cells"
    session.model = "cells"
    assert heard == ["cells"]


def test_results_are_found_by_source_and_plane():
    session, layer, other = Session(), Layer(), Layer()
    first, second = result(), result()
    session.remember(layer, (0,), first)
    session.remember(layer, (1,), second)
    assert session.result_of(layer, (0,)) is first
    assert session.result_of(layer, (1,)) is second
    assert session.result_of(other, (0,)) is None
    session.forget(layer, (0,))
    assert session.result_of(layer, (0,)) is None


def test_results_go_with_the_pixels_of_their_source():
    session, layer = Session(), Layer()
    layer.data = [1, 2]
    kept = result()
    session.remember(layer, (0,), kept)
    assert session.result_of(layer, (0,)) is kept
    layer.data = [1, 2]
    assert session.result_of(layer, (0,)) is None
    session.remember(layer, (0,), kept)
    assert session.result_of(layer, (0,)) is kept


def test_results_go_with_their_source():
    session, layer = Session(), Layer()
    kept = result()
    session.remember(layer, (0,), kept)
    kept = weakref.ref(kept)
    assert kept() is not None
    del layer
    gc.collect()
    assert kept() is None


def test_the_oldest_results_go_when_they_take_too_much_memory(monkeypatch):
    monkeypatch.setattr(state, "RESULT_BYTES", 25)
    session, layer = Session(), Layer()
    for plane in range(4):
        session.remember(layer, plane, result(10))
    assert [session.result_of(layer, plane) is not None for plane in range(4)] == [False, False, True, True]
    assert session.made_by(layer, 0) == (SegmentParams(), "nuclei")
    assert session.made_by(layer, 7) is None


def test_one_result_is_kept_however_large(monkeypatch):
    monkeypatch.setattr(state, "RESULT_BYTES", 25)
    session, layer = Session(), Layer()
    session.remember(layer, 0, result(1000))
    assert session.result_of(layer, 0) is not None


def test_closing_tells_everyone_once_and_lets_everything_go():
    session, layer, heard = Session(), Layer(), []
    session.remember(layer, 0, result())
    session.events.closed.connect(lambda: heard.append("closed"))
    session.close()
    session.close()
    assert heard == ["closed"]
    assert session.result_of(layer, 0) is None


def test_the_tile_cache_is_made_once():
    session = Session()
    assert session.tile_cache is session.tile_cache
