"""Measure the diameter of a cell by a drag of the mouse across it."""

from collections.abc import Generator
from contextlib import suppress
from typing import Any

import napari.layers
import napari.viewer
import numpy as np
from napari.layers import Vectors
from qtpy.QtCore import QObject

from napari_utile.engine.segment_params import SegmentParams
from napari_utile.widgets.parts.size_field import SizeField
from napari_utile.widgets.parts.status_line import StatusLine
from napari_utile.widgets.viewer.layers import plain_viewer, space_of, take_away
from napari_utile.widgets.viewer.own_pictures import add_own
from napari_utile.widgets.viewer.regions import camera_of

_ASKED = "Drag a line across a typical cell, from edge to edge."
# Screen pixels.
_LINE_WIDTH = 2.0


class DiameterTool(QObject):
    """Listens to one drag, shows it as a line meanwhile, and puts its length into a field."""

    def __init__(
        self,
        viewer: napari.viewer.Viewer,
        field: SizeField,
        status: StatusLine,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._viewer, self._field, self._status = plain_viewer(viewer), field, status
        self._source: Any = None
        self._line: Any = None

    def start(self, source: napari.layers.Layer) -> None:
        """Take the next drag for a line across a cell of `source`."""
        self.stop()
        self._status.say(_ASKED)
        self._source = source
        self._viewer.layers.selection.active = source  # so that the drag does not paint
        self._viewer.mouse_drag_callbacks.append(self._drag)

    def stop(self) -> None:
        """Listen no longer, and take the line and the request for it away."""
        with suppress(ValueError):
            self._viewer.mouse_drag_callbacks.remove(self._drag)
        take_away(self._viewer, self._line)
        self._source = self._line = None
        if self._status.text() == _ASKED:
            self._status.say("")

    def _drag(self, _: Any, event: Any) -> Generator[None, None, None]:
        source = self._source
        if source is None or source not in self._viewer.layers:
            self.stop()
            return
        event.handled = True  # keep the camera still
        start = end = self._pixel(event)
        yield
        while event.type == "mouse_move" and self._source is source:
            event.handled = True
            end = self._pixel(event)
            self._show(start, end)
            yield
        length = float(np.linalg.norm(end - start))
        if length >= 1 and self._source is source:  # a drag, not a click, and not stopped meanwhile
            self.stop()
            self._field.value = diameter = SegmentParams(diameter=round(length, 1)).known_diameter
            self._status.say(f"Cell diameter: {diameter:g} pixels.", "good")

    def _pixel(self, event: Any) -> Any:
        """Return where the mouse is, in pixels of the image's last two axes."""
        position = tuple(event.position)[-self._source.ndim :]
        return np.asarray(self._source.world_to_data(position), dtype=float)[-2:]

    def _show(self, start: Any, end: Any) -> None:
        vectors = np.array([[start, end - start]])
        if self._line is None or self._line not in self._viewer.layers:
            space = space_of(self._source)
            width = _LINE_WIDTH / max(
                float(camera_of(self._viewer).zoom) * abs(float(space["scale"][-1])), 1e-9
            )
            line = Vectors(
                vectors,
                name="diameter of a cell",
                edge_color="#f5d020",
                edge_width=width,
                vector_style="line",
                **space,
            )
            self._line = add_own(self._viewer, line, "diameter")
        else:
            self._line.data = vectors
