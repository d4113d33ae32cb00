"""The Train page: teach a model your own cells, watch it learn, and keep it only if it became better."""

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import napari.viewer

from napari_utile.engine.inference.cost import duration
from napari_utile.engine.models.origin import origin_of
from napari_utile.engine.training.fine_tune_params import FineTuneParams
from napari_utile.engine.training.sets import PaintedImage, TrainingSet, add_images
from napari_utile.session.annotation_advice import annotation_warning
from napari_utile.session.fine_tune_request import FineTuneRequest
from napari_utile.session.fine_tuning import (
    FineTuneResult,
    Prediction,
    Stage,
    StopAndKeep,
    Trained,
    added_to_set,
    fine_tune_job,
)
from napari_utile.session.keeping_models import previous_of
from napari_utile.session.state import ChosenImage
from napari_utile.session.unfinished import Unfinished, new_folder, release, remove, request_of
from napari_utile.widgets.connections import Connections
from napari_utile.widgets.failures import failures_to
from napari_utile.widgets.pages.train.annotation_advisor import AnnotationAdvisor
from napari_utile.widgets.pages.train.command import command_of
from napari_utile.widgets.pages.train.form import TrainForm
from napari_utile.widgets.pages.train.learning_view import LearningView
from napari_utile.widgets.pages.train.request import capture, planes_left_out
from napari_utile.widgets.pages.train.unfinished_panel import give_back, images_of
from napari_utile.widgets.viewer.layers import Place, plain_viewer, session_of, space_of
from napari_utile.widgets.viewer.source import plane_of
from napari_utile.widgets.workbench.closing import guard_window
from napari_utile.widgets.workbench.page import Page
from napari_utile.widgets.worker import NO_JOB, OneJob, as_job, run_job

# Curves and progress are drawn at most so often: every change makes Qt put the whole window together again. Seconds.
_DRAW_EVERY = 0.3


class TrainPage(OneJob, Page):
    """Fine-tune a model on the painted cells of open layers.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Whose layers hold the images and the painted cells.
    """

    doing = "U-Tile trains"

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__()
        self._viewer = plain_viewer(viewer)
        self._session = session_of(viewer)
        self._source = ChosenImage()
        self._folder: Path | None = None
        self._lineage = self._title = ""
        self._drawn = 0.0
        self.form = TrainForm(self._viewer, self._session)
        self.show_form(self.form, self.form.status)
        self.main_button = self.form.run_bar.run_button
        self.learning = LearningView(self._viewer, self.form.watch, self)
        form = self.form
        form.run_bar.run.connect(self.run)
        form.run_bar.cancel.connect(self.cancel)
        form.pause.clicked.connect(self._pause_or_resume)
        form.stop.clicked.connect(self._stop)
        form.result.ended.connect(self._decided)
        form.unfinished.chosen.connect(self._continue)
        form.start.combo.currentIndexChanged.connect(self._start_chosen)
        form.set.changed.connect(form.start.follow_set)
        form.set.problem.connect(form.status.problem)
        form.set.done.connect(lambda text: form.status.say(text, "good"))
        form.set.add.clicked.connect(lambda _: self.add_to_set())
        form.copy_command.clicked.connect(self.copy_command)
        form.pairs.paint.clicked.connect(lambda _: self.new_labels())
        form.next_place.clicked.connect(self._go_to_next_place)
        form.draw_box.clicked.connect(self.draw_box)
        form.network_view.clicked.connect(self._show_network_view)
        self._advisor = AnnotationAdvisor(self._viewer, self._session, form.status, self)
        self._connections = Connections(self)
        self._connections.connect(self._session.events.closed, self._drop)
        self._connections.connect(self._session.events.cells, self._watch_painting)
        self._painted_on = Connections(self)
        form.boxes.layer_changed.connect(lambda _: self._watch_painting())
        self._watch_painting()
        form.unfinished.look()
        guard_window(self._viewer, self)

    def request(self) -> FineTuneRequest:
        """Capture what the button would do now; raises one sentence if something is missing."""
        return capture(self.form, self._viewer)[0]

    def new_labels(self) -> None:
        """Add an empty Labels layer on the last image, ready to paint cells into."""
        with failures_to(self.form.status.failed):
            self.form.pairs.new_labels()
            self.form.status.say("Paint a cell with the brush, then press M for the number of the next one.")

    # Training.

    def run(self) -> None:
        """Start training."""
        if self.running:
            return
        with failures_to(self.form.status.failed):
            self.form.result.check_decided()
            request, learnt = capture(self.form, self._viewer)
            self._follow(request, self._session.model, self.form.start.continues)
            self._start(request, self._session.image, new_folder(), learnt)

    def add_to_set(self) -> None:
        """Put what is painted on screen into the training set, without training."""
        with failures_to(self.form.status.failed):
            request = self.request()
            if not request.images:
                raise ValueError("Nothing on screen is painted: press New labels and paint some cells first.")

            def added(done: tuple[TrainingSet, tuple[PaintedImage, ...]]) -> None:
                self.form.set.look()
                self.form.status.say(added_to_set(request, done[1]), "good")

            job = as_job(add_images, request.training_set, request.images)
            run_job(job, on_done=added, on_error=self.form.status.failed, owner=self)

    def _continue(self, unfinished: Unfinished) -> None:
        """Go on with a training that was interrupted."""
        found = images_of(unfinished, self._viewer)
        if self.running or found is None:
            return
        with failures_to(self.form.status.failed):
            self.form.result.check_decided()
            request = request_of(unfinished, [plane_of(image, place) for image, place in found])
            give_back(request, found, self._viewer)
            self._follow(request, request.base, continues=True)
            self._start(request, found[0][0] if found else self._session.image, unfinished.folder, found)

    def _follow(self, request: FineTuneRequest, model: str, continues: bool) -> None:
        """Note whose next version the new model may be: that of the set, which has grown, or of what goes further."""
        previous = None if request.family else previous_of(self._session.models, model, request.training_set)
        self._lineage = "" if previous is None else previous.name
        origin = None if previous is None or previous.card is None else origin_of(previous.card)
        same_set = origin is not None and origin.training_set == request.training_set
        is_next = previous is not None and (same_set if request.training_set else continues)
        self._title = previous.title if is_next and previous is not None else request.training_set

    def _start(
        self,
        request: FineTuneRequest,
        source: ChosenImage,
        folder: Path,
        learnt: Sequence[tuple[ChosenImage, Place]],
    ) -> None:
        self._source, self._folder = source, folder
        self.form.unfinished.clear()
        self.form.status.say(f"{annotation_warning(request)} {planes_left_out(learnt)}".strip())
        self.form.set_running(True)
        self.form.run_bar.set_busy("preparing…")
        self.job = run_job(
            fine_tune_job(self._session, request, folder),
            on_progress=self._show_progress,
            on_done=self._finish,
            on_error=self._fail,
            on_cancelled=lambda: remove(folder),
            owner=self,
        )
        self._advisor.take_away()
        self.learning.start(self.job, self._source)
        self.reveal(self.form.running)

    def cancel(self) -> None:
        """Stop and forget what was learnt: at once on screen, the thread ends after its step."""
        if self.running:
            self.job.cancel()
            self.job = NO_JOB
            self._end()
            self.form.say_progress("")
            self.form.status.say("Cancelled; what was learnt is discarded.")

    def _stop(self) -> None:
        if self.running:
            self.job.resume()
            self._show_paused()
            self.job.send(StopAndKeep())
            self.form.run_bar.bar.setFormat("finishing…")

    def _pause_or_resume(self) -> None:
        if not self.running:
            return
        if self.job.paused:
            self.job.resume()
        else:
            self.job.pause()
        self._show_paused()

    def _show_paused(self) -> None:
        self.form.pause.setText("Resume" if self.job.paused else "Pause")

    def _show_progress(self, progress: Trained | Prediction | Stage) -> None:
        if isinstance(progress, Prediction):
            self.learning.show(progress)
            return
        if isinstance(progress, Stage):
            self._show_stage(progress)
            return
        step = progress.step
        if not self.form.plot.steps:
            self.form.say_progress("")  # what was done before the first step is done
        self.form.plot.add(step)
        now = time.perf_counter()
        if now - self._drawn > _DRAW_EVERY or step.validation is not None:
            self._drawn = now
            self.form.plot.draw()
            self.form.run_bar.set_progress(round(step.spent * 1000), 1000, f"step {step.step}, {_left(step)}")
            self.activity.update(step.spent, 1)
        if step.validation is not None:
            best = max(self.form.plot.overlaps)
            rate = step.step / max(step.seconds, 1e-9)
            self.form.say_progress(
                f"Overlap on held-out tiles {step.validation.overlap:.2f}, best {best:.2f}; {rate:.1f} steps/s."
            )

    def _show_stage(self, stage: Stage) -> None:
        self.form.run_bar.set_busy(stage.doing)
        self.form.say_progress(stage.doing.capitalize())
        if stage.said:
            said = self.form.status.text()
            self.form.status.say(f"{said} {stage.said}".strip())
            self.form.set.look()  # what was painted is in it now

    def _finish(self, result: FineTuneResult) -> None:
        self._end()
        self.form.plot.draw()
        self.form.say_progress("")
        self.form.result.ask(result, self._source.layer, self._lineage, self._title)
        self.form.status.say(self.form.result.verdict.text().partition(" Paint")[0].partition("\n")[0])
        self.reveal(self.form.result)

    def _decided(self) -> None:
        remove(self._folder)
        self.form.plot.hide()
        self.reveal(self.form.result)

    def _fail(self, error: Exception) -> None:
        self._end()
        self.form.say_progress("")
        self.form.status.failed(error)
        release(self._folder)
        self.form.unfinished.look()

    def _end(self) -> None:
        self.activity.end("The training has ended: open U-Tile, page Train.")
        self.learning.stop()
        self.form.set_running(False)

    @property
    def asks(self) -> str:
        """A training is under way."""
        return "A model is being trained." if self.running else ""

    @property
    def undecided(self) -> bool:
        """A new model is neither kept nor discarded."""
        return self.form.result.pending

    def let_go(self) -> None:
        """Stop looking at what is painted; a training is asked about."""
        self._advisor.drop()
        self._advisor.take_away()
        self.form.result.hide_comparisons()
        self.learning.stop()

    def _drop(self) -> None:
        self.learning.timer.stop()
        self._advisor.drop()
        self.job.drop()
        release(self._folder)

    # Advice.

    def draw_box(self) -> None:
        """Let the user draw a box around a part where all cells are painted."""
        rows = self.form.pairs.rows
        boxes, image = rows[-1].boxes if rows else self.form.boxes, self.form.pairs.pairs()[-1][0].layer
        if image is None:
            self.form.status.failed(ValueError("Open an image first."))
            return
        layer = boxes.layer
        if layer is None:
            layer = self._viewer.add_shapes(
                name=f"{image.name} boxes" if rows else "boxes",
                ndim=2,
                face_color="transparent",
                edge_color="#f5d020",
                edge_width=2,
                **space_of(image),
            )
            boxes.set_layer(layer)
        self._viewer.layers.selection.active = layer
        layer.mode = "add_rectangle"
        self.form.status.say("Drag a box around a part of the image where all cells are painted.")

    def _show_network_view(self) -> None:
        with failures_to(self.form.status.failed):
            self._advisor.show_sample(self.request(), self._session.image.layer)

    def _go_to_next_place(self) -> None:
        self._advisor.go_to_next_place(*self.form.pairs.pairs()[0])

    def copy_command(self) -> None:
        """Copy the command line that trains in the same way to the clipboard."""
        with failures_to(self.form.status.failed):
            command, hint = command_of(self.form, *capture(self.form, self._viewer))
            self.form.status.copied(command, hint)

    # Choices.

    def _watch_painting(self, _: Any = None) -> None:
        """Drop what was said of missing cells or boxes once some are painted, or others are chosen."""
        self._painted_on.disconnect_all()
        labels, boxes = self._session.cells, self.form.boxes.layer
        if labels is not None:
            self._painted_on.connect(labels.events.paint, self._forget_problem)
        for layer in (each for each in (labels, boxes) if each is not None):
            self._painted_on.connect(layer.events.data, self._forget_problem)
        self._forget_problem()

    def _forget_problem(self, _: object = None) -> None:
        if self.form.status.kind == "problem":
            self.form.status.say("")

    def _start_chosen(self) -> None:
        """Choose the recipe that goes with it: a new network needs the one that starts from nothing."""
        more: FineTuneParams = self.form.more_params.value()
        recipe = "default" if self.form.start.family else "fine-tune"
        self.form.more_params.set_value(replace(more, recipe=recipe))


def _left(step: Any) -> str:
    if step.spent <= 0:
        return ""
    return f"{duration(step.seconds / step.spent - step.seconds)} left"
