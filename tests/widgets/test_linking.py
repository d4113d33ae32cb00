"""Planes linked from the Segment page, and objects and tracks corrected, each with one Ctrl+Z."""

import json
import shlex
import threading

import numpy as np
import pytest
import tifffile
from napari.components import ViewerModel
from napari.layers import Labels
from qtpy.QtCore import QPoint, Qt
from qtpy.QtGui import QGuiApplication
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QFileDialog

from napari_utile.cli import main
from napari_utile.engine.linking import edits
from napari_utile.session.linking import marked_division
from napari_utile.session.state import ChosenImage
from napari_utile.widgets.files.reader import get_reader
from napari_utile.widgets.files.results import results_of, save_results
from napari_utile.widgets.files.writer import recipe_of_layer, save_labels
from napari_utile.widgets.pages.segment import link_layer
from napari_utile.widgets.pages.segment.link_layer import link_active_labels_t
from napari_utile.widgets.viewer.layers import session_of
from napari_utile.widgets.viewer.linked_layers import linked_stack_of
from pages import page_of
from pictures import bright_discs

pytestmark = pytest.mark.usefixtures("bright_nuclei")

WAIT = 240_000
FRAMES = [((20, 25), (50, 70)), ((22, 27), (50, 72)), ((24, 29), (50, 74)), ((26, 31), (50, 76))]


@pytest.fixture
def page(viewer, qtbot):
    page = page_of(viewer, "segment")
    viewer.window.add_dock_widget(page.dock, name="U-Tile")
    viewer.add_image(
        np.stack([bright_discs(centres=each) for each in FRAMES]), name="film", axis_labels="tyx"
    )
    return page


def linked(page, qtbot):
    """Segment all frames and link them by one press; return the layer of tracks."""
    form = page.form
    form.planes.kind.setCurrentIndex(1)
    form.linking.kind.setCurrentIndex(form.linking.kind.findData("t"))
    qtbot.mouseClick(form.run_bar.run_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: form.status.text().startswith("Linked"), timeout=WAIT)
    return session_of(page.viewer).cells


def pick(viewer, layer, y, x):
    """Click on a pixel of the image with the mouse."""
    canvas = viewer.window._qt_viewer.canvas
    world = layer.data_to_world((viewer.dims.current_step[0], y, x))
    zoom, (_, cy, cx) = viewer.scene.camera.zoom, viewer.scene.camera.center
    middle = QPoint(canvas.native.width() // 2, canvas.native.height() // 2)
    spot = middle + QPoint(round((world[-1] - cx) * zoom), round((world[-2] - cy) * zoom))
    QTest.mouseClick(canvas.native, Qt.MouseButton.LeftButton, pos=spot)
    QTest.qWait(30)


def ids(layer):
    return [np.unique(plane)[1:].tolist() for plane in layer.data]


def correct(page, qtbot, name):
    qtbot.mouseClick(page.form.linking.corrections[name], Qt.MouseButton.LeftButton)
    return page.form.status.text()


def settled(qtbot, layer, count):
    qtbot.waitUntil(lambda: len(layer.features) == count, timeout=WAIT)


@pytest.mark.real_window
def test_a_time_lapse_comes_out_with_one_id_a_cell_by_one_press(viewer, page, qtbot) -> None:
    layer = linked(page, qtbot)
    assert page.form.status.text() == "Linked: 2 tracks, 0 divisions."
    assert ids(layer) == [[1, 2]] * 4
    assert [each.name for each in viewer.layers][-2:] == ["film instances tracks", "film instances paths"]
    assert layer.features["track_id"].tolist() == [1, 2]
    assert layer.features["frames"].tolist() == [4, 4]
    assert len(viewer.layers["film instances paths"].data) == 8


@pytest.mark.real_window
def test_picked_cells_are_joined_cut_exchanged_and_each_is_one_undo(viewer, page, qtbot) -> None:
    layer = linked(page, qtbot)
    before, linking = layer.data.copy(), page.form.linking
    callbacks = list(layer.mouse_drag_callbacks)
    viewer.dims.set_current_step(0, 2)
    qtbot.mouseClick(linking.pick, Qt.MouseButton.LeftButton)
    pick(viewer, layer, 24, 29)
    assert linking.corrections["cut"].isEnabled()
    assert not linking.corrections["swap"].isEnabled()
    assert correct(page, qtbot, "cut") == "From plane 3 of 4 on cell 1 is cell 3. Ctrl+Z takes it back."
    assert ids(layer) == [[1, 2], [1, 2], [2, 3], [2, 3]]
    settled(qtbot, layer, 3)
    assert page.form.summary.text() == "3 tracks, 0 divisions, 2 frames long (median)."
    assert not page.dock.header.outdated.isVisible(), "the table follows by itself"
    layer.undo()
    np.testing.assert_array_equal(layer.data, before)
    assert page.form.status.text() == "", "what was undone is not said any more"
    settled(qtbot, layer, 2)
    assert page.form.summary.text() == "2 tracks, 0 divisions, 4 frames long (median)."
    assert not page.dock.header.outdated.isVisible()
    for place in ((24, 29), (50, 74)):
        pick(viewer, layer, *place)
    correct(page, qtbot, "swap")
    assert layer.data[3, 26, 31] == 2
    assert layer.data[1, 22, 27] == 1
    layer.undo()
    for place in ((24, 29), (50, 74)):
        pick(viewer, layer, *place)
    correct(page, qtbot, "join")
    assert ids(layer) == [[1]] * 4
    layer.undo()
    np.testing.assert_array_equal(layer.data, before)
    pick(viewer, layer, 24, 29)
    correct(page, qtbot, "remove")
    assert ids(layer) == [[2]] * 4
    page.rest(True)
    assert layer.mouse_drag_callbacks == callbacks


@pytest.mark.real_window
def test_the_table_is_that_of_the_tracks_and_a_doubt_is_said_with_them(viewer, page, qtbot, monkeypatch):
    said = "This does not look like what the model was trained on.", "problem"
    monkeypatch.setattr("napari_utile.widgets.pages.segment.page.before_it_is_believed", lambda *_: said)
    layer = linked(page, qtbot)
    assert page.form.status.text() == f"Linked: 2 tracks, 0 divisions. {said[0]}"
    assert page.form.status.kind == "problem"
    viewer.layers.selection.active = viewer.layers["film"]
    qtbot.mouseClick(page.form.show_table, Qt.MouseButton.LeftButton)
    assert viewer.layers.selection.active is layer


@pytest.mark.real_window
@pytest.mark.parametrize("where", ["moved", "beside a finer one", "another view"])
def test_what_is_cut_is_the_plane_on_screen_wherever_the_layer_lies(viewer, page, qtbot, where) -> None:
    layer = linked(page, qtbot)
    linking = page.form.linking
    if where == "moved":
        layer.translate = (2, 0, 0)
    elif where == "beside a finer one":
        viewer.add_image(np.zeros((8, 90, 120)), scale=(0.5, 1, 1))
    viewer.dims.set_point(0, float(layer.data_to_world((2, 0, 0))[0]))
    qtbot.mouseClick(linking.pick, Qt.MouseButton.LeftButton)
    pick(viewer, layer, 24, 29)
    if where == "another view":
        viewer.dims.order = (1, 0, 2)
        assert correct(page, qtbot, "cut") == "Turn the view so that one of the linked planes is on screen."
        assert ids(layer) == [[1, 2]] * 4
        return
    assert correct(page, qtbot, "cut").startswith("From plane 3 of 4 on")
    assert ids(layer) == [[1, 2], [1, 2], [2, 3], [2, 3]]


@pytest.mark.parametrize(
    ("link", "count"),
    [
        ("z", {"link_overlap", "link_gap"}),
        ("t", {"link_overlap", "link_distance", "link_gap"}),
        ("views", {"plane_distance"}),
    ],
)
def test_how_planes_are_linked_shows_what_counts(qtbot, link, count):
    viewer = ViewerModel()
    page = page_of(viewer, "segment", qtbot)
    viewer.add_image(np.zeros((2, 3, 40, 50), np.uint8), axis_labels="tzyx")
    linking = page.form.linking
    for kind in ("views", link):
        linking.kind.setCurrentIndex(linking.kind.findData(kind))
    forms = linking.params, linking.plane_distance
    shown = {field.name for form in forms for field in form if not field.native.isHidden()}
    assert shown == count
    words = {form.rows.labelForField(field.native).isHidden() for form in forms for field in form}
    assert words == {True, False}
    assert [form.native.isHidden() for form in forms] == [link == "views", link != "views"]


def only(form, number):
    """Choose a range of one plane."""
    form.planes.kind.setCurrentIndex(2)
    form.planes.first.setValue(number)
    form.planes.last.setValue(number)


@pytest.mark.real_window
def test_a_range_of_one_frame_is_not_linked_and_says_so_wherever_it_is_meant(viewer, page, qtbot) -> None:
    linked(page, qtbot)
    form, names = page.form, [each.name for each in viewer.layers]
    said = "The range is of one frame, and linking takes several: choose a longer range, or all frames."
    only(form, 3)
    qtbot.waitUntil(lambda: form.estimate.text() == said, timeout=WAIT)
    QGuiApplication.clipboard().setText("nothing")
    for press in (form.run_bar.run_button, form.linking.link, form.copy_command):
        form.status.say("")
        qtbot.mouseClick(press, Qt.MouseButton.LeftButton)
        assert form.status.text() == said
        assert not page.running
        assert not form.linking.running
    assert QGuiApplication.clipboard().text() == "nothing"
    assert [each.name for each in viewer.layers] == names
    form.planes.last.setValue(4)
    qtbot.waitUntil(lambda: "Each of the 2 planes will take" in form.estimate.text(), timeout=WAIT)
    form.planes.kind.setCurrentIndex(0)
    qtbot.waitUntil(
        lambda: "This frame, which is not linked, will take" in form.estimate.text(), timeout=WAIT
    )


@pytest.mark.real_window
def test_one_frame_of_a_film_of_stacks_is_linked_through_z_alone(viewer, page, qtbot) -> None:
    film = viewer.layers.pop("film").data
    viewer.add_image(np.stack([film, film], axis=1), name="stacks", axis_labels="tzyx")
    form = page.form
    only(form, 2)
    form.linking.kind.setCurrentIndex(form.linking.kind.findData("t"))
    qtbot.mouseClick(form.run_bar.run_button, Qt.MouseButton.LeftButton)
    assert form.status.text().startswith("The range is of one frame, and linking takes several")
    assert [each.name for each in viewer.layers] == ["stacks"]
    form.linking.kind.setCurrentIndex(form.linking.kind.findData("z"))
    qtbot.mouseClick(form.run_bar.run_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: form.status.text() == "Linked: 2 objects.", timeout=WAIT)


@pytest.mark.real_window
def test_planes_and_linking_stay_chosen_when_a_file_is_opened_again(viewer, page):
    form = page.form
    form.planes.kind.setCurrentIndex(1)
    form.linking.kind.setCurrentIndex(form.linking.kind.findData("t"))
    data = viewer.layers["film"].data
    viewer.layers.clear()
    assert form.planes.isHidden()
    viewer.add_image(data, name="film", axis_labels="tyx")
    assert form.planes.kind.currentText() == "All 4 frames"
    assert form.linking.wanted == "t"


@pytest.mark.real_window
def test_corrections_stay_when_planes_are_linked_again(viewer, page, qtbot) -> None:
    layer = linked(page, qtbot)
    viewer.dims.set_current_step(0, 2)
    stack = linked_stack_of(layer)
    from napari_utile.engine.linking.edits import swap

    stack.apply(lambda labels: swap(labels, 1, 2, 2))
    exchanged = layer.data.copy()
    qtbot.mouseClick(page.form.linking.link, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: page.form.status.text().startswith("Linked"), timeout=WAIT)
    assert session_of(viewer).cells is layer
    np.testing.assert_array_equal(layer.data, exchanged)


@pytest.mark.real_window
def test_a_division_is_marked_and_undone(viewer, page, qtbot) -> None:
    layer = linked(page, qtbot)
    linking = page.form.linking
    viewer.dims.set_current_step(0, 2)
    qtbot.mouseClick(linking.pick, Qt.MouseButton.LeftButton)
    pick(viewer, layer, 50, 74)
    correct(page, qtbot, "cut")
    settled(qtbot, layer, 3)
    for place in ((24, 29), (24, 29), (50, 74)):  # the mother, and her daughters, of which one has her id
        pick(viewer, layer, *place)
    assert "divides into" in correct(page, qtbot, "divide")
    qtbot.waitUntil(lambda: layer.features["parent"].tolist().count(1) == 2, timeout=WAIT)
    paths = viewer.layers["film instances paths"]
    assert len(paths.graph) == 2
    layer.undo()
    qtbot.waitUntil(lambda: not layer.features["parent"].any(), timeout=WAIT)
    assert not paths.graph


def two_balls():
    z, y, x = np.indices((9, 60, 80))
    balls = [(z * 2 - 8) ** 2 + (y - 30) ** 2 + (x - place) ** 2 <= 81 for place in (20, 60)]
    return np.where(balls[0] | balls[1], 200, 20).astype(np.uint8)


@pytest.mark.real_window
def test_three_views_take_a_file_without_names_of_axes_and_ask_in_words_of_the_dock(viewer, qtbot):
    page = page_of(viewer, "segment")
    viewer.window.add_dock_widget(page.dock, name="U-Tile")
    viewer.add_image(two_balls()[2:6], name="stack")  # so short that it might be channels
    form = page.form
    form.diameter.value = None
    form.planes.kind.setCurrentIndex(1)
    form.linking.kind.setCurrentIndex(form.linking.kind.findData("views"))
    qtbot.mouseClick(form.run_bar.run_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not page.running, timeout=WAIT)
    assert form.status.text().endswith("type it at Plane distance, under How planes are linked.")
    form.linking.plane_distance["plane_distance"].value = 2.0
    qtbot.mouseClick(form.run_bar.run_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not page.running, timeout=WAIT)
    assert form.status.text() == "Three views: 2 objects."
    qtbot.waitUntil(lambda: "will take" in form.estimate.text(), timeout=WAIT)
    assert form.summary.text().startswith("2 objects, median volume ")
    assert form.show_table.isEnabled()
    assert session_of(viewer).cells.axis_labels[0] == "z", "it is saved as depth, not as time"
    form.linking.kind.setCurrentIndex(form.linking.kind.findData("z"))
    qtbot.mouseClick(form.run_bar.run_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: form.status.text().startswith("Linked"), timeout=WAIT)
    assert session_of(viewer).cells.axis_labels[0] == "z"


@pytest.mark.real_window
def test_the_command_of_linked_planes_is_that_of_the_stack(viewer, qtbot, tmp_path):
    path = tmp_path / "stack.tif"
    tifffile.imwrite(path, two_balls(), metadata=None)  # no axis has a name
    page = page_of(viewer, "segment")
    viewer.window.add_dock_widget(page.dock, name="U-Tile")
    viewer.open(path, plugin="napari")
    form = page.form
    form.diameter.value = None

    def copied(link, planes):
        form.planes.kind.setCurrentIndex(planes)
        form.linking.kind.setCurrentIndex(form.linking.kind.findData(link))
        page.copy_command()
        return QGuiApplication.clipboard().text()

    assert "--axes ZYX" in (said := copied("z", 1))
    assert "--link z" in said
    assert "--z" not in said
    form.linking.plane_distance["plane_distance"].value = 2.0
    assert "--three-views" in (said := copied("views", 1))
    assert "--plane-distance 2" in said
    assert "--axes ZYX" in said
    form.planes.first.setValue(3)
    form.planes.last.setValue(8)
    assert "--axes TYX --t 2:8" in (said := copied("t", 2))
    assert "--link t" in said
    assert "--t 2:8" in (said := copied("none", 2))
    assert "--link" not in said
    assert "--t" not in (said := copied("none", 1))
    assert "--z" not in said
    assert "--link" not in copied("z", 0)


@pytest.mark.real_window
def test_the_command_of_three_views_is_of_what_the_dock_makes(viewer, qtbot, tmp_path):
    path = tmp_path / "film.tif"
    tifffile.imwrite(path, np.stack([two_balls()] * 2), imagej=True, metadata={"axes": "TZYX"})
    page = page_of(viewer, "segment")
    viewer.window.add_dock_widget(page.dock, name="U-Tile")
    [layer] = viewer.open(path, plugin="napari")
    layer.axis_labels, layer.scale = "tzyx", (1, 2, 1, 1)  # the file does not say how far apart planes are
    form = page.form
    form.diameter.value = None
    form.planes.kind.setCurrentIndex(1)
    form.linking.kind.setCurrentIndex(form.linking.kind.findData("views"))
    QGuiApplication.clipboard().setText("nothing")
    page.copy_command()
    assert form.status.text() == "Three views look at one stack along z: choose one time point."
    assert QGuiApplication.clipboard().text() == "nothing"
    form.planes.kind.setCurrentIndex(2)
    form.planes.first.setValue(2)
    page.copy_command()
    command = QGuiApplication.clipboard().text()
    assert "--t 1:2 " in command
    assert "--three-views --plane-distance 2" in command
    qtbot.mouseClick(form.run_bar.run_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not page.running, timeout=WAIT)
    cells = session_of(viewer).cells
    assert cells.metadata["napari-utile"]["recipe"]["command"] == command
    words = shlex.split(command)[1:]
    words[words.index("-o") + 1] = str(tmp_path / "made")
    assert main([*words, "--quiet"]) == 0
    made = tifffile.imread(tmp_path / "made" / "film_labels.tif")
    np.testing.assert_array_equal(np.squeeze(made), np.squeeze(cells.data))


@pytest.mark.real_window
def test_three_views_make_objects_by_one_press_and_follow_the_sliders(viewer, qtbot) -> None:
    page = page_of(viewer, "segment")
    viewer.window.add_dock_widget(page.dock, name="U-Tile")
    viewer.add_image(two_balls(), name="stack", axis_labels="zyx", scale=(1.0, 0.5, 0.5), units=("um",) * 3)
    form = page.form
    form.diameter.value = None
    form.linking.kind.setCurrentIndex(form.linking.kind.findData("views"))
    qtbot.mouseClick(form.run_bar.run_button, Qt.MouseButton.LeftButton)
    assert form.status.text() == "Three views look at a stack: choose all planes, or a range of them."
    form.planes.kind.setCurrentIndex(1)
    qtbot.waitUntil(lambda: "Three views of the 9 planes will take" in form.estimate.text(), timeout=WAIT)
    qtbot.mouseClick(form.run_bar.run_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not page.running, timeout=WAIT)
    assert form.status.text() == "Three views: 2 objects."
    cells = session_of(viewer).cells
    assert cells.name == "stack objects"
    assert set(np.unique(cells.data[:, 30, 20]).tolist()) - {0} == {1}
    assert cells.features["volume_um3"].tolist() == [(cells.data == each).sum() * 0.25 for each in (1, 2)]
    qtbot.mouseClick(form.methods, Qt.MouseButton.LeftButton)
    text = QGuiApplication.clipboard().text()
    assert "seen from three sides" in text
    assert "2 objects were found in 9 planes. None was edited by hand." in text
    form.instances["minimum_size"].value = 5000
    qtbot.waitUntil(lambda: len(cells.features) == 0, timeout=WAIT)
    cells.undo()
    qtbot.waitUntil(lambda: len(cells.features) == 2, timeout=WAIT)
    viewer.layers["stack"].data = two_balls()[::-1].copy()
    form.instances["minimum_size"].value = 4000
    assert form.status.text() == "stack has changed since: press Segment again."
    assert len(cells.features) == 2
    page.run()
    viewer.layers["stack"].data = two_balls()
    qtbot.waitUntil(lambda: not page.running, timeout=WAIT)
    assert form.status.text() == "Three views: 0 objects. stack has changed since: press Segment again."


@pytest.mark.real_window
def test_tracks_are_written_for_other_programs(viewer, page, qtbot, tmp_path, monkeypatch) -> None:
    assert not page.form.linking.export.isVisible()
    linked(page, qtbot)
    kind = "Cell Tracking Challenge (*_RES)"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "01"), kind))
    qtbot.mouseClick(page.form.linking.export, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: page.form.status.text().startswith("Saved 2 tracks"), timeout=WAIT)
    assert (tmp_path / "01_RES" / "res_track.txt").read_text() == "1 0 3 0\n2 0 3 0\n"


def films():
    return np.stack([bright_discs(centres=each) for each in FRAMES])


@pytest.fixture
def two_images(qtbot, bright_nuclei):
    """Open a page beside a viewer without a window, on the first of two images of one size."""

    def opened(data, axes):
        viewer = ViewerModel()
        first = viewer.add_image(data, name="first", axis_labels=axes)
        viewer.add_image(data // 4, name="second", axis_labels=axes)
        page = page_of(viewer, "segment", qtbot)
        page.dock.show()
        session_of(viewer).image = ChosenImage(first)
        return page

    return opened


def choose(form, linking, planes=1):
    form.diameter.value = None
    form.planes.kind.setCurrentIndex(planes)
    form.linking.kind.setCurrentIndex(form.linking.kind.findData(linking))


def go_to_the_second(page):
    session = session_of(page.viewer)
    session.image = ChosenImage(page.viewer.layers["second"])


def click_on_the_second(page):
    """Go on to the other image and click into labels of it."""
    session = session_of(page.viewer)
    go_to_the_second(page)
    mine = page.viewer.add_labels(np.zeros(page.viewer.layers["second"].data.shape, int), name="mine")
    session.cells, session.clicking = mine, True
    return mine


def test_planes_and_their_links_leave_the_cells_that_are_clicked_alone(two_images, qtbot) -> None:
    page = two_images(films(), "tyx")
    choose(page.form, "t")
    page.run()
    mine = click_on_the_second(page)
    qtbot.waitUntil(lambda: page.form.status.text().startswith("Linked"), timeout=WAIT)
    assert "first instances tracks" in page.viewer.layers, "those are linked, not what is chosen by now"
    assert session_of(page.viewer).cells is mine


def test_cells_that_are_clicked_while_they_are_linked_stay_chosen_and_seen(two_images, qtbot) -> None:
    page = two_images(films(), "tyx")
    choose(page.form, "none")
    page.run()
    qtbot.waitUntil(lambda: not page.running, timeout=WAIT)
    session = session_of(page.viewer)
    cells = session.cells
    choose(page.form, "t")
    page.form.linking.start()
    session.clicking = True
    qtbot.waitUntil(lambda: page.form.status.text().startswith("Linked"), timeout=WAIT)
    assert session.cells is cells
    assert cells.visible


@pytest.mark.parametrize("clicking", [True, False])
def test_three_views_of_an_image_that_was_left_are_not_chosen(two_images, qtbot, clicking) -> None:
    page = two_images(two_balls(), "zyx")
    choose(page.form, "views")
    page.form.linking.plane_distance["plane_distance"].value = 2.0
    page.run()
    mine = click_on_the_second(page) if clicking else go_to_the_second(page)
    qtbot.waitUntil(lambda: not page.running, timeout=WAIT)
    assert "first objects" in page.viewer.layers
    assert session_of(page.viewer).cells is mine


def test_tracks_go_with_their_image_and_come_back_with_it(two_images, qtbot) -> None:
    page = two_images(films(), "tyx")
    choose(page.form, "t")
    page.run()
    qtbot.waitUntil(lambda: page.form.status.text().startswith("Linked"), timeout=WAIT)
    session = session_of(page.viewer)
    tracks = session.cells
    go_to_the_second(page)
    assert session.cells is None
    session.image = ChosenImage(page.viewer.layers["first"])
    assert session.cells is tracks


def test_sliders_leave_the_objects_of_another_image_alone(two_images, qtbot) -> None:
    page = two_images(two_balls(), "zyx")
    choose(page.form, "views")
    page.form.linking.plane_distance["plane_distance"].value = 2.0
    page.run()
    qtbot.waitUntil(lambda: not page.running, timeout=WAIT)
    session = session_of(page.viewer)
    objects = session.cells
    before = objects.data.copy()
    go_to_the_second(page)
    session.cells = objects  # the user compares them
    choose(page.form, "none", planes=0)
    page.viewer.dims.set_current_step(0, 4)
    page.run()
    qtbot.waitUntil(lambda: not page.running, timeout=WAIT)
    session.cells = objects
    page.form.instances["minimum_size"].value = 5000
    qtbot.waitUntil(lambda: not page.viewer.layers["second instances"].data.any(), timeout=WAIT)
    np.testing.assert_array_equal(objects.data, before)


def held(monkeypatch):
    """Let linking wait with its answer; return an event that says that it waits, and one that lets it go on."""
    waits, go = threading.Event(), threading.Event()
    link = link_layer.link_layers

    def link_and_wait(*args):
        made = link(*args)
        waits.set()
        go.wait(60)
        return made

    monkeypatch.setattr(link_layer, "link_layers", link_and_wait)
    return waits, go


@pytest.mark.parametrize("first", [True, False], ids=["linked first", "linked again"])
def test_what_is_painted_while_cells_are_linked_is_linked_too(two_images, qtbot, monkeypatch, first) -> None:
    page = two_images(films(), "tyx")
    session = session_of(page.viewer)
    choose(page.form, "none" if first else "t")
    page.run()
    done = "" if first else "Linked"
    qtbot.waitUntil(lambda: not page.running and page.form.status.text().startswith(done), timeout=WAIT)
    choose(page.form, "t")
    waits, go = held(monkeypatch)
    page.form.linking.start()
    qtbot.waitUntil(waits.is_set, timeout=WAIT)
    session.cells.data_setitem((np.full(20, 2), np.full(20, 5), np.arange(20)), 9)
    go.set()
    qtbot.waitUntil(lambda: page.form.status.text() == "Linked: 3 tracks, 0 divisions.", timeout=WAIT)
    assert session.cells.data[2, 5, :20].all()
    assert session.cells.features["frames"].tolist() == [4, 4, 1]


def objects_of(page, qtbot):
    """Look at the first image from three sides; return the objects."""
    choose(page.form, "views")
    page.form.linking.plane_distance["plane_distance"].value = 2.0
    page.run()
    qtbot.waitUntil(lambda: not page.running, timeout=WAIT)
    assert page.form.status.text() == "Three views: 2 objects."
    return session_of(page.viewer).cells


def paint_on(objects):
    objects.data_setitem((np.full(9, 3), np.full(9, 5), np.arange(9)), 9)
    return objects.data.copy()


def test_sliders_ask_before_they_find_edited_objects_again_and_leave_them(two_images, qtbot) -> None:
    page = two_images(two_balls(), "zyx")
    mine, edited = objects_of(page, qtbot), page.form.edited
    painted = paint_on(mine)
    page.form.instances["minimum_size"].value = 5000
    assert edited.asking
    assert "first objects" in edited.text.text()
    edited.buttons[1].click()
    assert page.form.instances["minimum_size"].value < 5000, "as the objects were made"
    page.form.instances["minimum_size"].value = 5000
    edited.buttons[0].click()
    qtbot.waitUntil(lambda: session_of(page.viewer).cells is not mine, timeout=WAIT)
    new = session_of(page.viewer).cells
    assert not new.data.any()
    np.testing.assert_array_equal(mine.data, painted)
    assert not mine.visible
    page.form.instances["minimum_size"].value = 10
    qtbot.waitUntil(lambda: len(new.features) == 2, timeout=WAIT)
    assert not edited.asking
    np.testing.assert_array_equal(mine.data, painted)


def test_objects_that_are_painted_on_while_they_are_found_again_stay(two_images, qtbot) -> None:
    page = two_images(two_balls(), "zyx")
    mine = objects_of(page, qtbot)
    page.form.instances["minimum_size"].value = 5000
    painted = paint_on(mine)
    qtbot.waitUntil(lambda: page.form.edited.asking, timeout=WAIT)
    np.testing.assert_array_equal(mine.data, painted)
    assert mine.visible
    assert session_of(page.viewer).cells is mine


def test_objects_that_were_painted_on_and_undone_follow_the_sliders(two_images, qtbot) -> None:
    page = two_images(two_balls(), "zyx")
    mine = objects_of(page, qtbot)
    paint_on(mine)
    mine.undo()
    page.form.instances["minimum_size"].value = 5000
    qtbot.waitUntil(lambda: not mine.data.any(), timeout=WAIT)


def refused(page, qtbot):
    """Say what training and fitting say to the chosen cells; "" where they take them."""
    said = []
    try:
        page.dock.open_page("train").request()
    except ValueError as error:
        said.append(str(error))
    page.settings.fit()
    if page.settings.running:
        page.settings.cancel()
        qtbot.waitUntil(lambda: not page.settings.running, timeout=WAIT)
    else:
        said.append(page.form.status.text())
    return said


def test_nobody_learns_from_tracks_and_objects_that_are_as_they_were_found(two_images, qtbot) -> None:
    page = two_images(films(), "tyx")
    choose(page.form, "t")
    page.run()
    qtbot.waitUntil(lambda: page.form.status.text().startswith("Linked"), timeout=WAIT)
    tracks = session_of(page.viewer).cells
    page.viewer.dims.set_current_step(0, 2)
    training, fitting = refused(page, qtbot)
    assert "learn its own mistakes" in training
    assert "what the model found" in fitting
    tracks.data_setitem((np.full(20, 2), np.full(20, 5), np.arange(20)), 9)
    assert refused(page, qtbot) == []
    page.viewer.dims.set_current_step(0, 1)
    assert len(refused(page, qtbot)) == 2, "this plane was not corrected"
    page.form.linking.start()
    qtbot.waitUntil(lambda: page.form.status.text().startswith("Linked"), timeout=WAIT)
    page.viewer.dims.set_current_step(0, 2)
    assert refused(page, qtbot) == [], "linked again, they are still corrected"


def test_tracks_of_corrected_cells_are_learnt_from(two_images, qtbot) -> None:
    page = two_images(films(), "tyx")
    choose(page.form, "none")
    page.run()
    qtbot.waitUntil(lambda: not page.running, timeout=WAIT)
    cells = session_of(page.viewer).cells
    cells.data_setitem((np.full(20, 0), np.full(20, 5), np.arange(20)), 9)
    choose(page.form, "t")
    page.form.linking.start()
    qtbot.waitUntil(lambda: page.form.status.text().startswith("Linked"), timeout=WAIT)
    assert session_of(page.viewer).cells is not cells
    assert refused(page, qtbot) == []


def opened_again(page, path):
    """Open saved labels with the plugin, and choose them as cells."""
    [(data, options, _)] = get_reader(str(path))(str(path))
    layer = Labels(data, **options)
    page.viewer.add_layer(layer)
    session_of(page.viewer).cells = layer
    return layer


def saved(layer, path):
    data, attributes, _ = layer.as_layer_data_tuple()
    save_labels(str(path), data, attributes)
    return path


def tracks_of(path, name):
    """Give the lines of the folder that the command writes of saved labels."""
    assert main(["export", str(path), "-o", str(path.with_name(name))]) == 0
    return (path.with_name(name) / "res_track.txt").read_text().splitlines()


@pytest.mark.real_window
def test_saved_tracks_keep_links_divisions_and_corrections_and_open_with_them(
    viewer, page, qtbot, tmp_path, capsys
) -> None:
    tifffile.imwrite(tmp_path / "film.tif", viewer.layers[0].data, metadata={"axes": "TYX"}, ome=True)
    page.viewer.layers.clear()
    viewer.open(str(tmp_path / "film.tif"), plugin="napari")
    viewer.layers[0].axis_labels = ("t", "y", "x")
    layer = linked(page, qtbot)
    first = saved(layer, tmp_path / "first_labels.tif")
    recipe = json.loads((tmp_path / "first_recipe.json").read_text())
    assert "--link t" in recipe["command"]
    assert recipe["linking"]["total"] == 2
    assert "by_hand" not in recipe["linking"]
    assert tracks_of(first, "first_RES") == ["1 0 3 0", "2 0 3 0"]
    assert main(["replay", str(tmp_path / "first_recipe.json"), "--quiet"]) == 0
    assert "linked to 2," in capsys.readouterr().out

    stack = linked_stack_of(layer)
    stack.apply(lambda labels: edits.cut(labels, 1, 2))
    stack.apply(lambda labels: edits.split(labels, 3, (2, 24, 27), (2, 24, 31)))
    stack.divide(lambda labels: marked_division(labels, 1, (3, 4), 2))
    path = saved(layer, tmp_path / "mine_labels.tif")
    lines = tracks_of(path, "mine_RES")
    assert [line.split()[3] for line in lines] == ["0", "0", "1", "1"]
    assert json.loads((tmp_path / "mine_recipe.json").read_text())["linking"]["by_hand"]
    assert main(["replay", str(tmp_path / "mine_recipe.json"), "--quiet"]) == 0
    assert "linked to 4 and corrected by hand" in capsys.readouterr().out

    before, parents = layer.data.copy(), stack.record.parents
    kept = {*stack.record.kept} - {3}  # the division renamed 3
    again = opened_again(page, path)
    stack = linked_stack_of(again)
    assert (stack.record.parents, {*stack.record.kept}, stack.record.by_hand) == (parents, kept, True)
    assert page.form.linking.export.isVisible()
    settled(qtbot, again, 4)
    stack.apply(lambda labels: edits.remove(labels, 2))
    np.testing.assert_array_equal(again.data, np.where(before == 2, 0, before))
    assert len(tracks_of(saved(again, tmp_path / "last_labels.tif"), "last_RES")) == 3
    stack = linked_stack_of(opened_again(page, first))
    assert not stack.record.by_hand


def family():
    """Give four frames: a cell that divides after two of them, and one that stays."""
    labels = np.zeros((4, 40, 40), int)
    labels[:2, 4:12, 4:30] = labels[2:, 4:12, 4:15] = 1
    labels[2:, 4:12, 19:30] = 2
    labels[:, 25:33, 5:13] = 3
    return labels


def tracked(page, qtbot, labels):
    """Link labels of the user's own."""
    page.viewer.layers.clear()
    page.viewer.add_image((labels > 0).astype(np.uint8) * 200, name="film", axis_labels="tyx")
    session_of(page.viewer).cells = page.viewer.add_labels(labels, name="mine", axis_labels="tyx")
    link_active_labels_t(page.viewer)
    qtbot.waitUntil(lambda: linked_stack_of(session_of(page.viewer).cells) is not None, timeout=WAIT)
    return session_of(page.viewer).cells


def add_own(layer):
    """Add a class, and a number of one's own, to each row: those of its cell."""
    table = layer.features.copy()
    table["class"] = [f"class {cell}" for cell in table["index"]]
    table["mine"] = table["index"] + 0.5
    layer.features = table


def own_of(layer):
    table = layer.features
    return dict(zip(table["index"].tolist(), zip(table["class"], table["mine"], strict=True), strict=True))


def stroke(qtbot, layer, where, value):
    """Paint, and wait until the table is measured."""
    before = linked_stack_of(layer).table
    layer.data_setitem(where, value)
    qtbot.waitUntil(lambda: linked_stack_of(layer).table is not before, timeout=WAIT)


@pytest.mark.real_window
def test_a_stroke_leaves_classes_and_columns_that_people_added_to_tracks(viewer, page, qtbot) -> None:
    layer = tracked(page, qtbot, family())
    add_own(layer)
    before = own_of(layer)
    stroke(qtbot, layer, (np.array([0]), np.array([4]), np.array([4])), 0)
    assert own_of(layer) == before
    assert "area_px_mean" in layer.features


@pytest.mark.real_window
def test_saved_tracks_open_with_their_table_and_classes_and_are_saved_with_them_again(
    viewer, page, qtbot, tmp_path
) -> None:
    layer = tracked(page, qtbot, family())
    add_own(layer)
    path = tmp_path / "film_labels.tif"
    list(save_results(results_of(viewer, layer, viewer.layers["film"]), path))
    table = (tmp_path / "film_cells.csv").read_text()
    page.viewer.layers.remove(layer)
    again = opened_again(page, path)
    columns, own = list(again.features), again.features["class"].tolist()
    assert len(own) == 10, "a row for each cell of a frame"
    qtbot.waitUntil(lambda: linked_stack_of(again).table is not None, timeout=WAIT)
    assert list(again.features) == columns
    assert again.features["class"].tolist() == own
    list(save_results(results_of(viewer, again, viewer.layers["film"]), path.with_name("again_labels.tif")))
    assert (tmp_path / "again_cells.csv").read_text() == table

    area = again.features["area_px"].tolist()
    place = again.features["area_px"].index[(again.features["index"] == 1) & (again.features["t"] == 1)][0]
    stroke(qtbot, again, (np.array([1]), np.array([4]), np.array([4])), 0)
    qtbot.waitUntil(lambda: again.features["area_px"].tolist() != area, timeout=WAIT)
    area[place] -= 1
    assert again.features["area_px"].tolist() == area
    assert again.features["class"].tolist() == own


@pytest.mark.real_window
def test_linking_again_forgets_divisions_of_earlier_ids_and_its_undo_brings_them_back(
    viewer, page, qtbot
) -> None:
    labels = family()
    labels[:, 25:33, 18:24], labels[:, 25:33, 30:36] = 4, 5
    layer = tracked(page, qtbot, labels)
    stack = linked_stack_of(layer)
    divided = stack.record.parents
    assert set(divided.values()) == {1}
    add_own(layer)
    own = own_of(layer)
    cells = {cell: layer.data == cell for cell in own}
    stroke(qtbot, layer, np.nonzero(cells[1]), 0)
    new = np.zeros(layer.data.shape, bool)
    new[1:, 15:22, 30:38] = True
    stroke(qtbot, layer, np.nonzero(new), 50)
    choose(page.form, "t", planes=page.form.planes.kind.currentIndex())
    page.form.linking.start()
    qtbot.waitUntil(lambda: page.form.status.text() == "Linked: 6 tracks, 0 divisions.", timeout=WAIT)
    assert stack.record.parents == {}
    data, attributes, _ = layer.as_layer_data_tuple()
    assert recipe_of_layer(data, attributes)["linking"]["parents"] == {}
    now = {cell: int(layer.data[where].max()) for cell, where in cells.items() if cell != 1}
    assert now != {cell: cell for cell in now}, "the cells are numbered anew"
    assert {cell: own_of(layer)[now[cell]] for cell in now} == {cell: own[cell] for cell in now}
    stroke(qtbot, layer, (np.array([0]), np.array([25]), np.array([5])), 0)
    assert not layer.features["parent"].any()

    for _ in range(4):  # the stroke, linking again, the painted cell, the erased mother
        layer.undo()
    qtbot.waitUntil(lambda: layer.features["parent"].any(), timeout=WAIT)
    assert stack.record.parents == divided
    assert {cell: each for cell, each in own_of(layer).items() if cell != 1} == {
        cell: each for cell, each in own.items() if cell != 1
    }
    for _ in range(3):
        layer.redo()
    assert stack.record.parents == {}


@pytest.mark.real_window
def test_tracks_of_labels_that_a_user_made_are_saved_with_their_divisions(viewer, page, qtbot, tmp_path):
    labels = np.zeros((3, 20, 20), int)
    labels[0, 4:8, 4:16] = labels[1:, 4:8, 4:9] = 1
    labels[1:, 4:8, 11:16] = 2
    viewer.layers.clear()
    session_of(viewer).cells = viewer.add_labels(labels, axis_labels="tyx")
    link_active_labels_t(viewer)
    qtbot.waitUntil(lambda: linked_stack_of(session_of(viewer).cells) is not None, timeout=WAIT)
    layer = session_of(viewer).cells
    parents = linked_stack_of(layer).record.parents
    path = saved(layer, tmp_path / "mine.tif")
    linking = json.loads((tmp_path / "mine_recipe.json").read_text())["linking"]
    assert {int(track): mother for track, mother in linking["parents"].items()} == parents
    assert len(tracks_of(path, "mine_RES")) == linking["total"]
