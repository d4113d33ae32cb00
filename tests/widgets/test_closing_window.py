"""The X of each dock, pressed in a real window with everything switched on: nothing goes on behind it."""

import subprocess
import sys
import threading
from contextlib import suppress

import numpy as np
import pytest
from napari.utils import progress
from napari.utils.notifications import notification_manager
from qtpy.QtCore import QCoreApplication, QEvent, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QLabel, QMessageBox

from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.unfinished import HOME, is_complete
from napari_utile.engine.steps import Run
from napari_utile.engine.store.journal import Journal, only_run
from napari_utile.session.state import ChosenImage
from napari_utile.widgets.viewer.layers import session_of
from napari_utile.widgets.workbench.closing import CloseGuard
from napari_utile.widgets.workbench.dock import PAGES, Workbench
from pages import page_of

pytestmark = pytest.mark.real_window

WAIT = 60_000
CALLBACKS = (
    "mouse_move_callbacks",
    "mouse_drag_callbacks",
    "mouse_wheel_callbacks",
    "mouse_double_click_callbacks",
)


class Window:
    """A viewer with an image and its cells, and what a plugin could leave in it."""

    def __init__(self, viewer, qtbot):
        self.viewer, self.qtbot = viewer, qtbot
        viewer.window._qt_window.resize(1400, 900)
        y, x = np.mgrid[:128, :128]
        away = np.min([np.hypot(y - cy, x - cx) for cy in (30, 90) for cx in (30, 90)], axis=0)
        viewer.add_image((200 * np.clip((12 - away) / 3, 0, 1)).astype(np.uint8), name="image")
        cells = (away < 9) * (1 + 2 * (y > 60) + (x > 60))
        viewer.add_labels(cells.astype(np.int32), name="cells")
        QTest.qWait(100)

    def add(self, dock, name, **options):
        self.frame = self.viewer.window.add_dock_widget(dock.dock, name=name, **options)
        QTest.qWait(100)
        return dock

    def left_behind(self):
        """Return everything that acts on the viewer, and its layers."""
        callbacks = [[str(each) for each in getattr(self.viewer, name)] for name in CALLBACKS]
        return callbacks, dict(self.viewer.keymap), [layer.name for layer in self.viewer.layers]

    def close(self):
        """Press the X."""
        QTest.qWait(50)
        QTest.mouseClick(self.frame.title.close_button, Qt.MouseButton.LeftButton)

    def settle(self):
        """Deliver deferred deletes."""
        for _ in range(3):
            QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
            QTest.qWait(20)


def told():
    """Return what napari told its user."""
    return [each.message for each in notification_manager.records]


def going_on():
    """Return what is shown under napari's activity."""
    return [bar.desc.rstrip(": ") for bar in progress._all_instances if "U-Tile" in bar.desc]


@pytest.fixture
def window(make_napari_viewer, qtbot, bright_nuclei):
    notification_manager.records.clear()
    return Window(make_napari_viewer(show=True), qtbot)


def mine(_):
    """Do what the user wants."""


def test_the_x_of_evaluate_and_of_weights_opened_next_gives_keys_and_overlays_back_at_once(window):
    window.viewer.bind_key(".", mine)
    before = window.left_behind()
    window.add(page_of(window.viewer, "evaluate"), "Evaluate")
    assert dict(window.viewer.keymap) != before[1]
    window.close()
    assert window.left_behind() == before
    assert list(window.viewer.keymap.values()) == [mine]

    dock = window.add(page_of(window.viewer, "weights"), "Weight map")
    window.qtbot.waitUntil(lambda: len(window.viewer.layers) > 2, timeout=WAIT)
    dock.hover.point_at((30, 30))
    QTest.qWait(100)
    window.close()
    assert window.left_behind() == before


def test_the_x_of_click_gives_mouse_keys_and_outline_back_at_once(window):
    window.viewer.bind_key(",", mine)
    before = window.left_behind()
    dock = window.add(page_of(window.viewer, "click"), "Click")
    QTest.mouseClick(dock.form.toggle, Qt.MouseButton.LeftButton)
    window.qtbot.waitUntil(lambda: dock.tool.queue.busy == 0, timeout=WAIT)
    dock.mouse.clicked.emit((30, 30), "click")
    window.qtbot.waitUntil(lambda: dock.tool.queue.busy == 0, timeout=WAIT)
    window.qtbot.waitUntil(lambda: "U-Tile outline" in window.viewer.layers, timeout=WAIT)
    window.close()
    callbacks, keys, layers = window.left_behind()
    assert (callbacks, keys) == before[:2]
    assert "U-Tile outline" not in layers
    assert np.unique(window.viewer.layers["cells"].data).tolist() == [0, 1, 2, 3, 4]


def test_the_x_of_segment_ends_its_run_and_leaves_no_trace(window, monkeypatch):
    from napari_utile.session import jobs

    before, shown, go_on = window.left_behind(), threading.Event(), threading.Event()
    window.viewer.layers.events.inserted.connect(lambda _: shown.set())
    whole = jobs.segment_planes_job

    def halting(session, request):
        for tile in whole(session, request):
            yield tile
            if shown.wait(1):
                go_on.wait(10)

    monkeypatch.setattr("napari_utile.widgets.pages.segment.plane_run.segment_planes_job", halting)
    dock = window.add(page_of(window.viewer, "segment"), "Segment")
    QTest.mouseClick(dock.form.run_bar.run_button, Qt.MouseButton.LeftButton)
    window.qtbot.waitUntil(lambda: len(window.viewer.layers) > 2, timeout=WAIT)
    window.close()
    assert window.left_behind() == before
    go_on.set()
    window.settle()
    QTest.qWait(300)
    assert window.left_behind() == before


def test_a_closed_dock_is_deleted_although_its_python_object_is_held(window):
    held, gone = [], []
    for name in PAGES:
        held.append(window.add(page_of(window.viewer, name), "dock"))
        held[-1].destroyed.connect(lambda *_, name=name: gone.append(name))
        window.close()
        window.settle()
    assert gone == list(PAGES)


def test_a_hidden_dock_rests_and_a_shown_one_works_again(window):
    window.viewer.bind_key(".", mine)
    dock = window.add(page_of(window.viewer, "evaluate"), "Evaluate")
    borrowed = dict(window.viewer.keymap)
    other = window.viewer.window.add_dock_widget(QLabel("another"), name="another")
    QTest.qWait(100)
    window.viewer.window._qt_window.tabifyDockWidget(window.frame, other)
    window.qtbot.waitUntil(lambda: list(window.viewer.keymap.values()) == [mine])
    window.frame.raise_()
    window.qtbot.waitUntil(lambda: window.viewer.keymap == borrowed)
    window.frame.hide()
    assert list(window.viewer.keymap.values()) == [mine]
    window.frame.show()
    window.frame.raise_()
    window.qtbot.waitUntil(lambda: window.viewer.keymap == borrowed)
    assert dock.isVisible()


class StoreRun:
    """A segmentation into a store that waits in the middle until it may go on."""

    def __init__(self, window, monkeypatch, folder):
        import napari_utile.session.store_jobs as store_jobs

        monkeypatch.setattr(store_jobs, "MOST_IN_MEMORY", 1000)
        monkeypatch.setattr(store_jobs.Path, "home", lambda: folder)
        self.window, self.go_on, whole = window, threading.Event(), store_jobs.store_job

        def halting(*arguments):
            run = Run(whole(*arguments))
            for step in run:
                yield step
                if step.stage == "tiles":
                    self.go_on.wait(60)
            return run.result

        monkeypatch.setattr("napari_utile.widgets.pages.segment.store_run.store_job", halting)
        self.page = window.add(page_of(window.viewer, "segment"), "U-Tile")
        self.page.form.diameter.value = None
        QTest.mouseClick(self.page.form.run_bar.run_button, Qt.MouseButton.LeftButton)
        window.qtbot.waitUntil(lambda: "image probability (running)" in window.viewer.layers, timeout=WAIT)

    def answer(self, text):
        (box,) = self.window.viewer.window._qt_window.findChildren(QMessageBox, "utile-go-on")
        assert "segmented into image.cells.ome.zarr" in box.text()
        (button,) = (each for each in box.buttons() if text in each.text())
        QTest.mouseClick(button, Qt.MouseButton.LeftButton)
        self.window.settle()
        self.go_on.set()


def test_the_x_asks_about_a_store_and_stops_it_with_what_is_done_kept(window, monkeypatch, tmp_path):
    run = StoreRun(window, monkeypatch, tmp_path)
    window.close()
    run.answer("Stop it")
    window.qtbot.waitUntil(lambda: not run.page.running, timeout=WAIT)
    assert (told(), going_on()) == ([], [])
    place = tmp_path / "U-Tile" / "image.cells.ome.zarr"
    assert place.exists()
    assert not is_complete(place)


def test_a_store_is_filled_to_its_end_without_the_dock(window, monkeypatch, tmp_path):
    run = StoreRun(window, monkeypatch, tmp_path)
    guard = window.viewer.window._qt_window.findChild(CloseGuard)
    asked = []

    def answer(parent, title, text, *buttons):
        asked.append(text)
        return QMessageBox.StandardButton.Cancel

    monkeypatch.setattr(QMessageBox, "question", answer)
    assert not guard.may_close()
    assert "what is finished is kept there" in asked[0]
    window.close()
    run.answer("Continue")
    window.qtbot.waitUntil(lambda: not run.page.running, timeout=WAIT)
    assert "open U-Tile, page Segment" in " ".join(told())
    assert not going_on()
    assert is_complete(tmp_path / "U-Tile" / "image.cells.ome.zarr")
    assert "image instances" in window.viewer.layers
    assert guard.may_close()


def test_closing_the_window_stops_a_store_where_it_can_be_resumed(window, monkeypatch, tmp_path):
    run = StoreRun(window, monkeypatch, tmp_path)
    session_of(window.viewer).close()  # what the window does when it is destroyed
    run.go_on.set()
    place = tmp_path / "U-Tile" / "image.cells.ome.zarr"

    def nothing_holds_it():
        with suppress(UtileError), only_run(place / HOME, place.name):
            return True
        return False

    window.qtbot.waitUntil(nothing_holds_it, timeout=WAIT)
    assert not is_complete(place)
    assert len(Journal(place / HOME).facts) >= 1
    assert "image probability (running)" not in window.viewer.layers


class Training:
    """A training under way in a window, on cells that were painted."""

    def __init__(self, window):
        self.window, viewer = window, window.viewer
        self.page = window.add(page_of(viewer, "train"), "U-Tile")
        session_of(viewer).image = ChosenImage(viewer.layers["image"])
        session_of(viewer).cells = viewer.layers["cells"]
        self.page.form.params["minutes"].value = 10.0
        self.page.run()
        assert self.page.running, self.page.form.status.text()

    def question(self):
        """Return the question that the X made appear."""
        (box,) = self.window.viewer.window._qt_window.findChildren(QMessageBox, "utile-go-on")
        return box

    def answer(self, text):
        box = self.question()
        (button,) = (each for each in box.buttons() if text in each.text())
        QTest.mouseClick(button, Qt.MouseButton.LeftButton)
        self.window.settle()


def test_a_training_and_its_model_are_there_when_the_dock_is_opened_again(window, monkeypatch):
    monkeypatch.setattr("napari_utile.engine.training.reference.REFERENCES", ())
    training = Training(window)
    page = training.page
    window.close()
    training.answer("Continue")
    assert page.running
    assert going_on() == ["U-Tile trains"]

    def opened_again():
        again = Workbench(window.viewer)
        window.frame = window.viewer.window.add_dock_widget(again, name="U-Tile")
        assert again.open_page("train") is page
        window.qtbot.waitUntil(page.isVisible, timeout=WAIT)

    opened_again()
    assert not going_on(), "the page shows it"
    window.qtbot.waitUntil(
        lambda: len(page.form.plot.losses) > 0, timeout=5 * WAIT
    )  # torch is being imported
    page.form.stop.click()
    window.qtbot.waitUntil(lambda: not page.running, timeout=5 * WAIT)
    assert page.form.result.pending, page.form.status.text()
    assert "The training has ended" not in " ".join(told()), "the page shows it"
    page.form.result.compare.click()
    layers = [layer.name for layer in window.viewer.layers]
    window.close()
    window.settle()
    assert any(name.startswith("held out") for name in layers)
    assert [layer.name for layer in window.viewer.layers] == ["image", "cells"], (
        "its pictures go with the dock"
    )
    assert not window.viewer.window._qt_window.findChildren(QMessageBox, "utile-go-on"), "nothing goes on"
    opened_again()
    assert page.form.result.isVisible(), "the decision is still to be made"
    page.form.result.discard.click()


def test_the_x_and_closing_the_window_ask_about_a_training_and_the_x_stops_it(window, monkeypatch):
    training = Training(window)
    guard = window.viewer.window._qt_window.findChild(CloseGuard)
    asked = []

    def answer(parent, title, text, *buttons):
        asked.append(text)
        return QMessageBox.StandardButton.Cancel

    monkeypatch.setattr(QMessageBox, "question", answer)
    assert not guard.may_close()
    assert "being trained" in asked[0]
    window.close()
    assert "being trained" in training.question().text()
    training.answer("Stop it")
    window.qtbot.waitUntil(lambda: not training.page.running, timeout=5 * WAIT)  # torch is being imported
    assert training.page.form.status.text().startswith("Cancelled")
    assert "The training has ended" not in " ".join(told())
    assert not going_on()
    assert guard.may_close()
    assert len(asked) == 1


def test_a_program_may_end_with_its_window_open():
    script = """
import napari, numpy as np
from qtpy.QtTest import QTest
from napari_utile.widgets.workbench.commands import open_page

viewer = napari.Viewer()
viewer.add_image(np.zeros((40, 40)))
open_page(viewer, "segment")
QTest.qWait(500)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=WAIT / 200)
    assert done.returncode == 0
    assert "Traceback" not in done.stderr
