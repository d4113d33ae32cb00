"""Segment on an image that memory does not hold: into a store on disk that grows, is kept and is resumed."""

import numpy as np
import pytest
import zarr
from napari.components import ViewerModel
from npe2 import PluginManager

import napari_utile.session.store_jobs as store_jobs
from napari_utile.engine.files.unfinished import is_complete
from pages import page_of

pytestmark = pytest.mark.usefixtures("bright_nuclei")


@pytest.fixture
def page(qtbot, tmp_path, monkeypatch):
    PluginManager.instance().discover()  # with a window, napari does it
    monkeypatch.setattr(store_jobs, "MOST_IN_MEMORY", 1000)
    monkeypatch.setattr(store_jobs.Path, "home", lambda: tmp_path)
    data = np.full((90, 120), 100, np.uint8)
    for y in range(5, 80, 20):
        for x in range(5, 110, 20):
            data[y : y + 9, x : x + 9] = 220
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
    assert not [layer for layer in viewer.layers if "running" in layer.name]


def test_cancel_keeps_what_is_done_and_delete_removes_it(page, qtbot, monkeypatch) -> None:
    page, _, place = page
    page.form.store.progress.connect(lambda *_: page.cancel())
    page.run()
    qtbot.waitUntil(lambda: not page.running, timeout=120_000)
    assert "Cancelled" in page.form.status.text()
    assert "MB" in page.form.status.text()
    assert place.exists()
    assert not is_complete(place)
    page.form.store.delete_button.click()
    assert not place.exists()
