"""Stacks and time-lapses that memory does not hold: one store, linked while it is made, seen plane by plane."""

import numpy as np
import pytest
import zarr
from napari.components import ViewerModel
from npe2 import PluginManager
from qtpy.QtCore import Qt

import napari_utile.session.store_jobs as store_jobs
from napari_utile.engine.files.unfinished import is_complete
from napari_utile.session.store_levels import GrowingLevel
from napari_utile.widgets.viewer.layers import session_of
from pages import page_of

pytestmark = pytest.mark.usefixtures("bright_nuclei")
WAIT = 120_000


def film(planes, shape=(90, 600)):
    """Squares that move to the right by a pixel from plane to plane."""
    data = np.full((planes, *shape), 100, np.uint8)
    for plane in range(planes):
        for y in range(5, 80, 20):
            for x in range(5, shape[1] - 20, 20):
                data[plane, y : y + 9, x + plane : x + plane + 9] = 220
    return data


@pytest.fixture
def opened(qtbot, tmp_path, monkeypatch):
    """Open a page on an image with named axes."""
    PluginManager.instance().discover()  # with a window, napari does it
    monkeypatch.setattr(store_jobs, "MOST_IN_MEMORY", 1000)
    monkeypatch.setattr(store_jobs.Path, "home", lambda: tmp_path)

    def open_on(data, *axes):
        viewer = ViewerModel()
        scale = (2.0,) * len(axes) + (0.5, 0.5)
        units = (*("second" if axis == "t" else "um" for axis in axes), "um", "um")
        viewer.add_image(data, name="film", axis_labels=(*axes, "y", "x"), scale=scale, units=units)
        page = page_of(viewer, "segment", qtbot)
        page.dock.show()
        page.form.diameter.value = None
        return page, viewer

    return open_on


def segment(page, qtbot, planes="all", link="none"):
    form = page.form
    form.planes.kind.setCurrentIndex(form.planes.kind.findData(planes))
    form.linking.kind.setCurrentIndex(form.linking.kind.findData(link))
    page.run()
    qtbot.waitUntil(lambda: not page.running, timeout=WAIT)


def test_a_film_comes_out_with_one_id_a_cell_and_its_paths(opened, qtbot, tmp_path) -> None:
    page, viewer = opened(film(3), "t")
    segment(page, qtbot, link="t")
    place = tmp_path / "U-Tile" / "film.cells.ome.zarr"
    assert is_complete(place), page.form.status.text()
    cells, stored = session_of(viewer).cells, zarr.open_array(place / "labels/cells/0", mode="r")[...]
    np.testing.assert_array_equal(np.asarray(cells.data[0]), stored)
    assert stored.max() == 116
    assert all(len(np.unique(plane)) == 117 for plane in stored)
    assert "116 tracks, 0 divisions, from 348 cells" in page.form.status.text()
    assert cells.features["index"].tolist() == list(range(1, 117))
    assert set(cells.features["frames"]) == {3}
    assert "path_um" in cells.features
    [paths] = [layer for layer in viewer.layers if layer.name == "film paths"]
    assert len(paths.data) == 348
    for track, frame, y, x in paths.data:
        assert stored[int(frame), round(y), round(x)] == track
    np.testing.assert_array_equal(paths.scale, cells.scale)
    paths.name = "tracks"
    theirs = viewer.add_points(np.zeros((1, 3)), name="film paths")
    layers = [*viewer.layers]
    segment(page, qtbot, link="t")
    assert "348 cells" in page.form.status.text()
    assert [*viewer.layers] == layers, theirs
    assert len(paths.data) == 348


def test_a_range_of_a_stack_lies_where_it_is_and_is_edited_plane_by_plane(opened, qtbot, tmp_path) -> None:
    page, viewer = opened(film(4), "z")
    page.form.planes.first.setValue(2)
    page.form.planes.last.setValue(3)
    segment(page, qtbot, planes="range", link="z")
    cells = session_of(viewer).cells
    place = tmp_path / "U-Tile" / "film.cells.ome.zarr"
    assert cells.data[0].shape == (2, 90, 600)
    assert cells.translate[0] == 2.0
    assert "volume_um3" in cells.features
    viewer.dims.set_point(0, 4.0)  # the third plane of the image, the second of the result
    before = zarr.open_array(place / "labels/cells/0", mode="r")[...]
    edit = page.form.edit_store
    qtbot.mouseClick(edit.edit, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not page.form.status.text().endswith("…"), timeout=WAIT)
    part = session_of(viewer).cells
    np.testing.assert_array_equal(np.squeeze(part.data), before[1])
    part.data_setitem(np.nonzero(part.data == 3), 0)
    qtbot.mouseClick(edit.write, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not page.form.status.text().endswith("…"), timeout=WAIT)
    assert "1 cell changed" in page.form.status.text()
    after = zarr.open_array(place / "labels/cells/0", mode="r")[...]
    np.testing.assert_array_equal(after[0], before[0])
    np.testing.assert_array_equal(after[1], np.where(before[1] == 3, 0, before[1]))


def test_planes_that_are_not_linked_keep_their_own_ids(opened, qtbot) -> None:
    page, viewer = opened(film(2), "t")
    segment(page, qtbot)
    table = session_of(viewer).cells.features
    assert table["t"].tolist() == [0] * 116 + [1] * 116
    assert table["index"].tolist() == [*range(1, 117)] * 2


def test_a_class_of_a_cell_goes_into_a_part_and_back_on_its_plane_alone(opened, qtbot) -> None:
    page, viewer = opened(film(2), "t")
    segment(page, qtbot)
    session, edit = session_of(viewer), page.form.edit_store
    whole = session.cells
    table = whole.features.copy()
    table["class"] = np.where((table["index"] == 5) & (table["t"] == 0), "dead", "")
    whole.features = table
    viewer.dims.set_current_step(0, 1)
    qtbot.mouseClick(edit.edit, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not page.form.status.text().endswith("…"), timeout=WAIT)
    part = session.cells
    table = part.features.copy()
    assert "class" not in table
    table["class"] = np.where(table["index"] == 4, "live", "")
    part.features = table
    part.data_setitem(np.nonzero(part.data == 3), 0)
    viewer.dims.set_current_step(0, 0)
    qtbot.mouseClick(edit.write, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not page.form.status.text().endswith("…"), timeout=WAIT)
    words = whole.features.loc[whole.features["class"] != "", ["index", "t", "class"]]
    assert words.to_numpy().tolist() == [[5, 0, "dead"], [4, 1, "live"]]
    assert len(whole.features) == 231


def test_paths_are_those_of_now_when_a_part_is_written_back_and_undone(opened, qtbot) -> None:
    page, viewer = opened(film(3), "t")
    segment(page, qtbot, link="t")
    session, edit = session_of(viewer), page.form.edit_store
    paths = viewer.layers["film paths"]
    before = np.array(paths.data)
    viewer.dims.set_current_step(0, 1)
    qtbot.mouseClick(edit.edit, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not page.form.status.text().endswith("…"), timeout=WAIT)
    session.cells.data_setitem(np.nonzero(session.cells.data == 3), 0)
    qtbot.mouseClick(edit.write, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not page.form.status.text().endswith("…"), timeout=WAIT)
    assert paths.data[paths.data[:, 0] == 3, 1].tolist() == [0, 2]
    qtbot.mouseClick(edit.undo, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not page.form.status.text().endswith("…"), timeout=WAIT)
    np.testing.assert_array_equal(paths.data, before)


def test_depth_before_time_is_seen_as_the_layer_has_it(opened, qtbot, tmp_path) -> None:
    data = np.stack([film(2, (90, 120)), film(2, (90, 120))[::-1]])
    page, viewer = opened(data, "z", "t")
    segment(page, qtbot, link="t")
    cells = session_of(viewer).cells
    stored = zarr.open_array(tmp_path / "U-Tile" / "film.cells.ome.zarr" / "labels/cells/0", mode="r")
    assert stored.shape == cells.data.shape == (2, 2, 90, 120)
    np.testing.assert_array_equal(cells.data, np.swapaxes(stored[...], 0, 1))


def test_levels_have_the_axes_of_their_layer() -> None:
    stored = np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5)
    level = GrowingLevel(stored, (1, None, 0))
    assert level.shape == (3, 1, 2, 4, 5)
    whole = np.asarray(level)
    np.testing.assert_array_equal(whole[:, 0], stored.swapaxes(0, 1))
    for key in [(2,), (slice(0, 2), 0, 1), (1, 0, 1, slice(1, 3), 4), (slice(None), slice(None), 0, 2)]:
        np.testing.assert_array_equal(level[key], whole[key])
