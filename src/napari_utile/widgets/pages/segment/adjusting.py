"""What follows the sliders: cells found again from the same outputs."""

from collections.abc import Callable

import napari.viewer
from qtpy.QtWidgets import QWidget

from napari_utile.session.jobs import relabel_job
from napari_utile.session.results import SegmentResult, specs_of
from napari_utile.session.state import Session
from napari_utile.widgets.failures import failures_to
from napari_utile.widgets.pages.segment.edited_cells import EditedCells
from napari_utile.widgets.pages.segment.instance_values import InstanceValues
from napari_utile.widgets.viewer.result_layers import show_layers
from napari_utile.widgets.viewer.source import Source, read_source
from napari_utile.widgets.worker import LatestJob


class Adjusting:
    """Finds the cells of the result on screen again whenever a slider moves.

    Parameters
    ----------
    edited : EditedCells
        Hides what was edited, where new cells are wanted.
    shown : callable
        Called with the source and the result when cells were shown.
    """

    def __init__(
        self,
        viewer: napari.viewer.Viewer,
        session: Session,
        edited: EditedCells,
        values: InstanceValues,
        show_error: Callable[[Exception], object],
        shown: Callable[[Source, SegmentResult], object],
        page: QWidget,
    ) -> None:
        self._viewer, self._session, self._edited, self._values = viewer, session, edited, values
        self._show_error, self._shown = show_error, shown
        self._jobs = LatestJob(owner=page)

    @property
    def running(self) -> bool:
        """Whether cells are being found."""
        return self._jobs.running

    def adjust(self) -> None:
        """Find the cells again with what the sliders say, if there is a result."""
        with failures_to(self._show_error):
            source = read_source(self._viewer, self._session)
            result = self._session.result_of(source.layer, source.place.key)
            if result is not None and result.request.params.model == self._session.model:
                self._jobs.run(
                    relabel_job(result, self._values.shown),
                    on_done=lambda adjusted: self._show(source, adjusted),
                    on_error=self._show_error,
                )

    def _show(self, source: Source, result: SegmentResult) -> None:
        if source.layer in self._viewer.layers and source.is_current:
            self._session.remember(source.layer, source.place.key, result)
            specs = specs_of(result, probability=False)
            self._edited.show_only(show_layers(self._viewer, specs, source.layer, source.place)[-1])
            self._shown(source, result)

    def drop(self) -> None:
        """Find no cells any more."""
        self._jobs.drop()
