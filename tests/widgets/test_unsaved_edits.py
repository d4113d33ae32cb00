"""What was painted before a crash is offered in the next window."""

import os
import signal
import subprocess
import sys
import threading
from textwrap import dedent

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QMessageBox

from napari_utile.engine.errors import UtileError
from napari_utile.session.kept_edits import kept_job
from napari_utile.widgets.viewer.edits import edits_of
from napari_utile.widgets.workbench.dock import Workbench

pytestmark = pytest.mark.real_window

WAIT = 30_000


def kept(folder):
    return [*folder.glob("edits/*/edits.json")]


@pytest.fixture
def folder():
    from napari_utile.engine.models.catalogue import user_model_folder

    return user_model_folder()


def dock_of(viewer):
    dock = Workbench(viewer)
    viewer.window.add_dock_widget(dock, name="U-Tile")
    QTest.qWait(50)
    return dock


def paint(viewer, layer, label):
    layer.mode, layer.selected_label, layer.brush_size = "paint", label, 8
    viewer.layers.selection.active = layer
    canvas = viewer.window._qt_viewer.canvas.native
    middle = QPoint(canvas.width() // 2, canvas.height() // 2)
    QTest.mousePress(canvas, Qt.MouseButton.LeftButton, pos=middle)
    for step in range(6):
        QTest.mouseMove(canvas, middle + QPoint(8 * step, 0))
        QTest.qWait(10)
    QTest.mouseRelease(canvas, Qt.MouseButton.LeftButton, pos=middle + QPoint(40, 0))


def test_strokes_of_a_program_that_was_killed_come_back_as_a_layer(viewer, qtbot, folder):
    program = dedent("""
        import sys, time
        import napari, numpy as np
        from qtpy.QtCore import QPoint, Qt
        from qtpy.QtTest import QTest
        from napari_utile.widgets.workbench.dock import Workbench
        viewer = napari.Viewer()
        dock = Workbench(viewer)
        viewer.window.add_dock_widget(dock)
        layer = viewer.add_labels(np.zeros((64, 64), np.int32), name="my cells", scale=(0.5, 0.5))
        layer.features = {"index": [7], "class": ["mitotic"]}
        QTest.qWait(100)
        layer.mode, layer.selected_label, layer.brush_size = "paint", 7, 10
        canvas = viewer.window._qt_viewer.canvas.native
        middle = QPoint(canvas.width() // 2, canvas.height() // 2)
        QTest.mousePress(canvas, Qt.MouseButton.LeftButton, pos=middle)
        QTest.mouseMove(canvas, middle + QPoint(30, 0))
        QTest.mouseRelease(canvas, Qt.MouseButton.LeftButton, pos=middle + QPoint(30, 0))
        print(int((layer.data == 7).sum()), flush=True)
        while True:
            QTest.qWait(100)
    """)
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    try:
        painted = int(process.stdout.readline())
        qtbot.waitUntil(lambda: bool(kept(folder)), timeout=WAIT)
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
    assert painted > 0
    offer = dock_of(viewer).header.unsaved
    qtbot.waitUntil(offer.isVisible, timeout=WAIT)
    assert "“my cells” were not saved" in offer.text.text()
    QTest.mouseClick(offer.buttons[0], Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: "my cells" in viewer.layers, timeout=WAIT)
    layer = viewer.layers["my cells"]
    assert (layer.data == 7).sum() == painted
    assert np.allclose(layer.scale, 0.5)
    assert list(layer.features["class"]) == ["mitotic"]
    assert not offer.isVisible()


def test_what_is_painted_is_kept_until_the_layer_goes_and_undo_counts(viewer, qtbot, folder):
    dock_of(viewer)
    layer = viewer.add_labels(np.zeros((64, 64), np.uint16), name="cells")
    other = viewer.add_labels(np.zeros((64, 64), np.uint16), name="untouched")
    QTest.qWait(50)
    paint(viewer, layer, 3)
    qtbot.waitUntil(lambda: len(kept(folder)) == 1, timeout=WAIT)
    before = kept(folder)[0].stat().st_mtime_ns
    edits = edits_of(viewer)
    count = edits.count(layer)
    QTest.keyClick(viewer.window._qt_viewer.canvas.native, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert not layer.data.any()
    qtbot.waitUntil(lambda: kept(folder)[0].stat().st_mtime_ns > before, timeout=WAIT)
    assert edits.count(layer) > count
    assert edits.count(other) == 0
    viewer.layers.remove(layer)
    assert kept(folder) == []


def test_a_window_that_was_closed_by_its_user_leaves_nothing(viewer, qtbot, folder):
    dock_of(viewer)
    layer = viewer.add_labels(np.zeros((64, 64), np.uint16), name="cells")
    QTest.qWait(50)
    paint(viewer, layer, 3)
    qtbot.waitUntil(lambda: bool(kept(folder)), timeout=WAIT)
    viewer.close()
    qtbot.waitUntil(lambda: not kept(folder), timeout=WAIT)


def test_saved_edits_are_not_kept_any_longer(viewer, qtbot, folder, tmp_path):
    page = dock_of(viewer).open_page("segment")
    layer = viewer.add_labels(np.zeros((64, 64), np.uint16), name="cells")
    QTest.qWait(50)
    paint(viewer, layer, 3)
    qtbot.waitUntil(lambda: bool(kept(folder)), timeout=WAIT)
    page.keeping.save(str(tmp_path / "cells_labels.tif"))
    qtbot.waitUntil(lambda: not kept(folder), timeout=WAIT)
    assert (tmp_path / "cells_labels.tif").is_file()


def test_edits_that_are_saved_while_they_are_written_down_are_no_loss(viewer, qtbot, monkeypatch):
    warned, begun, go_on = [], [], threading.Event()

    def fails(place, _):
        begun.append(place)
        go_on.wait(WAIT / 1000)
        yield
        raise UtileError("The folder is gone.")

    monkeypatch.setattr("napari_utile.widgets.viewer.edits.keep_job", fails)
    monkeypatch.setattr("napari_utile.widgets.viewer.edits.show_warning", warned.append)
    layer, edits = viewer.add_labels(np.zeros((9, 9), int)), edits_of(viewer)
    layer.data_setitem((np.array([1]), np.array([1])), 3)
    edits.keep()
    qtbot.waitUntil(lambda: len(begun) == 1, timeout=WAIT)
    edits.saved(layer, edits.count(layer))
    go_on.set()
    layer.data_setitem((np.array([2]), np.array([2])), 3)
    qtbot.waitUntil(lambda: len(warned) == 1, timeout=WAIT)
    assert len(begun) == 2, "only the edits after that would be lost"


def test_discard_deletes_what_was_kept_after_asking(viewer, qtbot, folder, monkeypatch):
    from napari_utile.engine.steps import Run
    from napari_utile.session.kept_edits import EditedLabels, keep_job, new_folder

    place = new_folder()
    for _ in Run(keep_job(place, EditedLabels("cells", np.ones((4, 4), np.uint8), {}, {}, {}))):
        pass
    about = place / "edits.json"
    about.write_text(about.read_text().replace(f'"process": [{os.getpid()},', '"process": [999999999,'))
    offer = dock_of(viewer).header.unsaved
    qtbot.waitUntil(offer.isVisible, timeout=WAIT)
    asked = []
    monkeypatch.setattr(QMessageBox, "question", lambda *said: asked.append(said[2]) or said[4])
    QTest.mouseClick(offer.buttons[1], Qt.MouseButton.LeftButton)
    assert asked == ["Delete your edits of “cells”? This cannot be undone."]
    assert len(kept(folder)) == 1, "Enter deletes nothing"
    assert offer.isVisible()
    monkeypatch.setattr(QMessageBox, "question", lambda *_: QMessageBox.StandardButton.Yes)
    QTest.mouseClick(offer.buttons[1], Qt.MouseButton.LeftButton)
    assert kept(folder) == []
    assert not offer.isVisible()
    assert next(iter(Run(kept_job())), None) is None
