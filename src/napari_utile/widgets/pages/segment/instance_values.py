"""Which instance parameters count: what the model suggests, until the user chooses values."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from napari_utile.engine.cells.instances import InstanceParams
from napari_utile.engine.models.catalogue import card_of
from napari_utile.engine.models.library import Model
from napari_utile.engine.segment_params import SegmentParams, differing, suggested_instances
from napari_utile.session.state import Session
from napari_utile.widgets.pages.segment.form import SegmentForm
from napari_utile.widgets.parts.chosen_values import ChosenValues


class InstanceValues:
    """The values of the sliders: what the model suggests for the size of the cells, but for what the user chose.

    Parameters
    ----------
    form : SegmentForm
        Shows them.
    session : Session
        Knows the chosen model.
    """

    def __init__(self, form: SegmentForm, session: Session) -> None:
        self._form, self._session = form, session
        self._sliders = ChosenValues(self._shown, form.show_instances)
        self._shown_for = ""

    @property
    def shown(self) -> InstanceParams:
        """What the sliders say."""
        return self._sliders.shown

    def chosen(self) -> dict[str, Any]:
        """Return the values that the user chose for this model; the others are left to the model."""
        return self._sliders.values if self._shown_for == self._session.model else {}

    def moved(self) -> None:
        """Keep what the user moved, until another model is chosen."""
        if self._shown_for != self._session.model:
            self._sliders.forget()  # what was chosen for the model before
        self._shown_for = self._session.model
        self._sliders.moved()

    def take(self, params: SegmentParams, values: Mapping[str, Any]) -> None:
        """Show what the model of parameters suggests for their diameter, but for values that are chosen."""
        self._shown_for = params.model
        self._sliders.show(suggested_instances(card_of(params.model), params.known_diameter), values)

    def show_result(self, params: SegmentParams, asked: str) -> None:
        """Show how the result on screen was made, if it was asked of the chosen model, or of one of its specialists."""
        if params.instances is None or asked != self._session.model:
            return
        suggested = suggested_instances(card_of(params.model), params.known_diameter)
        self._shown_for = asked
        self._sliders.show(suggested, differing(params.instances, suggested))

    def show_suggestion(self, name: str, model: Model, diameter: float | None) -> None:
        """Show what a model suggests for cells of a diameter, if it is still chosen; what the user chose stays."""
        if name != self._session.model:
            return
        suggested = suggested_instances(model.card, diameter)
        if (self._shown_for, self._sliders.suggested) != (name, suggested):
            values = self.chosen()
            self._shown_for = name
            self._sliders.show(suggested, values)
        self._form.show_model_diameter(model.card.object_diameter)

    def _shown(self) -> InstanceParams:
        main: InstanceParams = self._form.instances.value()
        more: InstanceParams = self._form.more_instances.value()
        return replace(main, fill_holes=more.fill_holes, grow=more.grow)
