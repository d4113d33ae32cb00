"""How long a segmentation will take, said before it runs and while it runs."""

from collections.abc import Callable, Generator
from dataclasses import dataclass

from qtpy.QtCore import QObject
from qtpy.QtWidgets import QLabel

from napari_utile.engine.inference.cell_size import CellSize
from napari_utile.engine.inference.cost import Estimate, duration
from napari_utile.engine.inference.predict import Progress
from napari_utile.engine.models.catalogue import card_of
from napari_utile.engine.models.library import Model
from napari_utile.engine.planes.axes import ImagePlane
from napari_utile.engine.store.cost import StoreCost
from napari_utile.engine.words import capitalised, three_digits
from napari_utile.widgets.failures import failures_to, sentence_of
from napari_utile.widgets.later import later
from napari_utile.widgets.worker import LatestJob

# The user is done choosing when nothing changed for this long. Milliseconds.
_AFTER = 250
_WAITING = "Estimating cell size and time…"


@dataclass(frozen=True, eq=False)
class Question:
    """What is to be estimated.

    Attributes
    ----------
    model : str
        Name of the model that was chosen.
    job : generator
        Returns the model, the cost, and the size of the cells if it was measured.
    what : str
        What will take that, as a sentence begins: "This".
    plane : ImagePlane
        One that is segmented, for its unit.
    """

    model: str
    job: Generator[None, None, tuple[Model, Estimate | StoreCost, CellSize | None]]
    what: str
    plane: ImagePlane


class RunEstimate(QObject):
    """Says under the choices what Run would cost, or why it cannot run, shortly after they change.

    Parameters
    ----------
    label : QLabel
        Where it is said.
    ask : callable
        Returns what Run would do now, None where there is nothing to estimate; raises where something is missing.
    on_model : callable
        Called with the name, the model, which is loaded for the estimate, and the size of the cells if measured.
    """

    def __init__(
        self,
        label: QLabel,
        ask: Callable[[], Question | None],
        on_model: Callable[[str, Model, CellSize | None], object],
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._label = label
        self._ask = ask
        self._on_model = on_model
        self._jobs = LatestJob(owner=self)
        self._timer = later(self, _AFTER, self._estimate)

    def follow(self) -> None:
        """Estimate again once nothing changes any more."""
        self._timer.start()

    def forget(self) -> None:
        """Say nothing until there is an estimate again: what was said was about another image or model."""
        self._jobs.drop()
        self._label.setText("")

    def drop(self) -> None:
        """Forget the estimate under way."""
        self._jobs.drop()
        if self._label.text() == _WAITING:
            self._label.setText("")

    def _estimate(self) -> None:
        with failures_to(self._fail):
            asked = self._ask()
            if asked is None:
                self._label.setText("")
                return
            if not self._label.text():  # large images and busy computers take a while
                self._label.setText(_WAITING)
            self._jobs.run(asked.job, on_done=lambda answer: self._show(asked, *answer), on_error=self._fail)

    def _show(self, asked: Question, model: Model, cost: Estimate | StoreCost, size: CellSize | None) -> None:
        name = asked.model
        self._on_model(name, model, size)
        said = "" if size is None else f"{capitalised(_in_units(size, asked.plane))}. "
        if size is not None and size.model != name:
            said = f"{card_of(name).title or name}: chose {model.card.title or size.model}. {said}"
        self._label.setText(f"{said}{asked.what} will take {cost}.")

    def _fail(self, error: Exception) -> None:
        self._label.setText(sentence_of(error))


def _in_units(size: CellSize, plane: ImagePlane) -> str:
    """Say how large cells are, also in the unit of the plane where it has one."""
    across = None if plane.pixel_size is None or plane.unit is None else plane.pixel_size[0]
    if size.diameter is None or across is None:
        return str(size)
    return str(size).replace(" px ", f" px ({three_digits(size.diameter * across)} {plane.unit}) ", 1)


def progress_text(step: Progress) -> str:
    """Say how far a segmentation is, and how long the rest will take."""
    if step.stage == "size":
        return "measuring cell size…"
    if step.stage == "measurements":
        return "measuring the cells…"
    if step.done == step.total:
        return "finding the cells…"
    text = f"{step.done} of {step.total} tiles"
    return text if step.seconds_left is None else f"{text}, {duration(step.seconds_left)} left"
