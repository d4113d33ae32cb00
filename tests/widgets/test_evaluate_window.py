"""The Evaluate dock in a window with the docks that it works with, driven by mouse and keys."""

import numpy as np
import pytest
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QFileDialog

from napari_utile.engine.cells.instances import InstanceParams, foreground_mask, label_instances
from napari_utile.engine.metrics.cells import average_precision
from napari_utile.widgets.viewer.layers import session_of
from napari_utile.widgets.viewer.regions import camera_of
from napari_utile.widgets.viewer.result_layers import own_layer
from napari_utile.widgets.viewer.source import read_source
from pages import page_of, result_on_screen
from window import CONTROL, NONE, WAIT
from window import Window as Napari

pytestmark = pytest.mark.real_window

CENTRES = [(y, x) for y in range(25, 250, 50) for x in range(25, 250, 50)]


def nuclei() -> tuple[np.ndarray, np.ndarray]:
    """Return an image of bright nuclei with soft edges, and their labels."""
    y, x = np.mgrid[:256, :256]
    away = np.stack([np.hypot(y - cy, (x - cx) * 0.7) for cy, cx in CENTRES])
    nearest = away.min(axis=0)
    image = (200 * np.clip((14 - nearest) / 6, 0, 1)).astype(np.uint8)
    return image, np.where(nearest < 10.5, away.argmin(axis=0) + 1, 0).astype(np.int32)


class Window(Napari):
    """A viewer with an image and its reference, and a hand for mouse and keyboard."""

    def __init__(self, viewer, qtbot):
        super().__init__(viewer, qtbot, size=(1600, 950))
        image, self.truth = nuclei()
        self.image = viewer.add_image(image, name="nuclei")
        viewer.add_labels(self.truth.copy(), name="truth", visible=False)

    def add(self, dock, name, **where):
        self.dock = dock.dock
        self.viewer.window.add_dock_widget(self.dock, name=name, **where)
        QTest.qWait(150)
        return dock

    def key(self, letter):
        QTest.keyClick(self.canvas, letter)
        QTest.qWait(50)


@pytest.fixture
def window(make_napari_viewer, qtbot, bright_nuclei):
    return Window(make_napari_viewer(show=True), qtbot)


def test_the_best_threshold_goes_into_the_segment_dock_and_makes_its_layers_anew(window):
    segment = window.add(page_of(window.viewer, "segment"), "Segment")
    window.press(segment.form.run_bar.run_button)
    window.until(lambda: not segment.running)
    segment.form.show_instances(InstanceParams(minimum_size=0))
    segment.form.instances["threshold"].value = 0.05
    source = read_source(window.viewer, session_of(window.viewer))
    instances = own_layer(window.viewer, "instances", source.layer, source.place)
    probability = own_layer(window.viewer, "probability", source.layer, source.place)
    window.until(lambda: result_on_screen(segment).segmentation.params.instances.threshold == 0.05)
    QTest.qWait(50)
    before = average_precision(instances.data, window.truth, 0.75)

    evaluate = window.add(page_of(window.viewer, "evaluate"), "Evaluate")
    assert evaluate.form.truth.layer.name == "truth"
    evaluate.form.tabs.setCurrentWidget(evaluate.form.sweep)
    assert evaluate.form.sweep.probability.layer is probability
    window.press(evaluate.form.sweep.run_bar.run_button)
    window.until(evaluate.form.sweep.use_button.isEnabled)
    window.press(evaluate.form.sweep.use_button)
    shown = segment.form.instances.value()
    assert shown.threshold > 0.05
    assert f"threshold {shown.threshold:g} and minimum size {shown.minimum_size} px" in (
        evaluate.form.sweep.best.text()
    )
    window.until(lambda: result_on_screen(segment).segmentation.params.instances.threshold != 0.05)
    QTest.qWait(50)

    used = result_on_screen(segment).segmentation.params.instances
    assert (used.threshold, used.minimum_size) == (shown.threshold, shown.minimum_size)
    assert own_layer(window.viewer, "instances", source.layer, source.place) is instances
    expected = label_instances(probability.data, foreground_mask(probability.data, used), used)
    assert (instances.data == expected).all()
    assert average_precision(instances.data, window.truth, 0.75) > before


def test_a_newcomer_compares_two_segmentations_walks_the_errors_fixes_two_and_takes_the_report(
    window, tmp_path, monkeypatch
):
    first = np.where(np.isin(window.truth, (7, 9)), 0, window.truth)  # two missed
    first[44:50, 118:130] = 40  # one false
    second = np.where(window.truth == 12, 13, window.truth)
    second[120:130, 75:130] = 13  # two merged
    predicted = window.viewer.add_labels(first, name="U-Net")
    window.viewer.add_labels(second, name="FCN-8s", visible=False)
    evaluate = window.add(page_of(window.viewer, "evaluate"), "Evaluate")
    form = evaluate.form
    evaluate.dock.header.cells.set_layer(predicted)
    form.compare.expand(animate=False)
    form.others.tick(window.viewer.layers["FCN-8s"])
    window.press(form.run_bar.run_button)
    window.until(lambda: evaluate.result is not None)
    header = [form.scores.horizontalHeaderItem(column).text() for column in range(4)]
    assert header == ["", "U-Net", "FCN-8s", "change"]

    click = window.add(page_of(window.viewer, "click"), "Click", area="left")
    window.press(click.form.toggle)
    window.until(lambda: click.tool.queue.busy == 0)

    def error():
        return form.errors.table.item(form.errors.row, 0).text()

    def fix(pixel, modifier=NONE):
        left = len(evaluate.result.errors) - 1
        window.click(window.image, pixel, modifier)
        window.until(lambda: len(evaluate.result.errors) == left)

    window.key(".")
    assert form.tabs.currentWidget() is form.errors
    assert (error(), form.errors.position.text()) == ("missed", "1 of 3")
    assert "missed: cell 7 of the reference" in form.status.text().lower()
    assert tuple(camera_of(window.viewer).center)[-2:] == pytest.approx(CENTRES[6], abs=1)
    fix(CENTRES[6])
    window.key(".")  # the next one, not the one after
    assert (error(), form.errors.position.text()) == ("missed", "1 of 2")
    assert "cell 9 of the reference" in form.status.text()
    window.key(".")
    assert (error(), form.errors.position.text()) == ("false", "2 of 2")
    fix((47, 124), CONTROL)
    window.key(".")
    assert (error(), form.errors.position.text()) == ("missed", "1 of 1")
    assert form.scores.item(2, 1).text() == f"{24 / 25:.3f}"

    report = tmp_path / "report.html"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(report), ""))
    window.dock = evaluate.dock
    window.page("evaluate")
    window.press(form.export_report)
    page = report.read_text(encoding="utf-8")
    assert "Evaluation of U-Net and FCN-8s" in page
    assert "1 missed" in page.replace("</span>", "")
    assert form.status.text() == "Saved report.html."


def test_fcns_and_u_net_are_shown_side_by_side_and_scored(window, qtbot):
    viewer = window.viewer
    for layer in viewer.layers:
        layer.data = layer.data[:100, :100]
    evaluate = window.add(page_of(viewer, "evaluate"), "U-Tile")
    form = evaluate.form
    form.architectures.run_bar.run_button.click()
    assert form.architectures.running
    qtbot.waitUntil(lambda: not form.architectures.running, timeout=4 * WAIT)
    networks = ["FCN-32s", "FCN-16s", "FCN-8s", "U-Net"]
    assert {f"nuclei {name}" for name in networks} <= {layer.name for layer in viewer.layers}, (
        form.status.text()
    )
    qtbot.waitUntil(lambda: evaluate.result is not None and not evaluate.running, timeout=WAIT)
    assert form.truth.layer is viewer.layers["truth"]
    assert session_of(viewer).cells is viewer.layers["nuclei U-Net"]
    assert viewer.layers["nuclei U-Net"].visible, "cells that are chosen are seen"
    assert evaluate.result.names == ("nuclei U-Net", "nuclei FCN-8s", "nuclei FCN-16s", "nuclei FCN-32s")
    captions = viewer.layers["networks: captions"].text.values
    assert list(captions) == networks
    beside = [layer for layer in viewer.layers if layer.name.startswith("networks: ")]
    assert all(layer.extent.world[0][1] > 99 for layer in beside)
    before = len(viewer.layers)
    form.architectures.run_bar.run_button.click()
    qtbot.waitUntil(lambda: not form.architectures.running, timeout=4 * WAIT)
    assert len(viewer.layers) == before, "in the place of those before"
