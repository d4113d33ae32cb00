"""Several jobs at once use what a session shares, with threads that change places as often as they can."""

import gc
import sys
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest

from napari_utile.engine.inference import warm
from napari_utile.engine.planes.axes import plane_from_array
from napari_utile.engine.segment_params import SegmentParams
from napari_utile.engine.steps import Run
from napari_utile.session import state
from napari_utile.session.clicks import field
from napari_utile.session.state import Session

THREADS = 8


@pytest.fixture(autouse=True)
def _restless():
    """Let threads change places after every few instructions."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual)


def at_once(function, count=THREADS):
    """Call a function with 0, 1, 2 ... in as many threads, all at the same moment; return what each gave."""
    start = threading.Barrier(count)

    def run(number):
        start.wait()
        return function(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


def test_each_job_gets_the_model_that_it_asked_for_and_one_model_is_loaded_once(tmp_path, monkeypatch):
    files = [tmp_path / "one", tmp_path / "two"]
    for file in files:
        file.touch()
    loaded = []

    def load(path):
        loaded.append(path)
        time.sleep(0.001)
        return path

    monkeypatch.setattr(state, "find_model", lambda name: files[int(name)])
    monkeypatch.setattr(state, "load_model", load)
    session = Session()
    for _ in range(20):
        assert at_once(lambda number: session.load_model(str(number % 2))) == files * (THREADS // 2)
    loaded.clear()
    session = Session()
    at_once(lambda _: session.load_model("0"))
    assert loaded == files[:1]


def test_a_model_that_was_being_loaded_when_the_session_closed_is_not_kept(tmp_path, monkeypatch):
    session, file, kept = Session(), tmp_path / "model", []
    file.touch()

    class Loaded:
        """Stands for a model."""

    def load(_):
        session.close()
        model = Loaded()
        kept.append(weakref.ref(model))
        return model

    monkeypatch.setattr(state, "find_model", lambda _: file)
    monkeypatch.setattr(state, "load_model", load)
    session.load_model("any")
    gc.collect()
    assert kept[0]() is None


def test_all_jobs_share_one_cache_of_tiles():
    for _ in range(20):
        session = Session()
        assert len({id(each) for each in at_once(lambda _, session=session: session.tile_cache)}) == 1


def test_a_network_is_made_once_for_all_jobs(monkeypatch):
    made, own = [], object()

    def fuse(network, *_):
        made.append(network)
        time.sleep(0.001)
        return object()

    monkeypatch.setattr(warm, "fused", fuse)
    warm.forget_networks()
    model, compute = (
        SimpleNamespace(fingerprint="f", network=own),
        SimpleNamespace(key=("cpu", "float32"), device="cpu", dtype=None),
    )
    assert len(set(at_once(lambda _: warm.warm_network(model, compute)))) == 1
    assert made.count(own) == 1  # a window that was closed may still be warming another
    warm.forget_networks()


class Layer:
    """Something that can be weakly referenced, as layers can."""

    data = None


class Result(SimpleNamespace):
    """Something that can be weakly referenced, as results can."""


def test_sources_that_other_threads_collect_leave_the_results_whole():
    session, stop = Session(), threading.Event()
    kept = []
    waiting = []

    def made():
        made_with = SimpleNamespace(params=SegmentParams())
        result = Result(nbytes=1, segmentation=made_with, request=made_with)
        kept.append(weakref.ref(result))
        return result

    def collect():
        while not stop.is_set():
            waiting[:] = []

    collector = threading.Thread(target=collect)
    collector.start()
    try:
        for _ in range(300):
            layers = [Layer() for _ in range(5)]
            for layer in layers:
                session.remember(layer, 0, made())
            waiting.extend(layers)
            del layers, layer
    finally:
        stop.set()
        collector.join()
    waiting.clear()
    gc.collect()
    assert len(kept) == 1500
    assert not [each for each in kept if each() is not None]


def test_a_field_that_was_being_made_when_a_model_changed_is_not_kept(monkeypatch):
    store = field.FieldStore(Session())
    asked = field.FieldRequest(plane_from_array(np.zeros((4, 4))), SegmentParams(), "pixels")

    def made(*_):
        store.forget()  # a model was trained further while this one was loaded
        yield
        return "of the old model"

    monkeypatch.setattr(field, "made_ready", made)
    action = Run(store.get_ready(asked))
    for work in action:
        action.answer = Run(work).result
    assert action.result == "of the old model"
    assert store.known(asked) is None
