"""What the page Segment asks for is shared: clicks and batches do the same, and a dock opened again shows it."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from qtpy.QtWidgets import QWidget

from napari_utile.engine.models.catalogue import card_of
from napari_utile.engine.segment_params import SegmentParams, suggested_instances
from napari_utile.session.state import Session
from napari_utile.widgets.connections import Connections
from napari_utile.widgets.pages.segment.form import SegmentForm
from napari_utile.widgets.pages.segment.instance_values import InstanceValues


class Asked:
    """Keeps `Session.asked` as the fields are, and shows in them what another page changed.

    Parameters
    ----------
    changed : callable
        Called after another page changed something.
    owner : QWidget
        The page.
    """

    def __init__(
        self,
        session: Session,
        form: SegmentForm,
        values: InstanceValues,
        changed: Callable[[], object],
        owner: QWidget,
    ) -> None:
        self._session, self._form, self._values, self._changed = session, form, values, changed
        if session.asked is not None:  # as it was when the dock was closed
            self._show(session.asked)
        self._connections = Connections(owner)
        self._connections.connect(session.events.asked, self._follow)

    def tell(self) -> None:
        """Tell the other pages what the fields say now."""
        with suppress(ValueError):  # said where it is to be used
            wanted = self._wanted()
            self._session.values = self._values.chosen()
            self._session.asked = wanted

    def _wanted(self) -> SegmentParams:
        return replace(
            self._form.params(),
            model=self._session.model,
            channels=self._session.image.channels,
            instances=self._values.read(),
        )

    def _follow(self, asked: SegmentParams | None) -> None:
        with suppress(ValueError):
            if asked is not None and asked != self._wanted():
                self._show(asked)
                self._changed()

    def _show(self, asked: SegmentParams) -> None:
        self._form.show_params(asked)
        if asked.instances is not None and asked.model == self._session.model:
            suggested = suggested_instances(
                card_of(asked.model), asked.known_diameter, **self._session.values
            )
            self._values.take(replace(asked, instances=suggested))
