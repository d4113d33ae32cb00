"""The Segment dock in a window of its own, driven by the mouse."""

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from pages import jobs, page_of
from simulation.simulate import simulate

pytestmark = pytest.mark.real_window

WAIT = 60_000


@pytest.fixture
def viewer(make_napari_viewer):
    viewer = make_napari_viewer(show=True)
    viewer.window._qt_window.resize(1400, 900)
    return viewer


@pytest.fixture
def dock(viewer, qtbot):
    dock = page_of(viewer, "segment")
    viewer.window.add_dock_widget(dock.dock, name="U-Tile")
    QTest.qWait(100)
    return dock


@pytest.fixture
def image():
    return simulate("nuclei", height=256, width=256, cells=30, seed=1).image


def click(widget, position=None):
    QTest.mouseClick(widget, Qt.MouseButton.LeftButton, pos=position or widget.rect().center())


def run(qtbot, dock):
    click(dock.form.run_bar.run_button)
    qtbot.waitUntil(lambda: not dock.running, timeout=WAIT)


def drag_slider(slider, to_fraction):
    """Drag the handle with the mouse to a place along the slider."""
    height = slider.height() // 2
    start = round(slider.value() / slider.maximum() * (slider.width() - 14)) + 7
    end = round(to_fraction * (slider.width() - 14)) + 7
    QTest.mousePress(slider, Qt.MouseButton.LeftButton, pos=QPoint(start, height))
    for step in np.linspace(start, end, 6):
        QTest.mouseMove(slider, QPoint(round(step), height))
        QTest.qWait(20)
    QTest.mouseRelease(slider, Qt.MouseButton.LeftButton, pos=QPoint(end, height))


def canvas_of(viewer):
    return viewer.window._qt_viewer.canvas.native


def drag_on_canvas(viewer, start, end):
    canvas = canvas_of(viewer)
    QTest.mousePress(canvas, Qt.MouseButton.LeftButton, pos=start)
    for share in np.linspace(0, 1, 8):
        QTest.mouseMove(canvas, start + (end - start) * share)
        QTest.qWait(15)
    QTest.mouseRelease(canvas, Qt.MouseButton.LeftButton, pos=end)
    QTest.qWait(50)


def test_one_press_colours_the_canvas_sliders_and_table_follow_and_what_is_painted_survives(
    viewer, dock, qtbot, image
):
    viewer.add_image(image, name="nuclei")
    QTest.qWait(100)
    before = viewer.screenshot(canvas_only=True, flash=False).astype(int)
    run(qtbot, dock)
    QTest.qWait(100)
    after = viewer.screenshot(canvas_only=True, flash=False).astype(int)
    colour = np.ptp(after[..., :3], axis=-1).max(initial=0)
    assert np.ptp(before[..., :3], axis=-1).max(initial=0) == 0, "the image itself is grey"
    assert colour > 50
    instances = viewer.layers["nuclei instances"]
    assert instances.data.max() > 15

    before = np.count_nonzero(instances.data)
    drag_slider(dock.form.instances["threshold"].slider, 0.85)
    qtbot.waitUntil(lambda: not dock.adjusting, timeout=WAIT)
    assert dock.form.instances.value().threshold > 0.7
    assert 0 < np.count_nonzero(instances.data) < before

    click(dock.form.copy_command)
    assert QApplication.clipboard().text().startswith("utile segment ")

    instances.selected_label, instances.brush_size, instances.mode = 500, 12, "paint"
    middle = QPoint(canvas_of(viewer).width() // 2, canvas_of(viewer).height() // 2)
    drag_on_canvas(viewer, middle, middle + QPoint(40, 0))
    assert (instances.data == 500).any()
    run(qtbot, dock)
    assert (instances.data == 500).any()
    assert "nuclei instances [1]" in [layer.name for layer in viewer.layers]

    click(dock.form.show_table)
    QTest.qWait(50)
    docks = viewer.window.dock_widgets
    (table,) = (docks[title] for title in docks if "Features table" in title)
    beside = viewer.window._qt_window.tabifiedDockWidgets(table.parent())
    assert dock.dock.parent() in beside, "a tab, which leaves the dock its height"
    assert table.isVisible()


def test_cancel_is_heard_while_tiles_come_in(viewer, dock, qtbot, image):
    viewer.add_image(np.tile(image, (4, 4)), name="large")
    dock.form.compute["tile"].value = 64
    click(dock.form.run_bar.run_button)
    qtbot.waitUntil(lambda: len(viewer.layers) == 2, timeout=WAIT)
    assert "left" in dock.form.run_bar.bar.format() or "tiles" in dock.form.run_bar.bar.format()
    click(dock.form.run_bar.cancel_button)
    qtbot.waitUntil(lambda: not dock.running, timeout=WAIT)
    assert [layer.name for layer in viewer.layers] == ["large"]


def test_what_is_in_view_and_a_rectangle_drawn_with_the_mouse_limit_the_result(viewer, dock, qtbot, image):
    viewer.add_image(image, name="nuclei")
    kind = dock.form.region.kind
    viewer.scene.camera.zoom *= 4
    QTest.qWait(200)
    kind.setCurrentIndex(kind.findText("What is in view"))
    run(qtbot, dock)
    rows, _ = np.nonzero(viewer.layers["nuclei instances"].data)
    assert 0 < np.ptp(rows) < 120

    for layer in list(viewer.layers)[1:]:
        viewer.layers.remove(layer)
    viewer.reset_view()
    kind.setCurrentIndex(kind.findText("Drawn shapes"))
    kind.activated.emit(kind.currentIndex())
    QTest.qWait(50)
    click(dock.form.region.draw)
    middle = QPoint(canvas_of(viewer).width() // 2, canvas_of(viewer).height() // 2)
    drag_on_canvas(viewer, middle - QPoint(120, 120), middle + QPoint(60, 60))
    assert len(viewer.layers["region"].data) == 1
    run(qtbot, dock)
    rows, columns = np.nonzero(viewer.layers["nuclei instances"].data)
    assert 0 < np.ptp(rows) < 200
    assert 0 < np.ptp(columns) < 200


def test_the_estimate_follows_the_zoom_and_what_is_drawn(viewer, dock, qtbot, image):
    viewer.add_image(np.tile(image, (4, 4)), name="large")
    kind, said = dock.form.region.kind, dock.form.estimate
    qtbot.waitUntil(lambda: "will take" in said.text(), timeout=WAIT)
    kind.setCurrentIndex(kind.findText("What is in view"))
    kind.activated.emit(kind.currentIndex())
    whole = said.text()
    viewer.scene.camera.zoom *= 8
    qtbot.waitUntil(lambda: "will take" in said.text() and said.text() != whole, timeout=WAIT)
    kind.setCurrentIndex(kind.findText("Drawn shapes"))
    kind.activated.emit(kind.currentIndex())
    qtbot.waitUntil(lambda: "Draw a shape" in said.text(), timeout=WAIT)
    click(dock.form.region.draw)
    middle = QPoint(canvas_of(viewer).width() // 2, canvas_of(viewer).height() // 2)
    drag_on_canvas(viewer, middle - QPoint(120, 120), middle + QPoint(60, 60))
    qtbot.waitUntil(lambda: "will take" in said.text(), timeout=WAIT)


def test_a_line_drawn_across_a_cell_sets_the_diameter(viewer, dock, qtbot, image):
    viewer.add_image(image, name="nuclei")
    qtbot.waitUntil(lambda: dock.form.measure_diameter.isEnabled(), timeout=WAIT)
    click(dock.form.measure_diameter)
    zoom = viewer.scene.camera.zoom
    middle = QPoint(canvas_of(viewer).width() // 2, canvas_of(viewer).height() // 2)
    drag_on_canvas(viewer, middle, middle + QPoint(0, round(30 * zoom)))
    qtbot.waitUntil(lambda: isinstance(dock.form.diameter.value, float), timeout=5000)
    assert dock.form.diameter.value == pytest.approx(30, abs=3)
    assert [layer.name for layer in viewer.layers] == ["nuclei"]


def test_closing_the_window_while_it_runs_ends_the_job(viewer, dock, qtbot, image):
    viewer.add_image(np.tile(image, (4, 4)), name="large")
    dock.form.compute["tile"].value = 64
    click(dock.form.run_bar.run_button)
    qtbot.waitUntil(lambda: len(viewer.layers) == 2, timeout=WAIT)
    assert jobs()
    viewer.close()
    qtbot.waitUntil(lambda: not jobs(), timeout=WAIT)
