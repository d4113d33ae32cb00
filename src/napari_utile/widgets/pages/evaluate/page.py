"""The Evaluate page: how good a segmentation is, and where it is wrong."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import napari.viewer
from qtpy.QtWidgets import QFileDialog

from napari_utile.engine.cells.instances import InstanceParams
from napari_utile.engine.files.tables import write_table
from napari_utile.engine.segment_params import SegmentParams
from napari_utile.session.evaluation import (
    EvaluationResult,
    FoundError,
    changed_job,
    evaluation_job,
)
from napari_utile.widgets.connections import Connections
from napari_utile.widgets.failures import failures_to, sentence_of
from napari_utile.widgets.later import later
from napari_utile.widgets.pages.evaluate.compared_layers import ComparedLayers, compared_planes, edits_in
from napari_utile.widgets.pages.evaluate.error_view import go_to_error, show_error_layer
from napari_utile.widgets.pages.evaluate.export import command_of, report_of, score_columns
from napari_utile.widgets.pages.evaluate.form import EvaluateForm
from napari_utile.widgets.pages.evaluate.outlines import Outlines
from napari_utile.widgets.pages.evaluate.scored_layers import ScoredLayers
from napari_utile.widgets.parts.bar_job import BarJob
from napari_utile.widgets.viewer.keys import BorrowedKeys
from napari_utile.widgets.viewer.layers import plain_viewer, session_of
from napari_utile.widgets.workbench.page import Page
from napari_utile.widgets.worker import LatestJob

# An edit is over when nothing changed for this long. Milliseconds.
_FOLLOW_AFTER = 300


class EvaluatePage(BarJob, Page):
    """Compare labels with a reference.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Whose layers are compared.
    """

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__()
        self._viewer = plain_viewer(viewer)
        self._session = session_of(viewer)
        self._follow_job = LatestJob(owner=self)
        self._running_on: ComparedLayers | None = None
        self._shown: ScoredLayers | None = None
        self.outlines = Outlines()
        self.form = EvaluateForm(self._viewer, self._session)
        self.show_form(self.form, self.form.status)
        self.run_bar = self.form.run_bar
        self.main_button = self.run_bar.run_button
        self._timer = later(self, _FOLLOW_AFTER, self._follow)
        self._connect()
        self.form.follow_stack()

    def _connect(self) -> None:
        form = self.form
        form.run_bar.run.connect(self.run)
        form.run_bar.cancel.connect(self.cancel)
        form.truth.layer_changed.connect(lambda _: form.follow_stack())
        form.ignore.layer_changed.connect(self._changed)
        form.errors.chosen.connect(self.go_to_error)
        form.architectures.problem.connect(form.status.problem)
        form.architectures.found.connect(self._compare_networks)
        form.sweep.run_asked.connect(self._start_sweep)
        form.sweep.offered.connect(self._offer)
        form.export_csv.clicked.connect(lambda _: self.export_csv())
        form.export_report.clicked.connect(lambda _: self.export_report())
        form.copy_command.clicked.connect(lambda _: self.copy_command())
        self._connections = Connections(self)
        self._watched = Connections(self)
        self._connections.connect(self._session.events.cells, form.follow_cells)
        self._connections.connect(self._session.events.cells, self._choice_changed)
        form.truth.layer_changed.connect(self._choice_changed)
        self._connections.connect(self._viewer.layers.events.removed, self._layer_removed)
        self._keys = BorrowedKeys(self._viewer, _keys_of(form))
        self._keys.take()
        self.at_end(self._keys.give_back)
        self.at_end(self.outlines.give_back)
        self._connections.connect(self._session.events.closed, self._drop_jobs)

    @property
    def result(self) -> EvaluationResult | None:
        """What is shown."""
        return None if self._shown is None else self._shown.result

    # Running.

    def run(self) -> None:
        """Score the chosen layers; numbers and errors appear when all planes are done."""
        if self.running:
            return
        with failures_to(self.form.status.failed):
            layers = self.form.layers
            places, planes = compared_planes(self._viewer, layers, self.form.scores_every_plane)
            names = tuple(layer.name for layer in layers.predictions)
            edits = edits_in(self._viewer, layers)
            self._follow_job.drop()
            self._running_on = layers
            self.form.status.say("")
            self.begin(
                evaluation_job(names, planes),
                "comparing…",
                on_progress=self._show_progress,
                on_done=lambda result: self._finish(ScoredLayers(layers, places, result, edits)),
                on_error=self._stopped,
                on_cancelled=self._stopped,
            )

    def _show_progress(self, progress: tuple[int, int]) -> None:
        done, total = progress
        if total > 1:
            self.form.run_bar.set_progress(done, total, f"{done} of {total} planes")

    def _stopped(self, error: Exception | None = None) -> None:
        if error is None:
            self.form.status.say("Cancelled.")
        else:
            self.form.status.failed(error)
        self._timer.start()  # what is shown may have been edited meanwhile

    def _finish(self, made: ScoredLayers) -> None:
        if made.layers.predictions:  # filled labels would mix their colours with those of the errors
            self.outlines.show(made.layers.predictions, made.layers.truth)
        self._show(made)
        self._timer.start()  # they may have been edited meanwhile

    def _show(self, made: ScoredLayers) -> None:
        self._shown = made = made.renamed  # as they may have been meanwhile
        self._watch(made.layers)
        self.form.show_result(made.result)
        self._say(made)
        if made.layers.truth in self._viewer.layers:
            show_error_layer(self._viewer, made.layers, made.places, made.result)
            self.form.list_layers_again()

    def _say(self, shown: ScoredLayers) -> None:
        """Say what is shown; where other layers are chosen by now, of which it is, and no legend of outlines."""
        chosen = self._is_of_chosen(shown)
        self.form.legend.setVisible(chosen)
        self.form.status.say(*(shown.found() if chosen else shown.of_which()))

    def _is_of_chosen(self, shown: ScoredLayers) -> bool:
        layers = shown.layers
        chosen = layers.predictions[0] is self._session.cells and layers.truth is self.form.truth.layer
        return chosen and all(layer in self._viewer.layers for layer in layers.predictions)

    def _choice_changed(self, _: object = None) -> None:
        shown = self._shown
        if shown is not None and self._is_of_chosen(shown) == self.form.legend.isHidden():
            self._say(shown)

    def _compare_networks(self, layers: list[Any]) -> None:
        """Score the cells of the four networks, where there is a reference."""
        *coarser, finest = layers
        before = self._session.cells
        finest.visible = True  # what is chosen as Cells is seen
        if not self._session.clicking:
            self._session.cells = finest
        self.form.list_layers_again()
        if any(self.form.truth.layer is layer for layer in layers) and before not in layers:
            self.form.truth.set_layer(before)  # what was chosen above, often the reference itself
        self.form.list_layers_again()
        for layer in coarser:
            self.form.others.tick(layer)
        self.form.status.say("The cells of each network are shown beside the image, and as layers.", "good")
        chosen = self._session.cells is finest
        if chosen and self.form.truth.layer is not None and self.form.truth.layer not in layers:
            self.run()

    # Following edits.

    def _watch(self, layers: ComparedLayers) -> None:
        self._watched.disconnect_all()
        compared = (*layers.predictions, layers.truth, layers.ignore)
        for layer in (each for each in compared if each is not None):
            for name in {"data", "set_data", "paint"} & set(layer.events.emitters):
                self._watched.connect(layer.events[name], self._changed)
            self._watched.connect(layer.events.name, self._renamed)

    def _changed(self, _: object = None) -> None:
        self._timer.start()

    def _renamed(self, _: object = None) -> None:
        if self._shown is not None:
            self._shown = self._shown.renamed
            self.form.show_scores(self._shown.result)
            self._say(self._shown)

    def _follow(self) -> None:
        """Score again what the user changed, or the plane that the sliders went to; say that a stack has changed."""
        shown, ignore = self._shown, self.form.ignore.layer
        if shown is None or self.running:
            return
        layers = replace(shown.layers, ignore=ignore)
        if any(layer not in self._viewer.layers for layer in (*layers.predictions, layers.truth)):
            return
        is_stack = len(shown.places) > 1
        edits = edits_in(self._viewer, layers)
        chosen_anew = ignore is not shown.layers.ignore
        try:
            places, planes = compared_planes(self._viewer, layers, is_stack)
        except ValueError as error:
            if chosen_anew or not is_stack:  # else a stack is scored, and not this plane
                self._outdate(shown, str(error))
            return
        if is_stack and chosen_anew:
            self._outdate(shown)
        elif is_stack:
            if edits != shown.edits:  # on whichever plane: all of them are looked at
                self._follow_job.run(
                    changed_job(planes, shown.result),
                    on_done=lambda changed: self._looked_at(shown, edits, changed),
                    on_error=lambda error: self._outdate(shown, sentence_of(error)),
                )
        elif shown.outdated or self._follow_job.running or shown.seen.get(places[0].key) != planes[0].hashes:
            self._follow_job.run(  # also in place of one that is about what it was before
                evaluation_job(shown.result.names, planes),
                on_done=lambda result: self._show(ScoredLayers(layers, places, result, edits)),
                on_error=self.form.status.failed,
            )

    def _looked_at(self, shown: ScoredLayers, edits: tuple[int, ...], changed: bool) -> None:
        as_compared = replace(shown, edits=edits, outdated="")
        if changed:
            self._outdate(shown, edits=edits)
        elif shown.outdated:
            self._show(as_compared)
        else:
            self._shown = as_compared

    def _outdate(
        self,
        shown: ScoredLayers,
        why: str = "The layers have changed since they were compared: press Evaluate.",
        edits: tuple[int, ...] = (),
    ) -> None:
        """Say why what is shown is not that of the layers; from other edits on, it is looked at whether it is again."""
        self._follow_job.drop()
        self._shown = outdated = replace(shown, edits=edits, outdated=why)
        if not shown.outdated:
            self.form.let_export(False)
            self._say(outdated)

    # Errors.

    def go_to_error(self, found: FoundError) -> None:
        """Move the camera to an error and choose its cells in the layers."""
        shown = self._shown
        if shown is not None and shown.layers.truth in self._viewer.layers:
            self.form.status.say(go_to_error(self._viewer, shown.layers, found))

    # The best threshold.

    def _start_sweep(self) -> None:
        with failures_to(self.form.status.failed):
            truth = self.form.truth.layer
            if truth is None:
                raise ValueError("Open a labels layer with the reference first.")
            layers = ComparedLayers((), truth, self.form.ignore.layer)
            places, planes = compared_planes(self._viewer, layers, False)
            self.form.sweep.start(places[0], planes[0])

    def _offer(self, params: InstanceParams) -> None:
        session = self._session
        if session.asked is None or session.asked.model != session.model:
            session.values = {}  # of another model
        session.asked = replace(session.asked or SegmentParams(), model=session.model)
        session.values = {
            **session.values,
            "threshold": params.threshold,
            "minimum_size": params.minimum_size,
        }
        session.events.values_offered.emit()
        self.form.status.say(
            f"Threshold {params.threshold:g} and minimum size {params.minimum_size} px are set in the Segment page.",
            "good",
        )

    # Taking it away.

    def export_csv(self, path: str = "") -> None:
        """Save the scores, one prediction and plane a row."""
        path = path or self._ask_path("scores.csv", "Tables (*.csv)")
        if path and self.result is not None:
            self._save(path, lambda: write_table(path, score_columns(self.result)))

    def export_report(self, path: str = "") -> None:
        """Save one page with everything."""
        path = path or self._ask_path("evaluation.html", "Web pages (*.html)")
        shown = self._shown
        if path and shown is not None:
            self._save(
                path,
                lambda: report_of(self._viewer, shown.layers, shown.places, shown.result).write(path),
            )

    def copy_command(self) -> None:
        """Copy the command line that scores the files of the chosen layers."""
        with failures_to(self.form.status.failed):
            self.form.status.copied(*command_of(self.form.layers, self.form.scores_every_plane))

    def _ask_path(self, name: str, kinds: str) -> str:
        path, _ = QFileDialog.getSaveFileName(self, "Save", str(Path.home() / name), kinds)
        return str(path)

    def _save(self, path: str, write: Any) -> None:
        with failures_to(self.form.status.failed):
            write()
            self.form.status.say(f"Saved {Path(path).name}.", "good")

    def _layer_removed(self, event: Any) -> None:
        if self._running_on is not None and _compares(self._running_on, event.value):
            self.cancel()
        if self._shown is not None and _compares(self._shown.layers, event.value):
            self._watched.disconnect_all()
            self.outlines.give_back()
            self._choice_changed()

    @property
    def works_beside(self) -> bool:
        """Whether there are errors to walk through, which are corrected on the Click page."""
        return self.result is not None

    def rest(self, covered: bool) -> None:
        """Give the keys back while the dock is hidden."""
        (self._keys.give_back if covered else self._keys.take)()

    def let_go(self) -> None:
        """End all jobs."""
        self._drop_jobs()

    def _drop_jobs(self) -> None:
        self._timer.stop()
        self._follow_job.drop()
        self.form.sweep.drop()
        self.form.architectures.drop()
        self.drop()


def _compares(layers: ComparedLayers, layer: Any) -> bool:
    return any(layer is one for one in (*layers.predictions, layers.truth))


def _keys_of(form: EvaluateForm) -> dict[str, Callable[[Any], None]]:
    def step(by: int) -> None:
        form.tabs.setCurrentWidget(form.errors)
        form.errors.step(by)

    def next_error(_: Any) -> None:
        """Go to the next error."""
        step(1)

    def previous_error(_: Any) -> None:
        """Go to the previous error."""
        step(-1)

    return {".": next_error, ",": previous_error}
