import json

import numpy as np
import pytest

from napari_utile.engine.files.images import read_image
from napari_utile.engine.weights.loss_budget import loss_budget
from napari_utile.engine.weights.weight_map import weight_map
from napari_utile.widgets.viewer.regions import camera_of
from pages import page_of


def two_cells(shape=(80, 90)):
    labels = np.zeros(shape, np.int32)
    labels[20:50, 20:40] = 3
    labels[20:50, 44:60] = 8
    return labels


@pytest.fixture
def make_dock(qtbot):
    docks = []

    def make(viewer, wait=True):
        dock = page_of(viewer, "weights")
        docks.append(dock)
        if wait:
            qtbot.waitUntil(lambda: dock.follower.live is not None, timeout=10000)
        return dock

    yield make
    for dock in docks:
        with qtbot.waitSignal(dock.destroyed):
            dock.dock.deleteLater()


def settle(qtbot, dock):
    qtbot.waitUntil(lambda: not dock.follower.working, timeout=10000)
    qtbot.wait(5)


def assert_shows_border_of(dock, labels, **params):
    np.testing.assert_array_equal(
        np.squeeze(dock.follower.overlay.layer.data), weight_map(labels, **params).border
    )


def choose_term(dock, term):
    dock.form.term.setCurrentIndex(dock.form.term.findData(term))
    dock.form.term.activated.emit(dock.form.term.currentIndex())


def test_the_overlay_shows_the_border_term_above_the_labels(viewer, make_dock):
    layer = viewer.add_labels(two_cells(), scale=(0.5, 0.5), translate=(3, 4), name="mine")
    dock = make_dock(viewer)
    overlay = dock.follower.overlay.layer
    assert_shows_border_of(dock, two_cells())
    assert overlay.name == "mine weight map"
    assert viewer.layers.index(overlay) == viewer.layers.index(layer) + 1
    np.testing.assert_allclose(overlay.scale, layer.scale)
    np.testing.assert_allclose(overlay.translate, layer.translate)
    assert tuple(overlay.contrast_limits) == (0, 10)
    assert dock.form.legend.limits == (0, 10)
    assert overlay.metadata["napari-utile"]["weight_map"]["sigma"] == 5
    assert viewer.layers.selection.active is layer


def test_nothing_is_put_on_the_image_while_another_page_is_shown(viewer, make_dock, qtbot):
    viewer.add_labels(two_cells(), name="mine")
    page = make_dock(viewer)
    page.dock.open_page("segment")
    others = viewer.add_labels(two_cells()[::-1].copy(), name="others")
    page.dock.header.cells.set_layer(others)
    qtbot.wait(300)
    assert [layer.name for layer in viewer.layers] == ["mine", "others"]
    page.dock.open_page("weights")
    qtbot.waitUntil(lambda: page.follower.overlay.layer is not None, timeout=10000)
    settle(qtbot, page)
    assert_shows_border_of(page, others.data)


def test_without_labels_the_dock_says_what_to_do_and_starts_when_some_come(viewer, make_dock, qtbot):
    dock = make_dock(viewer, wait=False)
    assert "Labels layer" in dock.form.status.text()
    viewer.add_labels(two_cells())
    qtbot.waitUntil(lambda: dock.follower.live is not None)
    assert dock.form.status.text() == ""
    viewer.layers.clear()
    assert dock.follower.live is None


def test_a_stroke_updates_its_neighbourhood_only(viewer, make_dock, qtbot):
    layer = viewer.add_labels(np.zeros((300, 400), np.int32))
    layer.data[:] = 0
    layer.data[20:50, 20:40] = 3
    layer.data[200:230, 300:320] = 5
    layer.data[200:230, 323:340] = 6
    dock = make_dock(viewer)
    far = dock.follower.live.border[190:240, 290:350]
    kept = far.copy()
    assert kept.max() > 5
    far[:] = -1
    layer.brush_size = 8
    layer.paint((30, 46), 8)
    settle(qtbot, dock)
    rows, columns = dock.follower.region
    assert rows.stop <= 90
    assert columns.stop <= 110
    assert (far == -1).all()
    far[:] = kept
    assert_shows_border_of(dock, layer.data)
    assert dock.follower.live.border[30, 41] > 5


def test_erasing_filling_undo_and_redo_are_followed(viewer, make_dock, qtbot):
    layer = viewer.add_labels(two_cells())
    dock = make_dock(viewer)
    for act in (
        lambda: layer.paint((30, 41), 0),
        lambda: layer.fill((30, 30), 0),
        layer.undo,
        lambda: layer.fill((30, 50), 77),
        layer.undo,
        layer.redo,
        lambda: layer.paint((40, 42), 12),
        layer.undo,
    ):
        act()
        settle(qtbot, dock)
        assert_shows_border_of(dock, layer.data)


def test_labels_that_are_replaced_are_followed(viewer, make_dock, qtbot):
    layer = viewer.add_labels(two_cells())
    dock = make_dock(viewer)
    layer.data = two_cells()[::-1].copy()
    settle(qtbot, dock)
    assert_shows_border_of(dock, layer.data)
    layer.data = two_cells((120, 70))
    settle(qtbot, dock)
    assert_shows_border_of(dock, layer.data)
    layer.paint((60, 30), 4)
    settle(qtbot, dock)
    assert_shows_border_of(dock, layer.data)


@pytest.mark.parametrize("term", ["total", "class_balance"])
def test_terms_with_class_balance_follow_everywhere(viewer, make_dock, qtbot, term):
    layer = viewer.add_labels(two_cells())
    dock = make_dock(viewer)
    choose_term(dock, term)
    np.testing.assert_array_equal(dock.follower.overlay.layer.data, getattr(weight_map(two_cells()), term))
    layer.paint((70, 80), 4)
    settle(qtbot, dock)
    np.testing.assert_array_equal(dock.follower.overlay.layer.data, getattr(weight_map(layer.data), term))


@pytest.mark.parametrize("term", ["d1", "d2"])
def test_distances_are_shown_up_to_the_reach(viewer, make_dock, qtbot, term):
    layer = viewer.add_labels(two_cells())
    dock = make_dock(viewer)
    choose_term(dock, term)
    settle(qtbot, dock)
    layer.paint((70, 80), 4)
    settle(qtbot, dock)
    reach = dock.follower.params.reach
    expected = np.minimum(getattr(weight_map(layer.data), term), np.float32(reach))
    np.testing.assert_allclose(dock.follower.overlay.layer.data, expected, rtol=1e-6)
    assert tuple(dock.follower.overlay.layer.contrast_limits) == pytest.approx((0, reach))


def test_the_sliders_change_the_map_at_once(viewer, make_dock):
    viewer.add_labels(two_cells())
    dock = make_dock(viewer)
    slider = dock.form.main["w0"].slider
    slider.setValue(slider.maximum())
    assert_shows_border_of(dock, two_cells(), w0=50)
    assert tuple(dock.follower.overlay.layer.contrast_limits) == (0, 50)
    assert dock.form.legend.limits == (0, 50)
    slider = dock.form.main["sigma"].slider
    for position in (slider.maximum(), slider.minimum()):
        slider.setValue(position)
        assert_shows_border_of(dock, two_cells(), w0=50, sigma=dock.form.params().sigma)


def test_the_map_follows_the_plane_slider_of_a_stack(viewer, make_dock, qtbot):
    stack = np.stack([two_cells(), np.zeros_like(two_cells()), two_cells()[:, ::-1]])
    layer = viewer.add_labels(stack)
    dock = make_dock(viewer)
    for step in (2, 0, 1):
        viewer.dims.set_current_step(0, step)
        settle(qtbot, dock)
        assert_shows_border_of(dock, stack[step])
        assert dock.follower.overlay.layer.translate[0] == step
    viewer.dims.set_current_step(0, 2)
    settle(qtbot, dock)
    layer.paint((2, 30, 48), 5)
    settle(qtbot, dock)
    assert_shows_border_of(dock, layer.data[2])


def test_lazy_and_pyramid_labels_are_shown(viewer, make_dock, qtbot):
    import dask.array

    viewer.add_labels(dask.array.from_array(two_cells(), chunks=30))
    dock = make_dock(viewer)
    assert_shows_border_of(dock, two_cells())
    viewer.layers.clear()
    viewer.add_labels([two_cells(), two_cells()[::2, ::2]], multiscale=True)
    qtbot.waitUntil(lambda: dock.follower.live is not None)
    assert_shows_border_of(dock, two_cells())


def test_of_large_labels_what_is_in_view_is_weighed(viewer, make_dock, qtbot, monkeypatch):
    from napari_utile.widgets.pages.weights import watched_labels

    labels = np.zeros((900, 1000), np.int32)
    labels[500:580, 600:700] = two_cells()[:80, :1].max() or 0
    labels[510:540, 620:640] = 3
    labels[510:540, 644:660] = 8
    layer = viewer.add_labels(labels)
    monkeypatch.setattr(watched_labels, "WHOLE_BELOW", 300 * 300)
    layer.corner_pixels = np.array([[480, 590], [580, 690]])
    dock = make_dock(viewer)
    rows, columns = dock.follower.watched.window
    assert rows.start < 480
    assert rows.stop - rows.start < 300
    overlay = dock.follower.overlay.layer
    assert overlay.translate.tolist() == [rows.start, columns.start]
    np.testing.assert_array_equal(
        overlay.data[60:100, 60:100], weight_map(labels).border[rows, columns][60:100, 60:100]
    )
    layer.paint((525, 642), 3)
    settle(qtbot, dock)
    inner = (slice(60, 100), slice(60, 100))
    np.testing.assert_array_equal(overlay.data[inner], weight_map(labels).border[rows, columns][inner])


def test_labels_too_large_for_the_view_say_to_zoom_in(viewer, make_dock, monkeypatch):
    from napari_utile.widgets.pages.weights import watched_labels

    layer = viewer.add_labels(two_cells())
    monkeypatch.setattr(watched_labels, "WHOLE_BELOW", 100)
    layer.corner_pixels = np.array([[0, 0], [79, 89]])
    dock = make_dock(viewer, wait=False)
    assert "zoom in" in dock.form.status.text()


def test_negative_labels_end_in_a_sentence(viewer, make_dock, qtbot):
    labels = two_cells()
    labels[0, 0] = -2
    viewer.add_labels(labels)
    dock = make_dock(viewer, wait=False)
    qtbot.waitUntil(lambda: "-2" in dock.form.status.text())
    assert dock.follower.overlay.layer is None


def test_hovering_says_why_and_draws_lines_to_both_cells(viewer, make_dock, qtbot):
    layer = viewer.add_labels(two_cells(), scale=(2, 2))
    dock = make_dock(viewer)
    dock.hover.point_at((60, 84))
    qtbot.waitUntil(lambda: "cell 8" in dock.form.readout.text())
    made = weight_map(two_cells())
    assert f"w = {made.total[30, 42]:.2f}" in dock.form.readout.text()
    assert "d1 = 2.0 px from cell 8" in dock.form.readout.text()
    assert "d2 = 3.0 px from cell 3" in dock.form.readout.text()
    assert "cells 8 | 3" in str(viewer.status)
    lines = dock.hover.lines.layer
    np.testing.assert_allclose(lines.data[:, 0], [(30, 42), (30, 42)])
    np.testing.assert_allclose(lines.data[:, 1], [(0, 2), (0, -3)])
    np.testing.assert_allclose(lines.scale, layer.scale)
    viewer.status = "something else"
    qtbot.waitUntil(lambda: "cells 8 | 3" in str(viewer.status))
    dock.hover.point_at((-50, 0))
    qtbot.waitUntil(lambda: "Point at" in dock.form.readout.text())
    assert len(lines.data) == 0


def test_the_loss_budget_lists_the_gaps_and_goes_there(viewer, make_dock, qtbot):
    viewer.add_labels(two_cells())
    dock = make_dock(viewer)
    table = dock.form.budget.table
    assert not dock.form.explain.isExpanded(), "folded until somebody asks"
    dock.form.explain.expand(animate=False)
    qtbot.waitUntil(lambda: table.rowCount() == 1, timeout=10000)
    budget = loss_budget(weight_map(two_cells()))
    assert table.item(0, 0).text() == "3 and 8"
    assert f"borders&nbsp;{100 * budget.borders:.0f}&nbsp;%" in dock.form.budget.text.text()
    table.cellClicked.emit(0, 0)
    row, column = budget.gaps[0].position
    assert tuple(camera_of(viewer).center)[-2:] == (row, column)


def test_with_a_prediction_the_budget_is_that_of_the_weighted_cross_entropy(viewer, make_dock, qtbot):
    viewer.add_labels(two_cells())
    probability = np.where(two_cells() > 0, 0.9, 0.2).astype(np.float32)
    viewer.add_image(np.zeros((4, 4), np.float32), name="other")
    layer = viewer.add_image(probability, name="probability")
    dock = make_dock(viewer)
    dock.form.budget.probability.set_layer(layer)
    choose_term(dock, "loss")
    expected = loss_budget(weight_map(two_cells()), probability)
    qtbot.waitUntil(lambda: dock.follower.loss is not None, timeout=10000)
    np.testing.assert_array_equal(dock.follower.overlay.layer.data, expected.loss)
    assert f"{expected.mean:.3g}" in dock.form.budget.text.text()
    dock.form.budget.probability.set_layer(viewer.layers["other"])
    qtbot.waitUntil(lambda: "same image" in dock.form.status.text(), timeout=10000)


def test_the_annotation_check_finds_goes_and_fixes_in_one_undoable_step(viewer, make_dock, qtbot):
    labels = two_cells()
    labels[20:50, 40:44] = 3
    labels[30:33, 50:53] = 0
    layer = viewer.add_labels(labels.copy())
    dock = make_dock(viewer)
    check = dock.form.check
    dock.form.checking.expand(animate=False)
    qtbot.waitUntil(lambda: check.table.rowCount() == 2, timeout=10000)
    assert [finding.kind for finding in check.findings] == ["touching", "hole"]
    assert "1 pair without a gap, 1 hole" in check.text.text()
    check.table.selectRow(1)
    check.table.cellClicked.emit(1, 0)
    assert tuple(camera_of(viewer).center)[-2:] == (31, 51)
    check.fix.click()
    assert (layer.data[30:33, 50:53] == 8).all()
    qtbot.waitUntil(lambda: check.table.rowCount() == 1, timeout=10000)
    check.fix_all.click()
    qtbot.waitUntil(lambda: "Nothing looks wrong" in check.text.text(), timeout=10000)
    assert_shows_border_of(dock, layer.data)
    layer.undo()
    layer.undo()
    np.testing.assert_array_equal(layer.data, labels)


@pytest.mark.parametrize("change", ["slider", "cells", "paint"])
def test_fixes_are_made_only_where_they_were_found(viewer, make_dock, qtbot, change):
    planes = np.zeros((2, 60, 70), np.int32)
    planes[0, 10:20, 10:20], planes[0, 10:20, 20:35] = 1, 2
    planes[1, 5:50, 5:60] = 7
    layer = viewer.add_labels(planes.copy(), name="touching")
    other = viewer.add_labels(planes[1:].copy(), name="whole")
    viewer.dims.set_current_step(0, 0)
    dock = make_dock(viewer)
    dock.dock.header.cells.set_layer(layer)
    check = dock.form.check
    dock.form.checking.expand(animate=False)
    qtbot.waitUntil(lambda: bool(check.findings), timeout=10000)
    found = list(check.findings)
    if change == "slider":
        viewer.dims.set_current_step(0, 1)
    elif change == "cells":
        dock.dock.header.cells.set_layer(other)
    else:
        layer.data_setitem(np.nonzero(planes == 2), 0)
    before = layer.data.copy(), other.data.copy()
    check.fix_all.click()
    dock.apply_fixes(found)
    settle(qtbot, dock)
    check.fix_all.click()
    np.testing.assert_array_equal(layer.data, before[0])
    np.testing.assert_array_equal(other.data, before[1])
    qtbot.waitUntil(lambda: "Nothing looks wrong" in check.text.text(), timeout=10000)


def test_a_fix_that_needs_an_id_the_labels_cannot_hold_is_refused(viewer, make_dock, qtbot):
    labels = np.zeros((60, 60), np.uint8)
    labels[5:15, 5:15] = 255
    labels[30:40, 30:40] = 255
    layer = viewer.add_labels(labels.copy())
    dock = make_dock(viewer)
    dock.form.checking.expand(animate=False)
    qtbot.waitUntil(lambda: bool(dock.form.check.findings), timeout=10000)
    dock.form.check.fix_all.click()
    assert "no free id" in dock.form.status.text()
    np.testing.assert_array_equal(layer.data, labels)


def test_the_profile_follows_the_line(viewer, make_dock, qtbot):
    viewer.add_labels(two_cells(), scale=(0.5, 0.5))
    dock = make_dock(viewer)
    tab = dock.form.profile
    dock.form.explain.expand(animate=False)
    dock.form.tabs.setCurrentWidget(tab)
    tab.draw.click()
    lines = tab.shapes.layer
    assert lines.mode == "add_line"
    lines.add_lines(np.array([[30, 30], [30, 50]]))
    x, y = tab.curves["border"].getData()
    assert x[-1] == 20
    np.testing.assert_allclose(y.max(), weight_map(two_cells()).border[30, 30:50].max())


def test_saving_writes_the_map_with_its_parameters(viewer, make_dock, qtbot, tmp_path):
    viewer.add_labels(two_cells())
    dock = make_dock(viewer)
    choose_term(dock, "total")
    dock.save(str(tmp_path / "map"))
    qtbot.waitUntil(lambda: "Saved" in dock.form.status.text(), timeout=10000)
    saved = read_image(tmp_path / "map.tif")
    np.testing.assert_array_equal(saved.data, weight_map(two_cells()).total)
    assert json.loads(saved.description)["weight_map"]["term"] == "total"


def test_the_copied_command_names_the_parameters(viewer, make_dock, qtbot):
    from qtpy.QtGui import QGuiApplication

    viewer.add_labels(two_cells())
    dock = make_dock(viewer)
    dock.form.main["sigma"].slider.setValue(1000)
    dock.copy_command()
    assert QGuiApplication.clipboard().text() == (
        "utile weight-map LABELS.tif -o weights.tif --term border --sigma 20.0"
    )


def test_a_deleted_overlay_stays_away_until_asked_for(viewer, make_dock, qtbot):
    layer = viewer.add_labels(two_cells())
    dock = make_dock(viewer)
    viewer.layers.remove(dock.follower.overlay.layer)
    assert not dock.form.show_overlay.isChecked()
    layer.paint((30, 41), 3)
    settle(qtbot, dock)
    assert len(viewer.layers) == 1
    dock.form.show_overlay.click()
    settle(qtbot, dock)
    assert_shows_border_of(dock, layer.data)


def test_closing_the_dock_leaves_only_the_users_layers(viewer, qtbot):
    viewer.add_labels(two_cells(), name="mine")
    dock = page_of(viewer, "weights")
    qtbot.waitUntil(lambda: dock.follower.live is not None, timeout=10000)
    callbacks = len(viewer.mouse_move_callbacks)
    dock.hover.point_at((30, 42))
    qtbot.waitUntil(lambda: len(viewer.layers) == 3)
    with qtbot.waitSignal(dock.destroyed):
        dock.dock.deleteLater()
    assert [layer.name for layer in viewer.layers] == ["mine"]
    assert len(viewer.mouse_move_callbacks) == callbacks - 1
    viewer.layers[0].paint((30, 41), 3)
    qtbot.wait(20)
