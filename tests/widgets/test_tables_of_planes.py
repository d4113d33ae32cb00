"""The table of a command that segmented a stack, whose ids start again on each plane: each row means its own plane."""

import re

import numpy as np
import pytest
import tifffile
from npe2 import PluginManager
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

from napari_utile.cli import main
from napari_utile.engine.files.tables import read_columns
from napari_utile.engine.planes.axes import ImagePlane
from napari_utile.engine.steps import Run
from napari_utile.engine.windows import Window
from napari_utile.session.cell_classes import with_class
from napari_utile.session.clicks.features import CellTable
from napari_utile.session.clicks.label_plane import LabelPlane
from napari_utile.session.plane_rows import ids_start_again, without_other_planes
from napari_utile.widgets.files.results import results_of, save_results
from napari_utile.widgets.pages.click.page import cell_in_words
from napari_utile.widgets.pages.segment.link_layer import link_active_labels_t
from napari_utile.widgets.pages.segment.measure_layer import measure_active_labels
from napari_utile.widgets.tabs import open_plots
from pictures import bright_discs
from window import Window as Napari
from window import on_canvas

CENTRES = (25, 25), (50, 80)
RADII = (6.5, 7.5, 10.5)
KINDS = {
    "film": ("TYX", (), [0, 1, 2]),
    "part": ("TYX", ("--t", "1:3"), [0, 1]),
    "stack": ("ZYX", (), [0, 1, 2]),
}


def opened(viewer, folder, kind, *options):
    """Segment three planes by the command, and open the labels; return their layer and the table in the file."""
    axes, part, _ = KINDS[kind]
    planes = [
        np.maximum(
            bright_discs(centres=CENTRES[:1], radius=radius),
            bright_discs(centres=CENTRES[1:], radius=17 - radius),
        )
        for radius in RADII
    ]
    tifffile.imwrite(folder / "film.tif", np.stack(planes), imagej=True, metadata={"axes": axes})
    words = [
        "segment",
        str(folder / "film.tif"),
        "-o",
        str(folder),
        "--measurements",
        "--diameter",
        "none",
        "--quiet",
    ]
    assert main([*words, *part, *options]) == 0
    PluginManager.instance().discover()  # with a window, napari does it
    [layer] = viewer.open(folder / "film_labels.tif", plugin="napari-utile")
    return layer, read_columns(folder / "film_cells.csv")


def areas(layer):
    """Return the pixels of each cell of each plane, as they are."""
    return {
        (plane, int(label)): int(count)
        for plane, labels in enumerate(layer.data)
        for label, count in zip(*np.unique(labels[labels > 0], return_counts=True), strict=True)
    }


def told(layer, column="area_px"):
    """Return the same by the table."""
    table, axis = layer.features, layer.axis_labels[0]
    return {
        (int(plane), int(label)): value
        for plane, label, value in zip(table[axis], table["index"], table[column], strict=True)
    }


@pytest.mark.parametrize("kind", KINDS)
def test_it_comes_back_with_the_labels(viewer, bright_nuclei, tmp_path, kind):
    layer, table = opened(viewer, tmp_path, kind)
    assert ids_start_again(table)
    assert sorted({plane for plane, _ in told(layer)}) == KINDS[kind][2]
    assert told(layer) == areas(layer)
    np.testing.assert_array_equal(layer.features["intensity_mean"], table["intensity_mean"])


def test_of_linked_cells_it_has_their_ids(viewer, bright_nuclei, tmp_path):
    layer, _ = opened(viewer, tmp_path, "film", "--link", "t")
    assert told(layer) == areas(layer)
    assert layer.features["track_id"].tolist() == layer.features["index"].tolist()


@pytest.mark.parametrize("axis", ["t", "z"])
def test_rows_of_linked_cells_that_are_measured_again_have_their_ids(
    viewer, bright_nuclei, tmp_path, axis, qtbot
):
    kind, column = {"t": ("film", "track_id"), "z": ("stack", "object")}[axis]
    layer, _ = opened(viewer, tmp_path, kind, "--link", axis)
    layer.data[1, 2:4, 2:5] = 9
    viewer.dims.set_current_step(0, 1)
    viewer.layers.selection.active = layer
    job = measure_active_labels(viewer)
    qtbot.waitUntil(lambda: not job.running)
    assert told(layer) == areas(layer)
    assert layer.features[column].tolist() == layer.features["index"].tolist()
    path = tmp_path / "mine_labels.tif"
    assert path in Run(save_results(results_of(viewer, layer, None), path)).result
    saved = read_columns(tmp_path / "mine_cells.csv")
    assert next(iter(saved)) == column
    assert saved[column].tolist() == saved["index"].tolist()


def test_a_table_of_other_planes_is_not_theirs(viewer, bright_nuclei, tmp_path):
    layer, _ = opened(viewer, tmp_path, "film")
    path = tmp_path / "film_cells.csv"
    head, *rows = path.read_text().splitlines()
    rows[0], rows[2] = rows[0].replace("0,", "1,", 1), rows[2].replace("1,", "0,", 1)
    path.write_text("\n".join([head, *rows]))
    viewer.layers.clear()
    [layer] = viewer.open(tmp_path / "film_labels.tif", plugin="napari-utile")
    assert not len(layer.features.columns)


def test_what_a_user_added_is_saved_for_its_own_plane(viewer, bright_nuclei, tmp_path):
    layer, _ = opened(viewer, tmp_path, "film")
    layer.features = with_class(dict(layer.features.items()), 2, "flat", {"t": 1})
    path = tmp_path / "mine_labels.tif"
    assert path in Run(save_results(results_of(viewer, layer, None), path)).result
    [again] = viewer.open(path, plugin="napari-utile")
    assert [key for key, word in told(again, "class").items() if word] == [(1, 2)]
    assert told(again) == areas(layer)


def test_a_click_changes_the_row_of_its_own_plane(viewer, bright_nuclei, tmp_path):
    layer, _ = opened(viewer, tmp_path, "film")
    before = told(layer)
    where, window = {"t": 1}, Window.span((2, 2), (4, 5))
    table = CellTable(ImagePlane(np.zeros((1, *layer.data.shape[1:]))), where=where)
    layer.data[1][window] = 7
    plane = LabelPlane(layer.data, (1, slice(None), slice(None)))
    table.note({1: Window.whole(layer.data.shape[1:]), 7: window})
    layer.features = table.update(plane, dict(layer.features.items()), None)
    assert told(layer) == {**before, (1, 7): 6}
    layer.data[1][layer.data[1] == 1] = 0
    layer.features = table.update(plane, dict(layer.features.items()), None)
    assert told(layer) == {key: area for key, area in areas(layer).items() if key != (1, 1)}
    assert "Cell 2 is selected: " in cell_in_words(
        2, without_other_planes(dict(layer.features.items()), where)
    )


@pytest.fixture
def window(make_napari_viewer, qtbot, bright_nuclei):
    return Napari(make_napari_viewer(show=True), qtbot)


def hovered(window, layer, pixel, plane):
    """Show a plane, point at a pixel, and return the area that napari says of the cell there."""
    window.viewer.dims.set_current_step(0, plane)

    def pointed():  # a busy computer may lose a movement of the mouse
        QTest.mouseMove(window.canvas, on_canvas(window.viewer, layer, pixel))
        return np.allclose(
            layer.world_to_data(window.viewer.cursor.position), (plane, *pixel), rtol=0, atol=2
        )

    window.until(pointed)
    said = layer.get_status(window.viewer.cursor.position, world=True)["coordinates"]
    return int(re.search(r"area_px: (\d+)", said)[1])


def test_hovering_names_the_row_of_the_plane_on_screen(window, tmp_path):
    layer, _ = opened(window.viewer, tmp_path, "film")  # no dock was ever open
    for plane in (0, 2, 1):
        for label, pixel in enumerate(CENTRES, start=1):
            assert hovered(window, layer, pixel, plane) == areas(layer)[plane, label]
    layer.features = {**layer.features, "area_px": layer.features["area_px"] + 1}
    assert hovered(window, layer, CENTRES[0], 1) == areas(layer)[1, 1] + 1


def test_hovering_names_the_row_of_a_plane_that_was_measured(window):
    labels = np.zeros((2, 40, 60), np.int32)
    labels[0, 10:20, 10:20], labels[1, 8:28, 8:28] = 1, 1
    layer = window.viewer.add_labels(labels, axis_labels="tyx")
    for plane in (0, 1):
        window.viewer.dims.set_current_step(0, plane)
        job = measure_active_labels(window.viewer)
        window.until(lambda job=job: not job.running)
    assert ids_start_again(layer.features)
    assert hovered(window, layer, (15, 15), 0) == 100
    assert hovered(window, layer, (15, 15), 1) == 400


def cells_in(window, folder):
    layer, _ = opened(window.viewer, folder, "film")
    window.open("segment")
    window.session.cells = layer
    window.viewer.dims.set_current_step(0, 1)
    return layer


@pytest.mark.real_window
def test_a_filter_takes_cells_of_the_plane_on_screen_and_undo_brings_them_back(window, tmp_path):
    layer = cells_in(window, tmp_path)
    before, table = layer.data.copy(), told(layer)
    tab = open_plots(window.viewer)
    tab.kind.setCurrentIndex(tab.kind.findData("larger"))
    tab.value.setValue(min(table[1, 1], table[1, 2]) + 1)
    window.until(lambda: tab.remove.text() == "Remove 1 cell")
    gone = 1 if table[1, 1] > table[1, 2] else 2
    window.press(tab.remove)
    assert (1, gone) not in told(layer)
    np.testing.assert_array_equal(layer.data[::2], before[::2])
    assert told(layer) == areas(layer)
    window.key(Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    np.testing.assert_array_equal(layer.data, before)
    window.until(lambda: told(layer) == areas(layer))
    assert layer.features["t"].tolist() == [0, 0, 1, 1, 2, 2]

    window.press(tab.every_plane)
    limit = sorted(table.values())[3]  # of all planes: two are larger
    tab.value.setValue(limit + 1)
    window.until(lambda: tab.remove.text() == f"Remove {sum(each > limit for each in table.values())} cells")
    window.press(tab.remove)
    assert told(layer) == areas(layer) == {key: area for key, area in table.items() if area <= limit}


@pytest.mark.real_window
def test_colours_and_classes_are_those_of_the_plane_on_screen(window, tmp_path):
    layer = cells_in(window, tmp_path)
    own = layer.colormap
    tab = open_plots(window.viewer)
    window.choose(tab.colours, "area_px")
    seen = []
    for plane in (0, 2, 0):
        window.viewer.dims.set_current_step(0, plane)
        seen.append([tuple(layer.colormap.color_dict[label]) for label in (1, 2)])
    assert seen[0] == seen[2] == seen[1][::-1], "the areas of the two cells are exchanged there"
    window.choose(tab.colours, "each cell")
    assert layer.colormap is own
    window.viewer.dims.set_current_step(0, 1)
    assert layer.colormap is own

    window.front()
    classes = window.page("click").form.classes
    layer.selected_label = 2
    classes.give(1)
    assert [key for key, word in told(layer, "class").items() if word] == [(1, 2)]
    classes.give(0)
    assert not any(told(layer, "class").values())


@pytest.mark.real_window
def test_painting_measures_the_cells_of_its_own_plane(window, tmp_path):
    layer = cells_in(window, tmp_path)
    before = told(layer)
    layer.data_setitem((np.array([1, 1]), np.array([2, 2]), np.array([2, 3])), 1)
    window.until(lambda: told(layer) == areas(layer))
    assert {key: area for key, area in told(layer).items() if area != before[key]} == {
        (1, 1): before[1, 1] + 2
    }
    window.viewer.layers.selection.active = layer
    page = window.dock.page("segment")
    window.viewer.dims.set_current_step(0, 2)
    window.press(page.form.show_table)
    assert told(layer) == areas(layer)


@pytest.fixture
def foreign(window):
    """Open the labels of a stack without a table, whose ids start again on each plane; the last cell is on one."""
    data = np.zeros((3, 105, 105), np.int32)
    for plane, size in enumerate((6, 8, 10)):
        for label, (y, x) in enumerate(CENTRES, start=1):
            data[plane, y - size : y + size, x - label : x + label] = label
    data[2, :4, :4] = 3
    layer = window.viewer.add_labels(data)
    window.viewer.add_image(np.zeros(data.shape, np.float32))
    window.open("click")
    window.session.cells = layer
    window.viewer.reset_view()
    return layer


def named(layer):
    """Return the classes that were given, by plane and cell."""
    table = layer.features
    rows = zip(table["axis 0"], table["index"], table["class"], strict=True)
    return {(int(plane), int(label)): word for plane, label, word in rows if word}


def measured(window, layer, *planes):
    window.viewer.layers.selection.active = layer
    for plane in planes:
        window.viewer.dims.set_current_step(0, plane)
        job = measure_active_labels(window.viewer)
        window.until(lambda job=job: not job.running)


@pytest.mark.real_window
def test_a_class_is_that_of_its_own_plane_before_anything_was_measured(window, foreign, tmp_path):
    classes = window.page("click").form.classes
    classes.on.setChecked(True)
    given = {(0, 1): "class 1", (1, 1): "class 2", (2, 3): "class 1"}
    colours = []
    for (plane, label), word in given.items():
        window.viewer.dims.set_current_step(0, plane)
        foreign.selected_label = label
        classes.give(int(word[-1]))
        colours.append(tuple(foreign.colormap.color_dict.get(1, ())))
    assert named(foreign) == given
    assert colours[0] != colours[1], "of the first cell on two planes"
    path = tmp_path / "given_labels.tif"
    assert path in Run(save_results(results_of(window.viewer, foreign, None), path)).result
    rows = read_columns(tmp_path / "given_cells.csv")
    saved = zip(rows["axis 0"], rows["label"], rows["class"], strict=True)
    assert {(int(plane), int(label)): word for plane, label, word in saved if word} == given
    [again] = window.viewer.open(path, plugin="napari-utile")
    assert {key: word for key, word in told(again, "class").items() if word} == given
    measured(window, foreign, 1, 2, 0)
    assert named(foreign) == given
    assert len(foreign.features) == 7


@pytest.mark.real_window
def test_a_row_of_a_plane_that_was_measured_says_nothing_of_another(window, foreign):
    measured(window, foreign, 1)
    window.front()
    tab = open_plots(window.viewer)
    window.choose(tab.colours, "area_px")
    seen = []
    for plane in (1, 0):
        window.viewer.dims.set_current_step(0, plane)
        seen.append(foreign.colormap.color_dict.get(1))
        said = foreign.get_status((plane, *CENTRES[0]), world=True)["coordinates"]
        assert ("area_px: 32" in said) == (plane == 1)
    assert seen[0] is not None
    assert seen[1] is None
    before = foreign.data.copy()
    window.press(tab.every_plane)
    tab.kind.setCurrentIndex(tab.kind.findData("larger"))
    tab.value.setValue(40)
    window.until(lambda: tab.remove.text() == "Remove 1 cell")
    window.press(tab.remove)
    np.testing.assert_array_equal(foreign.data[[0, 2]], before[[0, 2]])
    assert set(np.unique(foreign.data[1])) == {0, 1}


@pytest.mark.real_window
def test_a_class_of_a_track_is_one_for_all_planes(window, foreign):
    window.viewer.layers.selection.active = foreign
    job = link_active_labels_t(window.viewer)
    window.until(lambda: not job.running)
    tracks, classes = window.session.cells, window.page("click").form.classes
    assert tracks is not foreign
    window.viewer.dims.set_current_step(0, 1)
    tracks.selected_label = 2
    classes.give(1)
    tracks.data_setitem((np.array([1, 1]), np.array([2, 2]), np.array([2, 3])), 9)
    tracks.selected_label = 9
    classes.give(2)  # before it has a row
    assert "t" not in tracks.features
    window.until(lambda: "frames" in tracks.features and 9 in tracks.features["track_id"].tolist())
    words = dict(zip(tracks.features["index"], tracks.features["class"], strict=True))
    assert {label: word for label, word in words.items() if word} == {2: "class 1", 9: "class 2"}
