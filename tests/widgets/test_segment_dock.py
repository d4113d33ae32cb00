import gc
import json
import threading
import weakref
from types import SimpleNamespace

import dask.array as da
import numpy as np
import pytest
import torch
from qtpy.QtCore import Qt
from qtpy.QtGui import QGuiApplication

from napari_utile.cli import main
from napari_utile.engine.files.images import write_image
from napari_utile.engine.inference import device_check, predict
from napari_utile.engine.inference.confidence import Fit
from napari_utile.engine.models.catalogue import card_of
from napari_utile.engine.words import counted
from napari_utile.session.state import ChosenImage
from napari_utile.widgets.pages.segment import page as page_module
from napari_utile.widgets.pages.segment import plane_run
from napari_utile.widgets.pages.segment.verdict import before_it_is_believed
from napari_utile.widgets.viewer.layers import session_of
from napari_utile.widgets.viewer.own_pictures import METADATA_KEY
from pages import finish, fits, jobs, page_of
from simulation.simulate import simulate

WAIT = 30_000


@pytest.fixture(autouse=True)
def _fast(bright_nuclei, monkeypatch):
    """Segment with a model that takes no time, and do not wait with the preview."""
    monkeypatch.setattr(plane_run, "PREVIEW_AFTER", 0.0)


@pytest.fixture
def model_file(tmp_path, make_bright_model):
    """Another model, which suggests other instance parameters."""
    return make_bright_model(tmp_path / "bright.safetensors", instances={"minimum_size": 5}).path


@pytest.fixture(scope="module")
def image():
    return simulate("nuclei", height=96, width=128, cells=8, seed=3).image


@pytest.fixture
def dock(viewer, qtbot):
    dock = page_of(viewer, "segment")
    qtbot.addWidget(dock.dock)
    dock.dock.show()
    return dock


def run(qtbot, dock):
    qtbot.mouseClick(dock.form.run_bar.run_button, Qt.MouseButton.LeftButton)
    finish(qtbot, dock)


def settle(qtbot, dock):
    """Wait for what sliders started."""
    qtbot.waitUntil(lambda: not dock.adjusting, timeout=WAIT)


def names(viewer):
    return [layer.name for layer in viewer.layers]


def layer_of(viewer, role):
    return next(
        layer for layer in reversed(viewer.layers) if layer.metadata.get(METADATA_KEY, {}).get("role") == role
    )


def labels_of(viewer):
    return layer_of(viewer, "instances").data


def drag(dock, name, value):
    """Change a parameter as a user does."""
    dock.form.instances[name].value = value


def test_without_an_image_the_dock_says_what_to_do(dock):
    assert "Open an image" in dock.dock.header.empty.text()
    assert not dock.dock.header.empty.isHidden()
    assert not dock.form.run_bar.run_button.isEnabled()


def test_one_press_gives_probability_mask_and_instances(viewer, dock, qtbot, image):
    source = viewer.add_image(
        image,
        name="cells",
        scale=(0.5, 0.5),
        translate=(3, 4),
        rotate=20,
        units=("um", "um"),
        axis_labels=("y", "x"),
    )
    run(qtbot, dock)
    assert names(viewer) == ["cells", "cells probability", "cells mask", "cells instances"]
    probability, mask, instances = list(viewer.layers)[1:]
    assert probability.data.shape == mask.data.shape == instances.data.shape == image.shape
    assert 0 <= probability.data.min() <= probability.data.max() <= 1
    np.testing.assert_array_equal(mask.data > 0, instances.data > 0)
    for layer in (probability, mask, instances):
        np.testing.assert_allclose(layer.data_to_world((5, 7)), source.data_to_world((5, 7)))
        assert layer.units == source.units
        assert layer.axis_labels == ("y", "x")
    features = instances.features
    assert list(features["index"]) == list(range(1, instances.data.max() + 1))
    assert {"area_px", "area_um2", "centroid_y", "centroid_x", "intensity_mean"} <= set(features)
    assert features["area_px"].sum() == np.count_nonzero(instances.data)
    assert "µm²" in dock.form.summary.text()
    assert instances.metadata[METADATA_KEY]["recipe"]["model"]["name"] == "nuclei"
    assert viewer.layers.selection.active is instances


def test_the_cost_is_said_before_it_runs(viewer, dock, qtbot, image):
    viewer.add_image(image)
    qtbot.waitUntil(lambda: "This will take 1 tile" in dock.form.estimate.text(), timeout=WAIT)


def test_while_the_cost_is_not_known_that_is_said(viewer, dock, qtbot, image, monkeypatch):
    go_on, estimate = threading.Event(), page_module.estimate_job

    def slow(*asked):
        go_on.wait(WAIT / 1000)
        return (yield from estimate(*asked))

    monkeypatch.setattr(page_module, "estimate_job", slow)
    viewer.add_image(image)
    qtbot.waitUntil(lambda: dock.form.estimate.text() == "Estimating cell size and time…", timeout=WAIT)
    go_on.set()
    qtbot.waitUntil(lambda: "This will take 1 tile" in dock.form.estimate.text(), timeout=WAIT)


def test_what_was_said_of_another_model_goes_at_once_and_is_said_anew_after_a_run(
    viewer, dock, qtbot, image, model_file
):
    viewer.add_image(image)
    qtbot.waitUntil(lambda: "measured" in dock.form.estimate.text(), timeout=WAIT)
    session_of(viewer).model = str(model_file)
    assert dock.form.estimate.text() == ""
    qtbot.waitUntil(lambda: "will take" in dock.form.estimate.text(), timeout=WAIT)
    dock.form.diameter.value = 31
    run(qtbot, dock)  # before that is estimated
    qtbot.waitUntil(lambda: "measured" not in dock.form.estimate.text(), timeout=WAIT)


def test_what_the_computer_cannot_do_is_said_before_it_runs(dock, viewer, qtbot, monkeypatch, image):
    monkeypatch.setattr(device_check, "joins", lambda dtype: dtype == torch.float32)
    viewer.add_image(image, name="cells")
    dock.form.compute["device"].value = "cpu"
    dock.form.compute["precision"].value = "bfloat16"
    qtbot.waitUntil(lambda: "no instructions for bfloat16" in dock.form.estimate.text(), timeout=WAIT)


def test_results_appear_tile_by_tile_and_the_preview_goes_away(viewer, dock, qtbot, image):
    viewer.add_image(image, name="cells")
    dock.form.compute["tile"].value = 16
    seen = []
    viewer.layers.events.inserted.connect(lambda event: seen.append(event.value.name))
    run(qtbot, dock)
    assert seen[0] == "cells probability (running)"
    assert "cells probability (running)" not in names(viewer)


def test_a_run_that_is_soon_over_has_no_preview(viewer, dock, qtbot, image, monkeypatch):
    monkeypatch.setattr(plane_run, "PREVIEW_AFTER", WAIT)
    viewer.add_image(image, name="cells")
    dock.form.compute["tile"].value = 16
    seen = []
    viewer.layers.events.inserted.connect(lambda event: seen.append(event.value.name))
    run(qtbot, dock)
    assert seen == names(viewer)[1:]


def test_running_again_replaces_the_layers(viewer, dock, qtbot, image):
    viewer.add_image(image, name="cells")
    run(qtbot, dock)
    before = list(viewer.layers)
    run(qtbot, dock)
    assert list(viewer.layers) == before


def test_an_edited_result_is_kept_when_the_network_runs_again(viewer, dock, qtbot, image):
    viewer.add_image(image, name="cells")
    run(qtbot, dock)
    edited = layer_of(viewer, "instances")
    edited.data_setitem((np.array([0]), np.array([0])), np.array([99]))
    run(qtbot, dock)
    assert edited.data[0, 0] == 99
    assert "cells instances [1]" in names(viewer)
    assert labels_of(viewer)[0, 0] != 99


def test_sliders_change_mask_and_instances_without_the_network(viewer, dock, qtbot, image, monkeypatch):
    viewer.add_image(image, name="cells")
    run(qtbot, dock)
    probability = layer_of(viewer, "probability").data.copy()
    before = np.count_nonzero(layer_of(viewer, "mask").data)
    monkeypatch.setattr("napari_utile.engine.inference.predict.run_tile", None)
    drag(dock, "threshold", 0.95)
    settle(qtbot, dock)
    assert 0 < np.count_nonzero(layer_of(viewer, "mask").data) < before
    np.testing.assert_array_equal(layer_of(viewer, "probability").data, probability)
    drag(dock, "minimum_size", 100_000)
    settle(qtbot, dock)
    assert labels_of(viewer).max() == 0
    assert "No cells" in dock.form.summary.text()
    assert len(viewer.layers) == 4


def test_what_the_fields_say_counts_on_other_pages_without_a_press(viewer, dock, qtbot, image):
    viewer.add_image(image)
    dock.form.diameter.value = 24
    drag(dock, "threshold", 0.7)
    asked = session_of(viewer).asked
    assert (asked.diameter, session_of(viewer).values) == (24, {"threshold": 0.7})
    click = dock.dock.page("click").form
    assert (click.diameter.value, click.instances["threshold"].value) == (24, 0.7)
    drag(dock, "threshold", 0.6)
    assert click.instances["threshold"].value == 0.6
    click.diameter.value = 30
    assert dock.form.diameter.value == 30
    assert session_of(viewer).values == {"threshold": 0.6}


@pytest.mark.parametrize("shape", ["same", "another"])
def test_sliders_make_no_cells_of_pixels_that_the_layer_no_longer_holds(viewer, dock, qtbot, image, shape):
    layer = viewer.add_image(image, name="cells")
    run(qtbot, dock)
    assert "median area" in dock.form.summary.text()
    before = labels_of(viewer).copy()
    layer.data = image[::-1].copy() if shape == "same" else image[:60].copy()
    assert "Press Segment" in dock.form.summary.text()
    drag(dock, "threshold", 0.9)
    settle(qtbot, dock)
    assert np.array_equal(labels_of(viewer), before)
    run(qtbot, dock)
    assert "median area" in dock.form.summary.text()
    count = labels_of(viewer).max()
    drag(dock, "threshold", 0.1)
    settle(qtbot, dock)
    assert labels_of(viewer).max() >= count


def test_pixels_replaced_while_they_are_segmented_are_said_to_be_others(
    viewer, dock, qtbot, image, monkeypatch
):
    layer, held, tile = viewer.add_image(image, name="cells"), threading.Event(), predict.run_tile

    def late(*args):
        assert held.wait(WAIT / 1000)
        return tile(*args)

    monkeypatch.setattr(predict, "run_tile", late)
    dock.run()
    layer.data = image[::-1].copy()
    held.set()
    finish(qtbot, dock)
    assert dock.form.status.text() == "cells has changed since: press Segment again."
    assert "Press Segment" in dock.form.summary.text()


def test_pixels_replaced_when_their_cells_are_shown_are_said_to_be_others(viewer, dock, qtbot, image):
    layer, other = viewer.add_image(image, name="cells"), viewer.add_image(image, name="other")
    other.data = image[::-1].copy()
    assert dock.form.status.text() == "", "nothing was found in it"
    session_of(viewer).image = ChosenImage(layer)
    run(qtbot, dock)
    session_of(viewer).image = ChosenImage(other)
    session_of(viewer).image = ChosenImage(layer)
    assert "changed" not in dock.form.status.text()
    layer.data = image[::-1].copy()
    assert dock.form.status.text() == "cells has changed since: press Segment again."
    assert dock.form.status.kind == "problem"
    run(qtbot, dock)
    assert "changed" not in dock.form.status.text()


def test_the_recipe_follows_the_sliders(viewer, dock, qtbot, image):
    viewer.add_image(image, name="cells")
    run(qtbot, dock)
    drag(dock, "threshold", 0.25)
    settle(qtbot, dock)
    recipe = layer_of(viewer, "instances").metadata[METADATA_KEY]["recipe"]
    assert recipe["parameters"]["instances"]["threshold"] == 0.25
    assert recipe["planes"][0]["cells"] == labels_of(viewer).max()


def test_the_table_is_that_of_the_cells_also_once_they_were_edited(viewer, dock, qtbot, image):
    source = viewer.add_image(image)
    run(qtbot, dock)
    cells = session_of(viewer).cells
    with cells.block_history():
        cells.data_setitem((np.array([0]), np.array([0])), [99])
    viewer.layers.selection.active = source
    qtbot.mouseClick(dock.form.show_table, Qt.MouseButton.LeftButton)
    assert viewer.layers.selection.active is cells


def test_cancel_leaves_the_viewer_as_it_was(viewer, dock, qtbot, image):
    viewer.add_image(np.tile(image, (4, 4)), name="cells")
    dock.form.compute["tile"].value = 16
    dock.run()
    qtbot.waitUntil(lambda: "cells probability (running)" in names(viewer), timeout=WAIT)
    qtbot.mouseClick(dock.form.run_bar.cancel_button, Qt.MouseButton.LeftButton)
    finish(qtbot, dock)
    assert names(viewer) == ["cells"]
    assert "Cancelled" in dock.form.status.text()
    assert not dock.form.run_bar.busy


@pytest.mark.parametrize("function", ["cell_landscape", "label_cells"])
def test_cancel_works_after_the_last_tile(viewer, dock, qtbot, image, monkeypatch, function):
    from napari_utile.engine.inference import decode

    reached, go_on, plain = threading.Event(), threading.Event(), getattr(decode, function)

    def held(*args, **kwargs):
        reached.set()
        assert go_on.wait(WAIT / 1000)
        return plain(*args, **kwargs)

    monkeypatch.setattr(decode, function, held)
    viewer.add_image(image, name="cells")
    dock.run()
    qtbot.waitUntil(reached.is_set, timeout=WAIT)
    dock.cancel()
    go_on.set()
    finish(qtbot, dock)
    assert names(viewer) == ["cells"]
    assert "Cancelled" in dock.form.status.text()


def test_finished_tiles_of_a_cancelled_run_are_not_computed_again(viewer, dock, qtbot, image, monkeypatch):
    import napari_utile.engine.inference.predict as predict

    viewer.add_image(np.tile(image, (2, 2)), name="cells")
    dock.form.compute["tile"].value = 64
    dock.run()
    qtbot.waitUntil(lambda: "cells probability (running)" in names(viewer), timeout=WAIT)
    dock.cancel()
    finish(qtbot, dock)
    kept = len(session_of(viewer).tile_cache)
    computed = []
    run_tile = predict.run_tile
    monkeypatch.setattr(predict, "run_tile", lambda *args: (computed.append(1), run_tile(*args))[1])
    run(qtbot, dock)
    assert kept > 0
    assert len(computed) == len(session_of(viewer).tile_cache) - kept


def test_the_source_removed_while_running_stops_the_run(viewer, dock, qtbot, image):
    source = viewer.add_image(np.tile(image, (4, 4)), name="cells")
    dock.form.compute["tile"].value = 16
    dock.run()
    qtbot.waitUntil(lambda: "cells probability (running)" in names(viewer), timeout=WAIT)
    viewer.layers.remove(source)
    finish(qtbot, dock)
    assert names(viewer) == []


def test_the_preview_removed_by_the_user_does_not_disturb_the_run(viewer, dock, qtbot, image):
    viewer.add_image(np.tile(image, (2, 2)), name="cells")
    dock.form.compute["tile"].value = 32
    dock.run()
    qtbot.waitUntil(lambda: "cells probability (running)" in names(viewer), timeout=WAIT)
    viewer.layers.remove("cells probability (running)")
    finish(qtbot, dock)
    assert "cells instances" in names(viewer)


def test_the_viewer_closed_while_running_leaves_nothing_behind(make_napari_viewer, qtbot, image):
    viewer = make_napari_viewer()
    dock = page_of(viewer, "segment")
    viewer.window.add_dock_widget(dock.dock)
    viewer.add_image(np.tile(image, (4, 4)))
    dock.form.compute["tile"].value = 16
    dock.run()
    assert jobs()
    session = session_of(viewer)
    viewer.close()
    qtbot.waitUntil(lambda: session.closed and not jobs(), timeout=WAIT)


def test_a_closed_dock_stops_its_job_and_can_be_opened_again(make_napari_viewer, qtbot, image):
    viewer = make_napari_viewer()
    viewer.add_image(np.tile(image, (4, 4)), name="cells")
    dock = page_of(viewer, "segment")
    held = viewer.window.add_dock_widget(dock.dock)
    dock.form.compute["tile"].value = 16
    dock.run()
    assert jobs()
    viewer.window.remove_dock_widget(held)
    qtbot.waitUntil(lambda: not jobs(), timeout=WAIT)
    assert names(viewer) == ["cells"]
    again = page_of(viewer, "segment")
    viewer.window.add_dock_widget(again.dock)
    run(qtbot, again)
    assert "cells instances" in names(viewer)


def test_the_current_plane_of_a_stack_is_segmented_and_planes_add_up(viewer, dock, qtbot, image):
    stack = np.stack([np.zeros_like(image), image, image[::-1]])
    viewer.add_image(stack, name="stack", axis_labels=("z", "y", "x"), scale=(3, 1, 1))
    viewer.dims.set_current_step(0, 1)
    run(qtbot, dock)
    instances = layer_of(viewer, "instances")
    assert instances.data.shape == stack.shape
    first = instances.data[1].copy()
    assert first.max() > 0
    viewer.dims.set_current_step(0, 2)
    run(qtbot, dock)
    assert layer_of(viewer, "instances") is instances
    np.testing.assert_array_equal(instances.data[1], first)
    assert instances.data[2][instances.data[2] > 0].min() > first.max()
    assert set(instances.features["z"]) == {1, 2}


def test_each_plane_keeps_its_recipe_its_sliders_and_its_command(viewer, dock, qtbot, image, tmp_path):
    path = tmp_path / "stack.tif"
    write_image(path, np.stack([image, image // 2, image]), "ZYX")
    viewer.open(str(path), plugin="napari", layer_type="image", axis_labels=("z", "y", "x"))

    def at(plane, threshold):
        viewer.dims.set_current_step(0, plane)
        run(qtbot, dock)
        drag(dock, "threshold", threshold)
        settle(qtbot, dock)

    for plane, threshold in enumerate((0.25, 0.75, 0.25)):
        at(plane, threshold)
    instances = layer_of(viewer, "instances")
    recipes = instances.metadata[METADATA_KEY]["recipes"]
    kept = {
        plane["index"]["Z"]: recipe["parameters"]["instances"]["threshold"]
        for recipe in recipes
        for plane in recipe["planes"]
    }
    assert kept == {0: 0.25, 1: 0.75, 2: 0.25}
    assert len(recipes) == 2
    for number, recipe in enumerate(recipes):
        file = tmp_path / f"{number}.json"
        file.write_text(json.dumps(recipe))
        assert main(["replay", str(file), "--image", str(path), "--quiet"]) == 0
    for plane, threshold in ((1, 0.75), (0, 0.25)):
        viewer.dims.set_current_step(0, plane)
        assert dock.form.instances.value().threshold == threshold
        dock.form.copy_command.click()
        assert f"--threshold {threshold}" in QGuiApplication.clipboard().text()
    settle(qtbot, dock)
    assert instances.metadata[METADATA_KEY]["recipes"] == recipes


def test_sliders_adjust_the_plane_that_is_shown(viewer, dock, qtbot, image):
    viewer.add_image(np.stack([image, image]), name="stack")
    for step in (0, 1):
        viewer.dims.set_current_step(0, step)
        run(qtbot, dock)
    viewer.dims.set_current_step(0, 0)
    other = np.count_nonzero(layer_of(viewer, "mask").data[1])
    drag(dock, "threshold", 0.95)
    settle(qtbot, dock)
    mask = layer_of(viewer, "mask").data
    assert np.count_nonzero(mask[0]) < other == np.count_nonzero(mask[1])


def test_a_drawn_shape_limits_the_result(viewer, dock, qtbot, image):
    viewer.add_image(image, name="cells")
    triangle = np.array([[10, 10], [10, 90], [80, 10]])
    viewer.add_shapes([triangle], shape_type="polygon")
    dock.form.region.kind.setCurrentIndex(2)
    run(qtbot, dock)
    labels = labels_of(viewer)
    assert labels.shape == image.shape
    rows, columns = np.nonzero(labels)
    assert rows.size
    assert ((rows - 10) / 70 + (columns - 10) / 80 <= 1.05).all()
    drag(dock, "threshold", 0.05)
    settle(qtbot, dock)
    rows, columns = np.nonzero(labels_of(viewer))
    assert ((rows - 10) / 70 + (columns - 10) / 80 <= 1.1).all(), "sliders keep to the shape as well"


def test_what_was_drawn_is_replayed_from_the_layers_recipe(viewer, dock, qtbot, image, tmp_path, capsys):
    file = tmp_path / "cells.tif"
    write_image(file, image)
    viewer.add_image(image, name="cells")
    triangle = np.array([[10, 10], [10, 90], [80, 10]])
    viewer.add_shapes([triangle], shape_type="polygon")
    dock.form.region.kind.setCurrentIndex(2)
    run(qtbot, dock)
    drag(dock, "threshold", 0.3)
    settle(qtbot, dock)
    recipe = layer_of(viewer, "instances").metadata[METADATA_KEY]["recipe"]
    (tmp_path / "recipe.json").write_text(json.dumps(recipe))
    assert main(["replay", str(tmp_path / "recipe.json"), "--image", str(file)]) == 0
    cells = np.unique(labels_of(viewer)).size - 1
    said = capsys.readouterr().out
    assert cells > 0
    assert said == f"identical: {counted(cells, 'cell')} in 1 plane, probabilities to the last bit\n"


def test_what_is_in_view_equals_that_part_of_the_whole(viewer, dock, qtbot, image):
    layer = viewer.add_image(image, name="cells")
    run(qtbot, dock)
    whole = layer_of(viewer, "probability").data.copy()
    layer.corner_pixels = np.array([[20, 30], [69, 99]])
    dock.form.region.kind.setCurrentIndex(1)
    layer_of(viewer, "probability").data[:] = 0
    run(qtbot, dock)
    np.testing.assert_allclose(
        layer_of(viewer, "probability").data[20:70, 30:100], whole[20:70, 30:100], atol=1e-4
    )


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.float32, np.float64, bool])
def test_every_type_of_pixel_is_segmented(viewer, dock, qtbot, image, dtype):
    scaled = image / image.max()
    data = scaled > 0.4 if dtype is bool else (scaled * 200).astype(dtype)
    viewer.add_image(data)
    run(qtbot, dock)
    assert labels_of(viewer).max() > 0


def test_colours_are_segmented_by_brightness_or_by_one_of_them(viewer, dock, qtbot, image):
    scaled = (image / image.max() * 255).astype(np.uint8)
    viewer.add_image(np.stack([scaled, 0 * scaled, 0 * scaled], axis=-1), rgb=True, name="stain")
    run(qtbot, dock)
    brightness = labels_of(viewer).max()
    assert brightness > 0
    assert {"intensity_mean_red", "intensity_mean_green"} <= set(layer_of(viewer, "instances").features)
    (_, box), *_ = dock.dock.header.source.channel_boxes
    box.setCurrentIndex(box.findText("Green"))
    run(qtbot, dock)
    assert labels_of(viewer).max() == 0


def test_a_channel_of_a_stack_is_chosen_by_name(viewer, dock, qtbot, image):
    stack = np.stack([np.zeros_like(image), image])
    viewer.add_image(stack, axis_labels=("c", "y", "x"), name="two")
    assert session_of(viewer).image.channel_axis == 0
    (_, box), *_ = dock.dock.header.source.channel_boxes
    box.setCurrentIndex(box.findText("Channel 1"))
    run(qtbot, dock)
    assert labels_of(viewer).shape == image.shape
    assert labels_of(viewer).max() > 0


@pytest.mark.parametrize(
    "data",
    [
        np.full((40, 50), 7, np.uint8),
        np.zeros((1, 1), np.uint16),
        np.ones((1, 30)),
    ],
    ids=["constant", "one pixel", "one row"],
)
def test_images_without_anything_to_see_give_an_empty_result(viewer, dock, qtbot, data):
    viewer.add_image(data, contrast_limits=(0, 1))
    run(qtbot, dock)
    assert dock.form.status.kind != "problem"
    assert labels_of(viewer).shape == data.shape


@pytest.mark.parametrize("limits", ["stack", "plane"])
def test_an_image_without_finite_values_is_named(viewer, dock, qtbot, limits):
    dock.form.seen["limits"].value = limits
    viewer.add_image(np.full((40, 50), np.nan, np.float32), name="lost", contrast_limits=(0, 1))
    run(qtbot, dock)
    assert dock.form.status.text() == "lost has no finite values: all its pixels are NaN or infinite."
    assert dock.form.status.kind == "problem"


def test_broken_pixels_do_not_spoil_the_rest(viewer, dock, qtbot, image):
    data = image.astype(np.float32)
    data[0, :5], data[1, :5], data[2, :5] = np.nan, np.inf, -np.inf
    viewer.add_image(data, contrast_limits=(0, 1000))
    run(qtbot, dock)
    assert np.isfinite(layer_of(viewer, "probability").data).all()
    assert labels_of(viewer).max() > 0


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of napari, on a layer without pixels
def test_an_empty_layer_is_named_in_the_dock(viewer, dock, qtbot):
    viewer.add_image(np.zeros((0, 5, 6)), name="nothing", contrast_limits=(0, 1))
    dock.run()
    assert dock.form.status.text() == "nothing is empty."
    assert dock.form.status.kind == "problem"


def test_lazy_and_multiscale_images_are_segmented_at_full_resolution(viewer, dock, qtbot, image):
    levels = [da.from_array(image, chunks=32), da.from_array(image[::2, ::2], chunks=32)]
    viewer.add_image(levels, multiscale=True, name="pyramid")
    run(qtbot, dock)
    assert labels_of(viewer).shape == image.shape
    assert labels_of(viewer).max() > 0


def test_a_missing_model_is_said_in_one_sentence_and_the_dock_works_on(viewer, dock, qtbot, image):
    viewer.add_image(image)
    session = session_of(viewer)
    session.model = "/nowhere/lost.safetensors"
    run(qtbot, dock)
    assert "no model or file" in dock.form.status.text()
    assert "\n" not in dock.form.status.text()
    assert len(viewer.layers) == 1
    session.model = "nuclei"
    run(qtbot, dock)
    assert labels_of(viewer).max() > 0


def test_a_failure_inside_torch_is_said_and_the_dock_is_free_again(viewer, dock, qtbot, image, monkeypatch):
    def failing(*args):
        raise RuntimeError("shape '[1, 2]' is invalid\nfor input")

    monkeypatch.setattr("napari_utile.engine.inference.predict.run_tile", failing)
    viewer.add_image(image, name="cells")
    dock.run()
    finish(qtbot, dock)
    assert "RuntimeError" in dock.form.status.text()
    assert not dock.form.run_bar.busy
    assert names(viewer) == ["cells"]


def test_another_model_brings_its_own_suggestions(viewer, dock, qtbot, image, model_file):
    viewer.add_image(image)
    session_of(viewer).model = str(model_file)
    qtbot.waitUntil(lambda: dock.form.instances.value().minimum_size == 5, timeout=WAIT)
    run(qtbot, dock)
    recipe = layer_of(viewer, "instances").metadata[METADATA_KEY]["recipe"]
    assert recipe["parameters"]["model"] == str(model_file)
    assert recipe["parameters"]["instances"]["minimum_size"] == 5


def test_a_model_run_before_its_suggestions_are_shown_uses_them_all_the_same(
    viewer, dock, qtbot, image, model_file
):
    viewer.add_image(image)
    session_of(viewer).model = str(model_file)
    run(qtbot, dock)
    recipe = layer_of(viewer, "instances").metadata[METADATA_KEY]["recipe"]
    assert recipe["parameters"]["instances"]["minimum_size"] == 5


def test_a_late_answer_about_the_model_before_leaves_the_suggestions_alone(
    viewer, dock, qtbot, image, model_file
):
    viewer.add_image(image)
    session = session_of(viewer)
    qtbot.waitUntil(lambda: "take" in dock.form.estimate.text(), timeout=WAIT)
    before = session.load_model("nuclei")
    assert before.card.instances.get("minimum_size") != 5
    session.model = str(model_file)
    dock.model_known("nuclei", before)
    run(qtbot, dock)
    recipe = layer_of(viewer, "instances").metadata[METADATA_KEY]["recipe"]
    assert recipe["parameters"]["instances"]["minimum_size"] == 5
    assert dock.form.instances.value().minimum_size == 5


def test_a_model_file_made_anew_brings_its_new_suggestions(
    viewer, dock, qtbot, image, model_file, make_bright_model
):
    viewer.add_image(image)
    session = session_of(viewer)
    session.model = str(model_file)
    qtbot.waitUntil(lambda: dock.form.instances.value().minimum_size == 5, timeout=WAIT)
    make_bright_model(model_file, instances={"minimum_size": 7})
    session.events.models_changed.emit()
    qtbot.waitUntil(lambda: dock.form.instances.value().minimum_size == 7, timeout=WAIT)


def test_the_weight_map_of_the_instances_comes_with_one_tick(viewer, dock, qtbot, image):
    viewer.add_image(image, name="cells")
    run(qtbot, dock)
    dock.form.weight_map.click()
    qtbot.waitUntil(lambda: "cells weight map" in names(viewer), timeout=WAIT)
    layer = layer_of(viewer, "weight map")
    assert layer.data.shape == image.shape
    assert layer.data.max() > 1
    dock.form.weight_map.click()
    assert not layer.visible


def test_the_weight_map_can_be_asked_for_before_there_is_an_image(viewer, dock, qtbot, image):
    dock.form.weight_map.click()
    viewer.add_image(image, name="cells")
    run(qtbot, dock)
    qtbot.waitUntil(lambda: "cells weight map" in names(viewer), timeout=WAIT)


def test_the_command_is_copied(viewer, dock, qtbot, image):
    viewer.add_image(image, name="cells")
    qtbot.waitUntil(lambda: "take" in dock.form.estimate.text(), timeout=WAIT)
    drag(dock, "threshold", 0.25)
    dock.form.diameter.value = 30
    qtbot.mouseClick(dock.form.copy_command, Qt.MouseButton.LeftButton)
    command = QGuiApplication.clipboard().text()
    assert command.startswith("utile segment IMAGE.tif -o ")
    assert "--threshold 0.25" in command
    assert "--diameter 30" in command
    assert "clipboard" in dock.form.status.text()


def test_the_diameter_is_measured_by_a_line(viewer, dock, qtbot, image):
    viewer.add_image(image, name="cells", scale=(0.5, 0.5))
    dock.form.measure_diameter.click()
    (callback,) = viewer.mouse_drag_callbacks[-1:]
    event = SimpleNamespace(type="mouse_press", position=(5, 5), handled=False)
    drag_across = callback(viewer, event)
    next(drag_across)
    event.type, event.position = "mouse_move", (5, 17)
    next(drag_across)
    assert names(viewer) == ["cells", "diameter of a cell"]
    event.type = "mouse_release"
    assert next(drag_across, None) is None
    assert dock.form.diameter.value == 24
    assert names(viewer) == ["cells"]
    assert callback not in viewer.mouse_drag_callbacks


@pytest.mark.parametrize("what", ["another page", "another image"])
def test_a_diameter_is_not_measured_out_of_sight_or_on_another_image(viewer, dock, image, what):
    viewer.add_image(image, name="cells", scale=(0.5, 0.5))
    viewer.add_image(image, name="another")
    before = list(viewer.mouse_drag_callbacks)
    dock.form.measure_diameter.click()
    assert dock.form.status.text().startswith("Drag a line")
    drag_across = viewer.mouse_drag_callbacks[-1](
        viewer, event := SimpleNamespace(type="mouse_press", position=(5, 5), handled=False)
    )
    next(drag_across)
    if what == "another page":
        dock.dock.open_page("train")
    else:
        chosen = session_of(viewer).image.layer
        other = next(layer for layer in viewer.layers if layer is not chosen)
        dock.dock.header.source.image.set_layer(other)
    assert viewer.mouse_drag_callbacks == before
    assert not dock.form.status.text().startswith("Drag a line")
    size = dock.form.diameter.value
    event.type, event.position = "mouse_move", (5, 30)
    assert next(drag_across, None) is None, "nor is one that began before"
    assert dock.form.diameter.value == size


def test_the_dock_is_narrow(dock):
    assert fits(dock)


def test_the_session_lets_go_of_results_with_their_source(viewer, dock, qtbot, image):
    source = viewer.add_image(image, name="cells")
    run(qtbot, dock)
    reference = weakref.ref(source)
    result = weakref.ref(session_of(viewer).result_of(source, (0, 1)))
    assert result() is not None
    viewer.layers.clear()
    del source
    qtbot.waitUntil(lambda: gc.collect() >= 0 and reference() is None, timeout=WAIT)
    assert result() is None


def test_the_dock_shows_a_long_name_without_growing(viewer, dock, image):
    viewer.add_image(image, name="a very long name of an image " * 6)
    assert fits(dock)


def test_the_summary_is_that_of_the_image_and_plane_on_screen(viewer, dock, qtbot, image):
    viewer.add_image(np.stack([image, image]), name="stack")
    viewer.dims.set_current_step(0, 0)
    run(qtbot, dock)
    assert "median area" in dock.form.summary.text()
    found = dock.form.summary.text()
    viewer.dims.set_current_step(0, 1)
    assert "Press Segment" in dock.form.summary.text()
    viewer.dims.set_current_step(0, 0)
    assert dock.form.summary.text() == found
    viewer.add_image(image, name="another")
    dock.form.status.say("What is to be known of the first image.")
    dock.dock.header.source.image.set_layer(viewer.layers["another"])
    assert "Press Segment" in dock.form.summary.text()
    assert dock.form.status.text() == "", "what was said goes with what it was about"


def test_planes_are_judged_together_and_one_at_the_end_of_a_stack_spoils_nothing():
    request = SimpleNamespace(region=None, path="")
    made = SimpleNamespace(model=SimpleNamespace(card=card_of("nuclei")))
    result = SimpleNamespace(segmentation=made, request=request, located=None)
    good, blurred = (Fit("nuclei", sure, 0.72, cells, whole=True) for sure, cells in ((0.8, 90), (0.65, 20)))
    image = ChosenImage()
    assert before_it_is_believed(result, [good, blurred], image)[0] == ""
    assert before_it_is_believed(result, [blurred], image)[1] == "problem"
    assert before_it_is_believed(result, [*[blurred] * 9, good], image)[1] == "problem", (
        "90 sure cells beside 180 others"
    )


@pytest.mark.parametrize(
    ("axis", "channels", "asked"),
    [(0, (1,), True), (0, None, False), (0, (1, 0), False), (None, None, False)],
)
def test_a_model_in_doubt_asks_for_the_channel_of_nuclei_that_it_would_read(axis, channels, asked):
    made = SimpleNamespace(model=SimpleNamespace(card=card_of("cells")))
    result = SimpleNamespace(segmentation=made, request=None, located=None)
    image = ChosenImage(None, axis, channels)
    said, _ = before_it_is_believed(result, [Fit("cells", 0.3, 0.55, 40, whole=True)], image)
    assert ("If a channel shows nuclei, choose it above" in said) == asked
