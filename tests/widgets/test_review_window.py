"""The results of a batch reviewed in a window: by keys, with the brush, and on again another day."""

import json
import threading

import numpy as np
import pytest
import tifffile
import zarr
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QDockWidget

from napari_utile.cli import main
from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.images import read_image, write_image, write_labels
from napari_utile.engine.files.one_plane import plane_of
from napari_utile.engine.files.tables import read_columns, write_table
from napari_utile.engine.store.plan import load_plan
from napari_utile.engine.store.table import path_of_table
from napari_utile.engine.training.annotated_image import AnnotatedImage
from napari_utile.engine.training.sets import add_images, find_set, list_sets
from napari_utile.widgets.files.writer import save_labels
from napari_utile.widgets.tabs import open_review
from napari_utile.widgets.viewer.layers import full_resolution, session_of
from napari_utile.widgets.viewer.store_layers import store_of
from napari_utile.widgets.workbench.dock import Workbench

pytestmark = pytest.mark.real_window

WAIT = 60_000


@pytest.fixture
def batch(tmp_path):
    results = tmp_path / "results"
    results.mkdir()
    labels = np.zeros((60, 60), np.int32)
    labels[10:20, 10:20], labels[35:50, 30:50] = 1, 2
    for number, name in enumerate(("one", "two", "three")):
        write_image(tmp_path / f"{name}.tif", (labels * 60 + number).astype(np.uint8))
        write_labels(results / f"{name}_labels.tif", labels)
    (results / "fields.csv").write_text("image,confidence\none.tif,0.9\ntwo.tif,0.3\nthree.tif,0.6\n")
    return results


@pytest.fixture
def tab(viewer, qtbot, batch):
    dock = Workbench(viewer)
    viewer.window.add_dock_widget(dock, name="U-Tile")
    tab = open_review(viewer)
    tab.dock = dock
    tab.review(batch)
    shown(qtbot, viewer, "two")
    return tab


def shown(qtbot, viewer, name):
    qtbot.waitUntil(lambda: [layer.name for layer in viewer.layers] == [name, f"{name} cells"], timeout=WAIT)
    QTest.qWait(50)


def press(viewer, key):
    QTest.keyClick(viewer.window._qt_viewer.canvas.native, key)


def paint(viewer):
    layer = viewer.layers[1]
    layer.mode, layer.selected_label, layer.brush_size = "paint", 7, 6
    canvas = viewer.window._qt_viewer.canvas.native
    middle = QPoint(canvas.width() // 2, canvas.height() // 2)
    QTest.mousePress(canvas, Qt.MouseButton.LeftButton, pos=middle)
    QTest.mouseMove(canvas, middle + QPoint(20, 0))
    QTest.mouseRelease(canvas, Qt.MouseButton.LeftButton, pos=middle + QPoint(20, 0))
    assert (layer.data == 7).any()


def test_three_images_are_reviewed_by_keys_the_least_sure_first(viewer, tab, qtbot, batch):
    before = {path.name: path.read_bytes() for path in batch.glob("*.tif")}
    assert tab.dock.header.cells.layer is viewer.layers["two cells"]
    tab.sets.setCurrentIndex(tab.sets.findData("Reviewed"))
    paint(viewer)
    press(viewer, Qt.Key.Key_A)
    shown(qtbot, viewer, "three")
    press(viewer, Qt.Key.Key_R)
    shown(qtbot, viewer, "one")
    press(viewer, Qt.Key.Key_A)
    qtbot.waitUntil(lambda: len([*batch.glob("reviewed/*.tif")]) == 2, timeout=WAIT)
    qtbot.waitUntil(lambda: len(viewer.layers) == 0, timeout=WAIT)
    viewer.window.screenshot(flash=False)  # the square that napari leaves of the brush is still drawn
    assert "every image has a decision" in tab.status.text()
    assert tab.progress.text() == "3 of 3 reviewed, 2 of them accepted."
    assert (read_image(batch / "reviewed" / "two_labels.tif").data == 7).any()
    assert {path.name: path.read_bytes() for path in batch.glob("*.tif")} == before
    qtbot.waitUntil(lambda: (batch / "review.json").is_file(), timeout=WAIT)
    qtbot.waitUntil(lambda: [len(each.images) for each in list_sets()] == [2], timeout=WAIT)


def test_what_an_accepted_image_replaces_in_the_set_is_said(viewer, tab, qtbot, batch):
    plane = plane_of(batch.parent / "two.tif")
    earlier = np.zeros(plane.shape, int)
    earlier[0, 0] = 1
    add_images("Reviewed", [AnnotatedImage(plane, earlier)])
    tab.sets.setCurrentIndex(tab.sets.findData("Reviewed"))
    press(viewer, Qt.Key.Key_A)
    qtbot.waitUntil(lambda: "It replaces 1 cell painted before on two" in tab.status.text(), timeout=WAIT)


def test_edits_are_saved_when_an_image_is_left_and_the_queue_goes_on_another_day(viewer, tab, qtbot, batch):
    paint(viewer)
    frame = tab.parent()
    assert isinstance(frame, QDockWidget)
    frame.destroyOnClose()
    qtbot.waitUntil(lambda: (batch / "review.json").is_file(), timeout=WAIT)
    assert (read_image(batch / "reviewed" / "two_labels.tif").data == 7).any()
    assert len(viewer.layers) == 0
    again = open_review(viewer)
    assert again is not tab
    again.review(batch)
    shown(qtbot, viewer, "two")
    assert again.progress.text() == "0 of 3 reviewed, 0 of them accepted."
    assert [again.table.item(row, 2).text() for row in range(3)] == ["edited", "", ""]
    assert (viewer.layers["two cells"].data == 7).any()
    press(viewer, Qt.Key.Key_A)
    shown(qtbot, viewer, "three")
    assert [again.table.item(row, 2).text() for row in range(3)] == ["corrected", "", ""]


def test_a_stroke_leaves_the_decision_as_it_was_and_one_that_is_undone_is_no_edit(viewer, tab, qtbot, batch):
    press(viewer, Qt.Key.Key_R)
    shown(qtbot, viewer, "three")
    press(viewer, Qt.Key.Key_B)
    shown(qtbot, viewer, "two")
    paint(viewer)
    viewer.layers["two cells"].undo()
    press(viewer, Qt.Key.Key_S)
    shown(qtbot, viewer, "three")
    tab.table.chosen.emit(0)
    shown(qtbot, viewer, "two")
    assert not [*batch.glob("reviewed/*.tif")]
    press(viewer, Qt.Key.Key_R)
    shown(qtbot, viewer, "three")
    tab.table.chosen.emit(0)
    shown(qtbot, viewer, "two")
    paint(viewer)
    tab.table.chosen.emit(2)
    shown(qtbot, viewer, "one")
    qtbot.waitUntil((batch / "reviewed" / "two_labels.tif").is_file, timeout=WAIT)
    assert tab.table.item(0, 2).text() == "rejected"
    assert tab.progress.text() == "1 of 3 reviewed, 0 of them accepted."


@pytest.mark.parametrize("by_program", [True, False])
def test_edits_are_saved_when_the_window_closes(viewer, tab, qtbot, batch, by_program):
    paint(viewer)
    session = session_of(viewer)
    # what a window does when it is destroyed; a program's close removes the layers before
    (viewer if by_program else session).close()
    qtbot.waitUntil(lambda: session.closed, timeout=WAIT)
    assert json.loads((batch / "review.json").read_text())["images"] == {"two_labels.tif": "edited"}
    assert (read_image(batch / "reviewed" / "two_labels.tif").data == 7).any()


@pytest.fixture
def written(monkeypatch):
    """An event that reviewed cells wait for before they are written."""
    until = threading.Event()

    def slow(*args):
        until.wait()
        return save_labels(*args)

    monkeypatch.setattr("napari_utile.widgets.review.opened.save_labels", slow)
    yield until
    until.set()


def test_cells_that_are_being_written_are_opened_as_they_were_corrected(viewer, tab, qtbot, written):
    paint(viewer)
    press(viewer, Qt.Key.Key_A)
    shown(qtbot, viewer, "three")
    press(viewer, Qt.Key.Key_B)
    threading.Timer(0.5, written.set).start()
    shown(qtbot, viewer, "two")
    assert (viewer.layers["two cells"].data == 7).any()


def test_a_decision_is_kept_when_the_window_closes_while_its_cells_are_written(
    viewer, tab, qtbot, batch, written
):
    tab.sets.setCurrentIndex(tab.sets.findData("Reviewed"))
    paint(viewer)
    press(viewer, Qt.Key.Key_A)
    shown(qtbot, viewer, "three")
    threading.Timer(0.5, written.set).start()
    session_of(viewer).close()
    assert json.loads((batch / "review.json").read_text())["images"] == {"two_labels.tif": "corrected"}
    assert (read_image(batch / "reviewed" / "two_labels.tif").data == 7).any()
    assert len(find_set("Reviewed").images) == 1


def test_reviewed_cells_are_shown_also_where_nothing_was_decided(viewer, qtbot, batch):
    corrected = np.zeros((60, 60), np.int32)
    corrected[5:15, 5:15] = 7
    (batch / "reviewed").mkdir()
    write_labels(batch / "reviewed" / "two_labels.tif", corrected)
    open_review(viewer).review(batch)
    shown(qtbot, viewer, "two")
    np.testing.assert_array_equal(viewer.layers["two cells"].data, corrected)


def test_nothing_is_saved_when_the_window_closes_without_an_edit(viewer, tab, qtbot, batch):
    session_of(viewer).close()
    assert not (batch / "review.json").exists()
    assert not (batch / "reviewed").exists()


def test_cells_that_were_closed_are_not_accepted_but_opened_again_with_their_edits(viewer, tab, qtbot, batch):
    paint(viewer)
    viewer.layers.remove("two cells")
    tab.accept.click()
    assert "nothing is accepted" in tab.status.text()
    assert not (batch / "review.json").exists()
    tab.table.chosen.emit(0)
    shown(qtbot, viewer, "two")
    assert (viewer.layers["two cells"].data == 7).any()
    press(viewer, Qt.Key.Key_A)
    shown(qtbot, viewer, "three")
    qtbot.waitUntil(lambda: '"corrected"' in (batch / "review.json").read_text(), timeout=WAIT)


def test_an_image_that_was_closed_comes_back_below_its_cells(viewer, tab, qtbot):
    viewer.layers.remove("two")
    tab.table.chosen.emit(0)
    shown(qtbot, viewer, "two")
    assert session_of(viewer).image.layer is viewer.layers["two"]


def test_cells_come_back_without_the_channels_that_were_closed(viewer, qtbot, tmp_path):
    as_tiff(tmp_path)
    (tmp_path / "results").mkdir()
    write_labels(tmp_path / "results" / "x_labels.tif", STACK[1].astype(np.int32) // 100, "ZYX")
    tab = open_review(viewer)
    tab.review(tmp_path / "results")
    qtbot.waitUntil(lambda: len(viewer.layers) == 3, timeout=WAIT)
    viewer.layers.remove("x channel 1")
    viewer.layers.remove("x cells")
    tab.table.chosen.emit(0)
    assert [layer.name for layer in viewer.layers] == ["x channel 0", "x cells"]
    tab.table.chosen.emit(0)
    assert [layer.name for layer in viewer.layers] == ["x channel 0", "x channel 1", "x cells"]


@pytest.mark.parametrize("decision", ["reject", "skip"])
def test_an_image_whose_cells_were_closed_can_be_rejected_and_skipped(viewer, tab, qtbot, batch, decision):
    viewer.layers.remove("two cells")
    getattr(tab, decision).click()
    shown(qtbot, viewer, "three")
    kept = json.loads((batch / "review.json").read_text())["images"]
    assert kept["two_labels.tif"].startswith(decision)


@pytest.mark.parametrize(
    ("key", "decision"), [(Qt.Key.Key_S, "skipped"), (Qt.Key.Key_R, "rejected")], ids=["skip", "reject"]
)
def test_edits_of_an_image_that_is_skipped_or_rejected_are_there_when_it_is_opened_again(
    viewer, tab, qtbot, batch, key, decision
):
    paint(viewer)
    press(viewer, key)
    shown(qtbot, viewer, "three")
    press(viewer, key)  # nothing was corrected here
    shown(qtbot, viewer, "one")
    qtbot.waitUntil(lambda: "three" in (batch / "review.json").read_text(), timeout=WAIT)
    kept = json.loads((batch / "review.json").read_text())["images"]
    assert kept == {"two_labels.tif": decision, "three_labels.tif": decision}
    assert [path.name for path in batch.glob("reviewed/*.tif")] == ["two_labels.tif"]
    tab.table.chosen.emit(0)
    shown(qtbot, viewer, "two")
    assert (viewer.layers["two cells"].data == 7).any()


def test_what_cannot_be_written_stays_open_and_decides_nothing(viewer, tab, qtbot, batch):
    foreign = batch / "reviewed" / "two_labels.tif"
    foreign.parent.mkdir()
    foreign.write_bytes(b"mine")
    paint(viewer)
    for leave in (lambda: press(viewer, Qt.Key.Key_A), lambda: tab.table.chosen.emit(1)):
        leave()
        QTest.qWait(100)
        assert "does not say that it was reviewed" in tab.status.text()
        assert tab.progress.text().startswith("0 of 3 reviewed")
        assert (viewer.layers["two cells"].data == 7).any()
    assert foreign.read_bytes() == b"mine"


def test_decisions_that_cannot_be_written_are_said_and_written_with_the_next(
    viewer, tab, qtbot, batch, monkeypatch
):
    (batch / "review.json").mkdir()  # the cells can be written, the decision cannot
    press(viewer, Qt.Key.Key_A)
    shown(qtbot, viewer, "three")
    qtbot.waitUntil(lambda: "kept here, and written with the next one" in tab.status.text(), timeout=WAIT)
    assert tab.progress.text().startswith("1 of 3 reviewed")
    press(viewer, Qt.Key.Key_B)
    shown(qtbot, viewer, "two")
    press(viewer, Qt.Key.Key_A)  # it is not refused for the file that was written
    shown(qtbot, viewer, "three")
    (batch / "review.json").rmdir()
    tab.sets.setCurrentIndex(tab.sets.findData("Reviewed"))
    monkeypatch.setattr("napari_utile.widgets.review.opened.add_images", refuse)
    press(viewer, Qt.Key.Key_A)
    shown(qtbot, viewer, "one")
    qtbot.waitUntil(lambda: "three is not in the training set: full." in tab.status.text(), timeout=WAIT)
    kept = json.loads((batch / "review.json").read_text())["images"]
    assert kept == {"two_labels.tif": "accepted", "three_labels.tif": "accepted"}


def refuse(*_):
    raise UtileError("full.")


def test_keys_count_while_the_tab_is_shown_and_what_was_rejected_can_be_accepted_again(
    viewer, tab, qtbot, batch
):
    tab.dock.parent().raise_()
    QTest.qWait(100)
    press(viewer, Qt.Key.Key_A)
    assert [layer.name for layer in viewer.layers] == ["two", "two cells"]
    assert not (batch / "review.json").exists()
    tab.parent().raise_()
    qtbot.waitUntil(lambda: not tab.visibleRegion().isEmpty(), timeout=WAIT)
    paint(viewer)
    press(viewer, Qt.Key.Key_A)
    shown(qtbot, viewer, "three")
    for key in (Qt.Key.Key_R, Qt.Key.Key_A):
        press(viewer, Qt.Key.Key_B)
        shown(qtbot, viewer, "two")
        assert (viewer.layers["two cells"].data == 7).any()
        press(viewer, key)
        shown(qtbot, viewer, "three")
    qtbot.waitUntil(
        lambda: '"two_labels.tif": "corrected"' in (batch / "review.json").read_text(), timeout=WAIT
    )
    assert tab.progress.text().startswith("1 of 3 reviewed")


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2)], ids=["planes", "rolled"])
def test_all_planes_of_a_stack_are_reviewed_at_once_and_stores_are_said(viewer, qtbot, tmp_path, order):
    planes = np.zeros((3, 40, 40), np.int32)
    for plane, corner in enumerate((5, 12, 20)):
        planes[plane, corner : corner + 10, 8:20] = plane + 1
    write_image(tmp_path / "stack.tif", (planes * 50).astype(np.uint8), "ZYX")
    write_labels(tmp_path / "out_labels.tif", planes, "ZYX")
    (tmp_path / "results").mkdir()
    (tmp_path / "out_labels.tif").rename(tmp_path / "results" / "stack_labels.tif")
    (tmp_path / "results" / "large.ome.zarr" / ".utile").mkdir(parents=True)
    (tmp_path / "results" / "large.ome.zarr" / ".utile" / "plan.json").write_text("{}")
    tab = open_review(viewer)
    tab.review(tmp_path / "results")
    shown(qtbot, viewer, "stack")
    assert "1 large image is not finished and not in this queue" in tab.progress.text()
    tab.sets.setCurrentIndex(tab.sets.findData("Reviewed"))
    viewer.dims.order = order
    press(viewer, Qt.Key.Key_A)
    qtbot.waitUntil(lambda: (tmp_path / "results" / "reviewed" / "stack_labels.tif").is_file(), timeout=WAIT)
    qtbot.waitUntil(lambda: [len(each.images) for each in list_sets()] == [3], timeout=WAIT)
    assert [image.cells for image in find_set("Reviewed").images] == [1, 1, 1]


@pytest.mark.parametrize("large", [False, True])
def test_stores_are_reviewed_like_files_and_large_ones_stay_where_they_are(
    viewer, qtbot, tmp_path, bright_nuclei, monkeypatch, large
):
    monkeypatch.setattr("napari_utile.widgets.review.opened.MOST_IN_MEMORY", 1000 if large else 10**6)
    data = np.full((600, 600), 100, np.uint8)
    data[100:120, 100:120] = data[300:330, 200:230] = 220
    source, results = tmp_path / "slide.zarr", tmp_path / "results"
    zarr.create_array(source, data=data, dimension_names=["y", "x"])
    place = results / "slide.ome.zarr"
    results.mkdir()
    assert main(["segment", str(source), "-o", str(place), "--diameter", "none", "--quiet"]) == 0
    before = {each: each.read_bytes() for each in place.rglob("*") if each.is_file()}
    viewer.window.add_dock_widget(Workbench(viewer), name="U-Tile")
    tab = open_review(viewer)
    tab.review(results)
    shown(qtbot, viewer, "slide")
    cells = viewer.layers["slide cells"]
    assert cells.multiscale == large
    assert (store_of(cells) == place) == large
    if not large:
        paint(viewer)
    press(viewer, Qt.Key.Key_A)
    qtbot.waitUntil(lambda: (results / "review.json").is_file(), timeout=WAIT)
    assert f'"{"accepted" if large else "corrected"}"' in (results / "review.json").read_text()
    reviewed = results / "reviewed" / "slide_labels.tif"
    assert reviewed.exists() == (not large)
    if not large:
        assert (np.asarray(read_image(reviewed).data) == 7).any()
    assert {each: each.read_bytes() for each in place.rglob("*") if each.is_file()} == before


@pytest.mark.parametrize("how", ["A", "R", "S", "list"])
def test_an_image_is_left_only_when_its_open_part_is_written_back(
    viewer, qtbot, tmp_path, bright_nuclei, monkeypatch, how
):
    monkeypatch.setattr("napari_utile.widgets.review.opened.MOST_IN_MEMORY", 1000)
    data = np.full((600, 600), 100, np.uint8)
    data[100:120, 100:120] = data[300:330, 200:230] = 220
    results = tmp_path / "results"
    results.mkdir()
    for name in ("one", "two"):
        zarr.create_array(tmp_path / f"{name}.zarr", data=data, dimension_names=["y", "x"])
        command = ["segment", str(tmp_path / f"{name}.zarr"), "-o", str(results / f"{name}.ome.zarr")]
        assert main([*command, "--diameter", "none", "--quiet"]) == 0
    dock = Workbench(viewer)
    viewer.window.add_dock_widget(dock, name="U-Tile")
    tab = open_review(viewer)
    tab.review(results)
    shown(qtbot, viewer, "one")
    edit = dock.open_page("segment").form.edit_store
    edit.edit.click()
    qtbot.waitUntil(lambda: "one cells part" in viewer.layers, timeout=WAIT)
    part = session_of(viewer).cells
    part.data_setitem(np.nonzero(part.data == 1), 0)

    def leave():
        if how == "list":
            tab.table.chosen.emit(1)
        else:
            {"A": tab.accept, "R": tab.reject, "S": tab.skip}[how].click()

    leave()
    assert tab.status.text() == "Write the part back, or remove its layer, first."
    assert part in viewer.layers
    assert "one cells" in viewer.layers
    assert [tab.table.item(row, 2).text() for row in range(2)] == ["", ""]
    assert not (results / "review.json").exists()
    edit.write.click()
    qtbot.waitUntil(lambda: part not in viewer.layers, timeout=WAIT)
    leave()
    shown(qtbot, viewer, "two")
    assert set(np.unique(zarr.open_array(results / "one.ome.zarr/labels/cells/0", mode="r"))) == {0, 2}


@pytest.fixture
def give(viewer, tab):
    """Return what gives a cell of the open image a class, as a number key does."""
    classes = tab.dock.open_page("click").form.classes

    def give(label, number):
        session_of(viewer).cells.selected_label = label
        classes.give(number)

    return give


def classes_of(layer):
    """Return the classes of the cells that have one, by plane and id."""
    table = {"z": [0] * len(layer.features), "index": [], "class": [], **layer.features}
    rows = zip(table["z"], table["index"], table["class"], strict=False)
    return {(int(plane), int(label)): word for plane, label, word in rows if word}


def taught(title="Reviewed"):
    """Return the classes of each image in a training set."""
    return [each.classes for each in find_set(title).read()]


def test_classes_are_there_when_an_accepted_image_is_opened_again_and_stay_in_the_set(
    viewer, tab, give, qtbot, batch
):
    tab.sets.setCurrentIndex(tab.sets.findData("Reviewed"))
    give(1, 1)
    give(2, 2)
    for _ in range(2):
        tab.accept.click()
        shown(qtbot, viewer, "three")
        tab.back.click()
        shown(qtbot, viewer, "two")  # when it is written
        assert classes_of(viewer.layers["two cells"]) == {(0, 1): "class 1", (0, 2): "class 2"}
        qtbot.waitUntil(lambda: len(list_sets()) == 1, timeout=WAIT)
        assert taught() == [{1: "class 1", 2: "class 2"}]
        assert tab.table.item(0, 2).text() == "corrected"
    give(2, 0)
    tab.accept.click()
    shown(qtbot, viewer, "three")
    said = "It replaces 2 cells (class 1, class 2) painted before on two"
    qtbot.waitUntil(lambda: said in tab.status.text(), timeout=WAIT)
    assert taught() == [{1: "class 1"}]
    tab.back.click()
    shown(qtbot, viewer, "two")
    assert classes_of(viewer.layers["two cells"]) == {(0, 1): "class 1"}


def test_classes_called_by_numbers_come_back_as_words(viewer, tab, give, qtbot):
    session_of(viewer).classes = ("7", "08", "9")
    give(1, 1)
    give(2, 2)
    tab.table.chosen.emit(1)
    shown(qtbot, viewer, "three")
    give(2, 1)
    tab.table.chosen.emit(0)
    shown(qtbot, viewer, "two")
    assert classes_of(viewer.layers["two cells"]) == {(0, 1): "7", (0, 2): "08"}
    tab.table.chosen.emit(1)
    shown(qtbot, viewer, "three")
    assert classes_of(viewer.layers["three cells"]) == {(0, 2): "7"}


@pytest.mark.parametrize("leave", ["reject", "skip"])
def test_classes_of_an_image_that_is_left_come_back(viewer, tab, give, qtbot, batch, leave):
    give(2, 1)
    getattr(tab, leave).click()
    shown(qtbot, viewer, "three")
    getattr(tab, leave).click()  # nothing was given here
    shown(qtbot, viewer, "one")
    tab.table.chosen.emit(0)
    shown(qtbot, viewer, "two")
    assert classes_of(viewer.layers["two cells"]) == {(0, 2): "class 1"}
    assert [path.name for path in batch.glob("reviewed/*.tif")] == ["two_labels.tif"]
    give(2, 0)  # and that they were taken away is an edit
    tab.table.chosen.emit(1)
    shown(qtbot, viewer, "three")
    tab.table.chosen.emit(0)
    shown(qtbot, viewer, "two")
    assert not classes_of(viewer.layers["two cells"])


def test_a_class_that_is_given_and_taken_away_is_no_edit(viewer, tab, give, qtbot, batch):
    give(2, 1)
    give(2, 0)
    tab.skip.click()
    shown(qtbot, viewer, "three")
    assert not (batch / "reviewed").exists()


@pytest.mark.parametrize("by_program", [True, False])
def test_classes_are_saved_when_the_window_closes(viewer, tab, give, qtbot, batch, by_program):
    give(2, 1)
    session = session_of(viewer)
    (viewer if by_program else session).close()
    qtbot.waitUntil(lambda: session.closed, timeout=WAIT)
    assert json.loads((batch / "review.json").read_text())["images"] == {"two_labels.tif": "edited"}
    table = read_columns(batch / "reviewed" / "two_cells.csv")
    assert dict(zip(table["label"].tolist(), table["class"], strict=True)) == {1: "", 2: "class 1"}


def test_classes_follow_cells_that_are_painted_and_the_table_is_of_the_cells_now(viewer, tab, give, qtbot):
    give(2, 1)
    paint(viewer)  # over a part of it
    areas = dict(zip(*np.unique(viewer.layers[1].data, return_counts=True), strict=True))
    tab.table.chosen.emit(1)
    shown(qtbot, viewer, "three")
    tab.table.chosen.emit(0)
    shown(qtbot, viewer, "two")
    table = viewer.layers[1].features
    assert classes_of(viewer.layers[1]) == {(0, 2): "class 1"}
    assert dict(zip(table["index"], table["area_px"], strict=True)) == {n: areas[n] for n in (1, 2, 7)}


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2)], ids=["planes", "rolled"])
def test_classes_of_a_stack_are_those_of_their_planes(viewer, qtbot, tmp_path, order):
    planes = np.zeros((3, 40, 40), np.int32)
    for plane, corner in enumerate((5, 12, 20)):
        planes[plane, corner : corner + 10, 8:20] = 1
    (tmp_path / "results").mkdir()
    write_image(
        tmp_path / "stack.tif", (planes * 50 * np.array([[[1]], [[2]], [[3]]])).astype(np.uint8), "ZYX"
    )
    write_labels(tmp_path / "results" / "stack_labels.tif", planes, "ZYX")
    dock = Workbench(viewer)
    viewer.window.add_dock_widget(dock, name="U-Tile")
    tab = open_review(viewer)
    tab.review(tmp_path / "results")
    shown(qtbot, viewer, "stack")
    classes = dock.open_page("click").form.classes
    given = {(0, 1): "class 2", (2, 1): "class 1"}
    for (plane, label), word in given.items():
        viewer.dims.set_current_step(0, plane)
        viewer.layers[1].selected_label = label
        classes.give(int(word[-1]))
    viewer.dims.order = order
    tab.sets.setCurrentIndex(tab.sets.findData("Reviewed"))
    for _ in range(2):
        tab.accept.click()
        qtbot.waitUntil(lambda: "every image has a decision" in tab.status.text(), timeout=WAIT)
        tab.table.chosen.emit(0)
        shown(qtbot, viewer, "stack")
        assert classes_of(viewer.layers[1]) == given
        qtbot.waitUntil(lambda: len(list_sets()) == 1 and len(taught()) == 3, timeout=WAIT)
        assert sorted(map(str, taught())) == ["{1: 'class 1'}", "{1: 'class 2'}", "{}"]


STACK = np.full((2, 3, 60, 60), 20, np.uint8)
STACK[0] += np.arange(60, dtype=np.uint8)
STACK[1, 0, 10:22, 10:22] = STACK[1, 1, 30:42, 10:22] = STACK[1, 2, 30:42, 35:47] = 220


def as_tiff(path):
    write_image(path / "x.tif", STACK, "CZYX")


def as_series(path):
    with tifffile.TiffWriter(path / "x.ome.tif", ome=True) as file:
        for name, plane in (("a", STACK[0, 0]), ("b", STACK[1, 0])):
            file.write(plane, metadata={"axes": "YX", "Name": name})


def as_array(path):
    tifffile.imwrite(path / "x.tif", np.moveaxis(STACK[1], 0, -1), photometric="minisblack")


def as_zarr(path):
    group = zarr.open_group(path / "x.zarr", mode="w", zarr_format=2)
    levels = []
    for level, scale in enumerate((1.0, 2.0)):
        group.create_array(str(level), data=STACK[..., :: 2**level, :: 2**level])
        place = [
            {"type": "scale", "scale": [1.0, 3.0, scale, scale]},
            {"type": "translation", "translation": [0.0, 30.0, 20.0, 10.0]},
        ]
        levels.append({"path": str(level), "coordinateTransformations": place})
    axes = [{"name": "c"}, *({"name": name, "type": "space", "unit": "micrometer"} for name in "zyx")]
    group.attrs["multiscales"] = [{"version": "0.4", "axes": axes, "datasets": levels}]


@pytest.mark.parametrize("damaged", [False, True])
def test_classes_that_a_store_has_are_shown_and_go_into_the_training_set(
    viewer, qtbot, tmp_path, bright_nuclei, damaged
):
    write_image(tmp_path / "x.tif", STACK[1, 1:], "ZYX")
    place = tmp_path / "results" / "x.ome.zarr"
    place.parent.mkdir()
    how = ["--diameter", "none", "--quiet", "--measurements"]
    assert main(["segment", str(tmp_path / "x.tif"), "-o", str(place), *how]) == 0
    for index, word in zip(load_plan(place).planes, ("live", "dead"), strict=True):
        path = path_of_table(place, index)
        table = read_columns(path)
        write_table(path, {**table, "class": [word] * len(table["index"])})
        if damaged:
            path.write_bytes(b"a,b\n1,2\n")
    tab = open_review(viewer)
    tab.review(place.parent)
    shown(qtbot, viewer, "x")
    tab.sets.setCurrentIndex(tab.sets.findData("Reviewed"))
    for _ in range(2):
        words = {plane: word for (plane, _), word in classes_of(viewer.layers[1]).items()}
        assert words == ({} if damaged else {0: "live", 1: "dead"})
        tab.accept.click()
        qtbot.waitUntil(lambda: "every image has a decision" in tab.status.text(), timeout=WAIT)
        assert tab.table.item(0, 2).text() == "accepted"
        tab.table.chosen.emit(0)
        shown(qtbot, viewer, "x")
        qtbot.waitUntil(lambda: len(list_sets()) == 1 and len(taught()) == 2, timeout=WAIT)
        names = sorted("".join({*each.values()}) for each in taught())
        assert names == (["", ""] if damaged else ["dead", "live"])


PART = "4:56,0:44"


@pytest.mark.parametrize(
    ("write", "options", "channel", "planes"),
    [
        (as_tiff, ["--channels", "1"], 1, STACK[1]),
        (as_zarr, ["--channels", "1"], 1, STACK[1]),
        (as_tiff, ["--channels", "1", "--z", "1"], 1, STACK[1, 1:2]),
        (as_tiff, ["--channels", "1", "--z", "1:3", "--region", PART], 1, STACK[1, 1:, 4:56, :44]),
        (as_tiff, ["--project", "z:max"], 0, STACK[0].max(axis=0, keepdims=True)),
        (as_zarr, ["--channels", "1", "--project", "z:max"], 1, STACK[1].max(axis=0, keepdims=True)),
        (as_zarr, ["--channels", "1", "--z", "1:3"], 1, STACK[1, 1:]),
        (as_zarr, ["--channels", "1", "--z", "1:3", "--format", "ome-zarr"], 1, STACK[1, 1:]),
        (as_zarr, ["--channels", "1", "--region", PART, "--format", "ome-zarr"], 1, STACK[1, :, 4:56, :44]),
        (as_series, ["--series", "1"], None, STACK[1, :1]),
        (as_array, ["--axes", "YXZ"], None, STACK[1]),
    ],
)
def test_the_pixels_that_the_batch_read_are_shown_and_go_into_the_training_set(
    viewer, qtbot, tmp_path, bright_nuclei, write, options, channel, planes
):
    results = tmp_path / "results"
    write(tmp_path)
    [source] = tmp_path.glob("x.*")
    assert main(["segment", str(source), "-o", str(results), "--diameter", "none", "--quiet", *options]) == 0
    viewer.window.add_dock_widget(Workbench(viewer), name="U-Tile")
    tab = open_review(viewer)
    tab.review(results)
    qtbot.waitUntil(lambda: any(layer.name.endswith("cells") for layer in viewer.layers), timeout=WAIT)
    QTest.qWait(50)
    layer, cells = session_of(viewer).image.layer, viewer.layers[-1]
    assert layer.name.endswith(" channel 1" if channel else " channel 0") or channel is None
    pixels = np.asarray(full_resolution(layer))
    np.testing.assert_array_equal(pixels.reshape(planes.shape), planes)
    assert pixels.shape == cells.data.shape
    np.testing.assert_allclose(layer.extent.world, cells.extent.world)
    viewer.dims.set_current_step(0, 0)
    tab.sets.setCurrentIndex(tab.sets.findData("Reviewed"))
    press(viewer, Qt.Key.Key_A)
    qtbot.waitUntil(lambda: "every image has a decision" in tab.status.text(), timeout=WAIT)
    qtbot.waitUntil(lambda: [len(each.images) for each in list_sets()] == [len(planes)], timeout=WAIT)
    read = [image.plane.data for image in find_set("Reviewed").read()]
    np.testing.assert_array_equal(np.concatenate(read), planes)
