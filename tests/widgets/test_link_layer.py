"""Linking the active Labels layer into objects or tracks beside it."""

import gc
import threading
import weakref
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.utils.notifications import notification_manager

from napari_utile.engine.linking.edits import cut, join
from napari_utile.engine.linking.params import LinkParams
from napari_utile.engine.models.catalogue import user_model_folder
from napari_utile.session.kept_edits import KeptEdits
from napari_utile.session.linking import link_layers
from napari_utile.session.state import ChosenImage
from napari_utile.widgets.files.writer import recipe_of_layer
from napari_utile.widgets.pages.segment import link_layer
from napari_utile.widgets.pages.segment.link_layer import link_active_labels_t, link_active_labels_z
from napari_utile.widgets.viewer.cell_colours import colour_by
from napari_utile.widgets.viewer.cell_tables import CellTables
from napari_utile.widgets.viewer.edits import edits_of
from napari_utile.widgets.viewer.layers import Place, session_of
from napari_utile.widgets.viewer.linked_layers import LinkedStack, linked_stack_of, restore_links
from pages import finish


def frames() -> np.ndarray:
    stack = np.zeros((3, 30, 30), np.int32)
    stack[0, 8:22, 8:18] = 5
    stack[1:, 4:12, 8:18], stack[1:, 17:25, 8:18] = 2, 9
    return stack


def tracked(qtbot: Any, viewer: ViewerModel, labels: np.ndarray) -> LinkedStack:
    """Link labels of a user over time by the menu."""
    viewer.add_labels(labels, name="cells", axis_labels=("t", "y", "x"))
    finish(qtbot, link_active_labels_t(viewer))
    stack = linked_stack_of(session_of(viewer).cells)
    assert stack is not None
    return stack


def linked_again(stack: LinkedStack, **values: float) -> None:
    record, labels = stack.record, stack.layer.data.copy()
    params = LinkParams("t", **values)
    stack.replace(link_layers(labels, stack.space, params, record.kept, record.parents), params)


def known(stack: LinkedStack) -> tuple[Any, ...]:
    """Give what is recorded of links, and would be saved; what is counted a moment later left out."""
    data, attributes, _ = stack.layer.as_layer_data_tuple()
    saved = recipe_of_layer(data, attributes)["linking"]
    record = stack.record
    assert saved["parents"] == {str(track): mother for track, mother in record.parents.items()}
    return record.params, record.parents, record.kept, record.by_hand, saved


def test_frames_become_tracks_with_divisions_and_the_labels_stay(qtbot: Any) -> None:
    viewer = ViewerModel()
    space = {"scale": (30, 0.5, 0.5), "units": ("s", "um", "um"), "axis_labels": ("t", "y", "x")}
    layer = viewer.add_labels(frames(), name="cells", **space)
    finish(qtbot, link_active_labels_t(viewer))
    _, linked, paths = viewer.layers
    np.testing.assert_array_equal(layer.data, frames())
    assert [np.unique(plane).tolist() for plane in linked.data] == [[0, 1], [0, 2, 3], [0, 2, 3]]
    assert session_of(viewer).cells is linked, "clicks and corrections are for what is on screen"
    assert paths.graph == {2: [1], 3: [1]}
    assert linked.features["parent"].tolist() == [0, 1, 1]
    assert "speed_um_per_s" in linked.features
    np.testing.assert_array_equal(paths.scale, layer.scale)


def test_sections_become_objects_with_volumes(qtbot: Any) -> None:
    viewer = ViewerModel()
    stack = np.ones((2, 3, 6, 6), np.int32)
    space = {"scale": (1, 2, 0.5, 0.5), "units": ("pixel", "um", "um", "um")}
    viewer.add_labels(stack, name="cells", axis_labels=("t", "z", "y", "x"), **space)
    finish(qtbot, link_active_labels_z(viewer))
    linked = viewer.layers[-1]
    assert linked.features["index"].tolist() == [1, 2]
    assert linked.features["volume_um3"].tolist() == [3 * 36 * 0.25 * 2] * 2
    assert linked.features["t"].tolist() == [0, 1]


@pytest.mark.parametrize("clicking", [False, True])
def test_what_was_linked_before_in_another_way_is_hidden_with_its_paths(qtbot: Any, clicking: bool) -> None:
    viewer = ViewerModel()
    cells = viewer.add_labels(frames(), name="cells")
    finish(qtbot, link_active_labels_t(viewer))
    session = session_of(viewer)
    session.clicking = clicking
    viewer.layers.selection.active = cells
    finish(qtbot, link_active_labels_z(viewer))
    seen = [layer.name for layer in viewer.layers if layer.visible]
    assert seen == (["cells tracks", "cells paths", "cells objects"] if clicking else ["cells objects"])


def test_what_is_painted_meanwhile_is_linked_too(qtbot: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    waits, go = threading.Event(), threading.Event()

    def link_and_wait(*args: Any) -> Any:
        made = link_layers(*args)
        waits.set()
        go.wait(60)
        return made

    monkeypatch.setattr(link_layer, "link_layers", link_and_wait)
    viewer = ViewerModel()
    layer = viewer.add_labels(frames(), name="cells", axis_labels=("t", "y", "x"))
    link_active_labels_t(viewer)
    qtbot.waitUntil(waits.is_set)
    layer.data_setitem((np.full(5, 1), np.full(5, 27), np.arange(5)), 3)
    go.set()
    qtbot.waitUntil(lambda: len(viewer.layers) == 3)
    assert viewer.layers[1].data[1, 27, :5].all()


def test_what_cannot_be_linked_is_said(qtbot: Any) -> None:
    viewer = ViewerModel()
    said: list[str] = []
    notification_manager.notification_ready.connect(lambda event: said.append(event.message))
    assert link_active_labels_z(viewer) is None
    viewer.add_labels(frames()[0], name="plane")
    assert link_active_labels_z(viewer) is None
    viewer.add_labels(frames(), name="film", axis_labels=("t", "y", "x"))
    assert link_active_labels_z(viewer) is None
    assert said == [
        "Choose a labels layer first: there are no cells to link.",
        "plane is not a stack of labels: there is nothing to link.",
        "film has no axis Z, its planes lie along T.",
    ]


def test_what_a_linked_stack_keeps_comes_back_after_a_crash(qtbot: Any) -> None:
    viewer = ViewerModel()
    edits_of(viewer)
    stack = tracked(qtbot, viewer, frames())
    stack.apply(lambda labels: cut(labels, 2, 2))
    about = user_model_folder() / "edits"
    edits_of(viewer).keep()
    qtbot.waitUntil(lambda: any(about.glob("*/edits.json")))
    [folder] = about.iterdir()
    other = ViewerModel()
    finish(qtbot, edits_of(other).restore(KeptEdits(folder, "cells tracks", 0.0)))
    [back] = other.layers
    restore_links(other, back)
    again = linked_stack_of(back)
    assert again is not None
    assert (again.record.params, again.record.parents) == (stack.record.params, {2: 1, 3: 1})
    assert again.record.kept == (2, 4)
    assert again.record.by_hand


@pytest.mark.parametrize("moves", [True, False], ids=["pixels change", "only divisions change"])
def test_undo_brings_the_divisions_back_that_linking_again_lost_and_redo_loses_them(
    qtbot: Any, moves: bool
) -> None:
    labels = frames()
    for frame in range(3 if moves else 0):
        labels[frame, 24:29, 2 + 4 * frame : 8 + 4 * frame] = 11
    stack = tracked(qtbot, ViewerModel(), labels)
    layer = stack.layer
    first, pixels, parents = known(stack), layer.data.copy(), layer.features["parent"].tolist()
    assert sorted(parents)[-2:] == [1, 1]
    linked_again(stack, link_overlap=1.0, link_distance=1.0)
    second = known(stack)
    assert not stack.record.parents
    assert np.array_equal(layer.data, pixels) is not moves
    layer.undo()
    np.testing.assert_array_equal(layer.data, pixels)
    assert known(stack) == first
    qtbot.waitUntil(lambda: layer.features["parent"].tolist() == parents)
    layer.redo()
    assert known(stack) == second
    qtbot.waitUntil(lambda: not layer.features["parent"].any())


def test_undo_of_corrections_and_redo_take_their_record_along_whatever_the_pixels_are(qtbot: Any) -> None:
    stack = tracked(qtbot, ViewerModel(), frames())
    layer, records = stack.layer, [known(stack)]
    for correct in (
        lambda labels: cut(labels, 2, 2),
        lambda labels: join(labels, 2, 4),  # the pixels are as they were first
        lambda labels: cut(labels, 3, 2),
    ):
        stack.apply(correct)
        records.append(known(stack))
    assert [record[2] for record in records] == [(), (2, 4), (2, 4), (2, 3, 4)]
    for place in (2, 1, 0):
        layer.undo()
        assert known(stack) == records[place]
    assert stack.is_as_made()
    for place in (1, 2, 3):
        layer.redo()
        assert known(stack) == records[place]
    layer.undo()
    layer.data_setitem((np.array([0]), np.array([0]), np.array([0])), 9)
    assert stack.record.kept == (2, 4), "what was undone cannot be redone any more"
    layer.undo()
    layer.undo()
    assert known(stack) == records[1]


def test_tracks_that_were_linked_again_may_get_a_smaller_array(qtbot: Any) -> None:
    labels = frames()
    for frame in range(3):
        labels[frame, 24:29, 2 + 4 * frame : 8 + 4 * frame] = 11
    stack = tracked(qtbot, ViewerModel(), labels)
    linked_again(stack, link_overlap=1.0, link_distance=1.0)
    layer = stack.layer
    layer.data = layer.data[:2].copy()
    qtbot.waitUntil(lambda: layer.features["index"].tolist() == np.unique(layer.data)[1:].tolist())
    assert 6 not in layer.features["index"].tolist()


@pytest.mark.parametrize("opened", [False, True])
def test_the_menu_leaves_corrections_also_of_tracks_that_were_opened_and_never_chosen(
    qtbot: Any, opened: bool
) -> None:
    viewer = ViewerModel()
    stack = tracked(qtbot, viewer, frames())
    stack.apply(lambda labels: cut(labels, 2, 2))
    stack.apply(lambda labels: join(labels, 1, 3))
    corrected, layer = stack.layer.data.copy(), stack.layer
    if opened:
        viewer = ViewerModel()
        data, options, _ = layer.as_layer_data_tuple()
        layer = viewer.add_labels(data.copy(), **options)
    viewer.layers.selection.active = layer
    names = [each.name for each in viewer.layers]
    finish(qtbot, link_active_labels_t(viewer))
    assert [each.name for each in viewer.layers] == names
    linked = linked_stack_of(session_of(viewer).cells)
    assert linked is not None
    assert linked.layer is layer
    cells = {cell: np.unique(layer.data[corrected == cell]).tolist() for cell in (1, 2, 4)}
    assert all(len(ids) == 1 for ids in cells.values())
    assert linked.record.kept == tuple(sorted(ids[0] for ids in cells.values()))


def test_tracks_are_freed_when_their_layer_is_removed_and_known_again_when_it_comes_back(qtbot: Any) -> None:
    viewer = ViewerModel()
    image = viewer.add_image(np.zeros((5, 5)))
    stack = tracked(qtbot, viewer, frames())
    parents, layer = stack.record.parents, stack.layer
    viewer.layers.remove(layer)
    assert linked_stack_of(layer) is None
    viewer.add_layer(layer)
    restore_links(viewer, layer)
    again = linked_stack_of(layer)
    assert again is not None
    assert again.record.parents == parents
    measured: list[Any] = []
    session_of(viewer).events.measured.connect(measured.append)
    qtbot.waitUntil(lambda: bool(measured))
    gone = [weakref.ref(each) for each in (layer, stack, again)]
    viewer.layers.remove(layer)
    viewer.layers.selection.active = image  # napari holds the one that was
    measured.clear()
    del layer, stack, again

    def freed() -> bool:
        gc.collect()
        return not any(each() for each in gone)

    qtbot.waitUntil(freed)


def test_cells_that_are_coloured_plane_by_plane_do_not_hold_their_viewer(qtbot: Any) -> None:
    def coloured() -> weakref.ref[Any]:
        viewer = ViewerModel()
        layer = viewer.add_labels(np.ones((2, 5, 5), int), axis_labels=("t", "y", "x"))
        layer.features = {"index": [1, 1], "t": [0, 1], "area_px": [25, 25]}
        colour_by(viewer, layer, "area_px")
        return weakref.ref(viewer)

    viewer = coloured()
    gc.collect()
    assert viewer() is None


def with_table_of_planes(qtbot: Any, viewer: ViewerModel) -> Any:
    """Give tracks a row for each cell of a frame, as they have when they were saved and opened."""
    layer = tracked(qtbot, viewer, frames()).layer
    cells = [(plane, int(cell)) for plane in range(3) for cell in np.unique(layer.data[plane])[1:]]
    where, ids = np.transpose(cells)
    areas = [(layer.data[plane] == cell).sum() for plane, cell in cells]
    layer.features = {"index": ids, "label": ids, "t": where, "area_px": areas}
    return layer


def test_a_table_of_planes_is_not_said_to_be_old_after_an_edit_that_was_undone_at_once(qtbot: Any) -> None:
    viewer = ViewerModel()
    layer = with_table_of_planes(qtbot, viewer)
    session, said = session_of(viewer), list[str]()
    tables = CellTables(viewer, session)
    tables.outdated.connect(said.append)
    measured: list[Any] = []
    session.events.measured.connect(measured.append)
    layer.data_setitem((np.array([0]), np.array([0]), np.array([0])), 9)
    layer.undo()
    qtbot.waitUntil(lambda: len(measured) > 1, timeout=10_000)
    session.cells = None
    session.cells = layer
    assert {*said} == {""}


def test_the_planes_of_an_image_are_listed_once_for_the_table_of_all_of_them(
    qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    viewer = ViewerModel()
    image = viewer.add_image(np.stack([np.full((30, 30), value) for value in (10, 20, 30)]))
    layer = with_table_of_planes(qtbot, viewer)
    layer.features = {**layer.features, "intensity_mean": np.zeros(5)}
    session_of(viewer).image, session_of(viewer).cells = ChosenImage(image), layer
    listed: list[Place] = []
    every = Place.every.fget
    monkeypatch.setattr(Place, "every", property(lambda place: (listed.append(place), every(place))[1]))
    assert CellTables(viewer, session_of(viewer)).measure()
    assert len(listed) == 2, "of the labels, and of the image"
    qtbot.waitUntil(lambda: layer.features["intensity_mean"].all())
    assert layer.features["intensity_mean"].tolist() == [10, 20, 20, 30, 30]
