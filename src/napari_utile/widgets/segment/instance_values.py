"""Which instance parameters count: what the model suggests, until the user chooses values."""

from dataclasses import replace
from typing import TYPE_CHECKING

from napari_utile.engine.cells.instances import InstanceParams
from napari_utile.engine.models.catalogue import card_of
from napari_utile.engine.segment_params import SegmentParams, suggested_instances
from napari_utile.session.state import Session
from napari_utile.widgets.segment.form import SegmentForm

if TYPE_CHECKING:
    from napari_utile.engine.models.card import ModelCard
    from napari_utile.engine.models.library import Model

__all__ = ["InstanceValues"]


class InstanceValues:
    """The values of the sliders, or the model's where the sliders still show another model's.

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
        self._card: ModelCard | None = None  # whose suggestion is shown; none once the user chose

    def read(self) -> InstanceParams:
        """Return what counts now.

        Raises
        ------
        UtileError
            If the model cannot be loaded.
        """
        if self._shown_for != self._session.model:
            return self.suggestion()
        main: InstanceParams = self._form.instances.value()
        more: InstanceParams = self._form.more_instances.value()
        return replace(main, fill_holes=more.fill_holes, grow=more.grow)

    def suggestion(self) -> InstanceParams:
        """Return what the chosen model suggests.

        Raises
        ------
        UtileError
            If the model cannot be loaded.
        """
        return suggested_instances(card_of(self._session.model))

    def are_the_users(self) -> None:
        """Keep what the form shows from now on, until another model is chosen."""
        self._shown_for, self._card = self._session.model, None

    def show_result(self, params: SegmentParams | None) -> None:
        """Show how the result on screen was made, if the chosen model made it."""
        if params is None or params.instances is None or params.model != self._session.model:
            return
        if self._shown_for != self._session.model or params.instances != self.read():
            self._form.show_instances(params.instances)
            self.are_the_users()

    def show_suggestion(self, name: str, model: "Model") -> None:
        """Show what a model suggests, once, if it is still the chosen one; and anew when its file was made anew."""
        if name != self._session.model:
            return
        if self._shown_for != name or self._card not in (None, model.card):
            self._shown_for, self._card = name, model.card
            self._form.show_instances(InstanceParams(**model.card.instances))
            self._form.show_model_diameter(model.card.object_diameter)
