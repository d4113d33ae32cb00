"""Plots of the cells as a tab beside the dock: linked with the selection, a filter as one step to undo, colours."""

import numpy as np
import pytest
from napari.settings import get_settings
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QDockWidget, QTabBar

from napari_utile.widgets.pages.segment.measure_layer import measure_active_labels
from napari_utile.widgets.parts.plot import PLOT_COLOURS
from napari_utile.widgets.tabs import open_plots
from napari_utile.widgets.workbench.dock import Workbench

pytestmark = pytest.mark.real_window

WAIT = 60_000
LEFT = Qt.MouseButton.LeftButton
SIDES = {1: 4, 2: 6, 3: 8, 4: 10, 5: 12}


def cells():
    labels = np.zeros((80, 120), np.int32)
    for label, side in SIDES.items():
        top = 0 if label == 3 else 20
        labels[top : top + side, 22 * label - 12 : 22 * label - 12 + side] = label
    return labels


@pytest.fixture
def viewer(viewer):
    viewer.add_image((cells() * 40).astype(np.uint8), name="image")
    viewer.add_labels(cells(), name="cells")
    return viewer


@pytest.fixture
def tab(viewer, qtbot):
    dock = Workbench(viewer)
    viewer.window.add_dock_widget(dock, name="U-Tile")
    job = measure_active_labels(viewer)
    qtbot.waitUntil(lambda: not job.running, timeout=WAIT)
    tab = open_plots(viewer)
    tab.dock = dock
    QTest.qWait(100)
    return tab


def frame_of(widget):
    while not isinstance(widget, QDockWidget):
        widget = widget.parent()
    return widget


def point(x, y):
    from qtpy.QtCore import QPointF

    return QPointF(x, y)


def test_cells_are_removed_as_one_step_that_control_z_takes_back(viewer, tab, qtbot):
    layer = viewer.layers["cells"]
    before = layer.features.copy()
    assert tab.column.currentText() == "area_px"
    assert not tab.remove.isEnabled()
    tab.value.setValue(50)
    assert tab.remove.text() == "Remove 2 cells"
    QTest.mouseClick(tab.remove, LEFT)
    assert set(np.unique(layer.data)) == {0, 3, 4, 5}
    assert viewer.window._qt_window.focusWidget() is viewer.window._qt_viewer.canvas.native
    qtbot.waitUntil(lambda: list(layer.features["index"]) == [3, 4, 5], timeout=WAIT)
    QTest.keyClick(tab.other, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)  # a list takes no such key
    np.testing.assert_array_equal(layer.data, cells())
    qtbot.waitUntil(lambda: list(layer.features["index"]) == [1, 2, 3, 4, 5], timeout=WAIT)
    assert list(layer.features["area_px"]) == list(before["area_px"])

    tab.kind.setCurrentIndex(tab.kind.findData("border"))
    tab.kind.activated.emit(tab.kind.currentIndex())
    assert tab.remove.text() == "Remove 1 cell"
    QTest.mouseClick(tab.remove, LEFT)
    assert set(np.unique(layer.data)) == {0, 1, 2, 4, 5}


def test_plots_are_a_tab_that_is_linked_with_the_cells_until_its_x_is_pressed(viewer, tab):
    window, layer = viewer.window._qt_window, viewer.layers["cells"]
    beside = {frame.windowTitle() for frame in window.tabifiedDockWidgets(frame_of(tab.dock))}
    assert len(beside) == 2, beside
    assert any(bar.isVisible() and bar.count() == 3 for bar in window.findChildren(QTabBar))
    assert tab.isVisible()
    assert open_plots(viewer) is tab

    for theme in ("dark", "light", "dark"):
        get_settings().appearance.theme = theme
        QTest.qWait(100)
        colours = PLOT_COLOURS[theme]
        for plot in (tab.histogram, tab.scatter):
            assert plot.backgroundBrush().color().name() == colours["background"]
            assert plot.getAxis("left").textPen().color().name() == colours["words"]
        assert tab.scatter.points.points()[0].brush().color().name() == colours["blue"]

    plot = tab.scatter  # a point chooses its cell, and a chosen cell its point
    x, y = plot.points.getData()
    place = plot.mapFromScene(plot.plotItem.vb.mapViewToScene(point(x[3], y[3])))
    QTest.mouseMove(plot.viewport(), place)
    QTest.mouseClick(plot.viewport(), LEFT, pos=QPoint(place))
    assert layer.selected_label == 4
    layer.selected_label = 2
    assert list(plot.ring.getData()[0]) == [x[1]]

    own = layer.get_color(1)
    tab.colours.setCurrentText("area_px")
    tab.colours.activated.emit(tab.colours.currentIndex())
    colours = {tuple(np.round(layer.get_color(label), 3)) for label in SIDES}
    assert len(colours) == 5
    assert "16 to yellow 144" in tab.status.text()
    tab.colours.setCurrentText("each cell")
    tab.colours.activated.emit(tab.colours.currentIndex())
    np.testing.assert_allclose(layer.get_color(1), own)

    plot = tab.histogram  # its line is dragged with the mouse
    box = plot.plotItem.vb
    start, end = (
        plot.mapFromScene(box.mapViewToScene(point(value, 0.5))) for value in (tab.value.value(), 70)
    )
    QTest.mouseMove(plot.viewport(), start)
    QTest.mousePress(plot.viewport(), LEFT, pos=start)
    for step in range(1, 6):
        QTest.mouseMove(plot.viewport(), start + (end - start) * step / 5)
        QTest.qWait(20)
    QTest.mouseRelease(plot.viewport(), LEFT, pos=end)
    assert tab.value.value() == pytest.approx(70, abs=8)
    assert tab.remove.text() == "Remove 3 cells"

    frame_of(tab).destroyOnClose()
    QTest.qWait(50)
    layer.selected_label = 3
    layer.features = layer.features.iloc[:3]
    assert open_plots(viewer) is not tab


def test_classes_alone_are_no_measurements(viewer, qtbot):
    dock = Workbench(viewer)
    viewer.window.add_dock_widget(dock, name="U-Tile")
    layer = viewer.layers["cells"]
    layer.features = {"index": [1, 2], "class": ["dead", ""]}
    layer.selected_label = 2
    tab = open_plots(viewer)
    assert "no table of these cells yet" in tab.status.text()
    layer.selected_label = 1
    layer.features = {"index": [1, 2], "class": ["dead", "dead"]}
    assert not tab.isEnabled()
    layer.features = {"index": [1, 2], "area_px": [16, 36], "class": ["dead", "dead"]}
    assert tab.isEnabled()
    assert tab.status.text() == ""


@pytest.mark.parametrize(
    ("values", "dragged"),
    [([0.0012, 0.0048, 0.0048], 0.003), ([0.878, 0.95, 0.99], 0.9), ([3e-9, 7e-9, 8e-9], 5e-9)],
)
def test_a_limit_has_as_many_decimals_as_the_measurement_needs(viewer, tab, values, dragged):
    viewer.layers["cells"].features = {"index": [1, 2, 3], "area_px": [16, 36, 64], "value": values}
    tab.column.setCurrentText("value")
    tab.column.activated.emit(tab.column.currentIndex())
    assert min(values) * 0.98 < tab.value.value() <= min(values)
    assert tab.remove.text() == "Remove 0 cells"
    tab.histogram.cut.emit(dragged)
    assert tab.value.value() == pytest.approx(dragged, rel=1e-3)
    assert tab.remove.text() == "Remove 1 cell"
    tab.kind.setCurrentIndex(tab.kind.findData("larger"))
    tab.kind.activated.emit(tab.kind.currentIndex())
    tab.value.setValue(max(values))
    assert tab.remove.text() == "Remove 0 cells"
