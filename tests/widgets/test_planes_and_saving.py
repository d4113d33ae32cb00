"""All planes of a stack segmented by one press, and the result saved, as a newcomer does it."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import tifffile
from napari.layers import Labels
from napari.layers._source import layer_source
from qtpy.QtCore import Qt
from qtpy.QtGui import QGuiApplication

from napari_utile.cli import main
from napari_utile.engine.files.images import write_image
from napari_utile.engine.models.catalogue import user_model_folder
from napari_utile.engine.models.library import load_model, save_model
from napari_utile.engine.training.classes import with_classes
from napari_utile.widgets.files.reader import get_reader
from napari_utile.widgets.viewer.layers import session_of
from napari_utile.widgets.viewer.own_pictures import is_cells
from pages import page_of
from pictures import bright_discs
from sheets import rows_of

pytestmark = pytest.mark.usefixtures("bright_nuclei")

WAIT = 60_000
CENTRES = ((20, 25), (50, 70)), ((30, 40),), ((15, 90), (60, 20), (40, 60))


@pytest.fixture
def stack():
    return np.stack([bright_discs(centres=each) for each in CENTRES])


@pytest.fixture
def page(viewer, qtbot):
    page = page_of(viewer, "segment", qtbot)
    page.dock.show()
    return page


def run(qtbot, page):
    qtbot.mouseClick(page.form.run_bar.run_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not page.running, timeout=WAIT)


def counts(labels):
    return [len(np.unique(plane)) - 1 for plane in labels]


def test_planes_are_said_in_words_and_all_are_segmented_by_one_press(viewer, page, qtbot, stack):
    viewer.add_image(stack, name="film", axis_labels=("t", "y", "x"))
    viewer.dims.set_current_step(0, 1)
    kind = page.form.planes.kind
    assert [kind.itemText(row) for row in range(3)] == [
        "Only frame 2 of 3",
        "All 3 frames",
        "A range of frames",
    ]
    run(qtbot, page)
    assert counts(session_of(viewer).cells.data) == [0, 1, 0]
    kind.setCurrentIndex(1)
    run(qtbot, page)
    cells = session_of(viewer).cells
    assert counts(cells.data) == [2, 1, 3]
    assert len(cells.features) == 6
    assert len(viewer.layers) == 4, "results gather in the same layers"


def segment_and_link(page, viewer, qtbot, stack, link, after_two):
    """Segment all planes and link them; do something when two are done."""
    viewer.add_image(stack[[0, 1, 2, 0]], name="film", axis_labels=(link, "y", "x"))
    form, done = page.form, []
    form.planes.kind.setCurrentIndex(1)
    form.linking.kind.setCurrentIndex(form.linking.kind.findData(link))

    def found(*_):
        done.append(1)
        if len(done) == 2:
            after_two(viewer.layers["film instances"])

    page.planes_run.found.connect(found)
    run(qtbot, page)
    qtbot.waitUntil(lambda: not form.linking.running and "Linking" not in form.status.text(), timeout=WAIT)
    return {layer.name: counts(layer.data) for layer in viewer.layers if "instances" in layer.name}


@pytest.mark.parametrize(("link", "what"), [("t", "tracks"), ("z", "objects")])
def test_a_cell_erased_while_planes_are_segmented_stays_erased_and_all_planes_are_linked(
    viewer, page, qtbot, stack, link, what
):
    def erase(cells):
        cells.fill((0, 20, 25), 0)
        cells.features = cells.features[cells.features["index"] != 1]  # as it is measured a moment later

    found = segment_and_link(page, viewer, qtbot, stack, link, erase)
    assert [*found][:2] == ["film instances", f"film instances {what}"]
    assert found["film instances"] == found[f"film instances {what}"] == [1, 1, 3, 2]
    assert page.form.status.text().startswith("Linked: ")
    viewer.layers["film instances"].undo()
    assert counts(viewer.layers["film instances"].data) == [2, 1, 3, 2]


def test_planes_whose_cells_were_removed_meanwhile_are_said_and_nothing_is_linked(viewer, page, qtbot, stack):
    found = segment_and_link(page, viewer, qtbot, stack, "t", viewer.layers.remove)
    assert found == {"film instances": [0, 0, 3, 2]}
    assert page.form.status.text() == (
        "“film instances” lacks frames 1 to 2, so nothing is linked: press Segment again."
    )
    assert page.form.status.kind == "problem"


def test_planes_that_went_beside_a_painted_one_are_said_and_nothing_is_linked(viewer, page, qtbot, stack):
    def paint_ahead(cells):
        cells.data_setitem((np.array([3]), np.array([5]), np.array([5])), np.array([9]))

    found = segment_and_link(page, viewer, qtbot, stack, "z", paint_ahead)
    assert found == {"film instances": [2, 1, 3, 1], "film instances [1]": [0, 0, 0, 2]}
    assert page.form.status.text() == (
        "“film instances [1]” lacks slices 1 to 3, so nothing is linked: press Segment again."
    )


def test_another_plane_goes_into_the_layer_of_corrected_cells(viewer, page, qtbot, stack):
    viewer.add_image(stack, name="film", axis_labels=("t", "y", "x"))
    viewer.dims.set_current_step(0, 0)
    run(qtbot, page)
    cells = viewer.layers["film instances"]
    cells.fill((0, 20, 25), 0)
    qtbot.waitUntil(lambda: len(cells.features) == 1, timeout=WAIT)
    viewer.dims.set_current_step(0, 2)
    assert not page.form.edited.isVisibleTo(page)
    run(qtbot, page)
    assert counts(cells.data) == [1, 0, 3]
    assert cells.features["t"].tolist() == [0, 2, 2, 2]
    assert not page.form.edited.isVisibleTo(page)


def test_rows_that_come_while_corrected_cells_are_measured_stay(viewer, page, qtbot, stack):
    viewer.add_image(stack, name="film", axis_labels=("t", "y", "x"))
    viewer.dims.set_current_step(0, 0)
    run(qtbot, page)
    cells = viewer.layers["film instances"]
    cells.fill((0, 20, 25), 0)
    assert page.dock.header.tables.measure()
    cells.features = pd.concat([cells.features, pd.DataFrame({"index": [99], "label": [99], "t": [1]})])
    qtbot.waitUntil(lambda: 1 not in set(cells.features["index"]), timeout=WAIT)
    assert cells.features["index"].tolist() == [2, 99]


def test_a_stack_seen_from_another_side_is_segmented_beside_and_nobody_is_said_to_have_edited_it(
    viewer, page, qtbot
):
    def kept():
        return [viewer.layers[f"stack {name}"].data.copy() for name in ("probability", "instances")]

    viewer.add_image(np.stack([bright_discs((60, 60), centres=((30, 30),))] * 60), name="stack")
    viewer.dims.set_current_step(0, 30)
    run(qtbot, page)
    before, summary = kept(), page.form.summary.text()
    viewer.dims.order = (1, 0, 2)
    said = "“stack instances” holds cells of another view. Segment makes a new layer; that one stays."
    assert page.form.edited.text.text() == said
    assert page.form.edited.isVisibleTo(page)
    assert page.form.summary.text() != summary, "it was that of another plane"
    run(qtbot, page)
    assert not page.form.edited.isVisibleTo(page)
    np.testing.assert_equal(kept(), before)
    viewer.dims.order = (0, 1, 2)
    assert page.form.summary.text() == summary


def test_in_the_3d_view_it_is_said_what_is_segmented(viewer, page, stack):
    viewer.add_image(stack, name="film", axis_labels=("z", "y", "x"))
    viewer.dims.set_current_step(0, 2)
    assert page.form.planes.hint.isHidden()
    viewer.dims.ndisplay = 3
    assert page.form.planes.hint.text() == "You see all planes; slice 3 of 3 is segmented."
    page.form.planes.kind.setCurrentIndex(1)
    assert "one by one" in page.form.planes.hint.text()
    viewer.dims.ndisplay = 2
    assert page.form.planes.hint.isHidden()


def test_a_range_of_planes_is_counted_from_one(viewer, page, qtbot, stack):
    viewer.add_image(stack, name="film", axis_labels=("z", "y", "x"))
    page.form.planes.kind.setCurrentIndex(2)
    page.form.planes.first.setValue(2)
    run(qtbot, page)
    assert counts(session_of(viewer).cells.data) == [0, 1, 3]
    page.form.planes.last.setValue(1)
    page.run()
    assert page.form.status.text() == "The range of planes ends before it begins."


def test_one_plane_asks_nothing(viewer, page, stack):
    viewer.add_image(stack[0])
    assert page.form.planes.isHidden()


def test_saved_results_are_those_of_the_command_and_open_again(viewer, page, qtbot, stack, tmp_path):
    write_image(tmp_path / "film.tif", stack, "ZYX", (0.5, 0.5), "µm")
    [(data, options, _)] = [(stack, {"scale": (1, 0.5, 0.5), "units": ("pixel", "um", "um")}, "image")]
    viewer.add_image(data, name="film", axis_labels=("z", "y", "x"), **options)
    page.form.planes.kind.setCurrentIndex(1)
    run(qtbot, page)
    page.keeping.save(str(tmp_path / "mine" / "film_labels.tif"))
    qtbot.waitUntil(lambda: page.form.status.kind == "problem", timeout=WAIT)  # there is no such folder
    (tmp_path / "mine").mkdir()
    page.keeping.save(str(tmp_path / "mine" / "film_labels.tif"))
    qtbot.waitUntil(lambda: page.form.status.text().startswith("Saved"), timeout=WAIT)
    command = [
        "segment",
        str(tmp_path / "film.tif"),
        "-o",
        str(tmp_path / "theirs"),
        "--measurements",
        "--quiet",
    ]
    assert main(command) == 0
    saved, theirs = (tifffile.imread(tmp_path / each / "film_labels.tif") for each in ("mine", "theirs"))
    assert [np.array_equal(one > 0, other > 0) for one, other in zip(saved, theirs, strict=True)] == [
        True
    ] * 3
    rows = rows_of(tmp_path / "mine" / "film_cells.csv")
    assert [row["z"] for row in rows] == ["0", "0", "1", "2", "2", "2"]
    assert {"label", "index", "area_px", "intensity_mean"} <= set(rows[0])
    assert any(name.startswith("area_") and "px" not in name for name in rows[0])
    assert len(json.loads((tmp_path / "mine" / "film_recipe.json").read_text())["planes"]) == 3
    reader = get_reader(str(tmp_path / "mine" / "film_labels.tif"))
    [(again, how, kind)] = reader(str(tmp_path / "mine" / "film_labels.tif"))
    assert kind == "labels"
    assert np.array_equal(again, session_of(viewer).cells.data)
    assert tuple(how["scale"])[-2:] == (0.5, 0.5)


def test_the_class_of_each_pixel_is_saved_and_opens_again_as_the_command_writes_it(
    viewer, page, qtbot, stack, tmp_path
):
    told = with_classes(load_model("nuclei"), ["tumour", "lymphocyte"])
    save_model(replace(told.card, name="kinds"), told.network, user_model_folder() / "kinds.safetensors")
    session_of(viewer).model = "kinds"
    write_image(tmp_path / "film.tif", stack, "ZYX")
    viewer.add_image(stack, name="film", axis_labels=("z", "y", "x"))
    page.form.planes.kind.setCurrentIndex(1)
    run(qtbot, page)
    cells = session_of(viewer).cells
    gone = tuple(np.argwhere(cells.data)[0])
    cells.data[cells.data == cells.data[gone]] = 0
    (tmp_path / "mine").mkdir()
    page.keeping.save(str(tmp_path / "mine" / "film_labels.tif"))
    qtbot.waitUntil(lambda: page.form.status.text().startswith("Saved"), timeout=WAIT)
    assert "film_classes.tif" in page.form.status.text()
    command = ["segment", str(tmp_path / "film.tif"), "-o", str(tmp_path / "theirs"), "--model", "kinds"]
    assert main([*command, "--quiet"]) == 0
    names = "film classes (1 tumour, 2 lymphocyte)"
    layers = []
    for folder in ("mine", "theirs"):
        path = str(tmp_path / folder / "film_classes.tif")
        [(data, options, kind)] = get_reader(path)(path)
        assert (options["name"], kind) == (names, "labels")
        layers.append(Labels(data, **options))
        assert not is_cells(layers[-1]), "it is no layer of cells"
    mine, theirs = (layer.data for layer in layers)
    assert mine[gone] == 0
    assert theirs[gone] == 1
    np.testing.assert_array_equal(mine > 0, cells.data > 0)
    np.testing.assert_array_equal(mine[mine > 0], theirs[mine > 0])


def test_an_image_that_is_open_is_never_written_over(viewer, page, qtbot, stack, tmp_path):
    path = tmp_path / "mine_labels.tif"
    write_image(path, stack[0])
    before = path.read_bytes()
    with layer_source(path=str(path)):
        viewer.add_image(stack[0], name="mine")
    run(qtbot, page)
    page.keeping.save(str(path))
    qtbot.waitUntil(lambda: page.form.status.kind == "problem", timeout=WAIT)
    assert "open in this window" in page.form.status.text()
    assert path.read_bytes() == before


def test_the_methods_text_says_model_settings_and_what_was_edited(viewer, page, qtbot, stack):
    viewer.add_image(stack, name="film", axis_labels=("t", "y", "x"))
    page.form.planes.kind.setCurrentIndex(1)
    run(qtbot, page)
    viewer.dims.set_current_step(0, 2)
    page.keeping.copy_methods()
    text = QGuiApplication.clipboard().text()
    assert "its model “nuclei”" in text
    assert "6 cells were found in 3 planes. None was edited by hand." in text
    cells = session_of(viewer).cells
    cells.data[2][cells.data[2] == cells.data[2].max()] = 0
    viewer.dims.set_current_step(0, 1)
    page.keeping.copy_methods()
    assert "1 of 6 cells (17 %) was edited by hand." in QGuiApplication.clipboard().text()


@pytest.mark.parametrize("kind", ["this", "all"])
def test_a_command_for_pixels_without_a_file_says_that_it_takes_all_planes(viewer, page, qtbot, stack, kind):
    viewer.add_image(stack, name="film", axis_labels=("t", "y", "x"))
    page.form.planes.kind.setCurrentIndex(["this", "all"].index(kind))
    run(qtbot, page)
    page.form.copy_command.click()
    qtbot.waitUntil(lambda: "IMAGE.tif" in page.form.status.text(), timeout=WAIT)
    assert ("It segments all planes" in page.form.status.text()) == (kind == "this")
