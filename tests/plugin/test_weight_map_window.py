import numpy as np
import pytest
from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QMouseEvent
from qtpy.QtWidgets import QApplication

from napari_utile.engine.weights.weight_map import weight_map
from napari_utile.widgets.workbench.commands import open_page

pytestmark = pytest.mark.real_window


def canvas_of(viewer):
    return viewer.window._qt_viewer.canvas.native


def on_canvas(viewer, row, column):
    """Find where a pixel of an unscaled 2-D layer lies on the canvas."""
    canvas = canvas_of(viewer)
    camera = getattr(viewer, "scene", viewer).camera
    middle = np.array([canvas.height() / 2, canvas.width() / 2])
    y, x = middle + (np.array([row, column]) - np.asarray(camera.center)[-2:]) * camera.zoom
    return QPoint(round(x), round(y))


def send(canvas, kind, place, button, buttons):
    event = QMouseEvent(
        kind,
        QPointF(place),
        QPointF(canvas.mapToGlobal(place)),
        button,
        buttons,
        Qt.KeyboardModifier.NoModifier,
    )
    QApplication.sendEvent(canvas, event)
    QApplication.processEvents()


def stroke(viewer, *pixels):
    """Press the left mouse button at the first pixel, move along the others, let go."""
    canvas = canvas_of(viewer)
    left, none = Qt.MouseButton.LeftButton, Qt.MouseButton.NoButton
    places = [on_canvas(viewer, *pixel) for pixel in pixels]
    send(canvas, QMouseEvent.Type.MouseMove, places[0], none, none)
    send(canvas, QMouseEvent.Type.MouseButtonPress, places[0], left, left)
    for place in places[1:]:
        send(canvas, QMouseEvent.Type.MouseMove, place, none, left)
    send(canvas, QMouseEvent.Type.MouseButtonRelease, places[-1], left, none)


@pytest.fixture
def painting(make_napari_viewer, qtbot):
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(1000, 700)
    viewer.add_image(np.zeros((100, 120), np.float32), name="image", contrast_limits=(0, 1))
    labels = viewer.add_labels(np.zeros((100, 120), np.int32), name="cells")
    dock = open_page(viewer, "weights").page("weights")
    qtbot.waitUntil(lambda: dock.follower.live is not None, timeout=10000)
    viewer.reset_view()
    qtbot.wait(50)
    labels.mode = "paint"
    labels.brush_size = 20
    return viewer, labels, dock


def gap_on_screen(viewer):
    pixels = viewer.screenshot(canvas_only=True, flash=False)
    canvas = canvas_of(viewer)
    scale = pixels.shape[1] / canvas.width()
    place = on_canvas(viewer, 50, 57.5)
    return pixels[round(place.y() * scale), round(place.x() * scale), :3].astype(int)


def test_the_ridge_between_two_painted_cells_lights_up_and_goes_out_with_undo(painting, qtbot):
    viewer, labels, dock = painting
    labels.selected_label = 1
    stroke(viewer, (30, 45), (70, 45))
    assert gap_on_screen(viewer).max() < 30
    labels.selected_label = 2
    stroke(viewer, (30, 70), (70, 70))
    assert set(np.unique(labels.data)) == {0, 1, 2}
    qtbot.waitUntil(lambda: gap_on_screen(viewer)[0] > 120, timeout=5000)
    np.testing.assert_array_equal(dock.follower.overlay.layer.data, weight_map(labels.data).border)
    labels.undo()
    qtbot.waitUntil(lambda: gap_on_screen(viewer).max() < 30, timeout=5000)
    labels.redo()
    qtbot.waitUntil(lambda: gap_on_screen(viewer)[0] > 120, timeout=5000)


def test_the_overlay_follows_within_a_stroke(painting, qtbot):
    viewer, labels, dock = painting
    labels.data[30:70, 40:50] = 1
    labels.refresh()
    labels.selected_label = 2
    canvas = canvas_of(viewer)
    left = Qt.MouseButton.LeftButton
    start = on_canvas(viewer, 50, 65)
    send(canvas, QMouseEvent.Type.MouseButtonPress, start, left, left)
    qtbot.waitUntil(lambda: dock.follower.live.border.max() > 1, timeout=5000)
    send(canvas, QMouseEvent.Type.MouseButtonRelease, start, left, Qt.MouseButton.NoButton)


def test_the_mouse_reads_the_map(painting, qtbot):
    viewer, labels, dock = painting
    labels.data[30:70, 40:50] = 1
    labels.data[30:70, 56:66] = 2
    labels.refresh()
    labels.mode = "pan_zoom"
    none = Qt.MouseButton.NoButton
    send(canvas_of(viewer), QMouseEvent.Type.MouseMove, on_canvas(viewer, 50, 51), none, none)
    qtbot.waitUntil(lambda: "d2 = 5.0 px from cell 2" in dock.form.readout.text(), timeout=5000)
    qtbot.waitUntil(lambda: "cells 1 | 2" in str(viewer.status), timeout=5000)
