import threading

import dask.array as da
import numpy as np
import pandas as pd
import pytest
import zarr
from napari.components import ViewerModel
from qtpy.QtCore import Qt

from napari_utile.widgets.pages.click.page import cell_in_words
from napari_utile.widgets.viewer.layers import session_of
from pages import page_of
from pictures import CELLS, bright_discs

WAIT = 30_000


@pytest.fixture(autouse=True)
def _fast(bright_nuclei):
    """Click with a model that takes no time."""


def mouse_of(viewer):
    """Return how many functions listen to the mouse of a viewer."""
    kinds = ("drag", "move", "wheel", "double_click")
    return [len(getattr(viewer, f"mouse_{kind}_callbacks")) for kind in kinds]


class Clicker:
    """A dock on a viewer without a window, with a mouse of its own."""

    def __init__(self, qtbot, image=None, closed_by_test=False, **options):
        self.qtbot = qtbot
        self.viewer = ViewerModel()
        self.image = self.viewer.add_image(
            bright_discs() if image is None else image, name="cells of mine", **options
        )
        self.dock = page_of(self.viewer, "click")
        if not closed_by_test:
            qtbot.addWidget(self.dock.dock)

    @property
    def form(self):
        return self.dock.form

    @property
    def labels(self):
        return self.dock.dock.header.cells.layer

    @property
    def status(self):
        return self.form.status.text()

    def on(self):
        self.qtbot.mouseClick(self.form.toggle, Qt.MouseButton.LeftButton)
        return self.finish()

    def finish(self):
        self.qtbot.waitUntil(lambda: self.dock.tool.queue.busy == 0, timeout=WAIT)
        self.qtbot.wait(5)
        return self

    def click(self, pixel, gesture="click"):
        self.dock.mouse.clicked.emit(pixel, gesture)
        return self.finish()


@pytest.fixture
def clicker(qtbot):
    return Clicker(qtbot).on()


def ids(layer):
    return np.unique(layer.data).tolist()


def test_one_click_labels_one_cell_at_its_place_in_space(qtbot):
    clicker = Clicker(
        qtbot, scale=(0.5, 0.25), translate=(3, 4), rotate=30, units=("um", "um"), axis_labels=("y", "x")
    ).on()
    clicker.click(CELLS[0])
    assert ids(clicker.labels) == [0, 1]
    assert np.array_equal(
        clicker.labels.data == 1,
        (clicker.image.data > 80) & (np.arange(110) < 40) & (np.arange(80) < 36)[:, None],
    )
    for name in ("scale", "translate", "rotate", "shear", "affine", "units", "axis_labels"):
        assert np.array_equal(
            np.asarray(getattr(clicker.labels, name)), np.asarray(getattr(clicker.image, name))
        )
    assert clicker.dock.tool.selected == 1


def test_every_action_is_one_step_back_and_one_forward_at_any_depth(clicker):
    labels, history = clicker.labels, [clicker.labels.data.copy()]
    actions = [
        lambda: clicker.click(CELLS[0]),
        lambda: clicker.click(CELLS[3]),
        lambda: clicker.click((47, 70), "shift"),
        lambda: (clicker.dock.mouse.dragged.emit([CELLS[3], (47, 70)]), clicker.finish()),
        lambda: labels.paint((70, 5), 7),
        lambda: (clicker.form.larger.click(), clicker.finish()),
        lambda: (clicker.form.smaller.click(), clicker.finish()),
        lambda: clicker.click((20, 27), "background"),
        lambda: clicker.click(CELLS[3], "control"),
        lambda: (clicker.form.accept.click(), clicker.finish()),
    ]
    for number, act in enumerate(actions, start=1):
        act()
        assert not np.array_equal(labels.data, history[-1]), f"action {number}: {clicker.status}"
        assert len(labels._undo_history) == number
        history.append(labels.data.copy())
    for step in reversed(history[:-1]):
        clicker.form.undo.click()
        assert np.array_equal(labels.data, step)
    for step in history[1:]:
        clicker.form.redo.click()
        assert np.array_equal(labels.data, step)


def test_a_click_on_a_labelled_cell_selects_it(clicker):
    clicker.click(CELLS[0]).click(CELLS[1])
    assert clicker.dock.tool.selected == 2
    clicker.click(CELLS[0])
    assert clicker.dock.tool.selected == 1
    assert ids(clicker.labels) == [0, 1, 2]
    assert "Cell 1 is selected" in clicker.form.cell.text()


def test_features_come_and_go_with_the_cells(clicker):
    clicker.click(CELLS[0]).click(CELLS[1])
    features = clicker.labels.features
    assert features["index"].tolist() == [1, 2]
    assert features["area_px"].tolist() == [(clicker.labels.data == n).sum() for n in (1, 2)]
    assert (features["confidence"] > 0.8).all()
    assert f"Cell 2 is selected: {features['area_px'][1]:.0f} px" in clicker.form.cell.text()
    assert "intensity_mean" in features
    clicker.form.undo.click()
    clicker.qtbot.waitUntil(lambda: clicker.labels.features["index"].tolist() == [1])
    clicker.form.redo.click()
    clicker.qtbot.waitUntil(lambda: clicker.labels.features["index"].tolist() == [1, 2])


def test_an_area_is_described_in_the_unit_of_the_image():
    table = pd.DataFrame(
        {"index": [1, 2], "area_px": [400, 8], "area_um2": [100, np.nan], "confidence": [0.9, 0.8]}
    )
    assert cell_in_words(1, table) == "Cell 1 is selected: 100 µm², 90 % sure."
    assert cell_in_words(2, table) == "Cell 2 is selected: 8 px², 80 % sure."


def test_undo_takes_the_sentence_and_the_selection_back_too(clicker):
    clicker.click(CELLS[0])
    assert "Cell 1" in clicker.form.status.text()
    assert "Cell 1 is selected" in clicker.form.cell.text()
    clicker.labels.undo()
    clicker.qtbot.waitUntil(lambda: clicker.form.cell.text() == "No cell is selected.")
    assert clicker.form.status.text() == ""


def test_a_background_marker_goes_and_comes_with_its_cell(clicker):
    clicker.click(CELLS[0]).click((20, 27), "background")
    points = clicker.viewer.layers[f"{clicker.labels.name} markers"]
    for button, shown in (("undo", 1), ("undo", 0), ("redo", 1), ("redo", 2)):
        getattr(clicker.form, button).click()
        clicker.finish()
        assert len(points.data) == shown, f"after {button}"
    clicker.click((21, 21), "control")
    assert len(points.data) == 0
    clicker.form.apply_again.click()
    clicker.finish()
    assert clicker.status == "No marker lies in a cell: click on cells first."


def test_markers_are_points_that_follow_undo_and_can_be_moved(clicker):
    clicker.click(CELLS[0]).click(CELLS[1])
    points = clicker.viewer.layers["cells of mine cells markers"]
    assert points.data.tolist() == [list(map(float, cell)) for cell in CELLS[:2]]
    assert points.features["kind"].tolist() == ["cell", "cell"]
    assert points.features["cell"].tolist() == [1, 2]
    clicker.form.undo.click()
    clicker.qtbot.waitUntil(lambda: len(points.data) == 1)
    clicker.form.redo.click()
    clicker.qtbot.waitUntil(lambda: len(points.data) == 2)
    points.data = np.array([CELLS[0], CELLS[2]], dtype=float)
    clicker.form.apply_again.click()
    clicker.finish()
    assert clicker.labels.data[CELLS[2]] == 2
    assert clicker.labels.data[CELLS[1]] == 0
    assert clicker.viewer.layers.selection.active is clicker.labels


def test_a_marker_moved_out_of_the_image_says_nothing_any_more(clicker):
    clicker.click(CELLS[0]).click(CELLS[1])
    points = clicker.viewer.layers["cells of mine cells markers"]
    points.data = np.array([CELLS[0], (-30, 500)], dtype=float)
    before = clicker.labels.data.copy()
    clicker.form.apply_again.click()
    clicker.finish()
    assert np.array_equal(clicker.labels.data, before)
    assert clicker.form.status.kind != "problem"


def test_saved_markers_make_their_cells_in_another_session(clicker, qtbot):
    clicker.click(CELLS[0]).click(CELLS[3]).click((47, 70), "shift")
    saved = clicker.viewer.layers["cells of mine cells markers"].as_layer_data_tuple()
    other = Clicker(qtbot).on()
    data, options, _ = saved
    other.viewer.add_points(data, features=options["features"], name="saved")
    other.viewer.layers.selection.active = other.labels
    other.form.apply_again.click()
    other.finish()
    assert np.array_equal(other.labels.data > 0, clicker.labels.data > 0)
    assert ids(other.labels) == ids(clicker.labels)


def test_the_mouse_outlines_the_cell_that_a_click_would_take(clicker):
    clicker.dock.mouse.moved.emit(CELLS[0])
    clicker.qtbot.waitUntil(lambda: "U-Tile outline" in clicker.viewer.layers, timeout=WAIT)
    outline = clicker.viewer.layers["U-Tile outline"]
    window = np.argwhere(outline.data == 1)
    placed = window + np.asarray(outline.translate)
    clicker.click(CELLS[0])
    assert sorted(map(tuple, placed.astype(int).tolist())) == sorted(
        map(tuple, np.argwhere(clicker.labels.data).tolist())
    )
    clicker.dock.mouse.moved.emit((2, 2))
    clicker.finish()
    assert clicker.viewer.layers.selection.active is clicker.labels
    clicker.form.toggle.click()
    assert "U-Tile outline" not in clicker.viewer.layers


def test_clicks_faster_than_the_network_are_neither_lost_nor_doubled(qtbot):
    clicker = Clicker(qtbot)
    clicker.form.toggle.click()
    for cell in (*CELLS[:3], CELLS[0], CELLS[0], CELLS[1]):
        clicker.dock.mouse.clicked.emit(cell, "click")
    assert clicker.dock.tool.queue.busy > 1
    clicker.finish()
    assert ids(clicker.labels) == [0, 1, 2, 3]
    assert len(clicker.labels._undo_history) == 3


def test_a_click_outside_on_nan_or_on_background_changes_nothing_and_says_why(qtbot):
    image = bright_discs().astype(float)
    image[:, 95:] = np.nan
    clicker = Clicker(qtbot, image).on()
    for pixel in (None, (5, 100), (2, 40)):
        clicker.click(pixel)
        assert ids(clicker.labels) == [0]
        assert clicker.status


def test_planes_of_a_stack_are_labelled_where_they_are_and_share_their_ids(qtbot):
    stack = np.stack([np.zeros((80, 110), np.uint8), bright_discs(), bright_discs(centres=CELLS[:1])])
    clicker = Clicker(qtbot, stack)
    clicker.viewer.dims.set_current_step(0, 1)
    clicker.on()
    clicker.click(CELLS[1])
    clicker.viewer.dims.set_current_step(0, 2)
    clicker.click(CELLS[0])
    assert [np.unique(plane).tolist() for plane in clicker.labels.data] == [[0], [0, 1], [0, 2]]
    assert clicker.labels.data[2][CELLS[0]] == 2
    clicker.form.undo.click()
    assert [plane.max() for plane in clicker.labels.data] == [0, 1, 0]


def test_a_cell_is_selected_on_its_plane_only(qtbot):
    clicker = Clicker(qtbot, np.stack([bright_discs()] * 2), axis_labels="zyx")
    clicker.viewer.dims.set_current_step(0, 0)
    clicker.on().click(CELLS[3]).click(CELLS[4])
    clicker.viewer.dims.set_current_step(0, 1)
    clicker.click(CELLS[3]).click(CELLS[4]).click(CELLS[3])
    assert "Cell 3 is selected" in clicker.form.cell.text()
    before = clicker.labels.data.copy()
    clicker.viewer.dims.set_current_step(0, 0)
    clicker.dock.tool.resize(1)
    clicker.finish()
    assert np.array_equal(clicker.labels.data, before)
    assert clicker.status.startswith("Click on a cell first")
    assert clicker.form.cell.text() == "No cell is selected."
    clicker.dock.tool.merge_with_selected(CELLS[4])
    clicker.finish()
    assert np.array_equal(clicker.labels.data, before)


def test_a_cell_is_selected_in_its_layer_only(clicker):
    clicker.click(CELLS[0])
    mine = clicker.labels
    theirs = clicker.viewer.add_labels(mine.data * 1, name="theirs")  # the same id at the same place
    session_of(clicker.viewer).cells = theirs
    before = theirs.data.copy()
    clicker.dock.tool.resize(1)
    clicker.finish()
    assert np.array_equal(theirs.data, before)
    assert clicker.form.cell.text() == "No cell is selected."
    clicker.click(CELLS[0])
    session_of(clicker.viewer).cells = mine
    clicker.viewer.layers.remove(theirs)
    clicker.finish()
    assert clicker.dock.tool.selected == 0


def test_a_selected_cell_stays_selected_while_settings_change(clicker):
    clicker.click(CELLS[0])
    clicker.form.overwrite.click()
    clicker.finish()
    assert clicker.dock.tool.selected == 1
    clicker.form.larger.click()
    clicker.finish()
    assert clicker.status.startswith("Cell 1")


def test_a_slider_moved_while_the_network_computes_does_not_move_the_click(qtbot):
    clicker = Clicker(qtbot, np.stack([bright_discs(), np.zeros((80, 110), np.uint8)]))
    clicker.viewer.dims.set_current_step(0, 0)
    clicker.form.toggle.click()
    clicker.dock.mouse.clicked.emit(CELLS[0], "click")
    clicker.viewer.dims.set_current_step(0, 1)
    clicker.finish()
    assert [plane.max() for plane in clicker.labels.data] == [1, 0]


@pytest.mark.parametrize("kind", ["dask", "multiscale", "rgb"])
def test_lazy_multiscale_and_colour_images_work(qtbot, kind):
    plain = bright_discs()
    image = {
        "dask": da.from_array(plain, chunks=32),
        "multiscale": [plain, plain[::2, ::2]],
        "rgb": np.stack([plain] * 3, axis=-1),
    }[kind]
    clicker = Clicker(qtbot, image, multiscale=kind == "multiscale").on()
    clicker.click(CELLS[2])
    assert clicker.labels.data.shape == plain.shape
    assert clicker.labels.data[CELLS[2]] == 1, clicker.status


def test_an_existing_layer_is_taken_and_its_cells_are_never_overwritten(qtbot):
    clicker = Clicker(qtbot)
    mine = np.zeros((80, 110), np.uint16)
    mine[15:19, 15:30] = 40
    layer = clicker.viewer.add_labels(mine.copy(), name="mine")
    clicker.dock.dock.header.cells.set_layer(layer)
    clicker.on().click((22, 22))
    assert np.array_equal(layer.data == 40, mine == 40)
    assert ids(layer) == [0, 40, 41]
    clicker.form.undo.click()
    assert np.array_equal(layer.data, mine)
    clicker.form.overwrite.click()
    clicker.click((22, 22))
    assert (layer.data == 40).sum() < (mine == 40).sum()


@pytest.mark.parametrize(
    ("data", "options", "words"),
    [
        (np.zeros((3, 80, 110), int), {}, "3 axes"),
        (np.zeros((80, 110), int), {"scale": (2, 2)}, "a different grid"),
        (np.zeros((80, 110), int), {"translate": (0.5, 0)}, "a different grid"),
        (np.zeros((80, 110), int), {"rotate": 90}, "a different grid"),
        (np.zeros((9, 9), int), {"translate": (200, 0)}, "does not cover"),
        ([np.zeros((80, 110), int), np.zeros((40, 55), int)], {"multiscale": True}, "multiscale"),
    ],
)
def test_a_label_layer_on_another_grid_is_refused_in_one_sentence(qtbot, data, options, words):
    clicker = Clicker(qtbot)
    layer = clicker.viewer.add_labels(data, **options)
    clicker.dock.dock.header.cells.set_layer(layer)
    clicker.form.toggle.click()
    assert words in clicker.status
    assert not clicker.dock.on


@pytest.mark.parametrize(
    "space",
    [
        {},
        {"scale": (0.5, 0.25), "translate": (3, 4), "rotate": 30, "units": ("um", "um")},
    ],
)
def test_a_label_layer_on_a_part_of_the_image_gets_what_lies_on_it(qtbot, space):
    whole = Clicker(qtbot, **space).on()
    clicker = Clicker(qtbot, **space)
    part = (slice(15, 80), slice(20, 75))
    corner = np.array([15, 20])
    translate = np.asarray(clicker.image.data_to_world(corner))
    layer = clicker.viewer.add_labels(np.zeros((65, 55), int), **{**space, "translate": translate})
    clicker.dock.dock.header.cells.set_layer(layer)
    clicker.on()
    for each in (whole, clicker):
        each.click(CELLS[0]).click(CELLS[3]).click((47, 70), "shift").click((20, 24), "background")
    np.testing.assert_array_equal(layer.data, whole.labels.data[part])
    points = clicker.viewer.layers[f"{layer.name} markers"]
    theirs = whole.viewer.layers["cells of mine cells markers"]
    np.testing.assert_allclose(
        [points.data_to_world(each) for each in points.data],
        [theirs.data_to_world(each) for each in theirs.data],
    )
    before = layer.data.copy()
    layer.data_setitem(np.nonzero(layer.data == 2), 0)
    clicker.qtbot.wait(20)
    clicker.form.redo.click()
    clicker.form.undo.click()
    clicker.qtbot.wait(20)
    clicker.form.apply_again.click()
    clicker.finish()
    np.testing.assert_array_equal(layer.data, before)
    clicker.dock.mouse.moved.emit(CELLS[2])
    clicker.finish()
    outline = clicker.viewer.layers["U-Tile outline"]
    shown = [
        clicker.image.world_to_data(outline.data_to_world(each)) for each in np.argwhere(outline.data == 1)
    ]
    assert np.abs(np.mean(shown, axis=0) - CELLS[2]).max() < 1.1  # the layer ends in this cell
    clicker.click(CELLS[4])  # lies beyond the layer
    assert "outside the layer" in clicker.status
    assert clicker.form.status.kind == "info"
    steps = len(layer._undo_history)
    clicker.form.confidence.setValue(0)
    clicker.form.accept.click()
    clicker.finish()
    assert len(layer._undo_history) == steps + 1
    assert layer.data[50 - 15, 25 - 20] > 0


def test_a_label_layer_on_some_planes_of_a_film_gets_their_cells(qtbot):
    clicker = Clicker(qtbot, np.stack([bright_discs()] * 4))
    layer = clicker.viewer.add_labels(np.zeros((2, 80, 110), int), translate=(1, 0, 0))
    clicker.dock.dock.header.cells.set_layer(layer)
    clicker.viewer.dims.set_current_step(0, 2)
    clicker.on().click(CELLS[0])
    assert [plane.max() for plane in layer.data] == [0, 1]
    clicker.viewer.dims.set_current_step(0, 3)
    clicker.click(CELLS[0])
    assert "does not cover" in clicker.status
    assert [plane.max() for plane in layer.data] == [0, 1]


@pytest.mark.parametrize(("side", "dtype"), [(2048, np.int32), (2049, np.uint16)])
def test_new_layers_of_large_planes_hold_labels_that_napari_draws_as_they_are(qtbot, side, dtype):
    image = np.zeros((2048, side), np.uint8)
    image[:80, :110] = bright_discs()
    clicker = Clicker(qtbot, image).on().click(CELLS[0])
    assert clicker.labels.data.dtype == dtype
    assert clicker.labels.data[CELLS[0]] == 1
    clicker.form.undo.click()
    assert not clicker.labels.data.any()


def test_labels_with_negative_ids_are_named_and_left_alone(qtbot):
    clicker = Clicker(qtbot)
    mine = np.where(bright_discs() > 80, 1, -1)
    clicker.dock.dock.header.cells.set_layer(clicker.viewer.add_labels(mine.copy(), name="mine"))
    clicker.on().click((0, 0))
    assert clicker.status == "mine holds the negative id -1; use a new layer."
    assert clicker.dock.tool.selected == 0
    np.testing.assert_array_equal(clicker.labels.data, mine)


def test_a_full_label_layer_says_so(qtbot):
    clicker = Clicker(qtbot)
    mine = np.zeros((80, 110), np.uint8)
    mine[0, 0] = 255
    clicker.dock.dock.header.cells.set_layer(clicker.viewer.add_labels(mine.copy()))
    clicker.on().click(CELLS[0])
    assert "no free label" in clicker.status
    assert np.array_equal(clicker.labels.data, mine)


def test_a_hidden_layer_is_not_edited(clicker):
    clicker.labels.visible = False
    clicker.click(CELLS[0])
    assert "hidden" in clicker.status
    assert ids(clicker.labels) == [0]


def test_a_label_layer_deleted_while_a_click_waits_is_left_alone(qtbot):
    clicker = Clicker(qtbot)
    clicker.form.toggle.click()
    layer = clicker.labels
    clicker.dock.mouse.clicked.emit(CELLS[0], "click")
    clicker.viewer.layers.remove(layer)
    clicker.finish()
    assert layer.data.max() == 0
    assert not clicker.dock.on


def test_the_image_deleted_turns_clicking_off(clicker):
    clicker.viewer.layers.remove(clicker.image)
    clicker.finish()
    assert not clicker.dock.on
    assert mouse_of(clicker.viewer) == mouse_of(ViewerModel())


def test_a_model_changed_in_between_counts_from_the_next_click(clicker, tmp_path, make_bright_model):
    clicker.click(CELLS[0])
    path = make_bright_model(tmp_path / "other.safetensors", object_diameter=20.0).path
    session_of(clicker.viewer).model = str(path)
    clicker.click(CELLS[1])
    assert ids(clicker.labels) == [0, 1, 2]
    session_of(clicker.viewer).model = str(tmp_path / "missing.safetensors")
    clicker.click(CELLS[2])
    assert ids(clicker.labels) == [0, 1, 2]
    assert clicker.form.status.kind == "problem"


def test_a_model_trained_further_under_the_same_name_counts_from_the_next_click(
    clicker, tmp_path, make_bright_model
):
    session, ready = session_of(clicker.viewer), []
    session.model = str(make_bright_model(tmp_path / "own.safetensors", object_diameter=20.0).path)
    clicker.dock.tool.model_ready.connect(ready.append)
    clicker.click(CELLS[0]).click(CELLS[1])
    make_bright_model(tmp_path / "own.safetensors", object_diameter=22.0)
    session.events.models_changed.emit()
    clicker.click(CELLS[2])
    assert [each.field.model.card.object_diameter for each in ready][-1] == 22.0
    assert ids(clicker.labels) == [0, 1, 2, 3]


def test_changed_pixels_are_looked_at_again(clicker):
    clicker.click(CELLS[0])
    clicker.image.data = bright_discs(centres=((40, 50),))
    clicker.click((40, 50))
    assert clicker.labels.data[40, 50] == 2
    clicker.image.data[:] = bright_discs(centres=((65, 20),))
    clicker.image.refresh()
    clicker.click((65, 20))
    assert clicker.labels.data[65, 20] == 3


@pytest.mark.parametrize("same_image", [True, False])
def test_clicks_are_answered_while_a_segmentation_runs(qtbot, monkeypatch, same_image):
    from napari_utile.engine.inference import predict

    clicker = Clicker(qtbot).on()
    segment = page_of(clicker.viewer, "segment")
    qtbot.addWidget(segment.dock)
    if not same_image:
        other = clicker.viewer.add_image(bright_discs(centres=((40, 50),)), name="another")
        segment.dock.header.source.image.set_layer(other)
    ready = []
    clicker.dock.tool.model_ready.connect(ready.append)
    held, run = threading.Event(), predict.run_tile

    first = []

    def hold(*args):
        if not first:
            first.append("the segmentation's tile")
            assert held.wait(WAIT / 1000)
        return run(*args)

    monkeypatch.setattr(predict, "run_tile", hold)
    segment.run()
    qtbot.waitUntil(lambda: bool(first), timeout=WAIT)
    segment.dock.header.source.image.set_layer(clicker.image)
    for number, cell in enumerate(CELLS[:3], start=1):
        clicker.dock.mouse.moved.emit(cell)
        clicker.click(cell)
        assert ids(clicker.labels) == [*range(number + 1)], clicker.status
    clicker.form.undo.click()
    assert segment.running
    held.set()
    qtbot.waitUntil(lambda: not segment.running, timeout=WAIT)
    clicker.click(CELLS[2])
    assert not ready, "the field is the same: nothing is loaded again"
    assert ids(clicker.labels) == [0, 1, 2, 4]
    instances = clicker.viewer.layers[f"{'cells of mine' if same_image else 'another'} instances"].data
    assert instances.max() == (5 if same_image else 1)
    if same_image:
        assert np.array_equal(clicker.labels.data == 1, instances == instances[CELLS[0]])


@pytest.mark.parametrize("kind", ["zarr", "dask", "multiscale"])
def test_lazy_pixels_changed_in_place_are_looked_at_again_after_a_refresh(qtbot, kind):
    stored = zarr.create_array(zarr.storage.MemoryStore(), shape=(80, 110), chunks=(32, 32), dtype=np.uint8)
    stored[:] = bright_discs()
    lazy = da.from_array(stored, chunks=32)
    image = {"zarr": stored, "dask": lazy, "multiscale": [lazy, lazy[::2, ::2]]}[kind]
    clicker = Clicker(qtbot, image, multiscale=kind == "multiscale", contrast_limits=(0, 255)).on()
    clicker.click(CELLS[0])
    stored[:] = bright_discs(centres=((22, 40),))
    clicker.image.refresh()
    clicker.click((22, 40))
    assert clicker.labels.data[22, 40] == 2, clicker.status
    assert not clicker.labels.data[CELLS[1]]


def test_after_new_pixels_the_last_segmentation_is_of_no_use(qtbot):

    stored = zarr.create_array(zarr.storage.MemoryStore(), shape=(80, 110), chunks=(32, 32), dtype=np.uint8)
    stored[:] = bright_discs()
    clicker = Clicker(qtbot, stored, contrast_limits=(0, 255))
    segment = page_of(clicker.viewer, "segment")
    qtbot.addWidget(segment.dock)
    segment.run()
    qtbot.waitUntil(lambda: not segment.running, timeout=WAIT)
    stored[:] = bright_discs(centres=((22, 40),))
    clicker.image.refresh()
    clicker.dock.dock.header.cells.set_layer(None)
    clicker.on().click((22, 40))
    assert clicker.labels.data[22, 40] == 1, clicker.status


@pytest.mark.parametrize("kind", ["plain", "rescaled", "dask", "multiscale"])
def test_what_the_segment_dock_computed_is_not_computed_again(qtbot, monkeypatch, kind):
    from napari_utile.engine.inference import predict

    lazy = da.from_array(bright_discs(), chunks=32)
    images = {"dask": lazy, "multiscale": [lazy, lazy[::2, ::2]]}
    clicker = Clicker(qtbot, images.get(kind), multiscale=kind == "multiscale")
    segment = page_of(clicker.viewer, "segment")
    qtbot.addWidget(segment.dock)
    if kind == "rescaled":
        for diameter in (segment.form.diameter, clicker.form.compute["diameter"]):
            diameter.value = 15.0
    segment.run()
    qtbot.waitUntil(lambda: not segment.running, timeout=WAIT)
    monkeypatch.setattr(predict, "run_tile", lambda *_: pytest.fail("computed again"))
    clicker.dock.dock.header.cells.set_layer(None)
    clicker.on().click(CELLS[0])
    instances = clicker.viewer.layers["cells of mine instances"].data
    assert np.array_equal(clicker.labels.data == 1, instances == instances[CELLS[0]])
    assert clicker.form.status.kind == "good"


def test_painting_and_other_tools_get_their_clicks(clicker):
    toggle = clicker.form.toggle
    assert toggle.text() == "Clicking cells: on"
    clicker.labels.mode = "paint"
    assert toggle.text() == "Paused: another tool is in use"
    clicker.labels.mode = "pan_zoom"
    clicker.viewer.add_shapes().mode = "add_rectangle"
    assert toggle.text() == "Paused: another tool is in use"
    clicker.viewer.layers.selection.active = clicker.labels
    clicker.viewer.dims.ndisplay = 3
    assert toggle.text() == "Paused: clicks work in 2-D"


def test_the_next_unsure_cell_is_shown_and_selected(clicker):
    clicker.click(CELLS[0]).click(CELLS[1])
    clicker.labels.data_setitem((np.arange(60, 66), np.arange(40, 46)), 9)
    clicker.form.unsure.click()
    clicker.finish()
    assert clicker.dock.tool.selected == 9
    clicker.form.unsure.click()
    clicker.finish()
    assert clicker.dock.tool.selected in (1, 2)


def test_buttons_set_what_a_plain_click_does(clicker):
    clicker.click(CELLS[3])
    buttons = {button.objectName(): button for button in clicker.form.gestures.buttons()}
    buttons["split"].click()
    clicker.click((47, 70))
    assert ids(clicker.labels) == [0, 1, 2]
    buttons["merge"].click()
    clicker.click(CELLS[3])
    assert len(ids(clicker.labels)) == 2
    buttons["remove"].click()
    clicker.click(CELLS[3])
    assert ids(clicker.labels) == [0]


def test_a_key_that_is_taken_stays_with_its_owner(qtbot):
    clicker = Clicker(qtbot)

    def mine(_):
        """Do something else."""

    clicker.viewer.bind_key("U", mine)
    clicker.on()
    clicker.form.toggle.click()
    assert {str(key): function for key, function in clicker.viewer.keymap.items()}["U"] is mine


def test_turning_off_gives_the_mouse_back(clicker):
    viewer = clicker.viewer
    assert "U" in map(str, viewer.keymap)
    clicker.form.toggle.click()
    assert mouse_of(viewer) == mouse_of(ViewerModel())
    assert any(
        callback.__name__ == "double_click_to_zoom" for callback in viewer.mouse_double_click_callbacks
    )
    assert "U" not in map(str, viewer.keymap)


def test_a_deleted_dock_gives_mouse_and_key_back_and_leaves_the_cells(qtbot):
    clicker = Clicker(qtbot, closed_by_test=True).on().click(CELLS[0])
    viewer, labels = clicker.viewer, clicker.labels
    assert "U" in map(str, viewer.keymap)
    assert mouse_of(viewer) != mouse_of(ViewerModel())
    clicker.dock.dock.deleteLater()
    clicker.qtbot.wait(50)
    assert mouse_of(viewer) == mouse_of(ViewerModel())
    assert "U" not in map(str, viewer.keymap)
    assert "U-Tile outline" not in viewer.layers
    assert ids(labels) == [0, 1]
    labels.undo()
    clicker.qtbot.wait(20)
    assert ids(labels) == [0]


def test_a_closing_session_drops_what_waits(qtbot):
    clicker = Clicker(qtbot)
    clicker.form.toggle.click()
    labels = clicker.labels
    clicker.dock.mouse.clicked.emit(CELLS[0], "click")
    session_of(clicker.viewer).close()
    qtbot.wait(200)
    assert labels.data.max() == 0
    assert clicker.dock.tool.queue.busy == 0


def test_a_click_follows_its_cell_through_z_and_one_undo_takes_all_planes_back(qtbot):
    y, x = np.mgrid[:40, :60]
    stack = np.zeros((5, 40, 60), np.uint8)
    for plane, radius in ((1, 6), (2, 8), (3, 6)):
        stack[plane][np.hypot(y - 20, x - 20) <= radius] = 220
        stack[plane][np.hypot(y - 20, x - 45) <= 5] = 220
    clicker = Clicker(qtbot, stack, axis_labels=("z", "y", "x"))
    assert not clicker.form.follow.isHidden()
    clicker.viewer.dims.set_point(0, 2)
    clicker.on()
    clicker.form.follow.click()
    clicker.click((20, 20))
    label = clicker.labels.data[2, 20, 20]
    assert "in 3 planes" in clicker.status
    expected = (stack > 0) & (np.arange(60) < 33)
    np.testing.assert_array_equal(clicker.labels.data == label, expected)
    clicker.form.undo.click()
    assert not clicker.labels.data.any()
    clicker.form.follow.click()
    clicker.click((20, 20))
    assert [bool(plane.any()) for plane in clicker.labels.data] == [False, False, True, False, False]


def test_frames_of_a_time_lapse_are_not_followed_through(qtbot):
    assert Clicker(qtbot, np.zeros((3, 40, 60), np.uint8), axis_labels=("t", "y", "x")).form.follow.isHidden()
