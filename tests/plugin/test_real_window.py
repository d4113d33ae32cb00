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


def test_one_press_in_a_window_puts_coloured_cells_on_the_canvas(viewer, dock, qtbot, image):
    viewer.add_image(image, name="nuclei")
    QTest.qWait(100)
    before = viewer.screenshot(canvas_only=True, flash=False).astype(int)
    run(qtbot, dock)
    QTest.qWait(100)
    after = viewer.screenshot(canvas_only=True, flash=False).astype(int)
    colour = np.ptp(after[..., :3], axis=-1).max(initial=0)
    assert np.ptp(before[..., :3], axis=-1).max(initial=0) == 0, "the image itself is grey"
    assert colour > 50
    assert viewer.layers["nuclei instances"].data.max() > 15


def test_dragging_the_threshold_follows_on_the_canvas(viewer, dock, qtbot, image):
    viewer.add_image(image, name="nuclei")
    run(qtbot, dock)
    instances = viewer.layers["nuclei instances"]
    before = np.count_nonzero(instances.data)
    drag_slider(dock.form.instances["threshold"].slider, 0.85)
    qtbot.waitUntil(lambda: not dock.adjusting, timeout=WAIT)
    assert dock.form.instances.value().threshold > 0.7
    assert 0 < np.count_nonzero(instances.data) < before


def test_cancel_is_heard_while_tiles_come_in(viewer, dock, qtbot, image):
    viewer.add_image(np.tile(image, (4, 4)), name="large")
    dock.form.compute["tile"].value = 64
    click(dock.form.run_bar.run_button)
    qtbot.waitUntil(lambda: len(viewer.layers) == 2, timeout=WAIT)
    assert "left" in dock.form.run_bar.bar.format() or "tiles" in dock.form.run_bar.bar.format()
    click(dock.form.run_bar.cancel_button)
    qtbot.waitUntil(lambda: not dock.running, timeout=WAIT)
    assert [layer.name for layer in viewer.layers] == ["large"]


def test_a_rectangle_drawn_with_the_mouse_limits_the_result(viewer, dock, qtbot, image):
    viewer.add_image(image, name="nuclei")
    form = dock.form
    form.region.kind.setCurrentIndex(form.region.kind.findText("Drawn shapes"))
    form.region.kind.activated.emit(form.region.kind.currentIndex())
    QTest.qWait(50)
    click(form.region.draw)
    middle = QPoint(canvas_of(viewer).width() // 2, canvas_of(viewer).height() // 2)
    drag_on_canvas(viewer, middle - QPoint(120, 120), middle + QPoint(60, 60))
    assert len(viewer.layers["region"].data) == 1
    run(qtbot, dock)
    rows, columns = np.nonzero(viewer.layers["nuclei instances"].data)
    assert 0 < np.ptp(rows) < 200
    assert 0 < np.ptp(columns) < 200


def test_zooming_in_limits_the_result_to_what_is_in_view(viewer, dock, qtbot, image):
    viewer.add_image(image, name="nuclei")
    viewer.scene.camera.zoom *= 4
    QTest.qWait(200)
    kind = dock.form.region.kind
    kind.setCurrentIndex(kind.findText("What is in view"))
    run(qtbot, dock)
    rows, _ = np.nonzero(viewer.layers["nuclei instances"].data)
    assert 0 < np.ptp(rows) < 120


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


def test_a_cell_painted_by_hand_survives_the_next_run(viewer, dock, qtbot, image):
    viewer.add_image(image, name="nuclei")
    run(qtbot, dock)
    edited = viewer.layers["nuclei instances"]
    edited.selected_label, edited.brush_size, edited.mode = 500, 12, "paint"
    middle = QPoint(canvas_of(viewer).width() // 2, canvas_of(viewer).height() // 2)
    drag_on_canvas(viewer, middle, middle + QPoint(40, 0))
    assert (edited.data == 500).any()
    run(qtbot, dock)
    assert (edited.data == 500).any()
    assert "nuclei instances [1]" in [layer.name for layer in viewer.layers]


def test_the_command_lands_on_the_clipboard_and_the_table_opens(viewer, dock, qtbot, image):
    viewer.add_image(image, name="nuclei")
    run(qtbot, dock)
    click(dock.form.copy_command)
    assert QApplication.clipboard().text().startswith("utile segment ")
    click(dock.form.show_table)
    QTest.qWait(50)
    docks = viewer.window.dock_widgets
    (table,) = (docks[title] for title in docks if "Features table" in title)
    beside = viewer.window._qt_window.tabifiedDockWidgets(table.parent())
    assert dock.dock.parent() in beside, "a tab, which leaves the dock its height"
    assert table.isVisible()


def test_closing_the_window_while_it_runs_ends_the_job(viewer, dock, qtbot, image):
    viewer.add_image(np.tile(image, (4, 4)), name="large")
    dock.form.compute["tile"].value = 64
    click(dock.form.run_bar.run_button)
    qtbot.waitUntil(lambda: len(viewer.layers) == 2, timeout=WAIT)
    assert jobs()
    viewer.close()
    qtbot.waitUntil(lambda: not jobs(), timeout=WAIT)
