"""The weight map of the instances that the Segment page made, as a layer that follows them."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject

from napari_utile.session.jobs import weight_map_job
from napari_utile.session.layer_specs import LayerSpec
from napari_utile.session.results import SegmentResult
from napari_utile.widgets.viewer.result_layers import own_layer, show_layers
from napari_utile.widgets.viewer.source import Source
from napari_utile.widgets.worker import LatestJob

if TYPE_CHECKING:
    import napari.viewer

__all__ = ["InstancesWeightMap"]


class InstancesWeightMap:
    """Shows, hides and updates the layer.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
    on_error : callable
        Called with the exception where the map cannot be computed.
    owner : QObject
        The dock.

    Attributes
    ----------
    shown : bool
        Whether the user wants to see it.
    """

    def __init__(
        self, viewer: "napari.viewer.Viewer", on_error: Callable[[Exception], object], owner: QObject
    ) -> None:
        self._viewer = viewer
        self._on_error = on_error
        self._jobs = LatestJob(owner)
        self.shown = False

    def show(self, source: Source, result: SegmentResult | None) -> None:
        """Show the map of a result, or hide it, as `shown` says."""
        if self.shown and result is not None:
            self.follow(source, result)
            return
        layer = own_layer(self._viewer, "weight map", source.layer)
        if layer is not None:
            layer.visible = self.shown

    def follow(self, source: Source, result: SegmentResult) -> None:
        """Compute the map of a new result, if it is shown."""
        if not self.shown:
            return

        def show(spec: LayerSpec) -> None:
            if source.layer in self._viewer.layers:
                active = self._viewer.layers.selection.active
                show_layers(self._viewer, [spec], source.layer, source.place)[0].visible = True
                self._viewer.layers.selection.active = active

        self._jobs.run(weight_map_job(result), on_done=show, on_error=self._on_error)

    def drop(self) -> None:
        """Forget what is being computed."""
        self._jobs.drop()
