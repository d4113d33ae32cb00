"""Settings from a few given cells, from a file, and back."""

import json
from dataclasses import replace

import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtCore import Qt

from napari_utile.engine.fitting.cells import CellFit
from napari_utile.engine.linking.params import LinkParams
from napari_utile.engine.models.catalogue import card_of
from napari_utile.engine.provenance.settings import load_settings, save_settings, settings_of
from napari_utile.engine.segment_params import SegmentParams, suggested_instances
from napari_utile.engine.volumes.params import VolumeParams
from napari_utile.widgets.viewer.layers import session_of
from pages import page_of, result_on_screen
from pictures import bright_discs

WAIT = 60_000


@pytest.fixture
def viewer(bright_nuclei):
    viewer = ViewerModel()
    viewer.add_image(bright_discs(), name="discs")
    return viewer


@pytest.fixture
def page(viewer, qtbot):
    return page_of(viewer, "segment", qtbot)


def press(qtbot, button):
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def test_a_fit_asks_for_cells_that_somebody_painted(page, qtbot):
    press(qtbot, page.form.fit)
    assert "Paint or click three or more cells first" in page.form.status.text()
    page.run()
    qtbot.waitUntil(lambda: not page.running, timeout=WAIT)
    press(qtbot, page.form.fit)
    assert "is what the model found" in page.form.status.text()


def fit_gives(monkeypatch, found):
    """Let a fit find these settings at once."""

    def fit(session, plane, cells, params):
        assert cells.any()
        yield "something"
        return found

    monkeypatch.setattr("napari_utile.widgets.pages.segment.settings.fit_job", fit)


def found_cells(diameter, measured, **values):
    """What a fit found."""
    instances = suggested_instances(card_of("nuclei"), diameter, **values)
    params = SegmentParams(diameter=diameter, preprocess="invert", instances=instances)
    return CellFit(params, 0.9, 0.5, "nuclei", 3, ("split 0.8",), measured, values)


def test_a_fit_to_painted_cells_sets_model_size_and_sliders(viewer, page, qtbot, monkeypatch):
    viewer.add_labels((viewer.layers["discs"].data > 100).astype(int), name="painted")
    fit_gives(monkeypatch, found_cells(21.0, False, threshold=0.3))
    press(qtbot, page.form.fit)
    qtbot.waitUntil(lambda: page.form.status.kind == "good", timeout=WAIT)
    request = page.request()[1]
    assert (request.params.diameter, request.params.preprocess) == (21.0, "invert")
    assert request.values == {"threshold": 0.3}
    page.run()
    qtbot.waitUntil(lambda: not page.running, timeout=WAIT)
    (recipe,) = viewer.layers["discs instances"].metadata["napari-utile"]["recipes"]
    assert recipe["fitted"] == "3 cells (mean IoU 0.90)"
    page.form.diameter.value = 30.0
    assert page.request()[1].fitted == "", "one was changed since"


@pytest.mark.parametrize(
    ("chosen", "first"), [("cells", ""), ("nuclei", "The model Whole cells is used now. ")]
)
def test_a_fit_says_which_model_is_used_and_first_where_another_one_was_chosen(
    viewer, page, qtbot, monkeypatch, chosen, first
):
    viewer.add_labels((viewer.layers["discs"].data > 100).astype(int), name="painted")
    session_of(viewer).model = chosen
    found = found_cells(21.0, False)
    fit_gives(monkeypatch, replace(found, params=replace(found.params, model="cells")))
    press(qtbot, page.form.fit)
    qtbot.waitUntil(lambda: page.form.status.kind == "good", timeout=WAIT)
    assert session_of(viewer).model == "cells"
    assert page.form.status.text() == (
        f"{first}Cells, split 0.8: mean IoU of the 3 cells 0.90; what nuclei suggests: 0.50."
    )


def test_where_the_measured_size_fits_the_next_images_are_measured_too(
    viewer, page, qtbot, monkeypatch, tmp_path
):
    viewer.add_labels((viewer.layers["discs"].data > 100).astype(int), name="painted")
    found = found_cells(21.0, True, threshold=0.3)
    fit_gives(monkeypatch, found)
    press(qtbot, page.form.fit)
    qtbot.waitUntil(lambda: page.form.status.kind == "good", timeout=WAIT)
    request = page.request()[1]
    assert (request.params.diameter, request.values) == ("auto", {"threshold": 0.3})
    assert request.fitted == found.fitted
    page.settings.save(request.params, str(tmp_path / "mine.json"))
    assert load_settings(tmp_path / "mine.json") == replace(found.settings, linking={"link": "none"})
    page.form.instances["split"].value = 0.33
    assert page.request()[1].fitted == "", "one was changed since"


def test_a_fit_that_changes_no_value_leaves_them_to_the_model(viewer, page, qtbot, monkeypatch):
    viewer.add_labels((viewer.layers["discs"].data > 100).astype(int), name="painted")
    found = found_cells(21.0, True)
    fit_gives(monkeypatch, found)
    page.form.instances["threshold"].value = 0.42
    press(qtbot, page.form.fit)
    qtbot.waitUntil(lambda: page.form.status.kind == "good", timeout=WAIT)
    request = page.request()[1]
    assert (request.params.diameter, request.params.instances, request.values) == ("auto", None, {})
    assert request.fitted == found.fitted


def test_on_the_next_image_what_was_not_chosen_follows_its_cells(viewer, page, qtbot):
    large = bright_discs((400, 500), [(90, 90), (90, 300), (280, 120), (280, 360)], radius=60)
    viewer.add_image(large, name="large")
    session_of(viewer).image = replace(session_of(viewer).image, layer=viewer.layers["large"])
    page.run()
    qtbot.waitUntil(lambda: not page.running, timeout=WAIT)
    page.form.instances["threshold"].value = 0.31
    session_of(viewer).image = replace(session_of(viewer).image, layer=viewer.layers["discs"])
    page.run()  # before anybody knows how large its cells are
    qtbot.waitUntil(lambda: not page.running, timeout=WAIT)
    params = result_on_screen(page).segmentation.params
    assert params.diameter < 40
    assert params.instances == suggested_instances(card_of("nuclei"), params.diameter, threshold=0.31)
    assert np.unique(viewer.layers["discs instances"].data).size == 6, "background and five"


def test_settings_go_to_a_file_and_come_back(viewer, page, qtbot, tmp_path):
    page.form.diameter.value = 33.0
    page.form.instances["threshold"].value = 0.42
    path = tmp_path / "mine.json"
    page.settings.save(page.request()[1].params, str(path))
    assert json.loads(path.read_text())["segment"]["diameter"] == 33.0
    page.form.diameter.value = 12.0
    page.form.instances["threshold"].value = 0.7
    page.settings.load(str(path))
    request = page.request()[1]
    assert (request.params.diameter, request.values) == (33.0, {"threshold": 0.42})
    path.write_text("nonsense")
    page.settings.load(str(path))
    assert "holds no settings" in page.form.status.text()


def test_an_opened_dock_shows_what_was_asked_for_before(viewer, page, qtbot):
    page.form.diameter.value = 19.0
    page.form.instances["threshold"].value = 0.35
    page.run()
    qtbot.waitUntil(lambda: not page.running, timeout=WAIT)
    before = page.request()[1].params
    again = page_of(viewer, "segment", qtbot)
    assert again.request()[1].params == before
    assert session_of(viewer).cells is viewer.layers["discs instances"]
    assert np.unique(session_of(viewer).cells.data).size > 1


def test_train_leads_to_the_page_that_trains(page, qtbot):
    press(qtbot, page.form.train)
    assert page.dock.bar.tabText(page.dock.bar.currentIndex()) == "Train"


def test_the_settings_of_an_open_result_are_used_again(viewer, page, qtbot, tmp_path):
    page.form.diameter.value = 22.0
    page.form.instances["threshold"].value = 0.42
    page.run()
    qtbot.waitUntil(lambda: not page.running, timeout=WAIT)
    page.form.diameter.value = 40.0
    page.form.instances["threshold"].value = 0.7
    viewer.add_labels(np.ones((9, 9), int), name="without a recipe")
    page.form.load_menu.aboutToShow.emit()
    actions = page.form.load_menu.actions()
    assert [each.text() for each in actions] == ["From a file…", "From “discs instances”"]
    actions[1].trigger()
    assert page.form.status.text() == "The settings of discs instances are used."
    request = page.request()[1]
    assert (request.params.diameter, request.values) == (22.0, {"threshold": 0.42})
    page.form.diameter.value = 40.0
    page.form.instances["threshold"].value = 0.7
    (recipe,) = viewer.layers["discs instances"].metadata["napari-utile"]["recipes"]
    (tmp_path / "discs_recipe.json").write_text(json.dumps(recipe))
    page.settings.load(str(tmp_path / "discs_recipe.json"))
    request = page.request()[1]
    assert (request.params.diameter, request.values) == (22.0, {"threshold": 0.42}), (
        "what nobody chose follows"
    )


def choose(viewer, layer):
    session_of(viewer).image = replace(session_of(viewer).image, layer=layer)


@pytest.mark.parametrize(
    ("axis", "linking", "views"),
    [
        ("t", LinkParams("t", link_overlap=0.3, link_distance=9.0, link_gap=2), None),
        ("z", LinkParams("none"), VolumeParams(True, 2.5)),
    ],
)
def test_settings_say_how_planes_are_linked(viewer, page, tmp_path, axis, linking, views):
    path, again = tmp_path / "mine.json", tmp_path / "again.json"
    save_settings(settings_of(SegmentParams(), linking=linking, views=views), path)
    page.settings.load(str(path))
    said = f"they link planes along {axis.upper()}, and this image has none there."
    assert page.form.status.text() == f"The settings of mine.json are used; {said}"
    choose(viewer, viewer.add_image(np.stack([bright_discs()] * 3), name="stack", axis_labels=f"{axis}yx"))
    assert (page.form.linking.chosen, page.form.linking.views) == (linking, views)
    page.settings.load(str(path))
    assert page.form.status.text() == "The settings of mine.json are used."
    page.settings.save(page.request()[1].params, str(again))
    before, after = load_settings(path), load_settings(again)
    assert (after.linking, after.views) == (before.linking, before.views)


def recipe(**values):
    return {
        "format": "napari-utile recipe 1",
        "model": {"name": "nuclei"},
        "parameters": {"diameter": 20.0},
        **values,
    }


@pytest.mark.parametrize("source", ["recipe", "layer", "saved"])
def test_settings_that_link_nothing_leave_each_plane_by_itself(viewer, page, tmp_path, source):
    stack = np.stack([bright_discs()] * 3)
    choose(viewer, viewer.add_image(stack, name="stack", axis_labels="zyx"))
    path, kind = tmp_path / "mine.json", page.form.linking.kind
    path.write_text(json.dumps(recipe()))
    if source == "saved":
        page.settings.save(page.request()[1].params, str(path))
    made = {"role": "instances", "recipe": recipe(planes=[])}
    layer = viewer.add_labels(stack.astype(int), name="made", metadata={"napari-utile": made})
    for chosen in ("z", "views"):
        kind.setCurrentIndex(kind.findData(chosen))
        if source == "layer":
            page.settings.load_of(layer)
        else:
            page.settings.load(str(path))
        assert kind.currentText() == "Each plane by itself"
        name = "made" if source == "layer" else "mine.json"
        assert page.form.status.text() == f"The settings of {name} are used."
        assert session_of(viewer).linking.kind == "none", "also for the next image"


def test_settings_that_say_nothing_of_linking_leave_it_as_it_is(viewer, page, tmp_path):
    choose(viewer, viewer.add_image(np.stack([bright_discs()] * 3), name="stack", axis_labels="zyx"))
    kind = page.form.linking.kind
    kind.setCurrentIndex(kind.findData("views"))
    save_settings(found_cells(21.0, False).settings, tmp_path / "fitted.json")
    page.settings.load(str(tmp_path / "fitted.json"))
    assert (kind.currentData(), page.request()[1].params.diameter) == ("views", 21.0)


def test_a_result_that_was_linked_since_gives_its_linking_as_well(viewer, page):
    choose(viewer, viewer.add_image(np.stack([bright_discs()] * 3), name="film", axis_labels="tyx"))
    linking = {"parameters": {"link": "t", "link_gap": 3}, "total": 1, "parents": {}}
    kept = {"role": "instances", "recipe": recipe(planes=[]), "linking": linking}
    layer = viewer.add_labels(np.ones((3, 9, 9), int), name="tracks", metadata={"napari-utile": kept})
    page.settings.load_of(layer)
    assert page.form.linking.chosen == LinkParams("t", link_gap=3)


def test_which_pixels_a_recipe_is_of_is_said_where_they_are_others(page, tmp_path):
    path, selection = tmp_path / "one_recipe.json", {"project": "z:focus"}
    path.write_text(json.dumps(recipe(selection=selection, parameters={"channels": [1]})))
    page.settings.load(str(path))
    said = page.form.status.text()
    assert "the result projects Z by focus: “Make one plane: the sharpest along Z” at ⋯ beside Image" in said
    assert "the result is of channel 1: choose the same beside Image." in said
