"""However slow a model is to load, the window does not wait for it."""

import threading

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_utile.engine.models import library
from pages import page_of

WAIT = 30_000


@pytest.fixture
def loaded_in(monkeypatch, bright_nuclei):
    """The threads that hash weights, slowly."""
    threads, go_on, plain = [], threading.Event(), library.fingerprint_of

    def slow(*args):
        threads.append(threading.current_thread())
        go_on.wait(WAIT / 1000)
        return plain(*args)

    monkeypatch.setattr(library, "fingerprint_of", slow)
    yield threads, go_on
    go_on.set()


@pytest.mark.parametrize("name", ["segment", "click"])
def test_a_dock_works_while_its_model_is_loaded(name, qtbot, loaded_in):
    threads, go_on = loaded_in
    viewer = ViewerModel()
    viewer.add_image(np.random.default_rng(0).random((64, 64)).astype(np.float32), name="cells")
    dock = page_of(viewer, name)
    qtbot.addWidget(dock.dock)
    dock.dock.show()
    start = dock.run if name == "segment" else (lambda: dock.set_on(True))
    start()
    qtbot.waitUntil(lambda: bool(threads), timeout=WAIT)
    dock.copy_command()
    assert "clipboard" in dock.form.status.text()
    go_on.set()
    if name == "segment":
        qtbot.waitUntil(lambda: not dock.running, timeout=WAIT)
        dock.copy_command()
    assert threading.main_thread() not in threads
