"""Which model fits?, asked in a real window with the mouse."""

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

from napari_utile.engine.fitting.ranking import NOT_KNOWN
from napari_utile.engine.models import catalogue
from napari_utile.engine.models.catalogue import user_model_folder
from napari_utile.widgets.viewer.layers import session_of
from pages import fits, jobs, page_of

WAIT = 60_000
LEFT = Qt.MouseButton.LeftButton


@pytest.fixture(autouse=True)
def _two_models(make_bright_model, monkeypatch, tmp_path):
    """Let the model called *nuclei* expect more than any image gives, and another one less."""
    monkeypatch.setattr(catalogue, "BUNDLED_FOLDER", tmp_path)
    folder = user_model_folder()
    make_bright_model(folder / "nuclei.safetensors", object_diameter=20.0, confidence=0.99, title="Strict")
    make_bright_model(folder / "easy.safetensors", object_diameter=20.0, confidence=0.2, title="Easy")


@pytest.fixture
def cells():
    y, x = np.mgrid[:160, :160]
    return ((((y % 40) - 20) ** 2 + ((x % 40) - 20) ** 2 < 100) * 200.0).astype(np.float32)


@pytest.mark.real_window
def test_a_doubt_is_said_and_a_click_on_a_better_model_takes_it(make_napari_viewer, qtbot, cells):
    viewer = make_napari_viewer(show=True)
    viewer.window._qt_window.resize(1280, 800)
    dock = page_of(viewer, "segment")
    viewer.window.add_dock_widget(dock.dock, name="Segment")
    viewer.add_image(cells, name="cells")
    asking = dock.form.suggestions
    qtbot.waitUntil(lambda: "does not look like what “Strict”" in asking.advice.text(), timeout=WAIT)
    assert "which model fits" in asking.advice.text()

    QTest.mouseClick(asking.run_bar.run_button, LEFT)
    assert asking.running
    qtbot.waitUntil(lambda: not asking.running, timeout=WAIT)
    rows = [asking.list.item(row).text() for row in range(asking.list.count())]
    assert [row.partition("\n")[0] for row in rows] == [
        "Easy, 20 px across",
        "Strict, 20 px across",
    ]
    assert "Looks right" in rows[0]
    assert "Does not look right" in rows[1]
    assert asking.list.currentRow() == 1
    assert fits(dock)

    QTest.qWait(50)
    assert asking.list.visualItemRect(asking.list.item(1)).bottom() <= asking.list.viewport().height()
    place = asking.list.visualItemRect(asking.list.item(0)).center()
    QTest.mouseClick(asking.list.viewport(), LEFT, pos=place)
    assert session_of(viewer).model == "easy"
    assert dock.dock.header.model.combo.currentData() == "easy"
    assert asking.list.currentRow() == 0

    viewer.add_image(cells.T[::-1] * 2, name="another")
    dock.dock.header.source.image.set_layer(viewer.layers["another"])
    qtbot.waitUntil(asking.list.isHidden, timeout=WAIT)
    assert asking.list.count() == 0


@pytest.fixture
def dock(qtbot):
    from napari.components import ViewerModel

    dock = page_of(ViewerModel(), "segment")
    qtbot.addWidget(dock.dock)
    dock.dock.show()
    return dock


def test_without_a_model_that_looks_right_it_says_what_to_do(dock, qtbot, cells):
    (user_model_folder() / "easy.safetensors").unlink()
    dock.viewer.add_image(cells)
    asking = dock.form.suggestions
    qtbot.mouseClick(asking.run_bar.run_button, LEFT)
    qtbot.waitUntil(lambda: not asking.running, timeout=WAIT)
    said = asking.answer.text()
    for what in (
        "Paint a few cells",
        "Fit to these cells",
        "Train",
        "their nuclei, grow the cells",
        NOT_KNOWN,
    ):
        assert what in said
    assert asking.answer.kind == "problem"


def test_a_model_that_reads_two_channels_is_rated_where_one_is_chosen(dock, qtbot, cells, make_bright_model):
    folder = user_model_folder()
    make_bright_model(
        folder / "pair.safetensors", channels=2, object_diameter=20.0, confidence=0.2, title="Pair"
    )
    dock.viewer.add_image(np.stack([cells, 0 * cells]), name="cells", axis_labels=("c", "y", "x"))
    asking = dock.form.suggestions
    qtbot.mouseClick(asking.run_bar.run_button, LEFT)
    qtbot.waitUntil(lambda: not asking.running, timeout=WAIT)
    rows = [asking.list.item(row).text() for row in range(asking.list.count())]
    assert "Pair, 20 px across" in [row.partition("\n")[0] for row in rows if "Cannot" not in row]


def test_each_model_shows_what_it_finds_in_view(dock, qtbot, cells):
    dock.viewer.add_image(cells)
    asking = dock.form.suggestions
    qtbot.mouseClick(asking.run_bar.run_button, LEFT)
    qtbot.waitUntil(lambda: not asking.running, timeout=WAIT)
    items = [asking.list.item(row) for row in range(asking.list.count())]
    assert len(items) == 2
    for item in items:
        picture = item.icon().pixmap(160, 160).toImage()
        assert picture.width() > 40
        colours = {picture.pixelColor(x, picture.height() // 8).getRgb()[:3] for x in range(picture.width())}
        assert any(max(each) - min(each) > 40 for each in colours), "cells are coloured"
        assert any(max(each) == min(each) for each in colours), "the ground is grey"


@pytest.mark.parametrize("stop", ["cancel", "image"])
def test_pictures_end_where_the_user_stops_them_or_takes_another_image(dock, qtbot, cells, stop):
    dock.viewer.add_image(cells)
    asking = dock.form.suggestions
    qtbot.mouseClick(asking.run_bar.run_button, LEFT)
    qtbot.waitUntil(lambda: asking.run_bar.bar.format().startswith("pictures"), timeout=WAIT)
    if stop == "cancel":
        asking.cancel()
    else:
        dock.viewer.add_image(cells.T[::-1] * 2, name="another")
        dock.dock.header.source.image.set_layer(dock.viewer.layers["another"])
    left = 2 if stop == "cancel" else 0
    qtbot.waitUntil(lambda: asking.list.count() == left and not asking.running, timeout=WAIT)
    assert not asking.run_bar.busy


def test_it_can_be_cancelled_and_ends_with_the_dock(dock, qtbot, cells):
    dock.viewer.add_image(cells)
    asking = dock.form.suggestions
    qtbot.mouseClick(asking.run_bar.run_button, LEFT)
    qtbot.mouseClick(asking.run_bar.cancel_button, LEFT)
    qtbot.waitUntil(lambda: not asking.running, timeout=WAIT)
    assert not asking.run_bar.busy
    qtbot.mouseClick(asking.run_bar.run_button, LEFT)
    dock.let_go()
    assert not asking.running
    qtbot.waitUntil(lambda: not jobs(), timeout=WAIT)
    assert asking.list.count() == 0


def test_without_an_image_it_is_not_offered(dock):
    assert dock.form.suggestions.isHidden()
