"""Keeps a weight map and its overlay up to date while labels are painted, sliders move and planes change."""

from typing import Any

import napari.layers
import napari.viewer
import numpy as np
from qtpy.QtCore import QObject, Signal

from napari_utile.engine.weights.live_weight_map import LiveWeightMap
from napari_utile.engine.weights.weight_map import WeightMapParams
from napari_utile.engine.windows import Window
from napari_utile.widgets.connections import Connections
from napari_utile.widgets.failures import failures_to, sentence_of
from napari_utile.widgets.later import later
from napari_utile.widgets.pages.weights.overlay import WeightMapOverlay
from napari_utile.widgets.pages.weights.watched_labels import WatchedLabels, watch_labels
from napari_utile.widgets.viewer.layers import plain_viewer
from napari_utile.widgets.viewer.regions import camera_of, region_in_view
from napari_utile.widgets.worker import LatestJob, as_job

TERMS = {
    "border": "Border term",
    "total": "Total weight",
    "class_balance": "Class balance",
    "d1": "Distance to nearest cell",
    "d2": "Distance to second nearest cell",
    "loss": "Weighted cross-entropy",
}
"""What the overlay can show."""

# Distances of smaller windows are measured at once, of larger ones in a thread. Pixels.
_AT_ONCE_BELOW = 600 * 600
# Milliseconds of rest before what is in view is weighed.
_VIEW_AFTER = 250

Region = Window | None


class WeightMapFollower(QObject):
    """Watches one Labels layer.

    Attributes
    ----------
    changed : Signal
        Emitted when the map changed, in places or as a whole.
    problem : Signal
        Emitted with a sentence; empty once all is well again.
    watched : WatchedLabels, optional
        What the map belongs to.
    live : LiveWeightMap, optional
        The map.
    region : Window, optional
        Where the border term was recomputed last, in pixels of the window.
    seconds : float
        What the last update took, drawing left out.
    """

    changed = Signal()
    problem = Signal(str)

    def __init__(self, viewer: napari.viewer.Viewer, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._viewer = plain_viewer(viewer)
        self.overlay = WeightMapOverlay(viewer)
        self.watched: WatchedLabels | None = None
        self.live: LiveWeightMap | None = None
        self.region: Region = None
        self.params = WeightMapParams()
        self.term = "border"
        self._enabled = True
        self.loss: np.ndarray[Any, Any] | None = None
        self._layer: Any = None
        self._shown: np.ndarray[Any, Any] | None = None
        self._weights_shown: tuple[float, ...] = ()
        self._pending: list[Region] = []
        self._heard = False
        self._jobs = LatestJob(owner=self)
        self._flush_timer = later(self, 0, self.flush)
        self._view_timer = later(self, _VIEW_AFTER, self._view_settled)
        self._layer_connections = Connections(self)
        self._connections = Connections(self)
        for name in ("current_step", "order", "ndisplay"):
            self._connections.connect(getattr(self._viewer.dims.events, name), self._plane_moved)
        camera = camera_of(self._viewer).events
        for emitter in (camera.center, camera.zoom):
            self._connections.connect(emitter, self._view_moved)

    # What to show.

    def set_layer(self, layer: napari.layers.Labels | None) -> None:
        """Watch another layer, or none."""
        self._layer_connections.disconnect_all()
        self._layer = layer
        self._enabled = True
        self._forget()
        self.overlay.remove()
        if layer is None:
            return
        events = layer.events
        self._layer_connections.connect(events.labels_update, self._painted)
        self._layer_connections.connect(events.paint, self._stroke_ended)
        self._layer_connections.connect(events.set_data, self._maybe_changed)
        for name in ("data", "scale", "translate", "rotate", "shear", "affine", "units"):
            self._layer_connections.connect(getattr(events, name), self._moved)
        self.rebuild()

    def set_params(self, params: WeightMapParams) -> None:
        """Weigh with other parameters; small windows follow at once."""
        self.params = params
        self._adjust()

    def set_term(self, term: str) -> None:
        """Show another of `TERMS`."""
        self.term = term
        self._shown = None
        self._adjust()

    def set_loss(self, loss: np.ndarray[Any, Any] | None) -> None:
        """Give the weighted cross-entropy of the window."""
        self.loss = loss
        if self.term == "loss":
            self._shown = None
            self._display(None)

    def set_enabled(self, on: bool) -> None:
        """Show or hide the overlay; one that was deleted is made again."""
        self._enabled = on
        if on:
            self._display(None)
        if self.overlay.layer is not None and self.overlay.shown:
            self.overlay.layer.visible = on

    @property
    def limits(self) -> tuple[float, float]:
        """Weights, or pixels, that the first and last colour stand for; the same for every label image."""
        w0 = self.params.w0
        tops = {
            "border": w0,
            "total": w0 + (2 if self.params.balance else 1),
            "class_balance": min(self.params.balance_limit, 4.0) if self.params.balance else 2.0,
            "loss": w0,
        }
        return 0.0, tops.get(self.term, self.params.reach) or 1.0

    # Making a map.

    def rebuild(self) -> None:
        """Make a new map of what is on screen."""
        if self._layer is None or self._layer not in self._viewer.layers:
            self._forget()
            return
        with failures_to(self._fail):
            watched = watch_labels(self._viewer, self._layer, self.params.reach)
            self._jobs.run(
                as_job(watched.weigh, self.params, self._needs_distances),
                on_done=lambda live: self._take(watched, live),
                on_error=self._fail,
            )

    @property
    def working(self) -> bool:
        """Whether a map is being made, or changes wait to be taken into it."""
        return self._jobs.running or bool(self._pending)

    @property
    def _needs_distances(self) -> bool:
        return self.term in ("d1", "d2")

    def _take(self, watched: WatchedLabels, live: LiveWeightMap) -> None:
        if watched.layer is not self._layer:
            return
        if not watched.is_current(self._viewer):
            self.rebuild()
            return
        self.watched, self.live, self.loss = watched, live, None
        self._shown = None
        self._pending = [None]  # it may have been painted meanwhile
        self.problem.emit("")
        self.flush()
        if self.params != live.params or (self._needs_distances and not live.distances):
            self._adjust()
        else:
            self._display(None)
        self.changed.emit()

    def _adjust(self) -> None:
        live = self.live
        if live is None:
            self.rebuild()
            return
        farther = self.params.reach > live.measured_reach or (self._needs_distances and not live.distances)
        if farther and live.cells.size > _AT_ONCE_BELOW:
            self.rebuild()
            return
        if self.params != live.params or farther:
            live.adjust(self.params, self._needs_distances)
        self._shown = None
        self._display(None)
        self.changed.emit()

    def _forget(self) -> None:
        self._jobs.drop()
        self.watched = self.live = self.loss = self._shown = None
        self._pending = []
        self.changed.emit()

    def _fail(self, error: Exception) -> None:
        self.watched = self.live = self.loss = self._shown = None
        self.overlay.remove()
        self.problem.emit(sentence_of(error))
        self.changed.emit()

    # Following changes.

    def _painted(self, event: Any) -> None:
        """Hear of the part of the screen that was painted, in pixels of the plane."""
        if self.watched is None:
            return
        shape, offset = np.shape(event.data)[:2], list(event.offset)
        if len(offset) != 2:  # painted in 3D
            self._maybe_changed()
            return
        first, second = self._viewer.dims.displayed[-2:]
        if first > second:
            shape, offset = shape[::-1], offset[::-1]
        starts = [start - origin for start, origin in zip(offset, self.watched.origin, strict=True)]
        self._pending.append(Window.whole(shape).moved(starts).clipped(self.watched.window.shape))
        self._heard = True
        self._flush_timer.start()

    def _stroke_ended(self, _: object = None) -> None:
        """Look everywhere only where a change was recorded of which the screen said nothing."""
        if not self._heard:
            self._maybe_changed()
        self._heard = False

    def _maybe_changed(self, _: object = None) -> None:
        """Undo and redo say nothing but that something may have changed."""
        self._pending.append(None)
        self._flush_timer.start()

    def _moved(self, _: object = None) -> None:
        self.rebuild()

    def _plane_moved(self, _: object = None) -> None:
        if self._layer is not None and (self.watched is None or not self.watched.is_current(self._viewer)):
            self.rebuild()

    def _view_moved(self, _: object = None) -> None:
        if self._layer is not None and (self.watched is None or not self.watched.whole):
            self._view_timer.start()

    def _view_settled(self) -> None:
        if self.watched is not None and self._layer is not None:
            try:
                seen = region_in_view(self._layer, self.watched.place)
            except ValueError:
                return
            if self.watched.window.holds(seen):
                return
        self.rebuild()

    def flush(self) -> None:
        """Bring map and overlay up to date with all changes heard of."""
        pending, self._pending = self._pending, []
        live, watched = self.live, self.watched
        if live is None or watched is None or not pending:
            return
        if not watched.is_current(self._viewer):
            self.rebuild()
            return
        region = None if None in pending else Window.around([each for each in pending if each is not None])
        with failures_to(self._fail):
            if not watched.shares_memory:
                everything = region is None
                live.labels[(slice(None), slice(None)) if everything else region] = watched.read(region)
            before = live.version
            touched = live.update(region)
            if live.version == before:
                return
            if touched is not None:
                self.region = touched
                self._display(touched)
            self.changed.emit()

    # Drawing.

    def _display(self, region: Region) -> None:
        live, watched = self.live, self.watched
        if live is None or watched is None:
            return
        if self._shown is None or (self.term == "border" and self._shown is not live.border):
            region, self._shown = None, self._term_array(live)
        elif region is not None:
            self._write_term(live, region)
            if self.overlay.shown:
                self.overlay.refresh()
                return
        if self._enabled:
            self.overlay.show(self._shown, watched, self.limits, self.params, self.term)

    def _term_array(self, live: LiveWeightMap) -> np.ndarray[Any, Any]:
        self._weights_shown = tuple(live.class_weights)
        if self.term == "border":
            return live.border
        if self.term == "loss":
            return np.zeros_like(live.border) if self.loss is None else self.loss
        if self.term in ("d1", "d2"):
            distance = live.d1 if self.term == "d1" else live.d2
            return np.asarray(np.minimum(distance, np.float32(self.params.reach)))
        return live.total() if self.term == "total" else live.class_balance()

    def _write_term(self, live: LiveWeightMap, region: Window) -> None:
        shown = self._shown
        if shown is None or self.term in ("border", "loss"):
            return  # the border term is written in place, the loss comes later
        if self.term in ("d1", "d2"):
            shown[region] = np.minimum(getattr(live, self.term)[region], np.float32(self.params.reach))
            return
        weigh = live.total if self.term == "total" else live.class_balance
        if tuple(live.class_weights) != self._weights_shown:
            shown[...] = weigh()
            self._weights_shown = tuple(live.class_weights)
        else:
            shown[region] = weigh(region)
