"""Which instance parameters count: what the model suggests, until the user chooses values."""

from dataclasses import asdict, replace
from typing import Any

from napari_utile.engine.cells.instances import InstanceParams
from napari_utile.engine.models.catalogue import card_of
from napari_utile.engine.models.library import Model
from napari_utile.engine.segment_params import SegmentParams, suggested_instances
from napari_utile.session.state import Session
from napari_utile.widgets.pages.segment.form import SegmentForm


class InstanceValues:
    """The values of the sliders, or None for what the model suggests for the size of the cells.

    Parameters
    ----------
    form : SegmentForm
        Shows them.
    session : Session
        Knows the chosen model.
    """

    def __init__(self, form: SegmentForm, session: Session) -> None:
        self._form = form
        self._session = session
        self._shown_for = ""
        self._suggested = InstanceParams()  # for the model and the size that are shown
        self._are_chosen = False  # by the user

    def read(self) -> InstanceParams | None:
        """Return what the user chose for this model; None leaves it to the model."""
        if self._shown_for != self._session.model or not self._are_chosen:
            return None
        return self._shown()

    def chosen(self) -> dict[str, float]:
        """Return the values that the user chose for this model: those that it does not suggest."""
        if self.read() is None:
            return {}
        suggested = asdict(self._suggested)
        return {name: value for name, value in asdict(self._shown()).items() if value != suggested[name]}

    def are_the_users(self) -> None:
        """Keep what the form shows from now on, until another model is chosen."""
        self._shown_for, self._are_chosen = self._session.model, True

    def take(self, params: SegmentParams) -> None:
        """Keep given values as if the user had chosen them, but for those that the model suggests."""
        assert params.instances is not None
        self._form.show_instances(params.instances)
        self._suggested = suggested_instances(card_of(params.model), params.known_diameter)
        self._shown_for, self._are_chosen = params.model, params.instances != self._suggested

    def show_result(self, params: SegmentParams | None) -> None:
        """Show how the result on screen was made, if the chosen model made it."""
        if params is None or params.instances is None or params.model != self._session.model:
            return
        self._suggested = suggested_instances(card_of(params.model), params.known_diameter)
        self._shown_for, self._are_chosen = params.model, params.instances != self._suggested
        self._form.show_instances(params.instances)

    def show_suggestion(self, name: str, model: Model, diameter: float | None) -> None:
        """Show what a model suggests for cells of a diameter, if it is still chosen; what the user changed stays."""
        if name != self._session.model:
            return
        suggested = suggested_instances(model.card, diameter)
        if self._shown_for != name:
            self._shown_for, self._are_chosen = name, False
            self._form.show_instances(suggested)
        elif suggested != self._suggested:
            own: dict[str, Any] = self.chosen()
            self._form.show_instances(replace(suggested, **own))
        self._suggested = suggested
        self._form.show_model_diameter(model.card.object_diameter)

    def _shown(self) -> InstanceParams:
        main: InstanceParams = self._form.instances.value()
        more: InstanceParams = self._form.more_instances.value()
        return replace(main, fill_holes=more.fill_holes, grow=more.grow)
