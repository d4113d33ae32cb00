"""The Fine-tune dock: teach a model your own cells, watch it learn, and keep it only if it became better."""

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QSize, Qt, QTimer
from qtpy.QtGui import QGuiApplication
from qtpy.QtWidgets import QScrollArea, QVBoxLayout, QWidget

from napari_utile.engine.training.fine_tune_params import FineTuneParams
from napari_utile.engine.weights.annotation import Annotation
from napari_utile.session.annotation_advice import annotation_warning
from napari_utile.session.fine_tuning import (
    FineTuneRequest,
    FineTuneResult,
    LookAt,
    Prediction,
    StopAndKeep,
    Trained,
    command_of,
    fine_tune_job,
    keep,
    model_name_problem,
)
from napari_utile.session.jobs import Choices, choices_job
from napari_utile.widgets.connections import Connections
from napari_utile.widgets.fine_tune.annotation_advisor import AnnotationAdvisor
from napari_utile.widgets.fine_tune.comparison_layers import show_comparisons
from napari_utile.widgets.fine_tune.form import BOXES, SPARSE, FineTuneForm
from napari_utile.widgets.segment.preview_layer import PreviewLayer
from napari_utile.widgets.viewer.layers import place_of, plain_viewer, plane_of, session_of
from napari_utile.widgets.viewer.regions import Window, boxes_of_shapes, region_in_view
from napari_utile.widgets.worker import JobHandle, run_job, sentence_of

if TYPE_CHECKING:
    import napari.viewer

__all__ = ["FineTuneDock"]

_WIDTH = 330
# The prediction in view is refreshed at most so often, and of at most so many pixels a side. Milliseconds.
_LOOK_EVERY = 5000
_MOST_LOOKED_AT = 512
# Curves are drawn at most so often. Seconds.
_DRAW_EVERY = 0.3


class FineTuneDock(QWidget):
    """Fine-tune a model on the painted cells of open layers.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Whose layers hold the images and the painted cells.
    """

    def __init__(self, viewer: "napari.viewer.Viewer", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = plain_viewer(viewer)
        self._session = session_of(viewer)
        self._job: JobHandle | None = None
        self._result: FineTuneResult | None = None
        self._source: Any = None
        self._preview: PreviewLayer | None = None
        self._compared: list[Any] = []
        self._drawn = 0.0
        self._looking = False
        self.form = FineTuneForm(self._viewer, self._session)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QScrollArea.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(self.form)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(scroll)
        self.form.status.setContentsMargins(8, 4, 8, 8)
        layout.addWidget(self.form.status)  # in sight however small the window is
        self.setMinimumWidth(_WIDTH - 20)
        self._look_timer = QTimer(self)
        self._look_timer.setInterval(_LOOK_EVERY)
        self._look_timer.timeout.connect(self._look)
        form = self.form
        form.run_bar.run.connect(self.run)
        form.run_bar.cancel.connect(self.cancel)
        form.pause.clicked.connect(self._pause_or_resume)
        form.stop.clicked.connect(self._stop)
        form.keep.clicked.connect(self.keep)
        form.discard.clicked.connect(self.discard)
        form.compare.clicked.connect(self._compare)
        form.start.currentIndexChanged.connect(self._start_chosen)
        form.copy_command.clicked.connect(self.copy_command)
        form.next_place.clicked.connect(self._go_to_next_place)
        form.network_view.clicked.connect(self._show_network_view)
        self._advisor = AnnotationAdvisor(self._viewer, self._session, form.status, self)
        self._connections = Connections(self)
        self._connections.connect(self._session.events.models_changed, self._list_models)
        self._session.on_close(self._drop)
        self._list_models()

    def sizeHint(self) -> QSize:
        """Be narrow, so that the image keeps its room."""
        return QSize(_WIDTH, max(super().sizeHint().height(), 600))

    @property
    def running(self) -> bool:
        """Whether a training is under way."""
        return self._job is not None and self._job.running

    def request(self) -> FineTuneRequest:
        """Capture what the button would do now.

        Raises
        ------
        ValueError, UtileError
            In one sentence, if something is missing.
        """
        from napari_utile.engine.training.data import AnnotatedImage

        images = []
        for image, labels in self.form.pairs.pairs():
            if image is None:
                raise ValueError("Open an image first.")
            if labels is None:
                raise ValueError("Paint some cells first: press New labels.")
            plane = plane_of(image, self._viewer)
            painted = np.array(plane_of(labels, self._viewer).data[0])
            if not painted.any():
                raise ValueError(f"{labels.name} is empty on this plane; paint some cells first.")
            pixels = np.array(plane.data)  # the user may close the image while it trains
            images.append(AnnotatedImage(replace(plane, data=pixels), painted, self._annotation(labels)))
        few: FineTuneParams = self.form.params.value()
        more: FineTuneParams = self.form.more_params.value()
        params = replace(more, minutes=few.minutes, held_out=few.held_out)
        return FineTuneRequest(tuple(images), self._session.model, self.form.start.currentData(), params)

    def _annotation(self, labels: Any) -> Annotation:
        kind = self.form.complete.currentData()
        if kind == SPARSE:
            return Annotation("sparse", background=self.form.background.value())
        if kind == BOXES:
            if self.form.boxes.layer is None:
                raise ValueError(
                    "Draw boxes in a Shapes layer first, around parts where all cells are painted."
                )
            boxes = boxes_of_shapes(self.form.boxes.layer, labels, self._viewer)
            return Annotation("boxes", boxes=[(y.start, x.start, y.stop, x.stop) for y, x in boxes])
        return Annotation()

    # Training.

    def run(self) -> None:
        """Start training."""
        if self.running:
            return
        self.discard()
        try:
            request = self.request()
        except Exception as error:  # noqa: BLE001  shown as a sentence, whatever it is
            self.form.status.problem(sentence_of(error))
            return
        self._source = self.form.pairs.pairs()[0][0]
        self._session.job_started()
        self.form.status.say(annotation_warning(request))
        self.form.set_running(True)
        self.form.run_bar.set_busy("preparing…")
        self.form.progress.setText("Scoring the model as it is…")
        self._looking = False
        self._job = run_job(
            fine_tune_job(self._session, request),
            on_progress=self._show_progress,
            on_done=self._finish,
            on_error=self._fail,
            on_cancelled=self._cancelled,
            owner=self,
        )
        self._look_timer.start()

    def cancel(self) -> None:
        """Stop within one step and forget what was learnt."""
        if self._job is not None and self.running:
            self.form.run_bar.set_cancelling()
            self._job.cancel()

    def _stop(self) -> None:
        if self._job is not None:
            self._job.resume()
            self._job.send(StopAndKeep())
            self.form.run_bar.bar.setFormat("finishing…")

    def _pause_or_resume(self) -> None:
        if self._job is None:
            return
        if self._job.paused:
            self._job.resume()
        else:
            self._job.pause()
        self.form.pause.setText("Go on" if self._job.paused else "Pause")

    def _look(self) -> None:
        """Ask the job for the prediction in view; it answers between two steps."""
        if self._job is None or self._looking or not self.form.watch.isChecked() or self._job.paused:
            return
        try:
            place = place_of(self._source, self._viewer)
            region = _central(region_in_view(self._viewer, self._source, place))
            plane = plane_of(self._source, self._viewer)
        except ValueError:
            return
        self._looking = True
        self._job.send(LookAt(plane, region))

    def _show_progress(self, progress: Trained | Prediction) -> None:
        if isinstance(progress, Prediction):
            self._looking = False
            self._show_prediction(progress)
            return
        step = progress.step
        self.form.plot.add(step)
        self.form.run_bar.set_progress(round(step.spent * 1000), 1000, f"step {step.step}, {_left(step)}")
        now = time.perf_counter()
        if now - self._drawn > _DRAW_EVERY or step.validation is not None:
            self._drawn = now
            self.form.plot.draw()
        if step.validation is not None:
            best = max(self.form.plot.overlaps)
            rate = step.step / max(step.seconds, 1e-9)
            self.form.progress.setText(
                f"Overlap on held-out tiles {step.validation.overlap:.2f}, best {best:.2f}; {rate:.1f} steps/s."
            )

    def _show_prediction(self, prediction: Prediction) -> None:
        if self._source not in self._viewer.layers:
            return
        self._remove_preview()
        try:
            place = place_of(self._source, self._viewer)
        except ValueError:
            return
        self._preview = PreviewLayer(self._viewer, self._source, place, prediction.region, "learning")
        self._preview.paint(prediction.region, prediction.foreground)
        self._preview.layer.refresh()

    def _finish(self, result: FineTuneResult) -> None:
        self._end()
        self._result = result
        self.form.plot.draw()
        self.form.progress.setText("")
        self.form.name.setText(_free_name(result.tuned.base.card.name))
        self.form.show_result(result)

    def _fail(self, error: Exception) -> None:
        self._end()
        self.form.progress.setText("")
        self.form.status.problem(sentence_of(error))

    def _cancelled(self) -> None:
        self._end()
        self.form.progress.setText("")
        self.form.status.say("Cancelled; nothing was kept.")

    def _end(self) -> None:
        self._look_timer.stop()
        self._session.job_ended()
        self.form.set_running(False)
        self._remove_preview()

    def _remove_preview(self) -> None:
        if self._preview is not None:
            self._preview.remove()
            self._preview = None

    def _drop(self) -> None:
        self._look_timer.stop()
        self._advisor.drop()
        if self._job is not None:
            self._job.drop()

    # The decision.

    def keep(self) -> None:
        """Save the model to the user's library; all docks of the viewer use it from now on."""
        if self._result is None:
            return
        try:
            path = keep(self._session, self._result, self.form.name.text().strip())
        except Exception as error:  # noqa: BLE001  shown as a sentence, whatever it is
            self.form.status.problem(sentence_of(error))
            return
        self._forget()
        self.form.status.say(f"Kept as {path.stem}; the other docks use it now.", "good")

    def discard(self) -> None:
        """Forget the model and take its layers away."""
        if self._result is not None:
            self._forget()
            self.form.status.say("Discarded.")

    def _forget(self) -> None:
        self._result = None
        self.form.result.hide()
        for layer in self._compared:
            if layer in self._viewer.layers:
                self._viewer.layers.remove(layer)
        self._compared = []

    def _compare(self) -> None:
        if self._result is None:
            return
        if not any(layer in self._viewer.layers for layer in self._compared):
            self._compared = show_comparisons(self._viewer, self._result, self._source)
        self._viewer.reset_view()

    # Advice.

    def _show_network_view(self) -> None:
        try:
            request = self.request()
        except Exception as error:  # noqa: BLE001  shown as a sentence, whatever it is
            self._show_error(error)
            return
        self._advisor.show_sample(request, self.form.pairs.pairs()[0][0])

    def _go_to_next_place(self) -> None:
        self._advisor.go_to_next_place(*self.form.pairs.pairs()[0])

    def copy_command(self) -> None:
        """Copy the command line that trains in the same way to the clipboard."""
        try:
            request = self.request()
        except Exception as error:  # noqa: BLE001  shown as a sentence, whatever it is
            self._show_error(error)
            return
        clipboard = QGuiApplication.clipboard()
        if clipboard is not None:
            clipboard.setText(command_of(request))
        boxes = " It cannot name boxes." if request.images[0].annotation.kind == "boxes" else ""
        self.form.status.say(
            f"The command is on the clipboard. Put your folders in place of IMAGES and LABELS.{boxes}", "good"
        )

    # Choices.

    def _start_chosen(self) -> None:
        """Choose the recipe that goes with it: a new network needs the one that starts from nothing."""
        more: FineTuneParams = self.form.more_params.value()
        recipe = "default" if self.form.start.currentData() else "fine-tune"
        self.form.more_params.set_value(replace(more, recipe=recipe))

    def _list_models(self) -> None:
        run_job(choices_job(), on_done=self._show_choices, on_error=self._show_error, owner=self)

    def _show_choices(self, choices: Choices) -> None:
        self.form.model.set_choices(choices)

    def _show_error(self, error: Exception) -> None:
        self.form.status.problem(sentence_of(error))


def _left(step: Any) -> str:
    from napari_utile.engine.inference.estimate import duration

    if step.spent <= 0:
        return ""
    return f"{duration(step.seconds / step.spent - step.seconds)} left"


def _central(region: Window) -> Window:
    """Cut a large region down to its middle."""
    parts = []
    for part in region:
        spare = max(0, part.stop - part.start - _MOST_LOOKED_AT)
        parts.append(slice(part.start + spare // 2, part.stop - (spare - spare // 2)))
    return parts[0], parts[1]


def _free_name(base: str) -> str:
    name, number = f"{base}-tuned", 2
    while model_name_problem(name):
        name, number = f"{base}-tuned-{number}", number + 1
    return name
