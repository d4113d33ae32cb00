"""Segment on an image that memory does not hold: into a store on disk that grows, is kept and is resumed."""

from dataclasses import replace

import numpy as np
import pytest
import zarr
from napari.components import ViewerModel
from npe2 import PluginManager
from qtpy.QtWidgets import QFileDialog, QMessageBox

import napari_utile.session.run_on as run_on
import napari_utile.session.store_jobs as store_jobs
from napari_utile.engine.files.unfinished import is_complete
from napari_utile.engine.jobs.cluster import cluster_jobs
from napari_utile.engine.models.catalogue import user_model_folder
from napari_utile.engine.models.library import load_model, save_model
from napari_utile.engine.store.journal import only_run
from napari_utile.engine.store.plan import load_plan, save_plan
from napari_utile.engine.store.seed_plan import SeedPlan
from napari_utile.engine.training.classes import with_classes
from napari_utile.session.state import ChosenImage
from napari_utile.session.store_jobs import said_of
from napari_utile.widgets.viewer.layers import session_of
from pages import page_of, slide

pytestmark = pytest.mark.usefixtures("bright_nuclei")


@pytest.fixture
def page(qtbot, tmp_path, monkeypatch):
    PluginManager.instance().discover()  # with a window, napari does it
    monkeypatch.setattr(store_jobs, "MOST_IN_MEMORY", 1000)
    monkeypatch.setattr(store_jobs.Path, "home", lambda: tmp_path)
    data = slide()
    viewer = ViewerModel()
    viewer.add_image(data, name="slide", scale=(0.5, 0.5))
    page = page_of(viewer, "segment")
    qtbot.addWidget(page.dock)
    page.dock.show()
    page.form.diameter.value = None
    return page, viewer, tmp_path / "U-Tile" / "slide.cells.ome.zarr"


def test_a_large_image_goes_into_a_store_and_its_cells_on_screen(page, qtbot) -> None:
    page, viewer, place = page
    page.run()
    qtbot.waitUntil(lambda: not page.running, timeout=120_000)
    assert is_complete(place), page.form.status.text()
    [cells] = [layer for layer in viewer.layers if layer.name == "slide instances"]
    stored = zarr.open_array(place / "labels/cells/0", mode="r")[...]
    np.testing.assert_array_equal(np.asarray(cells.data), stored)
    assert stored.max() > 0
    assert tuple(cells.scale) == (0.5, 0.5)
    assert str(place) in page.form.status.text()
    assert not [layer for layer in viewer.layers if "running" in layer.name or "look" in layer.name]
    assert cells.features["index"].tolist() == list(range(1, stored.max() + 1))
    assert cells.features["area_px"].sum() == (stored > 0).sum()
    assert not page.form.store.delete_button.isVisible(), "what is finished is deleted by nobody here"


def test_classes_that_were_edited_stay_and_those_of_a_store_are_shown_once(page, qtbot, monkeypatch) -> None:
    page, viewer, place = page
    model = with_classes(load_model("nuclei"), ["tumour", "lymphocyte"])
    save_model(model.card, model.network, user_model_folder() / "nuclei.safetensors")

    def classes():
        return [layer for layer in viewer.layers if "tumour" in layer.name]

    def paint_on(layer):
        layer.visible = True
        layer.data_setitem((np.arange(9), np.arange(9)), 2)

    def run():
        page.run()
        qtbot.waitUntil(lambda: not page.running, timeout=120_000)

    with monkeypatch.context() as patch:
        patch.setattr(store_jobs, "MOST_IN_MEMORY", 10**9)
        run()
    [mine] = classes()
    paint_on(mine)
    run()
    assert is_complete(place), page.form.status.text()
    of_store = classes()
    assert len(of_store) == 2
    assert mine in of_store
    run()
    assert classes() == of_store, "the same result again"
    paint_on(of_store[1])
    run()
    assert classes()[:2] == of_store
    assert len(classes()) == 3, "a small one can be painted on"


def test_the_cells_of_a_store_leave_those_that_are_clicked_alone(page, qtbot) -> None:
    page, viewer, place = page
    other = viewer.add_image(slide(60), name="other")
    mine = viewer.add_labels(np.zeros((90, 60), int), name="mine")
    session = session_of(viewer)
    page.run()
    session.image, session.cells, session.clicking = ChosenImage(other), mine, True
    qtbot.waitUntil(lambda: not page.running, timeout=120_000)
    assert is_complete(place), page.form.status.text()
    assert "slide instances" in viewer.layers
    assert session.cells is mine


def test_the_cells_of_a_store_do_not_stay_chosen_with_another_image_of_its_size(page, qtbot) -> None:
    page, viewer, _ = page
    page.run()
    qtbot.waitUntil(lambda: not page.running, timeout=120_000)
    session = session_of(viewer)
    image, cells = session.image, session.cells
    assert cells.name == "slide instances"
    session.image = ChosenImage(viewer.add_image(slide(), name="other", scale=(0.5, 0.5)))
    assert session.cells is None
    session.image = image
    assert session.cells is cells


def test_the_estimate_is_that_of_the_store(page, qtbot) -> None:
    page, _, _ = page
    qtbot.waitUntil(lambda: "1 block, " in page.form.estimate.text(), timeout=120_000)
    assert "on the disk" in page.form.estimate.text()


def test_what_is_said_of_the_sliders_is_true_of_large_results(page, qtbot) -> None:
    page, viewer, _ = page
    qtbot.waitUntil(lambda: "segment again into another place" in page.form.summary.text(), timeout=120_000)
    viewer.add_image(np.zeros((20, 20), np.uint8), name="small")
    page.dock.header.source.image.set_layer(viewer.layers["small"])
    qtbot.waitUntil(lambda: "show at once" in page.form.summary.text(), timeout=120_000)


def test_other_settings_do_not_resume_what_was_begun(page, qtbot) -> None:
    page, _, place = page
    cancel_after_a_block(page, qtbot)
    page.form.instances["threshold"].value = 0.8
    page.run()
    qtbot.waitUntil(lambda: not page.running, timeout=120_000)
    text = page.form.status.text()
    assert "slide.cells.ome.zarr was made with Threshold 0.5 where it is 0.8 now" in text
    assert page.form.status.kind == "problem"
    assert place.exists()


def test_a_store_of_cells_that_grow_from_seeds_is_not_finished_by_segmenting(page, qtbot) -> None:
    page, _, place = page
    cancel_after_a_block(page, qtbot)
    seeds = SeedPlan("nuclei.tif", "", None, (3,))
    save_plan(replace(load_plan(place), seeds=seeds), place)
    page.run()
    qtbot.waitUntil(lambda: not page.running, timeout=120_000)
    assert "was made with cells that grow from seeds" in page.form.status.text()
    assert load_plan(place).seeds == seeds


def test_a_scheduler_that_does_not_answer_is_said_before_anything_is_begun(page, qtbot, monkeypatch) -> None:
    monkeypatch.setattr(run_on, "cluster_jobs", lambda address, timeout: cluster_jobs(address, timeout=1))
    page, viewer, place = page
    page.form.store.run_on.setText("tcp://127.0.0.1:9")
    page.run()
    qtbot.waitUntil(lambda: not page.running, timeout=120_000)
    assert page.form.status.text() == "No Dask scheduler answers at tcp://127.0.0.1:9."
    assert not place.exists()
    again = page_of(viewer, "segment", qtbot)
    assert again.form.store.run_on.text() == "tcp://127.0.0.1:9", "it is remembered"


def test_run_on_a_scheduler_gives_the_same_cells(page, qtbot) -> None:
    page, _, place = page
    with cluster_jobs(workers=1) as jobs:
        page.form.store.run_on.setText(jobs.client.scheduler.address)
        page.run()
        qtbot.waitUntil(lambda: not page.running, timeout=240_000)
    assert is_complete(place), page.form.status.text()
    assert zarr.open_array(place / "labels/cells/0", mode="r")[...].max() == 24


def test_blocks_near_the_point_of_view_come_first_wherever_it_moves(tmp_path) -> None:
    from napari_utile.engine.jobs.here import Here

    eye, began = [0.0], []

    def jobs():
        left = list(range(10))
        while left:
            left.remove(nearest := min(left, key=lambda each: abs(each - eye[0])))
            yield nearest

    def work(job, stopped):
        began.append(job)
        return job

    for job, _ in Here(1).run(work, jobs()):
        if job == 1:
            eye[0] = 9.0
    assert began == [0, 1, 9, 8, 7, 6, 5, 4, 3, 2]


def cancel_after_a_block(page, qtbot):
    def cancel(done, *_):
        if done:
            page.cancel()

    page.form.store.progress.connect(cancel)
    page.run()
    qtbot.waitUntil(lambda: not page.running, timeout=120_000)
    page.form.store.progress.disconnect(cancel)


def test_cancel_keeps_what_is_done_and_delete_removes_it_after_asking(page, qtbot, monkeypatch) -> None:
    page, viewer, place = page
    cancel_after_a_block(page, qtbot)
    assert [layer.name for layer in viewer.layers] == ["slide", "slide probability (unfinished)"]
    assert page.form.store.delete_button.isVisible()
    assert "Cancelled" in page.form.status.text()
    assert "MB" in page.form.status.text()
    assert place.exists()
    assert not is_complete(place)
    asked = []

    def answer(_parent, _title, text, _buttons, usual):
        asked.append(text)
        return usual

    monkeypatch.setattr(QMessageBox, "question", answer)
    page.form.store.delete_button.click()
    assert asked[0].startswith("Delete slide.cells.ome.zarr (")
    assert place.exists(), "Enter deletes nothing"
    assert [layer.name for layer in viewer.layers] == ["slide", "slide probability (unfinished)"]
    monkeypatch.setattr(QMessageBox, "question", lambda *_: QMessageBox.StandardButton.Yes)
    page.form.store.delete_button.click()
    assert not place.exists()
    assert [layer.name for layer in viewer.layers] == ["slide"]
    assert page.form.status.text() == "Deleted."


def test_a_cancel_that_comes_too_late_says_so(page, qtbot) -> None:
    page, _, place = page
    cancel_after_a_block(page, qtbot)
    assert said_of(place).startswith("Cancelled.")
    page.run()
    qtbot.waitUntil(lambda: not page.running, timeout=120_000)
    assert said_of(place).startswith("The result was finished before it was cancelled")


def test_what_is_chosen_inside_a_store_is_the_store(page, qtbot, monkeypatch) -> None:
    """A file dialog walks into it, as it is a folder."""
    page, _, place = page
    page.run()
    qtbot.waitUntil(lambda: not page.running, timeout=120_000)
    store = page.form.store
    for chosen, then in (
        (place.parent / "other", place.parent / "other.cells.ome.zarr"),
        (place / "labels" / "x", place),
        (place, place),
    ):
        monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, chosen=chosen: (str(chosen), ""))
        store.choose_button.click()
        assert store.place == then


def test_a_dock_that_is_opened_again_finds_what_was_started_in_another_place(
    page, qtbot, monkeypatch
) -> None:
    page, viewer, place = page
    other = place.parent / "other.cells.ome.zarr"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(other), ""))
    qtbot.waitUntil(page.form.store.isVisible)
    page.form.store.choose_button.click()
    cancel_after_a_block(page, qtbot)
    page.dock.close()
    again = page_of(viewer, "segment", qtbot)
    again.dock.show()
    again.form.diameter.value = None
    qtbot.waitUntil(again.form.store.isVisible)
    assert again.form.store.place == other
    assert again.form.store.delete_button.isVisible()


def test_an_image_that_is_removed_stops_its_run_and_what_is_done_is_kept(page, qtbot) -> None:
    page, viewer, place = page

    def remove(done, *_):
        if done and "slide" in viewer.layers:
            viewer.layers.remove("slide")

    page.form.store.progress.connect(remove)
    page.run()
    qtbot.waitUntil(lambda: not page.running, timeout=120_000)
    assert "Cancelled. Finished blocks are kept" in page.form.status.text()
    assert place.exists()
    assert not is_complete(place)
    assert not [layer for layer in viewer.layers if "running" in layer.name]


def test_two_viewers_do_not_write_one_store(page, qtbot) -> None:
    page, _, place = page
    cancel_after_a_block(page, qtbot)
    with only_run(place / ".utile", place.name):  # as another napari has it
        page.run()
        qtbot.waitUntil(lambda: not page.running, timeout=120_000)
    assert page.form.status.text() == (
        "Another run is writing slide.cells.ome.zarr: wait for it, or stop it first."
    )
    page.run()
    qtbot.waitUntil(lambda: not page.running, timeout=120_000)
    assert is_complete(place), page.form.status.text()
