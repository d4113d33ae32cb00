"""Number keys give clicked cells classes, on the canvas and in the table."""

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest

from napari_utile.widgets.pages.segment.measure_layer import measure_active_labels
from napari_utile.widgets.tabs import open_plots
from napari_utile.widgets.viewer.cell_colours import CLASS_COLOURS
from napari_utile.widgets.viewer.layers import session_of
from napari_utile.widgets.workbench.dock import Workbench

pytestmark = pytest.mark.real_window

WAIT = 60_000
LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def page(viewer, qtbot, bright_nuclei):
    labels = np.zeros((100, 100), np.int32)
    for number, (y, x) in enumerate(((20, 20), (20, 70), (70, 20), (70, 70)), start=1):
        labels[y : y + 15, x : x + 15] = number
    viewer.add_image((labels > 0).astype(np.uint8) * 200, name="nuclei")
    viewer.add_labels(labels, name="cells")
    dock = Workbench(viewer)
    viewer.window.add_dock_widget(dock, name="U-Tile")
    page = dock.open_page("click")
    page.dock = dock
    QTest.qWait(100)
    viewer.reset_view()
    QTest.mouseClick(page.form.toggle, LEFT)
    qtbot.waitUntil(lambda: page.tool.queue.busy == 0, timeout=WAIT)
    return page


def canvas(viewer):
    return viewer.window._qt_viewer.canvas.native


def click_and_press(viewer, page, qtbot, pixel, key):
    """Click on a cell, and press a key while the mouse is over the canvas."""
    zoom = viewer.scene.camera.zoom
    middle = QPoint(canvas(viewer).width() // 2, canvas(viewer).height() // 2)
    place = middle + QPoint(round((pixel[1] - 49.5) * zoom), round((pixel[0] - 49.5) * zoom))
    QTest.mouseMove(canvas(viewer), place)
    QTest.mouseClick(canvas(viewer), LEFT, pos=place)
    qtbot.waitUntil(lambda: page.tool.queue.busy == 0, timeout=WAIT)
    QTest.keyClick(canvas(viewer), key)
    QTest.qWait(20)


def test_a_click_and_a_number_key_give_a_class_with_name_colour_and_count(viewer, page, qtbot):
    layer, classes = viewer.layers["cells"], page.form.classes
    own = layer.colormap
    classes.on.setChecked(True)
    layer.selected_label = 77
    classes.give(1)
    assert "Click on a cell first" in page.form.status.text()
    assert "class" not in layer.features
    edit = classes.names[1]
    edit.selectAll()
    QTest.keyClicks(edit, "mitotic")
    QTest.keyClick(edit, Qt.Key.Key_Return)
    click_and_press(viewer, page, qtbot, (27, 27), Qt.Key.Key_2)
    click_and_press(viewer, page, qtbot, (27, 77), Qt.Key.Key_1)
    click_and_press(viewer, page, qtbot, (77, 27), Qt.Key.Key_2)
    table = layer.features.set_index("label")["class"]
    assert dict(table) == {1: "mitotic", 2: "class 1", 3: "mitotic"}
    assert layer.mode == "pan_zoom", "2 is the key of napari's brush otherwise"
    assert np.allclose(layer.get_color(1), _rgba(CLASS_COLOURS[1]), atol=0.01)
    assert not np.allclose(layer.get_color(4), _rgba(CLASS_COLOURS[1]), atol=0.01)
    assert [label.text() for label in classes.counts[:2]] == ["1", "2"]
    assert "mitotic" in page.form.cell.text()
    click_and_press(viewer, page, qtbot, (27, 27), Qt.Key.Key_0)
    assert layer.features.set_index("label")["class"][1] == ""
    assert layer.colormap is not own


def classes_of(layer):
    table = layer.features
    return dict(zip(table["index"], table["class"], strict=True))


@pytest.mark.parametrize("measured", [False, True], ids=["classes alone", "measured"])
def test_a_class_stays_through_measuring_clicks_removal_and_undo(viewer, page, qtbot, measured):
    layer, classes = viewer.layers["cells"], page.form.classes
    given = {1: "class 1", 2: "class 2", 3: "class 1", 4: "class 2"}
    for label, name in given.items():
        layer.selected_label = label
        classes.give(int(name[-1]))

    def until(wanted):
        qtbot.waitUntil(lambda: classes_of(layer) == wanted, timeout=WAIT)

    if measured:
        viewer.layers.selection.active = layer
        measure_active_labels(viewer)
        qtbot.waitUntil(lambda: "area_px" in layer.features, timeout=WAIT)
        assert classes_of(layer) == given

    page.mouse.clicked.emit((27, 27), "click")
    qtbot.waitUntil(lambda: page.tool.queue.busy == 0, timeout=WAIT)
    page.tool.resize(1)
    qtbot.waitUntil(lambda: (layer.data == 1).sum() != 225, timeout=WAIT)
    QTest.qWait(600)  # it is measured
    assert classes_of(layer) == given
    layer.undo()
    QTest.qWait(600)
    assert classes_of(layer) == given

    page.mouse.clicked.emit((27, 77), "control")
    until({label: name for label, name in given.items() if label != 2})
    QTest.qWait(600)
    layer.undo()
    until(given)

    if measured:
        tab = open_plots(viewer)
        tab.value.setValue(1000)
        assert tab.remove.text() == "Remove 4 cells"
        tab.remove_cells()
        until({})
        layer.undo()
        until(given)


def test_another_cell_with_the_number_of_one_that_is_gone_has_no_class(viewer, page, qtbot):
    layer, classes = viewer.layers["cells"], page.form.classes
    viewer.layers.selection.active = layer
    measure_active_labels(viewer)
    qtbot.waitUntil(lambda: "area_px" in layer.features, timeout=WAIT)
    layer.selected_label = 4
    classes.give(1)
    layer.data_setitem(np.nonzero(layer.data == 4), 0)
    qtbot.waitUntil(lambda: sorted(classes_of(layer)) == [1, 2, 3], timeout=WAIT)
    layer.data_setitem((np.array([50, 50]), np.array([50, 51])), 4)
    qtbot.waitUntil(lambda: sorted(classes_of(layer)) == [1, 2, 3, 4], timeout=WAIT)
    assert classes_of(layer)[4] == ""


def _rgba(colour):
    return [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)] + [1]


def test_colours_by_a_measurement_stay_until_a_class_is_given_or_the_keys_are_turned_on(viewer, page, qtbot):
    layer, classes = viewer.layers["cells"], page.form.classes
    viewer.layers.selection.active = layer
    measure_active_labels(viewer)
    qtbot.waitUntil(lambda: "area_px" in layer.features, timeout=WAIT)
    tab = open_plots(viewer)
    classes.on.setChecked(True)
    layer.selected_label = 1
    classes.give(1)
    assert tab.colours.currentText() == "class"
    assert np.allclose(layer.get_color(1), _rgba(CLASS_COLOURS[0]), atol=0.01)

    tab.colours.setCurrentText("area_px")
    tab.colours.activated.emit(tab.colours.currentIndex())
    layer.data_setitem((np.array([50, 50]), np.array([50, 51])), 4)
    qtbot.waitUntil(lambda: layer.features["area_px"].max() == 227, timeout=WAIT)
    QTest.qWait(100)
    assert tab.colours.currentText() == "area_px"
    assert "225 to yellow 227" in tab.status.text()
    yellow, blue = layer.get_color(4), layer.get_color(1)
    assert yellow[0] > 0.9 > blue[0]

    layer.selected_label = 2
    classes.give(2)
    assert tab.colours.currentText() == "class"
    assert np.allclose(layer.get_color(2), _rgba(CLASS_COLOURS[1]), atol=0.01)
    tab.colours.setCurrentText("each cell")
    tab.colours.activated.emit(tab.colours.currentIndex())
    classes.on.setChecked(False)
    assert tab.colours.currentText() == "each cell"
    classes.on.setChecked(True)
    assert tab.colours.currentText() == "class"


def test_without_the_classes_and_on_other_pages_the_keys_are_napari_s(viewer, page, qtbot):
    layer, classes = viewer.layers["cells"], page.form.classes
    click_and_press(viewer, page, qtbot, (27, 27), Qt.Key.Key_2)
    assert layer.mode == "paint"
    layer.mode = "pan_zoom"
    classes.on.setChecked(True)
    page.dock.open_page("segment")
    QTest.keyClick(canvas(viewer), Qt.Key.Key_2)
    assert layer.mode == "paint"
    assert "class" not in layer.features


def test_a_class_is_renamed_in_every_layer_that_has_it(viewer, page):
    cells, classes = viewer.layers["cells"], page.form.classes
    others = [
        viewer.add_labels(cells.data, name=name, features={"index": [1], "label": [1], "class": [word]})
        for name, word in (("alike", "class 1"), ("own", "alive"))
    ]
    plain = viewer.add_labels(cells.data, name="plain")
    session = session_of(viewer)
    for layer in (cells, others[0]):
        session.cells = layer
        layer.selected_label = 1
        classes.give(1)
    session.cells = cells
    classes.names[0].setText("dead")
    classes.names[0].editingFinished.emit()
    assert [layer.features["class"].tolist() for layer in others] == [["dead"], ["alive"]]
    assert "class" not in plain.features
    session.cells = others[0]
    assert classes.counts[0].text() == "1"


def test_cells_at_several_resolutions_are_given_no_class_which_is_said(viewer, page):
    labels = viewer.layers["cells"].data
    layer = viewer.add_labels([labels, labels[::2, ::2]], multiscale=True, name="slide")
    session_of(viewer).cells = layer
    page.form.classes.give(1)
    assert "cannot edit the multiscale layer slide" in page.form.status.text()
    assert "class" not in layer.features
