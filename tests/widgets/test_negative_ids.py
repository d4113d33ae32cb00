"""Labels with -1 for the background, as some programs write them, are named wherever ids count."""

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_utile.widgets.viewer.layers import session_of
from pages import page_of

SAID = "mine must hold whole numbers from 0 (background) up, got -1"


@pytest.fixture
def viewer():
    viewer = ViewerModel()
    bright = np.zeros((60, 80), np.uint8)
    for y, x in ((5, 5), (5, 40), (30, 5), (30, 40)):
        bright[y : y + 15, x : x + 15] = 200
    viewer.add_image(bright, name="image")
    ids = np.where(bright > 0, 1 + np.arange(80) // 20 + 10 * (np.arange(60)[:, None] // 25), -1)
    session_of(viewer).cells = viewer.add_labels(ids.astype(np.int32), name="mine")
    return viewer


def test_settings_are_not_fitted_to_them(viewer, qtbot):
    page = page_of(viewer, "segment", qtbot)
    page.settings.fit()
    assert page.form.status.text().startswith(SAID)


def test_cells_do_not_grow_from_them(viewer, qtbot):
    page = page_of(viewer, "segment", qtbot)
    page.form.grow.seeds.set_layer(viewer.layers["mine"])
    page.growing.run()
    assert page.form.grow.status.text().startswith(SAID)
    assert not page.growing.running


def test_no_model_learns_them(viewer, qtbot):
    page = page_of(viewer, "train", qtbot)
    page.run()
    assert SAID in page.form.status.text()


def test_the_background_gets_no_class(viewer, qtbot):
    page = page_of(viewer, "click", qtbot)
    said = []
    page.form.classes.said.connect(lambda text, kind: said.append(text))
    viewer.layers["mine"].selected_label = -1
    page.form.classes.give(1)
    assert said == ["Click on a cell first, then press a number key."]
    assert not len(viewer.layers["mine"].features)


def test_a_table_that_cannot_follow_an_edit_says_why(viewer, qtbot):
    page = page_of(viewer, "segment", qtbot)
    header = page.dock.header
    layer = viewer.layers["mine"]
    layer.data = np.maximum(layer.data, 0)
    layer.features = {"index": [1], "area_px": [225]}
    layer.data_setitem((np.array([0, 0]), np.array([0, 1])), np.array([-1, -1]))
    qtbot.waitUntil(lambda: "got -1" in header.outdated.text.text(), timeout=10_000)
    assert header.outdated.text.text().startswith("The table is older than your edits. " + SAID[:1])
