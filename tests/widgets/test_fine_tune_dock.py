import re
import shlex

import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtGui import QGuiApplication
from qtpy.QtWidgets import QMessageBox

from napari_utile.engine.models.catalogue import user_model_folder
from napari_utile.engine.models.library import load_model
from napari_utile.engine.models.own_models import delete_model, duplicate_model, rename_model
from napari_utile.engine.windows import Window
from napari_utile.session.annotation_advice import unsure_places
from napari_utile.session.fine_tuning import base_model
from napari_utile.session.state import ChosenImage
from napari_utile.widgets.pages.segment.preview_layer import PreviewLayer
from napari_utile.widgets.pages.train.request import capture, planes_left_out
from napari_utile.widgets.viewer.layers import place_of, session_of
from pages import finish, fits, jobs, page_of
from simulation.simulate import simulate

WAIT = 60_000


@pytest.fixture(autouse=True)
def _fast(bright_nuclei, monkeypatch):
    """Start from a model that takes no time, and leave the package's own images alone."""
    monkeypatch.setattr("napari_utile.engine.training.reference.REFERENCES", ())


@pytest.fixture(scope="module")
def cells():
    return simulate("nuclei", height=128, width=128, cells=12, seed=3)


@pytest.fixture
def dock(viewer, qtbot):
    dock = page_of(viewer, "train")
    qtbot.addWidget(dock.dock)
    dock.form.params["minutes"].value = 0.02
    return dock


@pytest.fixture
def annotated(viewer, cells):
    image = viewer.add_image(cells.image, name="cells", scale=(0.5, 0.5))
    labels = viewer.add_labels(cells.labels.copy(), name="painted", scale=(0.5, 0.5))
    return image, labels


def unfinished():
    return sorted((user_model_folder() / "unfinished").glob("*"))


@pytest.fixture
def interrupted(qtbot, viewer, dock, annotated):
    """A training whose viewer was closed under way; gives how many steps it took."""
    return interrupt(qtbot, viewer, dock)


def interrupt(qtbot, viewer, dock):
    dock.form.params["minutes"].value = 60
    dock.run()
    qtbot.waitUntil(lambda: len(dock.form.plot.losses) > 1, timeout=WAIT)
    steps = dock.form.plot.steps
    assert jobs()
    session_of(viewer).close()
    qtbot.waitUntil(lambda: not jobs(), timeout=WAIT)
    return steps[-1]


@pytest.fixture
def dock_again(qtbot, interrupted):
    """The dock in a viewer that was opened after that."""
    return open_again(qtbot)


def open_again(qtbot):
    dock = page_of(ViewerModel(), "train")
    qtbot.addWidget(dock.dock)
    qtbot.waitUntil(lambda: len(dock.form.unfinished.found) == 1, timeout=WAIT)
    return dock


def models():
    return sorted(path.stem for path in user_model_folder().glob("*.safetensors"))


def test_what_is_missing_is_said_in_one_sentence(viewer, dock, cells):
    dock.run()
    assert dock.form.status.text() == "Open an image first."
    viewer.add_image(cells.image, name="cells")
    dock.run()
    assert "New labels" in dock.form.status.text()
    dock.form.pairs.new_labels()
    dock.run()
    assert "paint some cells first" in dock.form.status.text()
    assert not dock.running


@pytest.mark.parametrize("shape", [(100, 90), (3, 128, 128)])
def test_labels_of_another_size_are_named_with_both_sizes(viewer, dock, cells, shape):
    viewer.add_image(np.ones(shape), name="other")
    viewer.add_labels(cells.labels.copy(), name="painted")
    dock.run()
    size = " x ".join(map(str, shape))
    assert dock.form.status.text().startswith(
        f"other has {size} pixels, painted 128 x 128 pixels: they do not belong together. Paint some cells first"
    )


def test_training_draws_its_curves_and_ends_with_a_comparison(viewer, dock, qtbot, annotated):
    dock.run()
    assert dock.running
    finish(qtbot, dock)
    assert dock.form.status.kind != "problem", dock.form.status.text()
    assert len(dock.form.plot.losses) > 0
    assert not dock.form.result.isHidden()
    assert "before" in dock.form.result.verdict.text()
    dock.form.result.compare.click()
    held_out = [layer for layer in viewer.layers if layer.name.startswith("held out")]
    image, before, after, painted, captions = held_out
    assert image.data.shape == before.data.shape == after.data.shape
    assert painted.data.any(), "the truth is outlined"
    assert painted.contour == 1
    assert list(captions.text.values) == ["image, painted", "before", "after"]
    width = annotated[0].extent.world[1][1]
    assert all(layer.extent.world[0][1] > width for layer in held_out), "beside the image, not upon it"


def test_keep_saves_the_model_and_the_docks_use_it(viewer, dock, qtbot, annotated):
    dock.run()
    finish(qtbot, dock)
    dock.form.result.name.setText("mine")
    dock.form.result.keep.click()
    qtbot.waitUntil(lambda: "Kept as mine" in dock.form.status.text(), timeout=20_000)
    assert models() == ["mine", "nuclei"]
    assert session_of(viewer).model == "mine"
    card = load_model("mine").card
    assert card.training["data"][0]["name"] == "cells"
    assert card.training["curve"]
    assert not unfinished()
    assert [layer.name for layer in viewer.layers] == ["cells", "painted"]


def test_a_taken_name_is_refused_and_the_model_stays_in_hand(dock, qtbot, annotated):
    dock.run()
    finish(qtbot, dock)
    dock.form.result.name.setText("nuclei")
    dock.form.result.keep.click()
    qtbot.waitUntil(lambda: "choose another name" in dock.form.status.text(), timeout=20_000)
    assert not dock.form.result.isHidden()
    assert models() == ["nuclei"]


def test_discard_leaves_nothing(viewer, dock, qtbot, annotated):
    dock.run()
    finish(qtbot, dock)
    dock.form.result.compare.click()
    dock.run()
    assert "A new model waits for your decision: press Keep the new model" in dock.form.status.text()
    assert not dock.running, "a model that took hours is not replaced by a press"
    dock.form.result.discard.click()
    assert models() == ["nuclei"]
    assert not unfinished()
    assert [layer.name for layer in viewer.layers] == ["cells", "painted"]
    assert dock.form.result.isHidden()


def test_a_model_that_is_not_better_is_kept_only_on_purpose(dock, qtbot, annotated, monkeypatch):
    monkeypatch.setattr("napari_utile.engine.training.fine_tune.FineTuned.verdict", "worse")
    dock.run()
    finish(qtbot, dock)
    title = dock.form.result.made.tuned.base.card.title or "nuclei"
    assert f"The new model is worse than “{title}”. Paint cells" in dock.form.result.verdict.text()
    assert dock.form.result.keep.text() == "Keep the new model anyway"
    assert dock.form.result.discard.text() == f"Stay with {title} (better)"


def test_cancel_stops_and_keeps_nothing(viewer, dock, qtbot, annotated):
    dock.form.params["minutes"].value = 60
    dock.run()
    qtbot.waitUntil(lambda: len(dock.form.plot.losses) > 0, timeout=WAIT)
    dock.cancel()
    assert not dock.running, "at once on screen"
    assert "Cancelled" in dock.form.status.text()
    assert dock.form.result.isHidden()
    qtbot.waitUntil(lambda: not jobs() and not unfinished(), timeout=WAIT)
    assert [layer.name for layer in viewer.layers] == ["cells", "painted"]


def test_what_a_training_is_made_of_cannot_be_changed_while_it_runs(dock, qtbot, annotated):
    form = dock.form
    made_of = {
        "start": form.start,
        "set": form.set.combo,
        "images": form.pairs,
        "classes": form.classes,
        "annotation": form.complete,
        "boxes": form.boxes,
        "draw box": form.draw_box,
        "background": form.background,
        "params": form.params.native,
        "more params": form.more_params.native,
    }
    before = [name for name, each in made_of.items() if each.isEnabled()]
    assert {"annotation", "background", "draw box", "start", "set"} <= {*before}
    dock.run()
    assert [name for name, each in made_of.items() if each.isEnabled()] == []
    finish(qtbot, dock)
    assert [name for name, each in made_of.items() if each.isEnabled()] == before


def test_stop_keeps_the_best_so_far_also_of_a_paused_training(viewer, dock, qtbot, annotated):
    dock.form.params["minutes"].value = 60
    dock.run()
    qtbot.waitUntil(lambda: len(dock.form.plot.losses) > 0, timeout=WAIT)
    dock.form.pause.click()
    dock.form.stop.click()
    assert dock.form.pause.text() == "Pause", "it finishes"
    finish(qtbot, dock)
    assert not dock.form.result.isHidden()
    viewer.layers.clear()
    dock.form.result.compare.click()
    assert "is closed" in dock.form.status.text()


def test_a_paused_training_stands_still_and_goes_on(dock, qtbot, annotated):
    dock.form.params["minutes"].value = 60
    dock.run()
    qtbot.waitUntil(lambda: len(dock.form.plot.losses) > 0, timeout=WAIT)
    before = len(dock.form.plot.losses)
    dock.form.pause.click()
    assert dock.form.pause.text() == "Resume"
    qtbot.wait(1000)
    paused = len(dock.form.plot.losses)
    assert paused <= before + 2, "but what was under way"
    dock.form.pause.click()
    qtbot.waitUntil(lambda: len(dock.form.plot.losses) > paused + 2, timeout=WAIT)
    dock.cancel()
    finish(qtbot, dock)


def test_the_prediction_in_view_is_shown_while_it_learns_and_taken_away(viewer, dock, qtbot, annotated):
    dock.form.params["minutes"].value = 60
    dock.learning.timer.setInterval(50)
    dock.run()
    qtbot.waitUntil(lambda: "learning" in [layer.name for layer in viewer.layers], timeout=WAIT)
    layer = viewer.layers["learning"]
    np.testing.assert_allclose(layer.scale, annotated[0].scale)
    assert layer.data.max() > 0
    shown = []
    layer.events.set_data.connect(lambda event: shown.append(event))
    qtbot.waitUntil(lambda: len(shown) > 0, timeout=WAIT)
    assert viewer.layers["learning"] is layer, "a new layer each time would hold the window up"
    dock.cancel()
    finish(qtbot, dock)
    assert "learning" not in [layer.name for layer in viewer.layers]


def test_the_preview_follows_to_another_part_of_the_image_in_the_same_layer(viewer, annotated):
    image, _ = annotated
    preview = PreviewLayer(
        viewer, image, place_of(image, viewer), Window(slice(0, 10), slice(0, 20)), "learning"
    )
    preview.show(Window(slice(30, 50), slice(40, 70)), np.full((20, 30), 0.5, np.float32))
    assert preview.layer.data.shape == (20, 30)
    assert (preview.layer.data == 0.5).all()
    np.testing.assert_allclose(preview.layer.translate, (15, 20))
    np.testing.assert_allclose(preview.layer.scale, image.scale)


def test_layers_may_go_and_models_may_change_while_it_trains(viewer, dock, qtbot, annotated):
    dock.form.params["minutes"].value = 0.05
    dock.learning.timer.setInterval(50)
    dock.run()
    qtbot.waitUntil(lambda: len(dock.form.plot.losses) > 0, timeout=WAIT)
    viewer.layers.clear()
    session_of(viewer).model = "something else"
    finish(qtbot, dock)
    assert not dock.form.result.isHidden(), dock.form.status.text()


def test_closing_the_session_ends_the_training(viewer, dock, qtbot, annotated):
    dock.form.params["minutes"].value = 60
    dock.run()
    assert jobs()
    session_of(viewer).close()
    qtbot.waitUntil(lambda: not jobs(), timeout=WAIT)


def test_an_interrupted_training_goes_on_where_it_was_with_its_painted_cells(
    dock_again, qtbot, interrupted, cells
):
    dock, viewer = dock_again, dock_again.viewer
    panel = dock.form.unfinished
    assert panel.isHidden(), "its image is not open yet"
    image = viewer.add_image(cells.image, name="cells", scale=(0.5, 0.5))
    assert re.fullmatch(r"A training from \d\d:\d\d was interrupted after \d+ steps\.", panel.text.text())
    assert not panel.isHidden()
    panel.buttons[0].click()
    qtbot.waitUntil(lambda: len(dock.form.plot.steps) > 0, timeout=WAIT)
    assert dock.form.plot.steps[0] > interrupted, dock.form.status.text()
    assert panel.isHidden()
    painted = viewer.layers["cells painted"]
    np.testing.assert_array_equal(painted.data, cells.labels)
    np.testing.assert_allclose(painted.scale, image.scale)
    dock.cancel()
    qtbot.waitUntil(lambda: not unfinished(), timeout=WAIT)


def go_on(qtbot, dock, interrupted):
    dock.form.unfinished.buttons[0].click()
    qtbot.waitUntil(lambda: not dock.running or len(dock.form.plot.steps) > 0, timeout=WAIT)
    assert dock.form.plot.steps[:1] > [interrupted], dock.form.status.text()


def give_up(qtbot, dock):
    dock.cancel()
    qtbot.waitUntil(lambda: not jobs() and not unfinished(), timeout=WAIT)


@pytest.mark.parametrize("saved", [True, False])
def test_painted_cells_come_back_beside_other_labels_but_not_twice(
    dock_again, qtbot, interrupted, cells, saved
):
    viewer = dock_again.viewer
    viewer.add_image(cells.image, name="cells")
    viewer.add_labels(cells.labels.copy() if saved else np.zeros((20, 20), int), name="other")
    go_on(qtbot, dock_again, interrupted)
    give_up(qtbot, dock_again)
    assert [layer.name for layer in viewer.layers] == [
        "cells",
        "other",
        *([] if saved else ["cells painted"]),
    ]


def test_a_training_on_a_plane_of_a_stack_goes_on_there_whatever_is_on_screen(viewer, dock, qtbot, cells):
    stack = np.stack([cells.image // 2, cells.image, cells.image])
    viewer.add_image(stack, name="stack")
    painted = viewer.add_labels(np.stack([cells.labels * 0, cells.labels * 0, cells.labels]), name="painted")
    painted.features = {"index": [1, 2], "class": ["big", "small"]}
    viewer.dims.set_current_step(0, 2)
    dock.form.classes.combo.setCurrentIndex(1)
    interrupted = interrupt(qtbot, viewer, dock)
    again = open_again(qtbot)
    again.viewer.add_image(stack, name="stack")
    again.viewer.dims.set_current_step(0, 0)
    go_on(qtbot, again, interrupted)
    assert "Of stack only plane 3 of 3 is learnt from." in again.form.status.text()
    back = again.viewer.layers["stack painted"]
    np.testing.assert_array_equal(back.data, painted.data)
    assert dict(zip(back.features["index"], back.features["class"], strict=True)) == {1: "big", 2: "small"}
    give_up(qtbot, again)


@pytest.mark.parametrize("rgb", [False, True])
def test_a_training_on_a_chosen_channel_goes_on_whichever_is_chosen_now(viewer, dock, qtbot, cells, rgb):
    channels = np.stack([np.zeros_like(cells.image), cells.image, np.zeros_like(cells.image)])
    data = (np.moveaxis(channels, 0, -1) / channels.max() * 255).astype(np.uint8) if rgb else channels
    image = viewer.add_image(data, name="several", rgb=rgb)
    session = session_of(viewer)
    session.image = ChosenImage(image, None if rgb else 0, (1,))
    session.cells = viewer.add_labels(cells.labels.copy(), name="painted")
    interrupted = interrupt(qtbot, viewer, dock)
    again = open_again(qtbot)
    again.viewer.add_image(data, name="several", rgb=rgb)
    go_on(qtbot, again, interrupted)
    np.testing.assert_array_equal(again.viewer.layers["several painted"].data, cells.labels)
    give_up(qtbot, again)


def test_an_interrupted_training_can_be_forgotten_after_asking(dock_again, cells, monkeypatch):
    dock_again.viewer.add_image(cells.image, name="cells")
    asked = []
    monkeypatch.setattr(QMessageBox, "question", lambda *said: asked.append(said[2]) or said[4])
    dock_again.form.unfinished.buttons[1].click()
    said = (
        r"Delete the training from \d\d:\d\d, with its \d+ steps and painted cells\? This cannot be undone\."
    )
    assert re.fullmatch(said, asked[0])
    assert unfinished(), "Enter deletes nothing"
    assert not dock_again.form.unfinished.isHidden()
    monkeypatch.setattr(QMessageBox, "question", lambda *_: QMessageBox.StandardButton.Yes)
    dock_again.form.unfinished.buttons[1].click()
    assert not unfinished()
    assert dock_again.form.unfinished.isHidden()


def test_only_the_very_image_goes_on_with_its_training(dock_again, qtbot, cells):
    viewer, panel = dock_again.viewer, dock_again.form.unfinished
    viewer.add_image(cells.image[:100], name="cells")
    assert panel.isHidden(), "another size"
    viewer.layers.clear()
    viewer.add_image(cells.image[::-1], name="cells")
    panel.buttons[0].click()
    finish(qtbot, dock_again)
    assert "not the one used in that training" in dock_again.form.status.text()
    qtbot.waitUntil(lambda: not panel.isHidden(), timeout=WAIT)
    assert unfinished()


def test_only_boxes_or_only_what_is_painted_can_be_trained_on(viewer, dock, qtbot, annotated):
    form = dock.form
    form.complete.setCurrentIndex(1)
    dock.run()
    assert "Press Draw box first" in form.status.text()
    box = np.array([[5, 5], [5, 50], [50, 50], [50, 5]]) * 0.5
    viewer.add_shapes([box], shape_type="rectangle")
    annotation = dock.request().images[0].annotation
    assert annotation.kind == "boxes"
    assert annotation.boxes == [(5, 5, 51, 51)]
    form.complete.setCurrentIndex(0)
    form.background.setValue(99)
    annotation = dock.request().images[0].annotation
    assert (annotation.kind, annotation.background, annotation.rim) == ("sparse", 99, 3)


def test_nothing_is_taken_for_background_unasked(dock, annotated):
    labels = annotated[1]
    labels.data = np.where(labels.data == 1, 1, 0)
    objects, counted = dock.request().images[0].annotation.split(labels.data)
    assert (objects == labels.data).all()
    assert counted.mean() < 0.1, "the rest of the image says nothing"
    assert (counted & (objects == 0)).any(), "but the rim of what was painted does"


def test_a_box_is_drawn_as_an_outline(viewer, dock, annotated):
    dock.form.complete.setCurrentIndex(1)
    dock.form.draw_box.click()
    layer = dock.form.boxes.layer
    assert (layer.mode, viewer.layers.selection.active) == ("add_rectangle", layer)


def test_several_images_are_trained_on_together(viewer, dock, annotated, cells):
    viewer.add_image(cells.image[::-1], name="second")
    viewer.add_labels(cells.labels[::-1].copy(), name="second painted")
    dock.form.pairs.add.click()
    (second,) = dock.form.pairs.rows
    assert (second.image.layer.name, second.labels.layer.name) == ("second", "second painted")
    assert [image.plane.name for image in dock.request().images] == ["cells", "second"]
    dock.form.pairs.add.click()
    third = dock.form.pairs.rows[1]
    assert third.image.layer is third.labels.layer is None, "every image has its row already"
    dock.form.pairs.remove_row(third)

    # Both images begin at the same place, so the boxes of one lie on the other, where nothing may be painted.
    form = dock.form
    form.complete.setCurrentIndex(1)
    corners = np.array([[5, 5], [5, 50], [50, 50], [50, 5]])
    viewer.add_shapes([corners * 0.5], shape_type="rectangle", name="boxes")
    with pytest.raises(ValueError, match="drag a box on second painted"):
        dock.request()
    form.draw_box.click()
    assert second.boxes.layer.name == "second boxes"
    second.boxes.layer.add([corners + 60], shape_type="rectangle")
    boxes = [image.annotation.boxes for image in dock.request().images]
    assert boxes == [[(5, 5, 51, 51)], [(65, 65, 111, 111)]]
    dock.form.pairs.remove_row(second)
    assert len(dock.request().images) == 1


def test_of_a_stack_the_plane_that_is_learnt_from_is_named(viewer, dock, qtbot, cells):
    viewer.add_image(np.stack([cells.image] * 3), name="stack", axis_labels=("z", "y", "x"))
    viewer.add_labels(np.stack([cells.labels] * 3), name="painted")
    viewer.dims.set_current_step(0, 1)
    dock.run()
    assert "Of stack only slice 2 of 3 is learnt from." in dock.form.status.text()
    dock.cancel()
    qtbot.waitUntil(lambda: not jobs(), timeout=WAIT)


def test_labels_of_another_size_are_named(viewer, dock, annotated):
    viewer.add_labels(np.ones((9, 9), int), name="small")
    dock.dock.header.cells.set_layer(viewer.layers["small"])
    dock.run()
    assert "128 x 128" in dock.form.status.text()


def test_mistakes_in_the_painting_are_pointed_out(dock, qtbot, annotated):
    labels = annotated[1]
    labels.data[0, 0], labels.data[127, 127] = 500, 500
    dock.run()
    assert "Among what is painted: 2 specks; Check labels" in dock.form.status.text()
    dock.cancel()
    finish(qtbot, dock)


def test_one_sample_is_shown_as_the_network_sees_it(viewer, dock, qtbot, annotated):
    dock.form.network_view.click()
    qtbot.waitUntil(lambda: len(viewer.layers) == 6, timeout=WAIT)
    image, weights, labels, _ = list(viewer.layers)[2:]
    assert image.data.shape[0] > labels.data.shape[0] == weights.data.shape[0]
    margin = image.extent.world[1] - labels.extent.world[1]
    np.testing.assert_allclose(margin, labels.extent.world[0] - image.extent.world[0])
    dock.form.network_view.click()
    qtbot.waitUntil(lambda: not jobs(), timeout=WAIT)
    qtbot.wait(50)
    assert len(viewer.layers) == 6, "the next sample takes the place of the first"


def test_the_camera_goes_to_what_the_model_is_unsure_about(viewer, dock, qtbot, annotated):
    annotated[1].data[:] = 0
    viewer.scene.camera.center, viewer.scene.camera.zoom = (0, 0, 0), 1
    dock.form.next_place.click()
    qtbot.waitUntil(lambda: "unsure about the part of the image" in dock.form.status.text(), timeout=WAIT)
    assert viewer.scene.camera.center[1:] == (31.75, 31.75)
    assert viewer.scene.camera.zoom == pytest.approx(600 / (3 * 128 * 0.5)), "the part is a third of the view"


def test_the_least_sure_tile_comes_first_and_annotated_tiles_are_left_out():
    foreground = np.zeros((128, 384), np.float32)
    foreground[40:60, 140:160] = 0.6
    foreground[40:60, 300:310] = 0.6
    labels = (foreground > 0.5).astype(np.int32)
    labels[:, 256:] *= 2
    places = unsure_places(foreground, labels)
    assert [place.kind for place in places[:4]] == ["tile", "cell", "tile", "cell"]
    assert places[0].position == (63.5, 191.5)
    assert places[1].position == (49.5, 149.5)
    painted = np.zeros_like(labels)
    painted[0, 130] = 1
    assert unsure_places(foreground, labels, painted)[0].position == (63.5, 319.5)


def test_the_command_is_one_that_the_program_understands(dock, annotated):
    from napari_utile.cli import make_parser

    dock.form.complete.setCurrentIndex(0)
    dock.form.background.setValue(99)
    dock.form.copy_command.click()
    words = shlex.split(QGuiApplication.clipboard().text())
    assert words[:4] == ["utile", "fine-tune", "--model", "nuclei"]
    parsed = make_parser().parse_args(words[1:])
    assert (parsed.minutes, parsed.background, parsed.rim, parsed.recipe) == (0.02, 99, 3, "fine-tune")


def copied(dock):
    """Copy the command and read it as the program does."""
    from napari_utile.cli import make_parser

    dock.copy_command()
    return make_parser().parse_args(shlex.split(QGuiApplication.clipboard().text())[1:])


def test_the_command_reads_the_plane_and_the_channels_that_are_learnt_from(viewer, dock, two_channels, cells):
    assert (copied(dock).channels, copied(dock).z) == ((1,), None)
    names = ("t", "z", "y", "x")
    stack = viewer.add_image(np.zeros((4, 3, 128, 128), np.uint8), name="stack", axis_labels=names)
    labels = viewer.add_labels(np.ones((4, 3, 128, 128), int), name="ones")
    viewer.dims.current_step = (2, 1, 0, 0)
    session = session_of(viewer)
    session.image, session.cells = ChosenImage(stack), labels
    parsed = copied(dock)
    assert (parsed.t, parsed.z, parsed.channels) == ("2", "1", None)
    assert "--z" not in dock.form.status.text()
    stack.axis_labels = ("t", "position", "y", "x")
    parsed = copied(dock)
    assert (parsed.t, parsed.z) == ("2", None)
    assert "Of stack it is frame 3 of 4, plane 2 of 3: say so with --z or --t" in dock.form.status.text()
    dock.form.pairs.add.click()
    (row,) = dock.form.pairs.rows
    row.image.set_layer(viewer.add_image(cells.image, name="plain"))
    row.labels.set_layer(viewer.add_labels(cells.labels.copy(), name="its cells"))
    copied(dock)
    assert "It reads every image as the first one" in dock.form.status.text()


def test_the_command_names_the_classes(dock, annotated):
    labels, form = annotated[1], dock.form
    labels.features = {"index": [1, 2], "class": ["small", "big"]}
    assert copied(dock).classes is None
    form.classes.combo.setCurrentIndex(1)
    assert copied(dock).classes == "big,small"
    assert "the number of each cell's class, classes (1 big, 2 small)" in form.status.text()
    form.classes.combo.setCurrentIndex(2)
    assert copied(dock).classes == "class 1"
    form.classes.names.setText("tumour, , lymphocyte")
    assert copied(dock).classes == "tumour,class 2,lymphocyte"
    form.set.choose("Mine")
    assert copied(dock).classes is None, "the set knows them"


def test_the_command_names_boxes_and_the_dock_says_how_to_save_them(viewer, dock, annotated):
    from napari_utile.cli import make_parser

    viewer.add_shapes([np.array([[5, 5], [5, 50], [50, 50], [50, 5]]) * 0.5], shape_type="rectangle")
    dock.form.complete.setCurrentIndex(1)
    dock.copy_command()
    parsed = make_parser().parse_args(shlex.split(QGuiApplication.clipboard().text())[1:])
    assert parsed.boxes == "BOXES"
    assert "Shapes layer there as CSV" in dock.form.status.text()


def test_a_new_network_is_as_small_as_that_of_the_command_line(viewer, dock, annotated):
    dock.form.start.combo.setCurrentIndex(1)
    request = dock.request()
    assert request.params.recipe == "default"
    config = base_model(session_of(viewer), request).network.config
    assert (config.width, config.depth, config.batch_norm) == (24, 3, True)
    dock.form.start.combo.setCurrentIndex(4)
    assert base_model(session_of(viewer), dock.request()).card.family == "fcn8s"


def test_the_dock_is_narrow(dock):
    assert fits(dock)


def train(qtbot, dock):
    dock.run()
    finish(qtbot, dock)
    assert not dock.form.result.isHidden(), dock.form.status.text()
    assert dock.form.result.verdict.text().startswith(dock.form.status.text()), "the gist is in sight"


def keep(qtbot, dock, title):
    dock.form.result.name.setText(title)
    dock.form.result.keep.click()
    qtbot.waitUntil(lambda: "Kept as" in dock.form.status.text(), timeout=20_000)
    models = session_of(dock.viewer)
    qtbot.waitUntil(lambda: models.model in [each.name for each in models.models], timeout=20_000)


def test_painted_images_collect_in_a_set_and_training_starts_again_from_the_base(
    viewer, dock, qtbot, annotated, cells
):
    form = dock.form
    form.set.choose("Mine, 40×")
    dock.run()
    said = "cells is in the set “Mine, 40×” now. Trains on the 1 image"
    qtbot.waitUntil(lambda: said in form.status.text(), timeout=WAIT)
    finish(qtbot, dock)
    assert form.result.name.text() == "Mine, 40×", "what it learnt from"
    keep(qtbot, dock, "Die Müllers & Co")
    assert session_of(viewer).model == "Die-Mullers-Co"
    card = load_model("Die Müllers & Co").card
    assert (card.title, card.training["set"]) == ("Die Müllers & Co", "Mine, 40×")

    viewer.layers.clear()
    viewer.add_image(cells.image[::-1], name="another day")
    viewer.add_labels(cells.labels[::-1].copy(), name="painted")
    qtbot.waitUntil(lambda: form.start.combo.count() == 6, timeout=WAIT)
    assert "It starts again from nuclei, on the whole set." in form.start.about.text()
    train(qtbot, dock)
    assert "“Die Müllers & Co” is not compared" in form.result.verdict.text(), "it has learnt from them"
    assert form.result.discard.text() == "Stay with Die Müllers && Co", "as Qt writes an &"
    form.result.discard.click()
    session_of(viewer).model = "nuclei"  # as when napari is opened another day
    train(qtbot, dock)
    tuned = form.result.made.tuned
    assert tuned.base.card.name == "nuclei"
    assert [each["name"] for each in tuned.model.card.training["data"]] == ["cells", "another day"]
    assert form.result.name.text() == "Die Müllers & Co", "the next version of it"
    assert "as version 2" in form.result.keep.text()
    keep(qtbot, dock, "Die Müllers & Co")
    assert load_model("Die Müllers & Co").fingerprint == tuned.model.fingerprint

    form.result.take_back.click()
    qtbot.waitUntil(lambda: "Taken back" in form.status.text(), timeout=WAIT)
    assert len(load_model("Die Müllers & Co").card.training["data"]) == 1


def test_the_page_shows_what_is_in_the_set_and_takes_out_what_is_marked(viewer, dock, qtbot, annotated):
    panel = dock.form.set
    assert panel.contents.isHidden()
    panel.choose("Mine")
    qtbot.waitUntil(lambda: "Empty" in panel.list.item(0).text(), timeout=WAIT)
    panel.add.click()
    qtbot.waitUntil(lambda: panel.list.item(0).text().startswith("cells: 12 cells, 20"), timeout=WAIT)
    assert "cells is in the set" in dock.form.status.text()
    fewer = np.where(viewer.layers["painted"].data == 1, 1, 0)
    session_of(viewer).cells = viewer.add_labels(fewer, name="fewer")
    panel.add.click()
    qtbot.waitUntil(lambda: panel.list.item(0).text().startswith("cells: 1 cell,"), timeout=WAIT)
    assert "It replaces 12 cells painted before on cells" in dock.form.status.text()
    assert not panel.remove.isEnabled()
    panel.list.setCurrentRow(0)
    panel.remove.click()
    qtbot.waitUntil(lambda: "Empty" in panel.list.item(0).text(), timeout=WAIT)
    assert "1 image taken out of the set" in dock.form.status.text()
    viewer.layers.clear()
    dock.run()
    assert dock.form.status.text() == "Open an image first."


def test_the_set_alone_is_trained_on_where_nothing_is_painted(viewer, dock, qtbot, annotated):
    dock.form.set.choose("Mine")
    dock.form.set.add.click()
    qtbot.waitUntil(lambda: len(dock.form.set.images) == 1, timeout=WAIT)
    viewer.layers.clear()
    viewer.add_image(np.zeros((3, 64, 64), np.uint8), name="stack")
    session_of(viewer).cells = viewer.add_labels(np.zeros((3, 64, 64), int), name="empty")
    dock.run()
    assert "is learnt from" not in dock.form.status.text()
    finish(qtbot, dock)
    dock.form.copy_command.click()
    words = shlex.split(QGuiApplication.clipboard().text())
    assert words[words.index("--set") + 1] == "Mine"
    assert "--images" not in words


def test_of_an_image_that_nothing_is_painted_on_no_plane_is_said_to_be_learnt_from(
    viewer, dock, qtbot, annotated, cells
):
    dock.form.set.choose("Mine")
    dock.form.set.add.click()
    qtbot.waitUntil(lambda: len(dock.form.set.images) == 1, timeout=WAIT)
    viewer.layers.clear()
    stack = viewer.add_image(np.zeros((3, 64, 64), np.uint8), name="stack")
    empty = viewer.add_labels(np.zeros((3, 64, 64), int), name="empty")
    viewer.add_image(cells.image, name="plain")
    viewer.add_labels(cells.labels.copy(), name="plain painted")
    session_of(viewer).image, session_of(viewer).cells = ChosenImage(stack), empty
    dock.form.pairs.add.click()
    assert [image.plane.name for image in dock.request().images] == ["plain"]
    dock.run()
    assert dock.running
    assert "is learnt from" not in dock.form.status.text()
    finish(qtbot, dock)


def test_taking_back_leaves_a_model_that_was_chosen_since(viewer, dock, qtbot, annotated):
    train(qtbot, dock)
    keep(qtbot, dock, "mine")
    session_of(viewer).model = "cells"
    dock.form.result.take_back.click()
    qtbot.waitUntil(lambda: "Taken back" in dock.form.status.text(), timeout=WAIT)
    assert session_of(viewer).model == "cells"
    assert "is used as before" in dock.form.status.text()
    assert models() == ["nuclei"]


def test_taking_back_finds_a_model_that_was_renamed_and_spares_one_that_got_its_name(
    viewer, dock, qtbot, annotated
):
    train(qtbot, dock)
    keep(qtbot, dock, "mine")
    rename_model("mine", "renamed")
    duplicate_model("cells", "mine")
    session_of(viewer).model = "renamed"
    dock.form.result.take_back.click()
    qtbot.waitUntil(lambda: "Taken back" in dock.form.status.text(), timeout=WAIT)
    assert models() == ["mine", "nuclei"]
    assert session_of(viewer).model == "nuclei"


def test_taking_back_says_so_where_the_model_is_gone(viewer, dock, qtbot, annotated):
    train(qtbot, dock)
    keep(qtbot, dock, "mine")
    delete_model("mine")
    dock.form.result.take_back.click()
    said = "“mine” is no longer among your models: there is nothing to take back."
    qtbot.waitUntil(lambda: dock.form.status.text() == said, timeout=WAIT)


def test_a_model_that_was_trained_further_says_what_it_is(viewer, dock, qtbot, annotated):
    train(qtbot, dock)
    keep(qtbot, dock, "mine")
    about = dock.form.start.about
    qtbot.waitUntil(
        lambda: "the model was trained from nuclei on 1 image (cells) on 20" in about.text(), timeout=WAIT
    )
    dock.form.start.combo.setCurrentIndex(1)
    assert dock.request().base == "nuclei"
    dock.form.start.combo.setCurrentIndex(0)
    train(qtbot, dock)
    assert dock.form.result.name.text() == "mine", "its next version"
    assert "as version 2" in dock.form.result.keep.text()
    dock.form.result.discard.click()
    path = user_model_folder() / "mine.safetensors"
    away = path.rename(path.with_suffix(".away"))
    dock.form.result.take_back.click()
    qtbot.waitUntil(lambda: dock.form.status.kind == "problem", timeout=WAIT)
    away.rename(path)
    dock.form.result.take_back.click()
    qtbot.waitUntil(lambda: session_of(viewer).model == "nuclei", timeout=WAIT)
    qtbot.waitUntil(lambda: about.isHidden(), timeout=WAIT)


@pytest.fixture
def two_channels(viewer, dock, cells):
    """Cells in the second of two channels, which is chosen, and dark noise in the first."""
    return add_two_channels(viewer, cells)


def add_two_channels(viewer, cells, name="two"):
    noise = np.random.default_rng(0).integers(0, 50, cells.image.shape).astype(cells.image.dtype)
    image = viewer.add_image(np.stack([noise, cells.image]), name=name)
    session = session_of(viewer)
    if session.image.layer is image:
        session.image = ChosenImage(image, 0, (1,))
        session.cells = viewer.add_labels(cells.labels.copy(), name="painted")
    return image


def test_what_is_read_of_the_image_is_what_the_header_says(viewer, dock, two_channels, cells):
    plane = dock.request().images[0].plane
    assert plane.data.shape == (1, 128, 128)
    assert (plane.data[0] == cells.image).all()


def test_of_further_images_the_channel_in_the_header_is_read_and_their_cells_are_found(
    viewer, dock, two_channels, cells
):
    other = simulate("nuclei", height=96, width=140, cells=10, seed=5)
    second = add_two_channels(viewer, other, "second")
    labels = viewer.add_labels(other.labels.copy(), name="second painted")
    dock.form.pairs.add.click()
    (row,) = dock.form.pairs.rows
    assert (row.image.layer, row.labels.layer) == (second, labels)
    image = dock.request().images[1]
    assert image.plane.data.shape == (1, 96, 140)
    assert (image.plane.data[0] == other.image).all()
    assert "only" not in planes_left_out(capture(dock.form, viewer)[1]), "a channel is no plane of a stack"
    viewer.layers.remove(labels)
    dock.new_labels()
    assert row.labels.layer.data.shape == (96, 140)


def test_what_is_looked_at_while_and_before_it_learns_is_the_channel_that_it_reads(
    viewer, dock, qtbot, two_channels, cells, monkeypatch
):
    looked_at = []

    def unsure(_, plane, *more):
        looked_at.append(plane)
        yield
        return ()

    monkeypatch.setattr("napari_utile.widgets.pages.train.annotation_advisor.unsure_places_job", unsure)
    dock.form.next_place.click()
    qtbot.waitUntil(lambda: "holds painted cells already" in dock.form.status.text(), timeout=WAIT)
    assert (np.asarray(looked_at[0].data) == cells.image[np.newaxis]).all()

    dock.form.params["minutes"].value = 60
    dock.learning.timer.setInterval(50)
    dock.run()
    qtbot.waitUntil(lambda: "learning" in [layer.name for layer in viewer.layers], timeout=WAIT)
    shown = viewer.layers["learning"].data
    assert shown.shape == (128, 128), "the noise, a plane of a stack, would give (1, 128, 128)"
    assert shown[cells.labels > 0].mean() > 2 * shown[cells.labels == 0].mean()
    dock.cancel()
    finish(qtbot, dock)


def test_cells_that_look_unpainted_are_counted_where_all_are_said_to_be_painted(dock, qtbot, annotated):
    labels = annotated[1]
    labels.data = np.where(labels.data > 6, labels.data, 0)
    dock.form.complete.setCurrentIndex(dock.form.complete.findData("dense"))
    dock.run()
    qtbot.waitUntil(
        lambda: "unpainted and will be learnt as background" in dock.form.status.text(), timeout=WAIT
    )
    dock.cancel()


def test_named_classes_are_learnt_and_come_out_as_a_layer_and_in_the_table(
    viewer, dock, qtbot, annotated, cells
):
    labels, form = annotated[1], dock.form
    form.classes.combo.setCurrentIndex(1)
    dock.run()
    assert "The cells have no classes yet" in form.status.text()
    ids = np.unique(labels.data)[1:]
    words = np.array([("big", "small", "")[number % 3] for number in range(ids.size)], object)
    labels.features = {"index": ids, "class": words}
    classes = dock.request().images[0].classes
    assert classes == {int(label): word for label, word in zip(ids, words, strict=True) if word}
    train(qtbot, dock)
    assert "of them get the right class" in form.result.verdict.text()
    keep(qtbot, dock, "two kinds")
    segment = dock.dock.open_page("segment")
    segment.run()
    qtbot.waitUntil(lambda: not segment.running, timeout=WAIT)
    assert "% of the area: big" in segment.form.summary.text()
    layer = viewer.layers["cells classes (1 big, 2 small)"]
    found = next(each for each in viewer.layers if each.name == "cells instances")
    assert ((layer.data > 0) == (found.data > 0)).all()
    assert set(found.features["class"]) <= {"big", "small"}


def test_each_painted_number_may_be_a_class(dock, annotated):
    labels, form = annotated[1], dock.form
    labels.data = np.where(labels.data > 6, 2, (labels.data > 0).astype(int))
    form.classes.combo.setCurrentIndex(2)
    assert not form.classes.names.isHidden()
    form.classes.names.setText("left, right")
    (image,) = dock.request().images
    assert set(image.classes.values()) == {"left", "right"}
    assert ((image.labels > 0) == (labels.data > 0)).all()
    form.background.setValue(2)
    (image,) = dock.request().images
    objects, _ = image.annotation.split(image.labels)
    assert set(image.classes.values()) == {"left"}
    assert ((objects > 0) == (labels.data == 1)).all()
    assert 2 not in image.classes
