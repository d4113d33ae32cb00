"""Tours of the real window at 1280 x 800, with the mouse: open, segment, correct, measure, save, close by X, reopen."""

import numpy as np
import pytest
import tifffile
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication, QFileDialog
from scipy import ndimage

from napari_utile.engine.files.images import read_image
from napari_utile.engine.metrics.contingency import contingency
from napari_utile.engine.metrics.matching import match
from sheets import rows_of
from simulation.film import simulate_film
from simulation.simulate import PRESETS, simulate
from window import CONTROL, SHIFT, Window

pytestmark = pytest.mark.real_window

# Of the cells of a tour, which share must be found, with at least half of their area.
ENOUGH = 0.7


def fluorescence():
    """Draw nuclei, a few of which touch."""
    field = simulate("nuclei", height=256, width=256, cells=24, seed=3)
    return field.image, field.labels, {}


def phase_contrast():
    """Draw cells in phase contrast."""
    field = simulate("phase", height=288, width=288, cells=16, seed=5)
    return field.image, field.labels, {}


def huge_nuclei():
    """Draw nuclei four times as large as those that the model knows."""
    field = simulate("nuclei", height=512, width=512, cells=9, diameter=104, seed=2)
    return field.image, field.labels, {}


def stained_tissue():
    """Draw purple nuclei on pink."""
    field = simulate("clustered_nuclei", height=256, width=256, cells=40, seed=6, debris=0, uneven_light=0)
    light = ndimage.gaussian_filter(field.image.astype(float), 0.7)
    dye = np.clip((light - light.min()) / (np.percentile(light, 99) - light.min()), 0, 1)[..., None]
    grain = ndimage.gaussian_filter(np.random.default_rng(1).normal(0, 1, dye.shape[:2]), 2)[..., None]
    pink, purple = np.array([236, 190, 215]), np.array([98, 66, 138])
    return (pink + 60 * grain + dye * (purple - pink)).clip(0, 255).astype(np.uint8), field.labels, {}


def stack():
    """Draw three planes of nuclei."""
    planes = [simulate("nuclei", height=192, width=192, cells=12, seed=seed) for seed in (1, 2, 3)]
    return (
        np.stack([each.image for each in planes]),
        np.stack([each.labels for each in planes]),
        {"axes": "ZYX"},
    )


def time_lapse():
    """Draw three frames of moving nuclei."""
    params = PRESETS["nuclei"]
    film = simulate_film(params, frames=3)
    return film.images[:, 0, :192, :192], film.nuclei[:, :192, :192], {"axes": "TYX"}


KINDS = (fluorescence, stained_tissue, phase_contrast, huge_nuclei, stack, time_lapse)


class Tour(Window):
    """One image, from its file to its results."""

    def __init__(self, viewer, qtbot, kind, folder):
        super().__init__(viewer, qtbot, kind.__name__)
        image, self.truth, metadata = kind()
        self.path = folder / f"{kind.__name__}.tif"
        tifffile.imwrite(
            self.path,
            image,
            imagej=image.shape[-1] != 3,
            resolution=(2, 2),
            metadata={"unit": "um", **metadata} if image.shape[-1] != 3 else None,
            photometric="rgb" if image.shape[-1] == 3 else "minisblack",
        )

    @property
    def image(self):
        return self.viewer.layers[self.path.stem]

    @property
    def cells(self):
        return self.session.cells

    def count(self):
        return len(np.unique(self.cells.data)) - 1

    def found(self):
        """Return the share of the cells that were found."""
        data, truth = np.asarray(self.cells.data), self.truth
        planes = zip(data, truth, strict=True) if data.ndim == 3 else [(data, truth)]
        hits = sum(match(contingency(np.array(one), other), 0.5).true_positives for one, other in planes)
        many = truth if truth.ndim == 3 else truth[None]
        return hits / sum(len(np.unique(each)) - 1 for each in many)

    def segment(self):
        """Open the image and press Segment; with another model, where the dock doubts that this one fits."""
        self.viewer.open(self.path, plugin="napari")
        page = self.open("segment")
        self.until(lambda: "will take" in page.form.estimate.text())
        self.shoot("opened")
        suggestions = page.form.suggestions
        if suggestions.advice.isVisible():
            self.press(suggestions.run_bar.run_button)
            self.until(lambda: not suggestions.running)
            self.shoot("which_model")
            item = suggestions.list.item(0)
            self.reveal(suggestions.list)
            self.click_item(suggestions.list, item)
            self.until(lambda: "will take" in page.form.estimate.text())
        if page.form.planes.isVisible():
            self.choose(page.form.planes.kind, "All")
        self.run(page)
        self.shoot("segmented")
        return page

    def click_item(self, listed, item):
        from qtpy.QtTest import QTest

        QTest.mouseClick(
            listed.viewport(), Qt.MouseButton.LeftButton, pos=listed.visualItemRect(item).center()
        )
        QTest.qWait(50)

    def whole_cell(self):
        """Choose a cell on screen that was found and touches no border; return a pixel deep inside it."""
        plane = np.asarray(self.cells.data)
        plane = plane[self.viewer.dims.current_step[0]] if plane.ndim == 3 else plane
        border = np.concatenate([plane[0], plane[-1], plane[:, 0], plane[:, -1]])
        depth = ndimage.distance_transform_edt(np.where(np.isin(plane, border), 0, plane))
        return tuple(int(each) for each in np.unravel_index(depth.argmax(), depth.shape)), plane

    def correct(self):
        """Remove a cell, take it again, split it, merge the parts, undo and redo, by mouse and keys."""
        page = self.page("click")
        self.press(page.form.toggle)
        self.until(lambda: page.tool.queue.busy == 0)
        before = self.count()
        (y, x), plane = self.whole_cell()
        half = max(int(np.sqrt((plane == plane[y, x]).sum() / np.pi) * 0.6), 3)

        def act(action, *arguments):
            action(self.image, *arguments)
            self.until(lambda: page.tool.queue.busy == 0)

        act(self.click, (y, x), CONTROL)
        assert self.count() == before - 1
        act(self.click, (y, x))
        assert self.count() == before
        act(self.click, (y, x + half), SHIFT)
        assert self.count() == before + 1, page.form.status.text()
        self.shoot("split")
        act(self.drag, (y, x - half), (y, x + half), SHIFT)
        assert self.count() == before, page.form.status.text()
        for _ in range(4):
            self.key(Qt.Key.Key_Z, CONTROL)
        assert self.count() == before
        np.testing.assert_array_equal(self.plane(), plane)
        act(self.click, (y, x), CONTROL)
        assert self.count() == before - 1
        self.shoot("corrected")
        return page

    def plane(self):
        plane = np.asarray(self.cells.data)
        return plane[self.viewer.dims.current_step[0]] if plane.ndim == 3 else plane


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_from_a_file_to_saved_results_and_back(make_napari_viewer, qtbot, tmp_path, monkeypatch, kind):
    tour = Tour(make_napari_viewer(show=True), qtbot, kind, tmp_path)
    before = [list(map(str, each)) for each in callbacks(tour.viewer)], dict(tour.viewer.keymap)
    page = tour.segment()
    assert tour.found() >= ENOUGH, page.form.summary.text()
    QApplication.clipboard().clear()
    tour.press(page.form.copy_command)
    command = QApplication.clipboard().text()
    assert str(tour.path) in command
    tour.correct()
    count = tour.count()

    page = tour.page("segment")
    tour.until(lambda: not tour.dock.header.outdated.isVisible())
    tour.press(page.form.show_table)
    tour.shoot("table")
    tour.front()
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *given: (given[2], given[3]))
    tour.press(page.form.save)
    tour.until(lambda: "Saved" in page.form.status.text())
    tour.shoot("saved")
    assert len(rows_of(tour.path.with_name(f"{kind.__name__}_cells.csv"))) == count
    saved = read_image(tour.path.with_name(f"{kind.__name__}_labels.tif"), as_labels=True).data
    np.testing.assert_array_equal(saved, tour.cells.data)

    layers, values = [each.name for each in tour.viewer.layers], page.form.instances.value()
    tour.close_dock()
    assert ([list(map(str, each)) for each in callbacks(tour.viewer)], dict(tour.viewer.keymap)) == before
    page = tour.open("segment")
    tour.until(lambda: "will take" in page.form.estimate.text())
    tour.shoot("reopened")
    assert page.form.instances.value() == values
    assert {each.name for each in tour.viewer.layers} <= set(layers)
    tour.press(page.form.copy_command)
    assert QApplication.clipboard().text() == command


def callbacks(viewer):
    """Return what listens to the mouse."""
    return (
        viewer.mouse_move_callbacks,
        viewer.mouse_drag_callbacks,
        viewer.mouse_wheel_callbacks,
        viewer.mouse_double_click_callbacks,
    )
