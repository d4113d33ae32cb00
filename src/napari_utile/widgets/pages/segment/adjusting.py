"""What follows the sliders: cells found again from the same outputs."""

from collections.abc import Callable

import napari.viewer
from qtpy.QtWidgets import QWidget

from napari_utile.engine.segment_params import SegmentParams
from napari_utile.session.jobs import relabel_job
from napari_utile.session.results import SegmentResult, specs_of
from napari_utile.session.state import Session
from napari_utile.widgets.failures import failures_to
from napari_utile.widgets.pages.segment.edited_cells import EditedCells
from napari_utile.widgets.pages.segment.instance_values import InstanceValues
from napari_utile.widgets.pages.segment.three_views import ThreeViews
from napari_utile.widgets.viewer.result_layers import show_layers
from napari_utile.widgets.viewer.source import Source, on_screen, read_source
from napari_utile.widgets.worker import LatestJob


class Adjusting:
    """Finds the cells on screen again whenever a slider moves, and shows how they were made.

    Parameters
    ----------
    edited : EditedCells
        Asks where cells were edited, and hides them where new ones are wanted.
    values : InstanceValues
        What the sliders say.
    views : ThreeViews
        Finds objects from three views again, where those are chosen.
    shown : callable
        Called with the source and the result when cells were shown.
    """

    def __init__(
        self,
        viewer: napari.viewer.Viewer,
        session: Session,
        edited: EditedCells,
        values: InstanceValues,
        views: ThreeViews,
        show_error: Callable[[Exception], object],
        shown: Callable[[Source, SegmentResult], object],
        page: QWidget,
    ) -> None:
        self._viewer, self._session, self._edited, self._values = viewer, session, edited, values
        self._views = views
        self._show_error, self._shown = show_error, shown
        self._jobs = LatestJob(owner=page)

    @property
    def running(self) -> bool:
        """Whether cells are being found."""
        return self._jobs.running

    def follow(self) -> None:
        """Find the cells on screen again, if they are of the chosen model; ask where they were edited."""
        shown, made = on_screen(self._viewer, self._session), self._made
        if shown is None or made is None or made[1] != self._session.model:
            return
        if not self._edited.stops(*shown):
            self._find_again()

    def answered(self, new: bool) -> None:
        """Find new cells beside those that were edited, or show how these were made."""
        made = self._made
        if new:
            self._find_again()
        elif made is not None:
            self._values.show_result(*made)

    def show_how_made(self) -> None:
        """Show the values by which the result on screen was made, where it was asked of the chosen model."""
        shown = on_screen(self._viewer, self._session)
        made = None if shown is None else self._session.made_by(shown[0], shown[1].key)
        if made is not None:
            self._values.show_result(*made)

    @property
    def _made(self) -> tuple[SegmentParams, str] | None:
        """How the cells that sliders go to were made, and the model that was asked; None without such cells."""
        if self._views.made is not None:
            return self._views.made
        shown = on_screen(self._viewer, self._session)
        result = None if shown is None else self._session.result_of(shown[0], shown[1].key)
        return None if result is None else (result.segmentation.params, result.request.params.model)

    def _find_again(self) -> None:
        if not self._views.adjust(self._values.shown):
            self._find_plane_again()

    def _find_plane_again(self) -> None:
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
