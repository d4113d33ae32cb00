"""How long a segmentation will take, said before it runs and while it runs."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, QTimer
from qtpy.QtWidgets import QLabel

from napari_utile.engine.inference.cost import duration
from napari_utile.engine.models.catalogue import card_of
from napari_utile.session.jobs import estimate_job
from napari_utile.session.results import SegmentRequest
from napari_utile.session.state import Session
from napari_utile.widgets.failures import failures_to
from napari_utile.widgets.worker import LatestJob, sentence_of

if TYPE_CHECKING:
    from napari_utile.engine.inference.cell_size import CellSize
    from napari_utile.engine.inference.cost import Estimate
    from napari_utile.engine.inference.predict import Progress
    from napari_utile.engine.models.library import Model
    from napari_utile.engine.store.cost import StoreCost

__all__ = ["RunEstimate", "progress_text"]

# The user is done choosing when nothing changed for this long. Milliseconds.
_AFTER = 250


class RunEstimate(QObject):
    """Says under the choices what Run would cost, or why it cannot run, shortly after they change.

    Parameters
    ----------
    session : Session
    label : QLabel
        Where it is said.
    request : callable
        Returns what Run would do now, None where there is nothing to estimate; raises where something is missing.
    on_model : callable
        Called with the name, the model, which is loaded for the estimate, and the size of the cells if measured.
    parent : QObject
    """

    def __init__(
        self,
        session: Session,
        label: QLabel,
        request: Callable[[], SegmentRequest | None],
        on_model: "Callable[[str, Model, CellSize | None], object]",
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._label = label
        self._request = request
        self._on_model = on_model
        self.planes = 1  # that Run would take, one after the other
        self._jobs = LatestJob(owner=self)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_AFTER)
        self._timer.timeout.connect(self._estimate)

    def follow(self) -> None:
        """Estimate again once nothing changes any more."""
        self._timer.start()

    def drop(self) -> None:
        """Forget the estimate under way."""
        self._jobs.drop()

    def _estimate(self) -> None:
        with failures_to(self._fail):
            request = self._request()
            if request is None:
                self._label.setText("")
                return
            name = request.params.model
            self._jobs.run(
                estimate_job(self._session, request),
                on_done=lambda answer: self._show(name, *answer),
                on_error=self._fail,
            )

    def _show(self, name: str, model: "Model", cost: "Estimate | StoreCost", size: "CellSize | None") -> None:
        self._on_model(name, model, size)
        said = "" if size is None else f"{str(size)[:1].upper()}{str(size)[1:]}. "
        if size is not None and size.model != name:
            said = f"{card_of(name).title or name}: chose {model.card.title or size.model}. {said}"
        what = "This" if self.planes == 1 else f"Each of the {self.planes} planes"
        self._label.setText(f"{said}{what} will take {cost}.")

    def _fail(self, error: Exception) -> None:
        self._label.setText(sentence_of(error))


def progress_text(step: "Progress") -> str:
    """Say how far a segmentation is, and how long the rest will take."""
    if step.stage == "size":
        return "measuring how large cells are…"
    if step.stage == "measurements":
        return "measuring the cells…"
    if step.done == step.total:
        return "finding the cells…"
    text = f"{step.done} of {step.total} tiles"
    return text if step.seconds_left is None else f"{text}, {duration(step.seconds_left)} left"
