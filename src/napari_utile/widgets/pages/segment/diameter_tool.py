"""Measure the diameter of a cell by a line that the user draws across it."""

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QObject, QTimer, Signal

from napari_utile.widgets.viewer.layers import plain_viewer, space_of

if TYPE_CHECKING:
    import napari.layers
    import napari.viewer

__all__ = ["DiameterTool"]


class DiameterTool(QObject):
    """Adds a shapes layer for one line and takes it away again.

    Attributes
    ----------
    measured : Signal
        Emitted with the length of the line in pixels of the image.
    """

    measured = Signal(float)

    def __init__(self, viewer: "napari.viewer.Viewer", parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._viewer = plain_viewer(viewer)
        self._shapes: Any = None

    def start(self, source: "napari.layers.Layer") -> None:
        """Let the user draw a line on `source`."""
        self.stop()
        active = self._viewer.layers.selection.active
        self._before = active if active is not None else source
        self._shapes = self._viewer.add_shapes(
            name="diameter of a cell", ndim=2, edge_color="#f5d020", edge_width=2, **space_of(source)
        )
        self._viewer.layers.selection.active = self._shapes
        self._shapes.mode = "add_line"
        self._shapes.events.data.connect(self._drawn)

    def _drawn(self, event: Any) -> None:
        if str(getattr(event, "action", "")).rpartition(".")[2].lower() not in ("added", "changed"):
            return
        if self._shapes is None or not len(self._shapes.data):
            return
        ends = np.asarray(self._shapes.data[-1], dtype=float)
        length = float(np.linalg.norm(ends[-1] - ends[0]))
        if length < 1:  # a click, not a line
            return
        # napari still works on the shape; it is taken away when that is over.
        QTimer.singleShot(0, lambda: self._finish(length))

    def _finish(self, length: float) -> None:
        self.stop()
        self.measured.emit(length)

    def stop(self) -> None:
        """Take the line away."""
        shapes, self._shapes = self._shapes, None
        if shapes is not None and shapes in self._viewer.layers:
            self._viewer.layers.remove(shapes)
            with suppress(ValueError):
                if self._before in self._viewer.layers:
                    self._viewer.layers.selection.active = self._before
