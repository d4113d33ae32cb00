"""A batch in a window: open layers, files and folders; what fails is named; cancelled, what is done stays."""

import shlex

import numpy as np
import pytest
from napari.utils.notifications import notification_manager
from qtpy.QtCore import Qt
from qtpy.QtGui import QGuiApplication
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QMessageBox

from napari_utile.engine.files.images import read_image, write_image, write_labels
from napari_utile.widgets.batch.tab import open_batch
from napari_utile.widgets.viewer.layers import session_of
from napari_utile.widgets.workbench.closing import CloseGuard
from sheets import rows_of

pytestmark = pytest.mark.real_window

WAIT = 240_000


@pytest.fixture(autouse=True)
def _fast(bright_nuclei):
    """Segment by a model that takes no time."""


@pytest.fixture
def tab(viewer, tmp_path):
    tab = open_batch(viewer)
    tab.target.setText(str(tmp_path / "results"))
    return tab


def discs(seed):
    y, x = np.mgrid[:96, :96]
    rng = np.random.default_rng(seed)
    bright = sum(
        ((y - 16 - 32 * cy) ** 2 + (x - 16 - 32 * cx) ** 2 < 80) for cy in range(3) for cx in range(3)
    )
    return (bright * 180 + rng.integers(0, 20, (96, 96))).astype(np.uint8)


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "day one"
    folder.mkdir()
    for number in range(2):
        write_image(folder / f"field{number}.tif", discs(number))
    (folder / "broken.tif").write_bytes(b"II*\0 nothing")
    return folder


def press(button):
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


def test_layers_files_and_folders_are_segmented_and_what_fails_is_named(viewer, tab, qtbot, folder, tmp_path):
    press(tab.run_bar.run_button)
    assert "Add open images" in tab.status.text()
    viewer.add_image(discs(7), name="live: 1/2", scale=(0.5, 0.5), units=("um", "um"))
    viewer.add_image(discs(8), name="field1")
    session_of(viewer).asked = None
    press(tab.add_layers)
    tab.add(folder)
    tab.add(folder)
    assert [tab.images.item(row).text() for row in range(tab.images.count())] == [
        "live: 1/2 (open layer)",
        "field1 (open layer)",
        str(folder),
    ]
    press(tab.run_bar.run_button)
    assert tab.running
    qtbot.waitUntil(lambda: not tab.running, timeout=WAIT)
    assert tab.finished is not None, tab.status.text()
    images = tab.finished.images
    assert [bool(image.failed) for image in images] == [True, False, False, False, False]
    assert "broken.tif" in tab.status.text()
    assert tab.status.text().startswith("36 cells in 4 images, ")
    assert {image.cells for image in images[1:]} == {9}
    assert tab.table.item(0, 1).text() == "failed"
    results = tmp_path / "results"
    live = read_image(results / "live_ 1_2_labels.tif")
    assert len(np.unique(live.data)) == 10
    assert live.pixel_size == pytest.approx((0.5, 0.5))
    assert (results / "quality.html").is_file()
    assert tab.open_sheet.isEnabled()
    assert len(rows_of(results / "fields.csv")) == 5
    assert (results / "field1 2_labels.tif").is_file(), "a layer of the same name as a file"

    press(tab.copy_command)
    words = shlex.split(QGuiApplication.clipboard().text())
    assert words[:3] == ["utile", "segment", str(folder)]
    from napari_utile.cli import make_parser

    assert make_parser().parse_args(words[1:]).model == "nuclei"


def test_labels_that_somebody_painted_are_named_and_stay(tab, qtbot, folder, tmp_path):
    painted = tmp_path / "results" / "field0_labels.tif"
    painted.parent.mkdir()
    write_labels(painted, np.eye(96, dtype=np.uint8))
    before = painted.read_bytes()
    tab.add(folder)
    press(tab.run_bar.run_button)
    qtbot.waitUntil(lambda: not tab.running, timeout=WAIT)
    assert "field0_labels.tif is not as a recipe beside it says" in tab.status.text()
    assert "--overwrite" not in tab.status.text()
    assert painted.read_bytes() == before


def test_a_closed_layer_leaves_the_list_and_its_name_to_another(viewer, tab):
    closed = viewer.add_image(discs(1), name="field")
    tab.add_open_images()
    viewer.layers.remove(closed)
    assert tab.images.count() == 0
    with pytest.raises(ValueError, match="Add open images"):
        tab.request()
    other = viewer.add_image(discs(2), name="other")
    tab.add_open_images()
    other.name = "field"
    another = viewer.add_image(discs(3), name="other")
    tab.add_open_images()
    tab.add_open_images()
    items = [tab.images.item(row).data(Qt.ItemDataRole.UserRole) for row in range(tab.images.count())]
    assert [any(item is layer for item in items) for layer in (closed, other, another)] == [False, True, True]
    assert len(items) == 2


def test_a_cancelled_batch_stops_and_leaves_no_process_behind(tab, qtbot, folder, tmp_path):
    tab.add(folder)
    press(tab.run_bar.run_button)
    job = tab.job
    qtbot.wait(500)
    tab.target.setText("where the next ones go")
    press(tab.run_bar.cancel_button)
    qtbot.waitUntil(lambda: not tab.running, timeout=WAIT)
    assert job.wait(30)
    assert tab.status.text().startswith("Cancelled")
    assert tab.status.text().endswith(f"in {tmp_path / 'results'}.")
    import psutil

    assert not [
        each for each in psutil.Process().children() if "napari_utile.cli" in " ".join(each.cmdline())
    ]


def answer(viewer, text):
    """Press a button of the question that the X made appear."""
    (box,) = viewer.window._qt_window.findChildren(QMessageBox, "utile-go-on")
    assert "A batch is under way: " in box.text()
    (button,) = (each for each in box.buttons() if text in each.text())
    press(button)


def told():
    """Return what napari told its user."""
    return [each.message for each in notification_manager.records]


def test_the_x_of_the_tab_asks_and_ends_the_batch_with_what_is_done_said(viewer, tab, qtbot, folder):
    tab.add(folder)
    press(tab.run_bar.run_button)
    job = tab.job
    tab.parent().destroyOnClose()
    assert tab.running
    notification_manager.records.clear()
    answer(viewer, "Stop it")
    qtbot.waitUntil(lambda: not tab.running, timeout=WAIT)
    assert job.wait(60)
    assert tab.status.text().startswith("Cancelled: ")
    assert told() == [tab.status.text()]
    assert open_batch(viewer) is tab
    assert tab.isVisible()
    frame, gone = tab.parent(), []
    tab.destroyed.connect(lambda *_: gone.append(True))
    frame.destroyOnClose()
    qtbot.waitUntil(lambda: gone == [True], timeout=WAIT)
    assert open_batch(viewer).images.count() == 0, "nothing was under way"


def test_a_batch_goes_on_without_its_tab_which_shows_what_was_done(viewer, tab, qtbot, folder):
    tab.add(folder)
    press(tab.run_bar.run_button)
    tab.parent().destroyOnClose()
    notification_manager.records.clear()
    answer(viewer, "Continue")
    qtbot.waitUntil(lambda: not tab.running, timeout=WAIT)
    assert told() == ["The batch has ended: open U-Tile: segment many images."]
    assert open_batch(viewer) is tab
    assert tab.table.rowCount() == 3


def test_a_tab_that_was_kept_ends_with_the_viewer(viewer, tab, qtbot, folder):
    tab.add(folder)
    press(tab.run_bar.run_button)
    tab.parent().destroyOnClose()
    answer(viewer, "Continue")
    job, gone = tab.job, []
    tab.destroyed.connect(lambda *_: gone.append(True))
    session_of(viewer).close()  # what the window does when it is destroyed
    qtbot.waitUntil(lambda: gone == [True], timeout=5_000)
    assert job.wait(60)


def test_closing_the_window_asks_about_a_batch(viewer, tab, qtbot, folder, tmp_path, monkeypatch):
    guard, asked = viewer.window._qt_window.findChild(CloseGuard), []
    assert guard.may_close()
    tab.add(folder)
    press(tab.run_bar.run_button)
    qtbot.waitUntil(lambda: " of 3 images" in tab.asks, timeout=WAIT)
    buttons = QMessageBox.StandardButton

    def question(parent, title, text, *_):
        asked.append(text)
        return buttons.Cancel

    monkeypatch.setattr(QMessageBox, "question", question)
    assert not guard.may_close()
    assert f" of 3 images are done, in {tmp_path / 'results'}. Closing the window stops it." in asked[0]
    session_of(viewer).close()  # what the window does when it is destroyed
    assert not tab.asks


def test_the_settings_of_the_segment_page_count(viewer, tab, folder):
    from napari_utile.engine.segment_params import SegmentParams

    session = session_of(viewer)
    session.asked = SegmentParams(diameter=21.0, preprocess="invert")
    session.model = "cells"
    tab.add(folder)
    words = " ".join(tab.request().options)
    assert words == "--model cells --diameter 21.0 --preprocess invert"
    assert "cells of 21.0 px" in tab.how.text()


def test_sliders_count_also_for_a_model_that_is_a_file(viewer, tab, folder):
    from napari_utile.engine.models.catalogue import find_model
    from napari_utile.engine.segment_params import SegmentParams

    session = session_of(viewer)
    session.model = str(find_model("cells"))
    session.asked = SegmentParams(session.model, diameter=None)
    session.values = {"threshold": 0.7}
    tab.add(folder)
    assert "--threshold 0.7" in " ".join(tab.request().options)
