"""However slow a model is to load, the window does not wait for it."""

import threading

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_utile.engine.models import library
from napari_utile.widgets.viewer.layers import session_of
from napari_utile.widgets.workbench.dock import PAGES
from pages import jobs, page_of

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


@pytest.mark.parametrize("name", ["segment", "click", "train"])
def test_a_dock_works_while_its_model_is_loaded(name, qtbot, loaded_in):
    threads, go_on = loaded_in
    viewer = ViewerModel()
    viewer.add_image(np.random.default_rng(0).random((64, 64)).astype(np.float32), name="cells")
    viewer.add_labels(np.kron(np.eye(4, dtype=int) * np.arange(1, 5), np.ones((16, 16), int)), name="painted")
    dock = page_of(viewer, name)
    qtbot.addWidget(dock.dock)
    dock.dock.show()
    start = (lambda: dock.set_on(True)) if name == "click" else dock.run
    start()
    qtbot.waitUntil(lambda: bool(threads), timeout=WAIT)
    dock.copy_command()
    assert "clipboard" in dock.form.status.text()
    for page in PAGES:  # all of them open meanwhile
        dock.dock.open_page(page)
    go_on.set()
    if name == "segment":
        qtbot.waitUntil(lambda: not dock.running, timeout=WAIT)
        dock.copy_command()
    session_of(viewer).close()
    qtbot.waitUntil(lambda: not jobs(), timeout=WAIT)
    assert threading.main_thread() not in threads
