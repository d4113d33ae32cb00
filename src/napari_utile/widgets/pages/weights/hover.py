"""What the mouse points at: the weight of a pixel and the two cells that make it."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import napari.viewer
from qtpy.QtCore import QObject, Signal

from napari_utile.engine.weights.pixel_weight import NearCell, nearest_cells_at
from napari_utile.engine.windows import Window
from napari_utile.widgets.connections import Connections, when_deleted
from napari_utile.widgets.later import later
from napari_utile.widgets.pages.weights.follower import WeightMapFollower
from napari_utile.widgets.pages.weights.overlay import NearestLines
from napari_utile.widgets.viewer.layers import plain_viewer

_BETWEEN = "   ▸ "
"""In the status bar, between napari's own words and those about the weight."""


@dataclass(frozen=True)
class PixelReading:
    """The weight of one pixel.

    Attributes
    ----------
    pixel : (int, int)
        Row and column in the window.
    near : tuple of NearCell
        The nearest and second nearest cell, as far as there are any.
    """

    pixel: tuple[int, int]
    total: float
    class_balance: float
    border: float
    near: tuple[NearCell, ...]

    def sentence(self) -> str:
        """Say it in one line."""
        words = [f"w = {self.total:.2f}", f"w_c = {self.class_balance:.2f}", f"border = {self.border:.2f}"]
        words += [f"d{place} = {near.distance:.1f} px" for place, near in enumerate(self.near, start=1)]
        if self.near:
            words.append("cells " + " | ".join(str(near.cell) for near in self.near))
        return ", ".join(words)


class WeightMapHover(QObject):
    """Reads the weight map under the mouse, draws lines to the cells and writes into the status bar.

    Attributes
    ----------
    read : Signal
        Emitted with a `PixelReading`, or None where there is no map.
    stop : callable
        Leaves the mouse alone for ever.
    """

    read = Signal(object)

    def __init__(
        self, viewer: napari.viewer.Viewer, follower: WeightMapFollower, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._viewer = plain_viewer(viewer)
        self._follower = follower
        self.lines = NearestLines(viewer)
        self.with_lines = True
        self.resting = False
        self._position: Any = None
        self._timer = later(self, 0, self._read)
        follower.changed.connect(self._again)
        self._sentence = ""
        self._status_timer = later(self, 0, self._write_status)
        Connections(self).connect(self._viewer.events.status, self._status_changed)
        callbacks, moved = self._viewer.mouse_move_callbacks, self._make_callback()
        callbacks.append(moved)

        def stop() -> None:
            with suppress(ValueError):
                callbacks.remove(moved)

        self.stop = stop
        when_deleted(self, stop)

    def _make_callback(self) -> Callable[[Any, Any], None]:
        def moved(_viewer: Any, event: Any) -> None:
            self.point_at(event.position)

        return moved

    def point_at(self, world: Any) -> None:
        """Read at a position in the viewer's world, once the events before it are served."""
        if not self.resting:
            self._position = world
            self._timer.start()

    def rest(self, resting: bool) -> None:
        """Read nothing under the mouse for a while."""
        self.resting = resting
        self._sentence = ""
        self.lines.clear()

    def _again(self) -> None:
        if self._position is not None:
            self._timer.start()

    def _read(self) -> None:
        reading = self.reading_at(self._position)
        self._sentence = "" if reading is None else reading.sentence()
        if reading is None:
            self.lines.clear()
        else:
            self._write_status()
            watched = self._follower.watched
            if self.with_lines and watched is not None and self._follower.overlay.shown:
                self.lines.show(
                    watched, reading.pixel, [near.point for near in reading.near if near.distance]
                )
            else:
                self.lines.clear()
        self.read.emit(reading)

    def _status_changed(self, _: object = None) -> None:
        """Write again what napari's own line for the active layer has replaced."""
        if self._sentence:
            self._status_timer.start()

    def _write_status(self) -> None:
        status = self._viewer.status
        before = status if isinstance(status, str) else str(status.get("coordinates", ""))
        if not self._sentence or before.endswith(self._sentence):
            return
        before = before.partition(_BETWEEN)[0]
        words = f"{before}{_BETWEEN}{self._sentence}"
        self._viewer.status = words if isinstance(status, str) else {**status, "coordinates": words}

    def reading_at(self, world: Any) -> PixelReading | None:
        """Read the map at a position in the viewer's world."""
        live, watched = self._follower.live, self._follower.watched
        if live is None or watched is None or world is None:
            return None
        pixel = watched.pixel_at(world)
        if pixel is None:
            return None
        row, column = pixel
        here = Window.span(pixel, (row + 1, column + 1))
        border, balance = float(live.border[pixel]), float(live.class_balance(here)[0, 0])
        near = nearest_cells_at(live.cells, row, column, live.aspect)
        return PixelReading(pixel, border + balance, balance, border, near)
