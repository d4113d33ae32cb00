"""What the page Segment asks for is shared: clicks and batches do the same, and a dock opened again shows it."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from qtpy.QtWidgets import QWidget

from napari_utile.engine.segment_params import SegmentParams
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
        self._telling = False
        if session.asked is not None:  # as it was when the dock was closed
            self._show(session.asked)
        self._connections = Connections(owner)
        for event in (session.events.asked, session.events.values):
            self._connections.connect(event, self._follow)

    def tell(self) -> None:
        """Tell the other pages what the fields say now."""
        with suppress(ValueError):  # said where it is to be used
            wanted, self._telling = self._wanted(), True  # it is told in two steps
            try:
                self._session.values, self._session.asked = self._values.chosen(), wanted
            finally:
                self._telling = False

    def _wanted(self) -> SegmentParams:
        return replace(
            self._form.params(),
            model=self._session.model,
            channels=self._session.image.channels,
        )

    def _follow(self, _: object = None) -> None:
        asked = self._session.asked
        if self._telling or asked is None:
            return
        with suppress(ValueError):
            if (asked, self._session.values) != (self._wanted(), self._values.chosen()):
                self._show(asked)
                self._changed()

    def _show(self, asked: SegmentParams) -> None:
        self._form.show_params(asked)
        if asked.model == self._session.model:
            self._values.take(asked, self._session.values)
