"""The pictures beside a result: the weight map of its cells, and what the network gets of the plane on screen."""

from collections.abc import Callable, Generator

import napari.viewer
from qtpy.QtCore import QObject

from napari_utile.session.jobs import network_view_job, weight_map_job
from napari_utile.session.layer_specs import LayerSpec
from napari_utile.session.results import SegmentRequest, SegmentResult
from napari_utile.session.state import Session
from napari_utile.widgets.failures import failures_to
from napari_utile.widgets.pages.segment.form import SegmentForm
from napari_utile.widgets.viewer.own_pictures import role_of
from napari_utile.widgets.viewer.result_layers import is_of_planes, show_layers, source_of
from napari_utile.widgets.viewer.source import Source, read_source
from napari_utile.widgets.worker import LatestJob


class Pictures:
    """Shows, hides and updates both.

    Parameters
    ----------
    form : SegmentForm
        With a tick for each.
    request : callable
        Captures what would be segmented now, with its source.
    on_error : callable
        Called with the exception where a picture cannot be computed.
    owner : QObject
        The page.
    """

    def __init__(
        self,
        viewer: napari.viewer.Viewer,
        session: Session,
        form: SegmentForm,
        request: Callable[[], tuple[Source, SegmentRequest]],
        on_error: Callable[[Exception], object],
        owner: QObject,
    ) -> None:
        self._viewer, self._session, self._request = viewer, session, request
        self._on_error = on_error
        self._weight_map = _Picture(viewer, "weight map", on_error, owner)
        self._network = _Picture(viewer, "network view", on_error, owner)
        form.weight_map.toggled.connect(self._weight_map_toggled)
        form.network_view.toggled.connect(self._network_toggled)

    def follow_result(self, source: Source, result: SegmentResult) -> None:
        """Show the weight map of a new result, if it is wanted."""
        if self._weight_map.shown:
            self._weight_map.compute(source, weight_map_job(result))

    def follow_choice(self) -> None:
        """Show what the network gets now, if it is wanted."""
        if self._network.shown:
            with failures_to():  # what is missing is said where it is chosen
                source, request = self._request()
                self._network.compute(source, network_view_job(self._session, request))

    def drop(self) -> None:
        """Forget what is being computed."""
        self._weight_map.drop()
        self._network.drop()

    def _weight_map_toggled(self, on: bool) -> None:
        self._weight_map.shown = on
        with failures_to():  # where there is no image, there is nothing to show it of
            source = read_source(self._viewer, self._session)
            self._weight_map.show(on, source)
            result = self._session.result_of(source.layer, source.place.key)
            if result is not None:
                self.follow_result(source, result)

    def _network_toggled(self, on: bool) -> None:
        with failures_to(self._on_error):
            self._network.show(on, read_source(self._viewer, self._session))
            self.follow_choice()


class _Picture:
    """A layer that the user wants to see or not, computed in a job."""

    def __init__(
        self,
        viewer: napari.viewer.Viewer,
        role: str,
        on_error: Callable[[Exception], object],
        owner: QObject,
    ) -> None:
        self._viewer, self._role, self._on_error = viewer, role, on_error
        self._jobs = LatestJob(owner)
        self.shown = False

    def show(self, on: bool, source: Source) -> None:
        self.shown = on
        for layer in self._viewer.layers:
            if role_of(layer) == self._role and source_of(layer) is source.layer:
                layer.visible = on and is_of_planes(layer, source.layer, source.place)

    def compute(self, source: Source, job: Generator[None, None, LayerSpec]) -> None:
        def show(spec: LayerSpec) -> None:
            if source.layer in self._viewer.layers and self.shown:
                active = self._viewer.layers.selection.active
                show_layers(self._viewer, [spec], source.layer, source.place)[0].visible = True
                self._viewer.layers.selection.active = active

        self._jobs.run(job, on_done=show, on_error=self._on_error)

    def drop(self) -> None:
        self._jobs.drop()
