"""Measuring the active Labels layer into its features."""

from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.utils.notifications import notification_manager
from qtpy.QtCore import Qt

from napari_utile.session.cell_classes import with_class
from napari_utile.widgets.pages.segment.link_layer import link_active_labels_t
from napari_utile.widgets.pages.segment.measure_layer import measure_active_labels
from napari_utile.widgets.viewer.layers import session_of
from pages import finish, page_of


def cells() -> np.ndarray:
    labels = np.zeros((20, 30), np.int32)
    labels[2:8, 2:12] = 3
    labels[10:16, 12:22] = 8
    return labels


def test_features_hold_shapes_and_intensities_in_physical_units(qtbot: Any) -> None:
    viewer = ViewerModel()
    viewer.add_image(np.full((20, 30), 7.0), name="image", scale=(0.5, 0.5), units=("um", "um"))
    layer = viewer.add_labels(cells(), name="cells", scale=(0.5, 0.5), units=("um", "um"))
    finish(qtbot, measure_active_labels(viewer))
    table = layer.features
    assert table["index"].tolist() == [3, 8]
    assert table["area_um2"].tolist() == [15, 15]
    assert table["intensity_mean"].tolist() == [7, 7]
    assert {"perimeter_um", "eccentricity", "solidity", "neighbours", "touching_fraction"} <= set(table)


def test_a_stack_is_measured_on_the_plane_on_screen(qtbot: Any) -> None:
    viewer = ViewerModel()
    layer = viewer.add_labels(np.stack([cells(), np.zeros_like(cells())]), name="cells")
    viewer.dims.set_current_step(0, 0)
    finish(qtbot, measure_active_labels(viewer))
    assert layer.features["axis 0"].tolist() == [0, 0]
    assert "intensity_mean" not in layer.features


def test_measuring_another_plane_keeps_the_rows_of_the_first(qtbot: Any) -> None:
    viewer = ViewerModel()
    layer = viewer.add_labels(np.stack([cells(), np.where(cells() > 0, cells() + 20, 0)]), name="cells")
    for plane in (0, 1, 1):
        viewer.dims.set_current_step(0, plane)
        finish(qtbot, measure_active_labels(viewer))
    assert layer.features["index"].tolist() == [3, 8, 23, 28]
    assert layer.features["axis 0"].tolist() == [0, 0, 1, 1]


def test_a_table_of_a_user_that_names_no_ids_keeps_its_columns(qtbot: Any) -> None:
    viewer = ViewerModel()
    layer = viewer.add_labels(cells(), features={"gene": ["background", *"abcdefgh"]})
    finish(qtbot, measure_active_labels(viewer))
    assert layer.features[["index", "gene"]].to_numpy().tolist() == [[3, "c"], [8, "h"]]


def test_the_table_of_tracks_stays_as_it_is(qtbot: Any) -> None:
    viewer = ViewerModel()
    viewer.add_labels(np.stack([cells(), cells()]), name="cells", axis_labels=("t", "y", "x"))
    finish(qtbot, link_active_labels_t(viewer))
    tracks = viewer.layers["cells tracks"]
    table = tracks.features.copy()
    viewer.layers.selection.active = tracks
    job = measure_active_labels(viewer)
    if job is not None:
        finish(qtbot, job)
    assert tracks.features.equals(table)


def test_without_labels_it_says_so(qtbot: Any) -> None:
    viewer = ViewerModel()
    viewer.add_image(np.zeros((4, 4)))
    said: list[str] = []
    notification_manager.notification_ready.connect(lambda event: said.append(event.message))
    assert measure_active_labels(viewer) is None
    assert said == ["Open a labels layer first: there are no cells to measure."]


def test_the_button_table_measures_cells_of_which_some_have_a_class_alone(qtbot: Any) -> None:
    viewer = ViewerModel()
    page = page_of(viewer, "segment", qtbot)
    viewer.add_image(np.full((2, 20, 30), 7, np.uint8), name="image")
    layer = viewer.add_labels(np.stack([cells(), cells()]), name="cells")
    layer.features = with_class({}, 8, "flat", {"axis 0": 1})
    for plane, rows in ((1, 2), (0, 4)):
        viewer.dims.set_current_step(0, plane)
        qtbot.mouseClick(page.form.show_table, Qt.MouseButton.LeftButton)
        qtbot.waitUntil(lambda rows=rows: len(layer.features) == rows, timeout=60_000)
    table = layer.features
    assert np.isfinite(table["area_px"]).all()
    assert table[table["class"] == "flat"][["axis 0", "index"]].to_numpy().tolist() == [[1, 8]]


def test_the_button_table_measures_cells_that_have_none(qtbot: Any) -> None:
    """As those that were saved and opened again, by this program or by napari."""
    viewer = ViewerModel()
    page = page_of(viewer, "segment", qtbot)
    assert not page.form.show_table.isEnabled()
    viewer.add_image(np.full((2, 20, 30), 7, np.uint8), name="image")
    layer = viewer.add_labels(np.stack([cells(), np.where(cells() > 0, cells() + 20, 0)]), name="cells")
    for plane, ids in ((0, [3, 8]), (1, [3, 8, 23, 28])):
        viewer.dims.set_current_step(0, plane)
        qtbot.mouseClick(page.form.show_table, Qt.MouseButton.LeftButton)
        qtbot.waitUntil(lambda ids=ids: list(layer.features.get("index", ())) == ids, timeout=60_000)


def test_plots_are_offered_where_the_chosen_cells_have_a_table(qtbot: Any) -> None:
    viewer = ViewerModel()
    page = page_of(viewer, "segment", qtbot)
    viewer.add_image(np.full((2, 20, 30), 7, np.uint8), name="image", axis_labels=("t", "y", "x"))
    layer = viewer.add_labels(np.stack([cells(), cells()]), name="cells", axis_labels=("t", "y", "x"))
    plots = page.form.show_plots
    assert not plots.isEnabled()
    layer.features = with_class({}, 8, "flat")
    assert not plots.isEnabled(), "classes alone are no measurements"
    qtbot.mouseClick(page.form.show_table, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(plots.isEnabled, timeout=60_000)
    session_of(viewer).cells = other = viewer.add_labels(np.stack([cells(), cells()]), name="others")
    assert not plots.isEnabled()
    finish(qtbot, link_active_labels_t(viewer))
    session_of(viewer).cells = viewer.layers["others tracks"]
    assert plots.isEnabled()
    session_of(viewer).cells = other
    assert not plots.isEnabled()
