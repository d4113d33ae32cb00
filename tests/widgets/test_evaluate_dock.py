"""The Evaluate dock, by what users press and see."""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Labels
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from napari_utile.engine.files.images import write_labels
from napari_utile.session.evaluation import FoundError, PlaneLabels, evaluation_job
from napari_utile.widgets.pages.evaluate import page as page_module
from napari_utile.widgets.pages.evaluate.page import EvaluatePage
from napari_utile.widgets.viewer.layers import session_of
from pages import page_of
from sheets import rows_of

TRUTH = np.zeros((60, 80), np.int32)
TRUTH[5:15, 5:15] = 1
TRUTH[5:15, 16:26] = 2
TRUTH[30:42, 10:22] = 3
TRUTH[30:42, 50:62] = 4
# 1 and 2 merged, 3 found, 4 missed, one false.
PREDICTION = np.where((TRUTH == 1) | (TRUTH == 2), 7, np.where(TRUTH == 3, 3, 0)).astype(np.int32)
PREDICTION[5:15, 15] = 7
PREDICTION[50:55, 70:75] = 9


def until(done: Callable[[], Any]) -> None:
    """Let the dock's jobs answer."""
    for _ in range(4000):
        if done():
            return
        QTest.qWait(5)
    pytest.fail("the answer did not come")


@pytest.fixture
def viewer() -> ViewerModel:
    model = ViewerModel()
    model.add_image(np.random.default_rng(0).random((60, 80)), name="cells")
    model.add_labels(TRUTH.copy(), name="truth")
    model.add_labels(PREDICTION.copy(), name="predicted")
    return model


@pytest.fixture
def dock(viewer: ViewerModel, qtbot: Any) -> Iterator[EvaluatePage]:
    widget = page_of(viewer, "evaluate")
    qtbot.addWidget(widget.dock)
    yield widget
    session_of(viewer).close()


@pytest.fixture
def stack(qtbot: Any) -> Iterator[tuple[EvaluatePage, ViewerModel, Labels]]:
    """The dock where each of two planes is compared, and the layer that is judged."""
    viewer = ViewerModel()
    viewer.add_labels(np.stack([TRUTH, TRUTH]), name="truth")
    layer = viewer.add_labels(np.stack([PREDICTION, TRUTH]), name="predicted")
    page = page_of(viewer, "evaluate", qtbot)
    page.dock.show()
    page.form.every_plane.setChecked(True)
    yield page, viewer, layer
    session_of(viewer).close()


def evaluated(dock: EvaluatePage) -> EvaluatePage:
    dock.form.run_bar.run_button.click()
    until(lambda: not dock.running and dock.result is not None)
    return dock


def cell(dock: EvaluatePage, score: str, column: int = 1) -> str:
    table = dock.form.scores
    for row in range(table.rowCount()):
        if table.item(row, 0).text() == score:
            return str(table.item(row, column).text())
    raise AssertionError(f"no row {score}")


def test_it_guesses_which_layer_is_the_reference(dock: EvaluatePage) -> None:
    assert dock.form.truth.layer.name == "truth"
    assert dock.dock.header.cells.layer.name == "predicted"


def test_numbers_errors_and_the_error_layer_appear(dock: EvaluatePage, viewer: ViewerModel) -> None:
    evaluated(dock)
    assert cell(dock, "AP at IoU 0.5") == f"{1 / 6:.3f}"
    assert cell(dock, "Reference cells") == "4"
    kinds = [dock.form.errors.table.item(row, 0).text() for row in range(3)]
    assert kinds == ["merged", "missed", "false"]
    layer = viewer.layers["predicted errors"]
    assert layer.data[35, 55] == 2
    assert tuple(layer.colormap.map(2)) == pytest.approx((0.894, 0.102, 0.11, 1), abs=0.01)
    assert "3 errors" in dock.form.status.text()


def test_every_score_explains_itself_on_hover(dock: EvaluatePage) -> None:
    evaluated(dock)
    table = dock.form.scores
    tips = [table.item(row, 0).toolTip() for row in range(table.rowCount()) if table.item(row, 1) is not None]
    assert len(tips) == 25
    assert all("<p>" in tip for tip in tips)
    assert "TP / (TP + FP + FN)" in tips[1]


def test_stepping_goes_to_each_error_and_round(dock: EvaluatePage, viewer: ViewerModel) -> None:
    evaluated(dock)
    went: list[FoundError] = []
    dock.form.errors.chosen.connect(went.append)
    for _ in range(4):
        dock.form.errors.next_button.click()
    assert [found.error.kind.name for found in went] == ["MERGED", "MISSED", "FALSE", "MERGED"]
    dock.form.errors.previous_button.click()
    assert went[-1].error.kind.name == "FALSE"
    center = viewer.scene.camera.center if hasattr(viewer, "scene") else viewer.camera.center
    assert center[-2:] == pytest.approx((52, 72))
    assert viewer.layers["predicted"].selected_label == 9
    assert dock.form.errors.position.text() == "3 of 3"
    assert dock.form.status.text() == "False: cell 9 of the prediction."


def test_keys_step_through_the_errors(dock: EvaluatePage, viewer: ViewerModel) -> None:
    evaluated(dock)
    keys = {str(key): function for key, function in viewer.keymap.items()}
    keys["."](viewer)
    assert dock.form.errors.row == 0
    keys["."](viewer)
    keys[","](viewer)
    assert dock.form.errors.row == 0
    assert dock.form.tabs.currentWidget() is dock.form.errors


def test_numbers_follow_an_edit_and_its_undo(dock: EvaluatePage, viewer: ViewerModel) -> None:
    evaluated(dock)
    layer = viewer.layers["predicted"]
    layer.data_setitem(np.nonzero(TRUTH == 4), 11)
    until(lambda: dock.form.errors.table.rowCount() == 2)
    assert cell(dock, "Missed") == "0"
    layer.undo()
    until(lambda: dock.form.errors.table.rowCount() == 3)
    assert viewer.layers["predicted errors"].data[35, 55] == 2


def test_the_sentence_follows_an_edit_and_a_slider(qtbot: Any) -> None:
    viewer = ViewerModel()
    viewer.add_labels(np.stack([TRUTH, TRUTH]), name="truth")
    layer = viewer.add_labels(np.stack([PREDICTION, TRUTH]), name="predicted")
    dock = page_of(viewer, "evaluate", qtbot)
    viewer.dims.set_current_step(0, 0)
    assert "3 errors." in evaluated(dock).form.status.text()
    layer.data_setitem((np.zeros(144, int), *np.nonzero(TRUTH == 4)), 11)
    until(lambda: "2 errors." in dock.form.status.text())
    viewer.dims.set_current_step(0, 1)
    until(lambda: "SEG 1.00, AP 1.00 at IoU 0.5, 0 errors." in dock.form.status.text())
    session_of(viewer).close()


def test_a_plane_out_of_reach_is_said_and_not_written_until_it_is_back(qtbot: Any) -> None:
    viewer = ViewerModel()
    viewer.add_image(np.zeros((3, 60, 80)))
    viewer.add_labels(np.stack([TRUTH, TRUTH]), name="truth")
    layer = viewer.add_labels(np.stack([PREDICTION, TRUTH]), name="predicted")
    dock = page_of(viewer, "evaluate", qtbot)
    session_of(viewer).cells = layer
    viewer.dims.set_current_step(0, 0)
    evaluated(dock)
    viewer.dims.set_current_step(0, 2)
    until(lambda: dock.form.status.text() == "truth has nothing at the current position of the sliders.")
    assert not dock.form.export_csv.isEnabled()
    viewer.dims.set_current_step(0, 0)
    until(lambda: "3 errors." in dock.form.status.text())
    assert dock.form.export_csv.isEnabled()
    session_of(viewer).close()


def test_ignored_pixels_are_followed(dock: EvaluatePage, viewer: ViewerModel) -> None:
    dirt = viewer.add_labels(np.zeros_like(TRUTH), name="dirt")
    dock.form.ignore.set_layer(dirt)
    assert cell(evaluated(dock), "False") == "1"
    dirt.data_setitem(np.nonzero(PREDICTION == 9), 1)
    until(lambda: cell(dock, "False") == "0")
    shapes = viewer.add_shapes([np.array([[28, 48], [28, 64], [44, 64], [44, 48]])], name="out of focus")
    dock.form.ignore.set_layer(shapes)
    until(lambda: (cell(dock, "Missed"), cell(dock, "False")) == ("0", "1"))
    shapes.add([np.array([[48, 68], [48, 78], [58, 78], [58, 68]])])
    shapes.selected_data = {1}
    until(lambda: (cell(dock, "Missed"), cell(dock, "False")) == ("0", "0"))
    viewer.layers.remove(shapes)
    until(lambda: (cell(dock, "Missed"), cell(dock, "False")) == ("1", "1"))


@pytest.mark.parametrize("change", ["edit", "other ignored pixels"])
def test_a_stack_that_has_changed_is_not_written_until_it_is_scored_again(change: str, stack: Any) -> None:
    dock, viewer, layer = stack
    viewer.dims.set_current_step(0, 0)
    evaluated(dock)
    viewer.dims.set_current_step(0, 1)
    QTest.qWait(400)  # edits are followed when nothing has changed for a while
    assert dock.form.export_csv.isEnabled()
    if change == "edit":
        layer.data_setitem((np.ones(144, int), *np.nonzero(TRUTH == 4)), 0)
    else:
        dock.form.ignore.set_layer(viewer.add_shapes([np.array([[28, 48], [28, 64], [44, 64], [44, 48]])]))
    until(lambda: "have changed since they were compared: press Evaluate" in dock.form.status.text())
    assert not dock.form.export_csv.isEnabled()
    assert not dock.form.export_report.isEnabled()
    dock.form.run_bar.run_button.click()
    until(lambda: not dock.running and dock.form.export_csv.isEnabled())
    assert "errors." in dock.form.status.text()


@pytest.mark.parametrize("change", ["edit", "other ignored pixels", "a shape"])
def test_a_stack_whose_change_was_undone_is_as_it_was_compared(change: str, stack: Any) -> None:
    dock, viewer, layer = stack
    corners = np.array([[28, 48], [28, 64], [44, 64], [44, 48]])
    shapes = viewer.add_shapes([corners], name="ignored")
    dock.form.ignore.set_layer(shapes)
    evaluated(dock)
    said = dock.form.status.text()
    for _ in range(2):
        if change == "edit":
            layer.data_setitem((np.ones(144, int), *np.nonzero(TRUTH == 4)), 0)
        elif change == "a shape":
            shapes.add([corners - 20])
        else:
            dock.form.ignore.set_layer(None)
        until(lambda: "have changed since they were compared" in dock.form.status.text())
        if change == "edit":
            layer.undo()
        elif change == "a shape":
            shapes.selected_data = {1}
            shapes.remove_selected()
        else:
            dock.form.ignore.set_layer(shapes)
        until(lambda: dock.form.status.text() == said)
        assert dock.form.export_csv.isEnabled()


@pytest.mark.parametrize("change", ["edit", "edit and slide", "undo", "new data"])
def test_a_change_of_a_stack_is_noticed_on_whichever_plane_it_is(change: str, stack: Any) -> None:
    dock, viewer, layer = stack
    rows, columns = np.nonzero(PREDICTION == 3)
    cells = (np.zeros_like(rows), rows, columns)
    if change == "undo":
        layer.data_setitem(cells, 0)
    viewer.dims.set_current_step(0, 0 if "slide" in change else 1)
    evaluated(dock)
    layer.visible = False
    layer.visible = True  # drawn again, and nothing has changed
    QTest.qWait(600)
    assert dock.form.export_csv.isEnabled()
    if change == "undo":
        layer.undo()
    elif change == "new data":
        layer.data = np.stack([TRUTH, TRUTH])
    else:
        layer.data_setitem(cells, 0)
        viewer.dims.set_current_step(0, 1)
    until(lambda: not dock.form.export_csv.isEnabled())
    assert "have changed since they were compared" in dock.form.status.text()


SPACES = {
    "moved": ({"translate": (30, 0)}, {}, True),
    "other pixel sizes": ({"scale": (2, 2)}, {"scale": (0.5, 0.5)}, True),
    "half a pixel": ({"translate": (0.5, 0.4)}, {}, False),
    "moved together": (
        {"translate": (30, 0), "scale": (2, 2)},
        {"translate": (30, 0), "scale": (2, 2)},
        False,
    ),
    "without pixel size": ({}, {"translate": (300, 100), "scale": (0.5, 0.5)}, False),
    "a turned reference": ({"scale": (2, 2)}, {"scale": (2, 2), "rotate": 90}, True),
}


@pytest.mark.parametrize("case", SPACES)
def test_labels_that_lie_elsewhere_are_compared_with_a_doubt(case: str, qtbot: Any) -> None:
    prediction, truth, doubted = SPACES[case]
    viewer = ViewerModel()
    viewer.add_labels(TRUTH, name="truth", **truth)
    layer = viewer.add_labels(TRUTH, name="predicted", **prediction)
    dock = page_of(viewer, "evaluate", qtbot)
    session_of(viewer).cells = layer
    evaluated(dock)
    assert ("predicted does not lie on truth" in dock.form.status.text()) == doubted
    assert dock.form.status.kind == ("problem" if doubted else "good")
    session_of(viewer).close()


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Let comparisons wait, before they begin, until it is set."""
    go = threading.Event()

    def later(names: tuple[str, ...], planes: Sequence[PlaneLabels]) -> Any:
        copied = [
            replace(plane, predictions=tuple(one.copy() for one in plane.predictions)) for plane in planes
        ]
        while not go.wait(0.01):
            yield 0, 1
        return (yield from evaluation_job(names, copied))

    monkeypatch.setattr(page_module, "evaluation_job", later)
    return go


def test_an_edit_while_a_comparison_runs_is_scored(
    dock: EvaluatePage, viewer: ViewerModel, held: threading.Event
) -> None:
    dock.form.run_bar.run_button.click()
    QTest.qWait(50)
    viewer.layers["predicted"].data_setitem(np.nonzero(TRUTH == 4), 11)
    QTest.qWait(400)  # edits are followed when nothing has changed for a while
    held.set()
    until(lambda: dock.result is not None and cell(dock, "Missed") == "0")


def test_a_cancelled_comparison_leaves_what_is_shown(
    dock: EvaluatePage, viewer: ViewerModel, held: threading.Event
) -> None:
    held.set()
    good = viewer.add_labels(TRUTH.copy(), name="good")
    session_of(viewer).cells = good
    evaluated(dock)
    held.clear()
    session_of(viewer).cells = viewer.layers["predicted"]
    dock.form.run_bar.run_button.click()
    good.data_setitem(np.nonzero(TRUTH == 1), 0)
    QTest.qWait(50)
    dock.form.run_bar.cancel_button.click()
    until(lambda: not dock.running)
    held.set()
    until(lambda: cell(dock, "Missed") == "1")  # what was edited while the other one ran
    viewer.layers["predicted"].data_setitem(np.nonzero(TRUTH == 4), 11)
    QTest.qWait(500)
    assert dock.result is not None
    assert dock.result.names == ("good",)
    assert cell(dock, "False") == "0"
    assert good.contour == 1
    assert viewer.layers["predicted"].contour == 0


def test_an_ignored_region_takes_errors_away(dock: EvaluatePage, viewer: ViewerModel) -> None:
    viewer.add_shapes([np.array([[28, 48], [28, 64], [44, 64], [44, 48]])], name="out of focus")
    dock.form.ignore.set_layer(viewer.layers["out of focus"])
    assert cell(evaluated(dock), "Missed") == "0"
    hide = viewer.add_labels((PREDICTION == 9).astype(np.int32), name="dirt")
    dock.form.ignore.set_layer(hide)
    dock.form.run_bar.run_button.click()
    until(lambda: not dock.running)
    assert cell(dock, "False") == "0"


def test_predictions_are_compared_with_an_interval(dock: EvaluatePage, viewer: ViewerModel) -> None:
    better = viewer.add_labels(TRUTH.copy(), name="better")
    dock.dock.header.cells.set_layer(viewer.layers["predicted"])
    dock.form.others.tick(better)
    evaluated(dock)
    assert [dock.form.scores.horizontalHeaderItem(column).text() for column in range(4)] == [
        "",
        "predicted",
        "better",
        "change",
    ]
    assert cell(dock, "SEG", 2) == "1.000"
    row = next(r for r in range(30) if dock.form.scores.item(r, 0).text() == "SEG")
    tip = dock.form.scores.item(row, 3).toolTip()
    assert "95 % interval" in tip
    assert "4 cells" in tip
    assert len(dock.form.plot.listDataItems()) == 2


def test_a_stack_is_scored_plane_by_plane_and_in_all(qtbot: Any) -> None:
    viewer = ViewerModel()
    viewer.add_labels(np.stack([TRUTH, TRUTH, TRUTH]), name="truth")
    viewer.add_labels(np.stack([TRUTH, PREDICTION, TRUTH]), name="predicted")
    dock = page_of(viewer, "evaluate")
    qtbot.addWidget(dock.dock)
    viewer.dims.set_current_step(0, 0)
    evaluated(dock)
    assert cell(dock, "AP at IoU 0.5") == "1.000"
    viewer.dims.set_current_step(0, 1)
    until(lambda: cell(dock, "AP at IoU 0.5") == "0.167")
    dock.form.every_plane.setChecked(True)
    dock.form.run_bar.run_button.click()
    until(lambda: not dock.running)
    assert cell(dock, "AP at IoU 0.5") == f"{(2 + 1 / 6) / 3:.3f}"
    assert cell(dock, "Reference cells") == "12"
    viewer.dims.set_current_step(0, 2)
    dock.form.errors.next_button.click()
    assert viewer.dims.current_step[0] == 1
    assert viewer.layers["predicted errors"].data[1, 35, 55] == 2
    session_of(viewer).close()


@pytest.mark.parametrize("case", ["one layer", "size"])
def test_what_does_not_fit_is_said_in_one_sentence(case: str, qtbot: Any) -> None:
    viewer = ViewerModel()
    viewer.add_labels(TRUTH.copy(), name="truth")
    if case == "size":
        viewer.add_labels(np.zeros((5, 6), int), name="small")
    dock = page_of(viewer, "evaluate")
    qtbot.addWidget(dock.dock)
    dock.run()
    said = {
        "one layer": "Choose the cells to evaluate above, and the reference labels here first.",
        "size": "small is 5 x 6 pixels, but truth is 60 x 80.",
    }
    assert dock.form.status.text() == said[case]
    assert dock.form.status.kind == "problem"
    session_of(viewer).close()


def test_an_empty_viewer_says_what_to_open(qtbot: Any) -> None:
    dock = page_of(ViewerModel(), "evaluate")
    qtbot.addWidget(dock.dock)
    dock.run()
    assert dock.form.status.text().startswith("Choose the cells to evaluate")


def test_the_sweep_offers_its_best_to_the_segment_dock(dock: EvaluatePage, viewer: ViewerModel) -> None:
    probability = np.where(TRUTH > 0, 0.9, 0.05).astype(np.float32)
    probability[5:15, 15] = 0.6
    viewer.add_image(probability, name="probability")
    offered: list[dict[str, Any]] = []
    session = session_of(viewer)
    session.events.values_offered.connect(lambda: offered.append(dict(session.values)))
    dock.form.sweep.probability.set_layer(viewer.layers["probability"])
    dock.form.sweep.run_bar.run_button.click()
    until(lambda: dock.form.sweep.use_button.isEnabled())
    dock.form.sweep.use_button.click()
    assert offered[0]["threshold"] >= 0.5
    assert offered[0].keys() == {"threshold", "minimum_size"}
    assert "average precision of 1.000" in dock.form.sweep.best.text()


def test_scores_are_saved_as_a_table_and_a_page(dock: EvaluatePage, tmp_path: Path) -> None:
    evaluated(dock)
    dock.export_csv(str(tmp_path / "scores.csv"))
    [row] = rows_of(tmp_path / "scores.csv")
    assert row["prediction"] == "predicted"
    assert float(row["ap50"]) == pytest.approx(1 / 6)
    dock.export_report(str(tmp_path / "report.html"))
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Evaluation of predicted" in page
    assert page.count("data:image/png;base64") == 2
    assert "Worst errors" in page
    dock.export_csv(str(tmp_path / "missing" / "scores.csv"))
    assert dock.form.status.kind == "problem"


def test_the_command_is_copied(dock: EvaluatePage) -> None:
    dock.form.copy_command.click()
    assert QApplication.clipboard().text() == "utile evaluate PREDICTION.tif REFERENCE.tif"


def test_command_and_report_name_what_is_ignored_and_every_prediction(
    dock: EvaluatePage, viewer: ViewerModel, tmp_path: Path
) -> None:
    write_labels(tmp_path / "dirt.tif", (PREDICTION == 9).astype(np.uint8))
    [dirt] = viewer.open(tmp_path / "dirt.tif", plugin="napari", layer_type="labels")
    dock.form.ignore.set_layer(dirt)
    dock.form.copy_command.click()
    command = f"utile evaluate PREDICTION.tif REFERENCE.tif --ignore {tmp_path / 'dirt.tif'}"
    assert QApplication.clipboard().text() == command
    evaluated(dock).export_report(str(tmp_path / "report.html"))
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert command in page
    assert "without the pixels that dirt hides" in page
    dock.form.ignore.set_layer(viewer.add_shapes(name="smear"))
    dock.form.others.tick(viewer.add_labels(TRUTH, name="better"))
    dock.form.copy_command.click()
    command = "utile compare REFERENCE.tif PREDICTION_1.tif PREDICTION_2.tif --ignore MASK.tif"
    assert QApplication.clipboard().text() == command
    assert "Save the inside of smear as labels, MASK.tif, first." in dock.form.status.text()


def test_the_command_of_one_plane_says_that_it_scores_all(qtbot: Any, tmp_path: Path) -> None:
    viewer = ViewerModel()
    viewer.add_labels(np.stack([TRUTH, TRUTH]), name="truth")
    viewer.add_labels(np.stack([PREDICTION, TRUTH]), name="predicted")
    dock = page_of(viewer, "evaluate", qtbot)
    viewer.dims.set_current_step(0, 1)
    evaluated(dock)
    dock.form.copy_command.click()
    assert "It scores every plane of the stack." in dock.form.status.text()
    dock.export_report(str(tmp_path / "report.html"))
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "the reference truth; plane 1." in page
    assert "It scores every plane of the stack." in page
    session_of(viewer).close()


@pytest.mark.parametrize(
    "change", ["cells", "reference", "removed cells", "removed reference", "removed other"]
)
def test_scores_of_layers_that_are_not_chosen_any_more_say_whose_they_are(
    change: str, dock: EvaluatePage, viewer: ViewerModel
) -> None:
    other = viewer.add_labels(TRUTH.copy(), name="other")
    viewer.layers.move(2, 0)
    dock.form.others.tick(other)
    session, form = session_of(viewer), evaluated(dock).form
    cells, truth, said = session.cells, form.truth.layer, form.status.text()
    assert not form.legend.isHidden()
    if change == "cells":
        session.cells = other
    elif change == "reference":
        form.truth.set_layer(other)
    else:
        viewer.layers.remove({"cells": cells, "reference": truth, "other": other}[change.split()[1]])
    assert form.status.text() == "Scores of predicted against truth; press Evaluate for what is chosen now."
    assert form.legend.isHidden()
    if change in ("cells", "reference"):
        session.cells = cells
        form.truth.set_layer(truth)
        assert form.status.text() == said
        assert not form.legend.isHidden()


def test_cells_that_are_edited_while_others_are_chosen_are_scored_under_their_names(
    dock: EvaluatePage, viewer: ViewerModel
) -> None:
    cells = session_of(evaluated(dock).viewer).cells
    session_of(viewer).cells = viewer.add_labels(TRUTH.copy(), name="other")
    cells.data_setitem(np.nonzero(TRUTH == 4), 11)
    until(lambda: dock.form.errors.table.rowCount() == 2)
    assert dock.form.status.text().startswith("Scores of predicted against truth; press Evaluate")
    assert dock.form.legend.isHidden()


def test_scores_are_shown_said_and_saved_under_the_names_that_layers_have_now(
    dock: EvaluatePage, viewer: ViewerModel, tmp_path: Path
) -> None:
    other = viewer.add_labels(np.where(TRUTH > 0, 5, 0), name="other")
    dock.form.others.tick(other)
    cells = session_of(evaluated(dock).viewer).cells
    cells.name, other.name, viewer.layers["truth"].name = "mine", "yours", "ours"
    columns = dock.form.scores

    def names() -> list[str]:
        return [columns.horizontalHeaderItem(place).text() for place in (1, 2)]

    assert names() == ["mine", "yours"]
    assert dock.form.status.text().startswith("mine: SEG")
    cells.data_setitem(np.nonzero(TRUTH == 4), 11)
    until(lambda: dock.form.errors.table.rowCount() == 2)
    assert names() == ["mine", "yours"]
    dock.export_csv(str(tmp_path / "scores.csv"))
    assert [row["prediction"] for row in rows_of(tmp_path / "scores.csv")] == ["mine", "yours"]
    dock.export_report(str(tmp_path / "report.html"))
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Evaluation of mine and yours" in page
    assert "the cells of mine by kind" in page
    session_of(viewer).cells = other
    cells.name = "his"
    assert dock.form.status.text() == "Scores of his against ours; press Evaluate for what is chosen now."


def test_layers_that_are_renamed_while_they_are_compared_have_their_new_names(
    dock: EvaluatePage, viewer: ViewerModel
) -> None:
    dock.form.run_bar.run_button.click()
    session_of(viewer).cells.name = "mine"
    until(lambda: not dock.running and dock.result is not None)
    assert dock.form.status.text().startswith("mine: SEG")


def test_removing_a_compared_layer_does_no_harm(dock: EvaluatePage, viewer: ViewerModel) -> None:
    evaluated(dock)
    viewer.layers.remove("truth")
    viewer.layers["predicted"].data_setitem((np.array([0]), np.array([0])), 5)
    QTest.qWait(400)  # edits are followed when nothing has changed for a while
    dock.form.errors.next_button.click()
    dock.run()
    assert dock.form.status.kind == "problem"


def test_compared_labels_become_outlines_upon_the_error_layer_once(
    dock: EvaluatePage, viewer: ViewerModel
) -> None:
    viewer.layers["truth"].contour = 2
    evaluated(dock)
    assert [viewer.layers[name].contour for name in ("predicted", "truth", "predicted errors")] == [1, 3, 0]
    viewer.layers["predicted"].contour = 0
    dock.form.run_bar.run_button.click()
    until(lambda: not dock.running)
    assert viewer.layers["predicted"].contour == 0, "the user wanted it filled"
    predicted, truth = (viewer.layers[name].get_color(1) for name in ("predicted", "truth"))
    assert np.allclose(predicted, viewer.layers["predicted"].get_color(2)), "one colour for all"
    lightness = [float(np.dot(colour[:3], (0.2126, 0.7152, 0.0722))) for colour in (predicted, truth)]
    assert lightness[0] - lightness[1] > 0.1, "told apart without colours as well"
    dock.outlines.give_back()
    assert viewer.layers["truth"].contour == 2


def test_numbers_have_room_beside_several_predictions(dock: EvaluatePage, viewer: ViewerModel) -> None:
    better = viewer.add_labels(TRUTH.copy(), name="a prediction with a long name")
    dock.form.others.tick(better)
    dock.resize(330, 800)
    dock.dock.show()
    evaluated(dock)
    table = dock.form.scores
    for column in (1, 2, 3):
        texts = [table.item(row, column).text() for row in range(table.rowCount()) if table.item(row, column)]
        assert table.columnWidth(column) >= max(map(table.fontMetrics().horizontalAdvance, texts))
    assert table.horizontalScrollBar().maximum() == 0


def test_the_error_that_took_the_place_of_a_fixed_one_comes_next(
    dock: EvaluatePage, viewer: ViewerModel
) -> None:
    evaluated(dock)
    errors = dock.form.errors
    errors.next_button.click()
    errors.next_button.click()  # the missed cell
    viewer.layers["predicted"].data_setitem(np.nonzero(TRUTH == 4), 11)
    until(lambda: errors.table.rowCount() == 2)
    assert errors.row == -1
    assert errors.table.currentRow() == 1, "arrow keys go on from there"
    errors.next_button.click()
    assert errors.table.item(errors.row, 0).text() == "false"
    viewer.layers["predicted"].undo()
    until(lambda: errors.table.rowCount() == 3)
    assert errors.table.item(errors.row, 0).text() == "false", "the one last gone to stays chosen"
    errors.previous_button.click()
    viewer.layers["predicted"].data_setitem(np.nonzero(TRUTH == 4), 11)
    until(lambda: errors.table.rowCount() == 2)
    errors.previous_button.click()
    assert errors.table.item(errors.row, 0).text() == "merged"


def test_a_mask_in_place_of_labels_is_said(qtbot: Any) -> None:
    viewer = ViewerModel()
    viewer.add_labels((PREDICTION > 0), name="mask")
    viewer.add_labels(TRUTH, name="truth")
    page = page_of(viewer, "evaluate", qtbot)
    page.form.run_bar.run_button.click()
    until(lambda: page.result is not None)
    assert "mask holds 1 id in" in page.form.status.text()
    assert page.form.status.kind == "problem"


def test_a_reference_that_opened_as_an_image_becomes_labels_by_one_button(
    viewer: ViewerModel, dock: EvaluatePage
) -> None:
    viewer.layers.remove("truth")
    offer = dock.form.as_labels
    assert offer.isHidden()
    viewer.add_image(np.zeros((9, 9), np.float32), name="truth probability")
    assert offer.isHidden(), "not whole numbers"
    image = viewer.add_image(TRUTH.astype(np.uint16), name="manual truth", scale=(0.5, 0.5))
    assert not offer.isHidden()
    assert "manual truth" in offer.text.text()
    offer.buttons[0].click()
    chosen = dock.form.truth.layer
    np.testing.assert_array_equal(chosen.data, TRUTH)
    assert np.allclose(chosen.scale, 0.5)
    assert image in viewer.layers
    assert offer.isHidden()
