"""Edit a part of a result on disk in a layer in memory, write it back, and undo that."""

import numpy as np
import pytest
import zarr
from napari.components import ViewerModel
from napari.layers._source import layer_source
from npe2 import PluginManager
from qtpy.QtCore import Qt

import napari_utile.session.store_jobs as store_jobs
from napari_utile.engine.models.catalogue import user_model_folder
from napari_utile.session.kept_edits import KeptEdits
from napari_utile.widgets.files.reader import open_ome_zarr
from napari_utile.widgets.viewer.edits import edits_of
from napari_utile.widgets.viewer.layers import session_of
from pages import finish, page_of, slide

WAIT = 120_000


@pytest.fixture
def opened(qtbot, tmp_path, monkeypatch, bright_nuclei):
    """Give a page, its viewer and the store of an image whose cells lie on disk."""
    PluginManager.instance().discover()  # with a window, napari does it
    monkeypatch.setattr(store_jobs, "MOST_IN_MEMORY", 1000)
    monkeypatch.setattr(store_jobs.Path, "home", lambda: tmp_path)
    data = slide(700)
    viewer = ViewerModel()
    viewer.add_image(data, name="slide", scale=(0.5, 0.5))
    page = page_of(viewer, "segment", qtbot)
    page.dock.show()
    page.form.diameter.value = None
    page.run()
    qtbot.waitUntil(lambda: not page.running, timeout=WAIT)
    return page, viewer, tmp_path / "U-Tile" / "slide.cells.ome.zarr"


def press(qtbot, page, button):
    edit = page.form.edit_store
    qtbot.mouseClick(getattr(edit, button), Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not page.form.status.text().endswith("…"), timeout=WAIT)


def stored(place):
    return zarr.open_array(place / "labels/cells/0", mode="r")[...]


def given(layer, ids, **values):
    """Give cells of a layer values in columns of its table, as people do."""
    table = layer.features.copy()
    for name, value in values.items():
        if name not in table:
            table[name] = "" if isinstance(value, str) else np.nan
        table.loc[table["index"].isin(ids), name] = value
    layer.features = table


def cells_with(layer, name, value):
    """Give the ids of the cells that have a value in a column."""
    return layer.features.loc[layer.features[name] == value, "index"].tolist()


def test_a_part_is_edited_written_back_and_undone(opened, qtbot) -> None:
    page, viewer, place = opened
    before, session = stored(place), session_of(viewer)
    whole = session.cells
    assert whole.multiscale
    press(qtbot, page, "edit")
    part = session.cells
    assert part.name == "slide instances part"
    assert not whole.visible
    np.testing.assert_array_equal(part.data, before)
    np.testing.assert_array_equal(part.scale, whole.scale)
    part.data_setitem(np.nonzero(part.data == 3), 0)
    press(qtbot, page, "write")
    assert page.form.status.text() == "Written back into slide.cells.ome.zarr: 1 cell changed."
    assert part not in viewer.layers
    assert session.cells is whole
    assert whole.visible
    np.testing.assert_array_equal(stored(place), np.where(before == 3, 0, before))
    np.testing.assert_array_equal(np.asarray(whole.data[0]), stored(place))
    np.testing.assert_array_equal(np.asarray(whole.data[1]), stored(place)[::2, ::2])
    assert 3 not in whole.features["index"].tolist()
    press(qtbot, page, "undo")
    np.testing.assert_array_equal(stored(place), before)
    assert 3 in whole.features["index"].tolist()
    assert page.form.edit_store.undo.isHidden()


def test_a_part_that_was_written_leaves_the_cells_that_are_clicked_meanwhile_alone(opened, qtbot) -> None:
    page, viewer, _ = opened
    press(qtbot, page, "edit")
    part, session = session_of(viewer).cells, session_of(viewer)
    part.data_setitem(np.nonzero(part.data == 3), 0)
    mine = viewer.add_labels(np.zeros((90, 700), int), name="mine")
    qtbot.mouseClick(page.form.edit_store.write, Qt.MouseButton.LeftButton)
    session.cells, session.clicking = mine, True
    qtbot.waitUntil(lambda: not page.form.status.text().endswith("…"), timeout=WAIT)
    assert part not in viewer.layers
    assert session.cells is mine


def test_what_is_left_or_removed_changes_nothing(opened, qtbot) -> None:
    page, viewer, place = opened
    before, session = stored(place), session_of(viewer)
    whole = session.cells
    for leave in (lambda: press(qtbot, page, "leave"), lambda: viewer.layers.remove(session.cells)):
        press(qtbot, page, "edit")
        session.cells.data[...] = 7
        leave()
        assert session.cells is whole
        assert whole.visible
        assert [layer.name for layer in viewer.layers] == ["slide", "slide instances"]
    np.testing.assert_array_equal(stored(place), before)


def test_layers_of_other_kinds_are_closed_as_ever(opened) -> None:
    _, viewer, _ = opened
    others = [viewer.add_shapes([np.eye(2) * 9]), viewer.add_points([[1, 2]])]
    for layer in others:
        viewer.layers.remove(layer)
    assert [layer.name for layer in viewer.layers] == ["slide", "slide instances"]


def test_a_store_that_was_opened_as_a_file_is_edited_too(opened, qtbot) -> None:
    page, viewer, place = opened
    session = session_of(viewer)
    viewer.layers.remove(session.cells)
    _, (data, options, _) = open_ome_zarr(str(place))
    with layer_source(path=str(place)):
        layer = viewer.add_labels(data, **options)
    session.cells = layer
    press(qtbot, page, "edit")
    session.cells.data[session.cells.data == 5] = 0
    press(qtbot, page, "write")
    assert "1 cell changed" in page.form.status.text()
    assert not (np.asarray(layer.data[0]) == 5).any()


def test_a_store_that_is_being_written_is_not_written_back_to(opened, qtbot) -> None:
    from napari_utile.engine.files.unfinished import HOME
    from napari_utile.engine.store.journal import only_run

    page, viewer, place = opened
    press(qtbot, page, "edit")
    part = session_of(viewer).cells
    part.data[part.data == 1] = 0
    with only_run(place / HOME, place.name):
        press(qtbot, page, "write")
    assert "Another run is writing slide.cells.ome.zarr" in page.form.status.text()
    assert part in viewer.layers, "what was edited is not lost"


def test_the_click_page_says_how_to_edit_a_result_on_disk(opened, qtbot) -> None:
    page, _, _ = opened
    click = page.dock.open_page("click")
    qtbot.mouseClick(click.form.toggle, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: click.tool.queue.busy == 0, timeout=WAIT)
    click.mouse.clicked.emit((10, 10), "click")
    qtbot.waitUntil(lambda: "Edit this part" in click.form.status.text(), timeout=WAIT)


def test_a_part_that_is_removed_while_it_is_written_is_written_all_the_same(opened, qtbot) -> None:
    page, viewer, place = opened
    whole = session_of(viewer).cells
    press(qtbot, page, "edit")
    part = session_of(viewer).cells
    part.data_setitem(np.nonzero(part.data == 3), 0)
    qtbot.mouseClick(page.form.edit_store.write, Qt.MouseButton.LeftButton)
    viewer.layers.remove(part)
    qtbot.waitUntil(lambda: not page.form.status.text().endswith("…"), timeout=WAIT)
    assert page.form.status.text() == "Written back into slide.cells.ome.zarr: 1 cell changed."
    assert not (stored(place) == 3).any()
    assert 3 not in whole.features["index"].tolist()


def test_what_is_painted_while_a_part_is_written_is_kept_and_can_be_written_next(opened, qtbot) -> None:
    page, viewer, place = opened
    before, session = stored(place), session_of(viewer)
    whole = session.cells
    press(qtbot, page, "edit")
    part = session.cells
    part.data_setitem(np.nonzero(part.data == 3), 0)
    part.data_setitem(
        np.nonzero(part.data == 4), 900
    )  # another cell from now on, which the store will number
    qtbot.mouseClick(page.form.edit_store.write, Qt.MouseButton.LeftButton)
    part.data_setitem(np.nonzero(part.data == 5), 0)
    qtbot.waitUntil(lambda: not page.form.status.text().endswith("…"), timeout=WAIT)
    assert "still to be written back" in page.form.status.text()
    assert part in viewer.layers
    assert session.cells is part
    new = before.max() + 1
    first = np.where(before == 3, 0, np.where(before == 4, new, before))
    np.testing.assert_array_equal(stored(place), first)
    np.testing.assert_array_equal(part.data, np.where(first == 5, 0, first))
    press(qtbot, page, "write")
    assert page.form.status.text() == "Written back into slide.cells.ome.zarr: 1 cell changed."
    np.testing.assert_array_equal(stored(place), np.where(first == 5, 0, first))
    assert part not in viewer.layers
    assert session.cells is whole


@pytest.mark.parametrize("shown", [True, False], ids=["the result is open", "the part alone"])
def test_a_part_that_was_restored_after_a_crash_is_written_back(opened, qtbot, shown) -> None:
    page, viewer, place = opened
    before = stored(place)
    press(qtbot, page, "edit")
    part = session_of(viewer).cells
    part.data_setitem(np.nonzero(part.data == 3), 0)
    about = user_model_folder() / "edits"
    qtbot.waitUntil(lambda: any(about.glob("*/edits.json")), timeout=WAIT)
    [folder] = about.iterdir()

    other = ViewerModel()
    other.add_image(viewer.layers["slide"].data, name="slide", scale=(0.5, 0.5))
    again = page_of(other, "segment", qtbot)
    again.dock.show()
    whole = None
    if shown:
        _, (data, options, _) = open_ome_zarr(str(place))
        with layer_source(path=str(place)):
            whole = other.add_labels(data, **options)
    finish(qtbot, edits_of(other).restore(KeptEdits(folder, part.name, 0.0)))
    session_of(other).cells = back = other.layers[part.name]
    assert again.form.edit_store.write.isVisible()
    press(qtbot, again, "write")
    assert again.form.status.text() == "Written back into slide.cells.ome.zarr: 1 cell changed."
    np.testing.assert_array_equal(stored(place), np.where(before == 3, 0, before))
    assert back not in other.layers
    assert session_of(other).cells is whole
    assert whole is None or not (np.asarray(whole.data[0]) == 3).any()

    press(qtbot, page, "write")  # what was opened before that
    assert "has changed in slide.cells.ome.zarr since it was opened" in page.form.status.text()


def test_what_people_added_to_the_table_of_a_result_stays_when_a_part_is_written_and_undone(
    opened, qtbot
) -> None:
    page, viewer, _ = opened
    whole = session_of(viewer).cells
    given(whole, [2, 3], **{"class": "dead", "dose": 5.0})
    press(qtbot, page, "edit")
    part = session_of(viewer).cells
    part.data_setitem(np.nonzero(part.data == 3), 0)
    press(qtbot, page, "write")
    assert cells_with(whole, "class", "dead") == cells_with(whole, "dose", 5.0) == [2]
    press(qtbot, page, "undo")
    assert cells_with(whole, "class", "dead") == cells_with(whole, "dose", 5.0) == [2, 3]


def test_a_result_that_is_looked_up_again_keeps_what_people_added_to_its_table(opened, qtbot) -> None:
    page, viewer, _ = opened
    whole = session_of(viewer).cells
    given(whole, [2], **{"class": "dead"})
    page.run()
    qtbot.waitUntil(lambda: not page.running, timeout=WAIT)
    assert session_of(viewer).cells is whole
    assert cells_with(whole, "class", "dead") == [2]


def test_classes_and_columns_go_into_a_part_and_back_with_its_cells(opened, qtbot) -> None:
    page, viewer, place = opened
    session = session_of(viewer)
    whole, last = session.cells, stored(place).max()
    given(whole, [2, 3], **{"class": "dead"})
    press(qtbot, page, "edit")
    part = session.cells
    assert cells_with(part, "class", "dead") == [2, 3]
    given(part, [2], **{"class": ""})
    given(part, [4], dose=7.0)
    part.data_setitem(np.nonzero(part.data == 4), 900)
    part.features = part.features.replace({"index": {4: 900}, "label": {4: 900}})
    press(qtbot, page, "write")
    assert page.form.status.text() == (
        "Written back into slide.cells.ome.zarr: 2 cells changed. "
        "What was added to its table is in that of slide instances, not in slide.cells.ome.zarr."
    )
    assert cells_with(whole, "class", "dead") == [3]
    assert cells_with(whole, "dose", 7.0) == [last + 1]


def test_a_part_of_which_only_the_table_is_another_is_written_back(opened, qtbot) -> None:
    page, viewer, place = opened
    before, session = stored(place), session_of(viewer)
    whole = session.cells
    press(qtbot, page, "edit")
    press(qtbot, page, "write")
    assert page.form.status.text() == "Nothing was changed in this part."
    part = session.cells
    given(part, [4], **{"class": "dead"})
    press(qtbot, page, "write")
    assert page.form.status.text() == (
        "What was added to its table is in that of slide instances, not in slide.cells.ome.zarr."
    )
    assert part not in viewer.layers
    assert session.cells is whole
    assert cells_with(whole, "class", "dead") == [4]
    assert page.form.edit_store.undo.isHidden()
    np.testing.assert_array_equal(stored(place), before)
    press(qtbot, page, "edit")
    assert cells_with(session.cells, "class", "dead") == [4]


def test_what_was_added_to_a_part_waits_for_the_result_to_be_open(opened, qtbot) -> None:
    page, viewer, place = opened
    session = session_of(viewer)
    whole = session.cells
    press(qtbot, page, "edit")
    part = session.cells
    viewer.layers.remove(whole)
    given(part, [4], **{"class": "dead"})
    part.data_setitem(np.nonzero(part.data == 3), 0)
    press(qtbot, page, "write")
    assert page.form.status.text().endswith("open the result, and write it back again.")
    assert part in viewer.layers
    _, (data, options, _) = open_ome_zarr(str(place))
    with layer_source(path=str(place)):
        again = viewer.add_labels(data, **options)
    session.cells = part
    press(qtbot, page, "write")
    assert part not in viewer.layers
    assert session.cells is again
    assert cells_with(again, "class", "dead") == [4]
