"""Cells that were edited on the canvas: their table follows, and no slider puts another result in their place."""

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest

from napari_utile.widgets.viewer import cell_tables
from window import LEFT, WAIT
from window import Window as Napari

pytestmark = pytest.mark.real_window


class Window(Napari):
    """A window in which cells were segmented."""

    def __init__(self, viewer, qtbot):
        super().__init__(viewer, qtbot)
        y, x = np.mgrid[:200, :200]
        away = np.min([np.hypot(y - cy, x - cx) for cy in (40, 100, 160) for cx in (40, 100, 160)], axis=0)
        bright = (250 * np.clip((14 - away) / 8, 0, 1)).astype(np.uint8)
        self.image = viewer.add_image(bright, name="nuclei")
        self.page = self.open("segment")
        viewer.reset_view()
        self.segment()

    def segment(self):
        self.run(self.page)

    @property
    def cells(self):
        return self.viewer.layers["nuclei instances"]

    @property
    def summary(self):
        return self.page.form.summary.text()

    def paint(self, label=500):
        self.viewer.layers.selection.active = self.cells
        self.cells.mode, self.cells.selected_label, self.cells.brush_size = "paint", label, 8
        start = QPoint(self.canvas.width() // 2 + 60, self.canvas.height() // 2 + 60)
        QTest.mousePress(self.canvas, LEFT, pos=start)
        for step in range(5):
            QTest.mouseMove(self.canvas, start + QPoint(4 * step, 0))
        QTest.mouseRelease(self.canvas, LEFT, pos=start + QPoint(16, 0))
        assert (self.cells.data == label).any()

    def drag_threshold(self, to):
        slider = self.page.form.instances["threshold"].slider
        height, width = slider.height() // 2, slider.width() - 14
        start, end = (round(share * width) + 7 for share in (slider.value() / slider.maximum(), to))
        QTest.mousePress(slider, LEFT, pos=QPoint(start, height))
        QTest.mouseMove(slider, QPoint((start + end) // 2, height))
        QTest.mouseMove(slider, QPoint(end, height))
        QTest.mouseRelease(slider, LEFT, pos=QPoint(end, height))
        QTest.qWait(50)


@pytest.fixture
def window(make_napari_viewer, qtbot, bright_nuclei):
    return Window(make_napari_viewer(show=True), qtbot)


def test_the_table_follows_a_stroke_and_its_undo_and_segmenting_again_asks_which_to_show(window, monkeypatch):
    before = window.cells.features.copy()
    assert window.summary.startswith("9 cells")
    assert list(before["label"]) == list(before["index"]) == list(range(1, 10))
    assert set(before["roi_id"]) == {"nuclei instances"}
    said = []
    window.dock.header.tables.outdated.connect(said.append)
    window.paint()
    window.qtbot.waitUntil(lambda: 500 in set(window.cells.features["index"]), timeout=WAIT)
    assert not any(said), "the dock does not jump at each stroke"
    row = window.cells.features.set_index("index").loc[500]
    assert row["area_px"] == (window.cells.data == 500).sum()
    window.qtbot.waitUntil(lambda: window.summary.startswith("10 cells"), timeout=WAIT)
    assert not window.dock.header.outdated.isVisible()
    QTest.keyClick(window.canvas, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    window.qtbot.waitUntil(lambda: window.summary.startswith("9 cells"), timeout=WAIT)
    assert window.cells.features.equals(before)

    monkeypatch.setattr(cell_tables, "QUICK", 10)  # measuring takes long: the table is said to be old
    offer = window.dock.header.outdated
    window.paint()
    window.qtbot.waitUntil(offer.isVisible, timeout=WAIT)
    assert 500 not in set(window.cells.features["index"])
    QTest.mouseClick(offer.buttons[0], LEFT)
    window.qtbot.waitUntil(lambda: not offer.isVisible(), timeout=WAIT)
    assert 500 in set(window.cells.features["index"])

    edited, offer = window.cells, window.page.form.edited
    window.segment()
    assert offer.buttons[1].isVisible()
    new = window.viewer.layers["nuclei instances [1]"]
    QTest.mouseClick(offer.buttons[1], LEFT)
    assert edited.visible
    assert not new.visible
    assert window.dock.header.cells.layer is edited


def test_a_slider_over_edited_cells_asks_first_and_deletes_nothing(window):
    edited, offer = window.cells, window.page.form.edited
    assert not offer.isVisible()
    window.paint()
    window.qtbot.waitUntil(offer.isVisible, timeout=WAIT)
    assert "yours stays" in offer.text.text()
    count, value = len(window.viewer.layers), window.page.form.instances.value().threshold
    window.drag_threshold(0.9)
    assert offer.buttons[0].isVisible()
    assert len(window.viewer.layers) == count, "nothing is made before the answer"
    QTest.mouseClick(offer.buttons[1], LEFT)
    assert window.page.form.instances.value().threshold == pytest.approx(value)
    assert len(window.viewer.layers) == count
    window.drag_threshold(0.9)
    QTest.mouseClick(offer.buttons[0], LEFT)
    window.qtbot.waitUntil(lambda: len(window.viewer.layers) == count + 1, timeout=WAIT)
    window.qtbot.waitUntil(lambda: not edited.visible, timeout=WAIT)
    assert (edited.data == 500).any()
    new = window.dock.header.cells.layer
    assert new is not edited
    assert new.visible
    assert "hidden, not deleted" in window.page.form.status.text()
