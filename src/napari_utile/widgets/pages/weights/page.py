"""The Weights page: see, question and tune the weights of the loss while painting."""

from contextlib import suppress
from typing import Any

import napari.viewer
import numpy as np
from qtpy.QtWidgets import QFileDialog

from napari_utile.engine.provenance.command import weight_map_command
from napari_utile.engine.weights.annotation_check import Finding, check_annotation
from napari_utile.engine.weights.loss_budget import LossBudget, loss_budget
from napari_utile.engine.weights.pixel_weight import profile_along
from napari_utile.engine.weights.weight_map_file import write_weight_map
from napari_utile.widgets.connections import Connections
from napari_utile.widgets.failures import failures_to
from napari_utile.widgets.later import later
from napari_utile.widgets.pages.weights.follower import WeightMapFollower
from napari_utile.widgets.pages.weights.form import WeightsForm
from napari_utile.widgets.pages.weights.hover import WeightMapHover
from napari_utile.widgets.viewer.layers import (
    place_of,
    plain_viewer,
    plane_data,
    session_of,
)
from napari_utile.widgets.viewer.lengths import pixel_size_of, shorter_side
from napari_utile.widgets.viewer.regions import camera_of, go_to
from napari_utile.widgets.workbench.page import Page
from napari_utile.widgets.worker import LatestJob, as_job, run_job

# Tables are made again when nothing changed for this long. Milliseconds.
_TABLES_AFTER = 400
# Going to a place zooms in until a pixel is at least so large on screen. Screen pixels.
_LEGIBLE = 4.0


class WeightsPage(Page):
    """Show the weight map of a Labels layer, live.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        The viewer whose labels are weighed.
    """

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__()
        self._viewer = plain_viewer(viewer)
        self._session = session_of(viewer)
        self.form = WeightsForm(self._viewer)
        self.follower = WeightMapFollower(self._viewer, self)
        self.hover = WeightMapHover(self._viewer, self.follower, self)
        self._tables, self._checks = LatestJob(owner=self), LatestJob(owner=self)
        self._stale = {"budget", "check"}
        self._checked: object = None
        self.show_form(self.form, self.form.status)
        self._timer = later(self, _TABLES_AFTER, self._fill_tables)
        self._connect()
        self._behind = False
        self._labels_chosen(self._session.cells)

    def _connect(self) -> None:
        form = self.form
        form.term.activated.connect(lambda _: self._term_chosen())
        form.show_overlay.clicked.connect(self._show_overlay)
        form.show_lines.clicked.connect(self._show_lines)
        for changed in (form.main.changed, form.more.changed):
            changed.connect(self._params_changed)
        form.tabs.currentChanged.connect(lambda _: self._fill_tables())
        for part in (form.checking, form.explain):
            part.toggled.connect(lambda _: self._fill_tables())
        form.budget.probability.layer_changed.connect(lambda _: self._map_changed())
        form.check.form.changed.connect(self._map_changed)
        form.profile.line_changed.connect(self._plot_profile)
        for tab in (form.budget, form.check):
            tab.place_chosen.connect(self._go)
        form.check.fixes_wanted.connect(self.apply_fixes)
        form.save.clicked.connect(lambda _: self._ask_and_save())
        form.copy_command.clicked.connect(lambda _: self.copy_command())
        self.follower.problem.connect(form.status.problem)
        self.follower.changed.connect(self._map_changed)
        self.hover.read.connect(form.show_reading)
        self._connections = Connections(self)
        self._connections.connect(self._session.events.cells, self._labels_chosen)
        self._connections.connect(self._viewer.layers.events.removed, self._layer_removed)
        overlay, lines = self.follower.overlay, self.hover.lines

        def leave_nothing() -> None:
            with suppress(Exception):  # the viewer may be half gone already
                lines.remove()
                overlay.remove()

        self.at_end(leave_nothing)
        self.at_end(self.hover.stop)

    def rest(self, covered: bool) -> None:
        """Leave the mouse alone, and the picture as it is, while the page is out of sight."""
        self.hover.rest(covered)
        if self._behind and not covered:
            self._labels_chosen(self._session.cells)
        self.follower.set_enabled(not covered and self.form.show_overlay.isChecked())

    def let_go(self) -> None:
        """Stop following the labels."""
        self._timer.stop()
        self._tables.drop()
        self._checks.drop()
        self.follower.set_layer(None)

    # Choices.

    def _labels_chosen(self, layer: Any) -> None:
        self.form.set_has_labels(layer is not None)
        self.form.show_overlay.setChecked(True)
        self.follower.params = self.form.params()
        self._behind = self.covered  # out of sight, nothing is put on the image
        self.follower.set_layer(None if self.covered else layer)

    def _term_chosen(self) -> None:
        self.follower.set_term(self.form.term.currentData())
        self._show_limits()
        if self.follower.term == "loss":
            self.form.explain.expand(animate=False)
            self.form.tabs.setCurrentWidget(self.form.budget)
            if self.form.budget.probability.layer is None:
                self.form.status.say("Choose a prediction below, such as the probability that Segment made.")
            self._map_changed()
        elif self.form.status.kind == "info":
            self.form.status.say("")

    def _params_changed(self) -> None:
        with failures_to(self.form.status.failed):
            self.follower.set_params(self.form.params())
            self._show_limits()

    def _show_limits(self) -> None:
        self.form.legend.set_limits(*self.follower.limits)

    def _show_overlay(self, on: bool) -> None:
        self.follower.set_enabled(on)
        if not on:
            self.hover.lines.clear()

    def _show_lines(self, on: bool) -> None:
        self.hover.with_lines = on
        if not on:
            self.hover.lines.remove()

    def _layer_removed(self, event: Any) -> None:
        if event.value is self.follower.overlay.layer:
            self.follower.set_enabled(False)
            self.form.show_overlay.setChecked(False)
            self.hover.lines.remove()

    # Tables and the plot.

    def _map_changed(self) -> None:
        self._stale = {"budget", "check"}
        if self._checked != self._labels_now():
            self.form.check.clear(checking=self.follower.live is not None)
        self._timer.start()
        self._show_limits()
        self._plot_profile()

    def _fill_tables(self) -> None:
        live, watched = self.follower.live, self.follower.watched
        if live is None or watched is None:
            return
        tab = self.form.tabs.currentWidget() if self.form.explain.isExpanded() else None
        if (tab is self.form.budget or self.follower.term == "loss") and "budget" in self._stale:
            self._stale.discard("budget")
            with failures_to(self.form.status.failed):
                job = as_job(loss_budget, live.snapshot(), self._probabilities())
                self._tables.run(job, on_done=self._show_budget, on_error=self.form.status.failed)
        elif tab is self.form.profile:
            self._plot_profile()
        if self.form.checking.isExpanded() and "check" in self._stale:
            self._stale.discard("check")
            labels = self._labels_now()
            self._checks.run(
                as_job(check_annotation, np.array(live.labels), self.form.check.form.value()),
                on_done=lambda found: self._show_findings(labels, found),
                on_error=self.form.status.failed,
            )

    def _labels_now(self) -> object:
        """Stand for the labels on screen as they are; None while the map is not of them."""
        live, watched = self.follower.live, self.follower.watched
        if live is None or watched is None or not watched.is_current(self._viewer):
            return None
        return live, live.version

    def _show_findings(self, labels: object, found: tuple[Finding, ...]) -> None:
        if labels == self._labels_now():  # else they are checked again
            self._checked = labels
            self.form.check.show_findings(found)

    def _probabilities(self) -> Any:
        layer, watched = self.form.budget.probability.layer, self.follower.watched
        if layer is None or watched is None:
            return None
        place = place_of(layer, self._viewer)
        if place.plane_shape != watched.place.plane_shape:
            raise ValueError(
                f"{layer.name} has the shape {place.plane_shape}, the labels {watched.place.plane_shape}; "
                "choose a prediction of the same image."
            )
        return np.asarray(plane_data(layer, place)[0][watched.window])

    def _show_budget(self, budget: LossBudget) -> None:
        if self.follower.live is None:
            return
        self.form.budget.show_budget(budget)
        if budget.loss is None or budget.loss.shape == self.follower.live.border.shape:
            self.follower.set_loss(budget.loss)

    def _plot_profile(self) -> None:
        live, watched = self.follower.live, self.follower.watched
        tab = self.form.profile
        if self.form.tabs.currentWidget() is not tab:
            return
        line = tab.line()
        if live is None or watched is None or line is None:
            tab.show_profile(None)
            return
        missing = watched.layer.ndim - line.shape[1]
        world = np.pad(line, ((0, 0), (missing, 0))) if missing > 0 else line
        data = np.array([watched.layer.world_to_data(point) for point in world])
        points = data[:, list(watched.place.axes)] - watched.origin
        try:
            tab.show_profile(profile_along(points, live.class_balance(), live.border))
        except ValueError:  # a line of one point, while it is drawn
            tab.show_profile(None)

    # Acts.

    def _go(self, row: float, column: float) -> None:
        watched = self.follower.watched
        if watched is None:
            return
        point = watched.point_in_plane(row, column)
        go_to(self._viewer, watched.layer, point)
        camera = camera_of(self._viewer)
        side = shorter_side(watched.layer, watched.place.axes)
        camera.zoom = max(float(camera.zoom), _LEGIBLE / side)
        self.hover.point_at(watched.layer.data_to_world(point))

    def apply_fixes(self, findings: list[Finding]) -> None:
        """Put findings right in the labels, as one step of the layer's history."""
        watched = self.follower.watched
        if watched is None or not findings:
            return
        layer = watched.layer
        with failures_to(self.form.status.failed):
            self.follower.flush()
            if self._checked is None or self._checked != self._labels_now():
                raise ValueError("The labels have changed since they were checked: wait for the new list.")
            if layer.multiscale or not layer.editable:
                raise ValueError(f"{layer.name} cannot be edited; fix a copy of it.")
            largest = max(int(finding.values.max()) for finding in findings)
            dtype = np.dtype(layer.dtype)
            if dtype.kind in "iu" and largest > np.iinfo(dtype).max:
                raise ValueError(f"{layer.name} holds {dtype} labels and has no free id for another cell.")
            with layer.block_history():
                for finding in findings:
                    indices = watched.indices(finding.rows, finding.columns)
                    layer.data_setitem(indices, np.asarray(finding.values).astype(dtype).tolist())
            count = "1 fix" if len(findings) == 1 else f"{len(findings)} fixes"
            self.form.status.say(f"{count} made in {layer.name}. Ctrl+Z in that layer takes it back.", "good")

    def _ask_and_save(self) -> None:
        watched = self.follower.watched
        if watched is None:
            return
        name = f"{watched.layer.name} {self.follower.term}.tif"
        path, _ = QFileDialog.getSaveFileName(self, "Save the weight map", name, "TIFF (*.tif *.tiff)")
        if path:
            self.save(path)

    def save(self, path: str) -> None:
        """Write what the overlay shows."""
        live, watched, term = self.follower.live, self.follower.watched, self.follower.term
        if live is None or watched is None:
            return
        loss, params = self.follower.loss, live.params
        if term == "loss" and loss is None:
            self.form.status.problem("There is no weighted cross-entropy yet: choose a prediction first.")
            return
        pixel_size, unit = pixel_size_of(watched.layer, watched.place.axes)
        target = path if path.lower().endswith((".tif", ".tiff")) else f"{path}.tif"
        made = live.snapshot()

        def write() -> None:
            weights = loss if loss is not None and term == "loss" else getattr(made, term)
            write_weight_map(target, weights, params, "YX", pixel_size, unit, term)

        part = "" if watched.whole else " (the part in view)"
        run_job(
            as_job(write),
            on_done=lambda _: self.form.status.say(f"Saved {target}{part}.", "good"),
            on_error=self.form.status.failed,
            owner=self,
        )

    def copy_command(self) -> None:
        """Copy the command line that computes the same map from a file."""
        watched, term = self.follower.watched, self.follower.term
        if watched is None:
            return
        path = watched.layer.source.path
        command = weight_map_command(
            path or "LABELS.tif", self.form.params(), term="total" if term == "loss" else term
        )
        known = "" if path else "Save the labels and replace LABELS.tif with the file's name."
        self.form.status.copied(command, known)
