import shutil

import pytest
from qtpy.QtWidgets import QFileDialog, QMessageBox

from napari_utile.engine.models.catalogue import card_of, user_model_folder
from napari_utile.widgets.viewer.layers import session_of
from pages import page_of

WAIT = 30_000


@pytest.fixture
def page(viewer, qtbot, make_bright_model):
    make_bright_model(user_model_folder() / "mine.safetensors", title="My cells", description="For discs.")
    page = page_of(viewer, "models", qtbot)
    qtbot.waitUntil(lambda: len(titles(page)) > 1, timeout=WAIT)
    return page


def titles(page):
    return [page.form.list.item(row).text() for row in range(page.form.list.count())]


def mark(page, title):
    row = next(row for row, each in enumerate(titles(page)) if each.startswith(title))
    page.form.list.setCurrentRow(row)


def said(qtbot, page, text):
    qtbot.waitUntil(lambda: text in page.form.status.text(), timeout=WAIT)


def test_every_model_says_what_it_is_for_and_how_large(page):
    mark(page, "My cells (yours)")
    assert page.form.about.text().startswith("For discs.")
    assert " MB" in page.form.about.text()
    mark(page, "Nuclei")
    assert "Trained on" in page.form.about.text()
    assert not page.form.rename.isEnabled(), "a bundled model stays as it is"
    assert page.form.duplicate.isEnabled()


def test_scores_of_a_training_are_said_in_one_form_before_first(viewer, qtbot, make_bright_model):
    held_out = {
        "after": {"ap50": 0.91, "objects": 20, "overlap": 0.94, "classes": None},
        "before": {"ap50": 0.86, "objects": 20, "overlap": 0.93, "classes": None},
    }
    metrics = {"held-out tiles": held_out, "reference images": {"nuclei": {"after": 0.98, "before": 0.99}}}
    make_bright_model(user_model_folder() / "mine.safetensors", title="My cells", metrics=metrics)
    page = page_of(viewer, "models", qtbot)
    qtbot.waitUntil(lambda: len(titles(page)) > 1, timeout=WAIT)
    mark(page, "My cells")
    scores = "Scores: held-out tiles: AP 0.86 → 0.91; reference images: nuclei AP 0.99 → 0.98."
    assert scores in page.form.about.text()


def test_a_model_is_copied_renamed_deleted_and_the_trash_emptied(page, viewer, qtbot, monkeypatch):
    mark(page, "My cells")
    page.duplicate("Dr. Müller's cells")
    said(qtbot, page, "Copied to Dr. Müller's cells")
    qtbot.waitUntil(lambda: "Müller" in page.form.list.currentItem().text(), timeout=WAIT)
    assert "on the command line is Dr.-Mullers-cells." in page.form.about.text()
    page.rename("Ours")
    said(qtbot, page, "Renamed to Ours")
    assert session_of(viewer).model == "nuclei", "what is used is chosen by Use alone"
    qtbot.waitUntil(lambda: page.form.list.currentItem().text() == "Ours (yours)", timeout=WAIT)
    page.form.use.click()
    page.rename("Those, été")
    said(qtbot, page, "Renamed to Those, été")
    assert session_of(viewer).model == "Those-ete", "a model in use stays so"
    qtbot.waitUntil(
        lambda: page.form.list.currentItem().text() == "Those, été (yours) (in use)", timeout=WAIT
    )
    page.delete()
    said(qtbot, page, "Moved to the trash; Restore takes it back. Nuclei in fluorescence is used again.")
    assert session_of(viewer).model == "nuclei"
    qtbot.waitUntil(lambda: "in the trash" in page.form.disk.text(), timeout=WAIT)
    monkeypatch.setattr(QMessageBox, "question", lambda *_: QMessageBox.StandardButton.Yes)
    page.empty_trash()
    said(qtbot, page, "The trash is empty")
    qtbot.waitUntil(lambda: "in the trash" not in page.form.disk.text(), timeout=WAIT)


def test_of_two_models_of_one_name_one_is_in_use(page, viewer, qtbot, make_bright_model):
    bundled = card_of("nuclei").title
    make_bright_model(user_model_folder() / "nuclei.safetensors", title="My nuclei")
    session_of(viewer).events.models_changed.emit()
    qtbot.waitUntil(lambda: "My nuclei (yours) (in use)" in titles(page), timeout=WAIT)
    assert bundled in titles(page)
    mark(page, bundled)
    page.form.use.click()
    assert f"{bundled} (in use)" in titles(page)
    assert "My nuclei (yours)" in titles(page)
    assert card_of(session_of(viewer).model).title == bundled
    assert page.chosen.bundled


def test_what_was_deleted_is_restored_by_a_button(page, viewer, qtbot):
    assert not page.form.restore.isVisibleTo(page)
    mark(page, "My cells")
    page.form.delete.click()
    said(qtbot, page, "Restore takes it back")
    qtbot.waitUntil(lambda: not any("My cells" in each for each in titles(page)), timeout=WAIT)
    assert page.form.trash.currentText().startswith("My cells, ")
    page.form.restore.click()
    said(qtbot, page, "My cells is back among your models.")
    qtbot.waitUntil(lambda: "My cells (yours)" in titles(page), timeout=WAIT)
    assert page.form.trash.count() == 0


def test_any_earlier_version_is_taken_back(page, viewer, qtbot, make_bright_model):
    path = user_model_folder() / "mine.safetensors"
    for diameter in (30.0, 40.0):
        make_bright_model(path, title="My cells", object_diameter=diameter)
    session_of(viewer).events.models_changed.emit()
    mark(page, "Nuclei")
    assert not page.form.versions.isVisibleTo(page)
    qtbot.waitUntil(lambda: "My cells (yours)" in titles(page), timeout=WAIT)
    mark(page, "My cells")
    assert [page.form.versions.itemText(row)[:17] for row in range(2)] == [
        "Version 2, until ",
        "Version 1, until ",
    ]
    page.form.versions.setCurrentIndex(0)
    page.form.revert.click()
    said(qtbot, page, "My cells is version 2 again")
    assert card_of("mine").object_diameter == 30
    qtbot.waitUntil(lambda: page.form.versions.count() == 1, timeout=WAIT)


def test_files_that_were_put_into_the_library_by_hand_are_seen_when_the_page_comes_back(
    page, viewer, qtbot, make_bright_model
):
    path = user_model_folder() / "by-hand.safetensors"
    make_bright_model(path, title="By hand", object_diameter=30.0)
    page.cover(True)
    page.cover(False)
    qtbot.waitUntil(lambda: "By hand (yours)" in titles(page), timeout=WAIT)
    mark(page, "By hand")
    assert not page.form.versions.isVisibleTo(page)
    by_hand = path.parent / "versions" / "by-hand"
    by_hand.mkdir(parents=True)
    for name in ("1", "12", "before the weekend"):
        shutil.copyfile(path, by_hand / f"{name}.safetensors")
    page.cover(True)
    page.cover(False)
    qtbot.waitUntil(lambda: page.form.versions.count() == 2, timeout=WAIT)
    assert [page.form.versions.itemData(row) for row in range(2)] == [12, 1]


def test_a_model_goes_to_a_file_and_comes_from_one(page, viewer, qtbot, tmp_path, monkeypatch):
    mark(page, "My cells")
    page.export(str(tmp_path / "for you.safetensors"))
    said(qtbot, page, "Saved for you.safetensors")
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "no ending"), ""))
    page.form.export.click()
    said(qtbot, page, "Saved no ending.safetensors")
    page.form.export.click()
    said(qtbot, page, "no ending.safetensors is there already")
    page.import_file(str(tmp_path / "for you.safetensors"))
    said(qtbot, page, "There is a model named mine already")
    page.delete()
    said(qtbot, page, "Moved to the trash")
    page.import_file(str(tmp_path / "for you.safetensors"))
    said(qtbot, page, "Imported as My cells; every page uses it now.")
    assert session_of(viewer).model == "mine"
