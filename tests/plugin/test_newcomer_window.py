"""A newcomer's way: from napari's start to measured cells of a stack of three planes, saved, with the mouse alone."""

from types import SimpleNamespace

import numpy as np
import pytest
import tifffile
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QFileDialog

from napari_utile.engine.files.images import read_image
from napari_utile.widgets.parts.plane_picker import ALL
from napari_utile.widgets.workbench.dock import Workbench
from sheets import rows_of

pytestmark = pytest.mark.real_window

WAIT = 90_000
LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def stack(tmp_path):
    """Three planes in a file, with 4, 5 and 6 cells."""
    y, x = np.mgrid[:128, :128]
    planes = []
    for count in (4, 5, 6):
        centres = [(22 + 40 * (n // 3), 22 + 40 * (n % 3)) for n in range(count)]
        away = np.min([np.hypot(y - cy, x - cx) for cy, cx in centres], axis=0)
        planes.append((230 * np.clip((13 - away) / 6, 0, 1)).astype(np.uint8))
    path = tmp_path / "my_stack.tif"
    tifffile.imwrite(path, np.stack(planes), imagej=True, metadata={"axes": "ZYX"})
    return path


def test_from_the_start_to_saved_measurements_of_three_planes(
    make_napari_viewer, qtbot, bright_nuclei, stack, monkeypatch
):
    viewer = make_napari_viewer(show=True)
    viewer.window._qt_window.resize(1280, 800)
    dock = Workbench(viewer)
    viewer.window.add_dock_widget(dock, name="U-Tile")
    QTest.qWait(50)
    assert "Open an image to start" in dock.header.empty.text()
    viewer.open(stack, plugin="napari")
    form = dock.page("segment").form
    qtbot.waitUntil(form.run_bar.run_button.isEnabled, timeout=WAIT)
    assert form.planes.isVisible(), "several planes are offered, in words"
    form.planes.kind.setCurrentIndex(form.planes.kind.findData(ALL))
    form.planes.kind.activated.emit(form.planes.kind.currentIndex())
    QTest.mouseClick(form.run_bar.run_button, LEFT)
    qtbot.waitUntil(lambda: not dock.page("segment").running, timeout=WAIT)
    cells = viewer.layers["my_stack instances"]
    assert [len(np.unique(plane)) - 1 for plane in cells.data] == [4, 5, 6]
    asked = SimpleNamespace(start="")

    def where(parent, title, start, kinds):
        asked.start = start
        return start, kinds

    monkeypatch.setattr(QFileDialog, "getSaveFileName", where)
    QTest.mouseClick(form.save, LEFT)
    target = stack.with_name("my_stack_labels.tif")
    qtbot.waitUntil(lambda: "Saved" in form.status.text(), timeout=WAIT)
    assert asked.start == str(target), "beside the image"
    np.testing.assert_array_equal(read_image(target, as_labels=True).data, cells.data)
    rows = rows_of(stack.with_name("my_stack_cells.csv"))
    assert len(rows) == 15
    assert {"label", "area_px", "intensity_mean"} <= set(rows[0])
    assert stack.with_name("my_stack_recipe.json").is_file()
