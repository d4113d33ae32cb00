"""The Click dock in a window of its own: everything is done with the mouse on the canvas."""

import numpy as np
import pytest
from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QWheelEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from napari_utile.widgets.viewer.layers import session_of
from napari_utile.widgets.viewer.regions import camera_of
from pages import jobs, page_of
from window import CONTROL, LEFT, NONE, SHIFT, WAIT, on_canvas
from window import Window as Napari

pytestmark = pytest.mark.real_window

RIGHT = Qt.MouseButton.RightButton


class Window(Napari):
    """A viewer with the dock, clicking switched on, and a mouse over the canvas."""

    def __init__(self, viewer, qtbot):
        super().__init__(viewer, qtbot, size=(1300, 850))
        self.centres = [(y, x) for y in range(25, 250, 50) for x in range(25, 250, 50)]
        y, x = np.mgrid[:256, :256]
        away = np.min([np.hypot(y - cy, (x - cx) * 0.7) for cy, cx in self.centres], axis=0)
        bright = (200 * np.clip((12 - away) / 3, 0, 1)).astype(np.uint8)
        self.image = viewer.add_image(bright, name="nuclei", scale=(0.5, 0.5))
        self.dock = page_of(viewer, "click")
        viewer.window.add_dock_widget(self.dock.dock, name="U-Tile")
        QTest.qWait(150)
        viewer.reset_view()
        QTest.mouseClick(self.dock.form.toggle, LEFT)
        self.finish()

    @property
    def labels(self):
        return self.dock.dock.header.cells.layer

    def finish(self):
        self.qtbot.waitUntil(lambda: self.dock.tool.queue.busy == 0, timeout=WAIT)
        QTest.qWait(20)

    def on_canvas(self, pixel):
        """Return where a pixel of the image is on the canvas."""
        return on_canvas(self.viewer, self.image, pixel)

    def click(self, pixel, modifier=NONE, button=LEFT):
        super().click(self.image, pixel, modifier, button)
        self.finish()

    def drag(self, start, end, modifier=NONE):
        super().drag(self.image, start, end, modifier)
        self.finish()

    def wheel(self, pixel, turns, modifier):
        native, place = self.canvas, QPointF(self.on_canvas(pixel))
        event = QWheelEvent(
            place,
            QPointF(native.mapToGlobal(place.toPoint())),
            QPoint(0, 0),
            QPoint(0, 120 * turns),
            Qt.MouseButton.NoButton,
            modifier,
            Qt.ScrollPhase.NoScrollPhase,
            False,
        )
        QApplication.sendEvent(native, event)
        self.finish()


@pytest.fixture
def window(make_napari_viewer, qtbot, bright_nuclei):
    return Window(make_napari_viewer(show=True), qtbot)


def count(window):
    return len(np.unique(window.labels.data)) - 1


def test_twenty_cells_are_taken_and_corrected_with_nothing_but_the_mouse(window):
    for centre in window.centres[:20]:
        window.click(centre)
    assert count(window) == len(window.labels._undo_history) == 20
    here = window.centres[7]
    area = (window.labels.data == 8).sum()
    window.click(here)
    window.wheel(here, 1, SHIFT)
    assert (window.labels.data == 8).sum() > area
    window.wheel(here, -1, SHIFT)
    left, right = (here[0], here[1] - 9), (here[0], here[1] + 9)
    window.click(right, SHIFT)
    assert count(window) == 21
    assert window.labels.data[left] == 8
    window.drag(left, right, SHIFT)
    assert count(window) == 20
    window.click(here, CONTROL)
    assert window.labels.data[here] == 0
    steps = len(window.labels._undo_history)
    for _ in range(steps):
        QTest.keyClick(window.canvas, Qt.Key.Key_Z, CONTROL)
    assert window.labels.data.max() == 0
    for _ in range(steps):
        QTest.keyClick(window.canvas, Qt.Key.Key_Z, CONTROL | SHIFT)
    assert window.labels.data[here] == 0
    assert count(window) == 19


def test_hovering_dragging_and_the_wheel_label_nothing_and_a_double_click_takes_one_cell(window):
    camera = camera_of(window.viewer)
    QTest.mouseMove(window.canvas, window.on_canvas(window.centres[0]))
    QTest.mouseMove(window.canvas, window.on_canvas(window.centres[0]) + QPoint(1, 0))
    window.qtbot.waitUntil(lambda: "U-Tile outline" in window.viewer.layers, timeout=WAIT)
    QTest.qWait(50)
    pixels = window.viewer.screenshot(canvas_only=True, flash=False)
    assert (pixels[..., :3] == 255).all(axis=-1).sum() > 10
    assert window.labels.data.max() == 0

    before = np.array(camera.center)
    window.drag((50, 50), (90, 90))
    assert not np.allclose(camera.center, before)
    zoom = camera.zoom
    window.wheel((128, 128), 1, NONE)
    assert camera.zoom != zoom
    assert window.labels.data.max() == 0

    window.viewer.reset_view()
    zoom = camera.zoom
    place = window.on_canvas(window.centres[2])
    QTest.mouseClick(window.canvas, LEFT, NONE, place)
    QTest.mouseDClick(window.canvas, LEFT, NONE, place)
    window.finish()
    assert count(window) == 1
    assert camera.zoom == zoom


def test_closing_the_window_with_clicks_under_way_leaves_nothing_behind(window):
    for centre in window.centres[:5]:
        window.dock.mouse.clicked.emit(centre, "click")
    session = session_of(window.viewer)
    window.viewer.close()
    window.qtbot.waitUntil(lambda: session.closed and not jobs(), timeout=WAIT)


def test_drags_merge_what_is_near_and_move_the_image_without_shift(window):
    near, far, left = window.centres[0], window.centres[8], window.centres[12]
    right = (left[0], left[1] + 9)
    for centre in (near, far, left):
        window.click(centre)
    window.drag(near, far, SHIFT)
    assert count(window) == 3
    assert "px apart" in window.dock.form.status.text()
    window.drag((50, 50), near, SHIFT)  # from the background
    assert count(window) == 3
    assert "from one cell into another" in window.dock.form.status.text()

    window.click(right, SHIFT)
    assert count(window) == 4
    before, camera = np.array(window.labels.data), camera_of(window.viewer)
    centre = np.array(camera.center)
    window.drag(left, right)
    np.testing.assert_array_equal(window.labels.data, before)
    moved = np.array(camera.center)[-1] - centre[-1]
    assert moved == pytest.approx(-9 * 0.5, abs=1), "the cell follows the mouse"
    window.drag(left, right, SHIFT)
    assert count(window) == 3


def test_a_right_click_pushes_the_outline_back_and_control_z_works_while_the_image_is_active(window):
    window.labels.mode = "paint"
    assert window.dock.form.toggle.text() == "Paused: another tool is in use"
    window.labels.mode = "pan_zoom"
    assert window.dock.form.toggle.text() == "Clicking cells: on"

    centre = window.centres[0]
    window.click(centre)
    taken = np.array(window.labels.data)
    edge = (centre[0], centre[1] + 13)
    assert taken[edge] == 1
    window.click(edge, button=RIGHT)
    assert window.labels.data[edge] == 0
    assert window.labels.data[centre] == 1
    assert 0 < np.count_nonzero(window.labels.data) < np.count_nonzero(taken)

    window.viewer.layers.selection.active = window.image
    for expected in (taken, 0 * taken):
        QTest.keyClick(window.canvas, Qt.Key.Key_Z, CONTROL)
        window.finish()
        np.testing.assert_array_equal(window.labels.data, expected)


def test_control_z_takes_a_click_back_while_other_labels_are_active_but_not_after_painting_in_them(window):
    other = window.viewer.add_labels(np.zeros((256, 256), np.int32), name="other", scale=(0.5, 0.5))
    window.dock.dock.header.cells.set_layer(None)
    window.click(window.centres[0])
    window.viewer.layers.selection.active = other
    assert window.dock.form.toggle.text() == "Clicking cells: on"
    QTest.keyClick(window.canvas, Qt.Key.Key_Z, CONTROL)
    window.finish()
    assert count(window) == 0
    QTest.keyClick(window.canvas, Qt.Key.Key_Z, CONTROL | SHIFT)
    window.finish()
    assert count(window) == 1
    other.mode, other.brush_size = "paint", 10
    place = window.on_canvas(window.centres[6])
    QTest.mouseClick(window.canvas, LEFT, NONE, place)
    assert other.data.any()
    other.mode = "pan_zoom"
    QTest.keyClick(window.canvas, Qt.Key.Key_Z, CONTROL)
    assert not other.data.any()
    assert count(window) == 1, "what was painted last goes first"
