"""The Fine-tune dock in a window of its own: paint, press, keep, segment with the new model."""

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest

from pages import page_of
from simulation.simulate import simulate

pytestmark = pytest.mark.real_window

WAIT = 200_000  # other work may take the machine


def click(widget):
    QTest.mouseClick(widget, Qt.MouseButton.LeftButton, pos=widget.rect().center())


def paint_stroke(viewer, start, end):
    canvas = viewer.window._qt_viewer.canvas.native
    QTest.mousePress(canvas, Qt.MouseButton.LeftButton, pos=start)
    for share in np.linspace(0, 1, 6):
        QTest.mouseMove(canvas, start + (end - start) * share)
        QTest.qWait(15)
    QTest.mouseRelease(canvas, Qt.MouseButton.LeftButton, pos=end)
    QTest.qWait(30)


def test_painted_cells_teach_a_model_that_the_segment_dock_then_uses(make_napari_viewer, qtbot):
    viewer = make_napari_viewer(show=True)
    viewer.window._qt_window.resize(1500, 950)
    dock = page_of(viewer, "train")
    viewer.window.add_dock_widget(dock.dock, name="U-Tile")
    viewer.add_image(simulate("nuclei", height=96, width=96, cells=6, seed=2).image, name="cells")
    QTest.qWait(100)
    click(dock.form.pairs.paint)
    labels = viewer.layers["cells painted"]
    assert labels.mode == "paint"
    canvas = viewer.window._qt_viewer.canvas.native
    middle = QPoint(canvas.width() // 2, canvas.height() // 2)
    for number, shift in enumerate((-150, 0, 150), start=1):
        labels.selected_label = number
        paint_stroke(viewer, middle + QPoint(shift, -40), middle + QPoint(shift, 40))
    assert set(np.unique(labels.data)) == {0, 1, 2, 3}

    dock.form.params["minutes"].value = 0.03
    click(dock.form.run_bar.run_button)
    qtbot.waitUntil(lambda: not dock.running, timeout=WAIT)
    assert dock.form.result.isVisible(), dock.form.status.text()
    dock.form.result.name.setText("window-model")
    click(dock.form.result.keep)
    qtbot.waitUntil(lambda: "Kept as window-model" in dock.form.status.text(), timeout=WAIT)

    segment = dock.dock.open_page("segment")
    qtbot.waitUntil(lambda: dock.dock.header.model.combo.currentData() == "window-model", timeout=WAIT)
    segment.run()
    qtbot.waitUntil(lambda: not segment.running, timeout=WAIT)
    assert (
        viewer.layers["cells instances"].metadata["napari-utile"]["recipe"]["model"]["name"] == "window-model"
    )
