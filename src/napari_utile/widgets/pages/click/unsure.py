"""Walk through labelled cells, the one the model is least sure of first."""

import weakref
from typing import Any

import napari.viewer
import numpy as np

from napari_utile.engine.windows import Window
from napari_utile.engine.words import percent
from napari_utile.session.clicks.label_plane import LabelPlane
from napari_utile.session.clicks.view import RatedCell, rate_cells
from napari_utile.widgets.failures import failures_to
from napari_utile.widgets.pages.click.aim import Aim, Aims
from napari_utile.widgets.pages.click.tool import ClickTool
from napari_utile.widgets.viewer.layers import plain_viewer
from napari_utile.widgets.viewer.regions import go_to, region_in_view

Point = tuple[int, int]

# Cells of planes up to this size are rated all at once, of larger ones those in view. Pixels.
_RATED_WHOLE = 1 << 24


class UnsureWalk:
    """Rates the cells once, then goes from one to the next; after the last one it starts over."""

    def __init__(self, viewer: napari.viewer.Viewer, aims: Aims, tool: ClickTool) -> None:
        self._viewer = plain_viewer(viewer)
        self._aims, self._tool = aims, tool
        self._on: tuple[Any, ...] = ()
        self._cells: list[RatedCell] = []

    def next(self) -> None:
        """Go to the next cell by how unsure the model is of it."""
        with failures_to(self._tool.failed.emit):
            self._next()

    def _next(self) -> None:
        aim = self._aims.aim()
        if aim is None:
            raise ValueError("There are no cells yet: click on some first.")
        if self._cells and self._is_on(aim):
            self._show(aim)
            return
        window = aim.plane.covered
        if aim.plane.shape[0] * aim.plane.shape[1] > _RATED_WHOLE:
            window = region_in_view(aim.source.layer, aim.source.place)
        labels = aim.plane.read(window).copy()
        if not labels.any():
            raise ValueError("There are no cells here yet: click on some first.")
        self._tool.said.emit("Rating the cells…", "info")

        def steps() -> Any:
            ready = yield from self._tool.ready(aim)
            return (yield rate_cells(ready.field, labels, window))

        def done(rated: list[RatedCell]) -> None:
            self._on, self._cells = (weakref.ref(aim.labels), aim.plane.index), rated
            self._show(aim)

        self._tool.queue.add(steps, done)

    def _is_on(self, aim: Aim) -> bool:
        return bool(self._on) and self._on[0]() is aim.labels and self._on[1] == aim.plane.index

    def _show(self, aim: Aim) -> None:
        cells = self._cells
        while cells and aim.labels in self._viewer.layers:
            cell = cells.pop(0)
            point = _pixel_of(cell, aim.plane)
            if point is not None:
                go_to(self._viewer, aim.labels, [float(part) for part in aim.plane.position(point)])
                self._tool.select(aim, cell.label, point)
                left = f"{len(cells)} more" if cells else "the last one"
                self._tool.said.emit(f"Cell {cell.label}: {percent(cell.confidence)} sure; {left}.", "info")
                return
        self._tool.said.emit("That was the last cell; press again to start over.", "info")


def _pixel_of(cell: RatedCell, plane: LabelPlane) -> Point | None:
    """Return a pixel of a rated cell near its centre, None where it is gone."""
    centre = round(cell.centre[0]), round(cell.centre[1])
    window = plane.around(Window.span(centre, (centre[0] + 1, centre[1] + 1)), 64)
    rows, columns = np.nonzero(plane.read(window) == cell.label)
    if rows.size == 0:
        return None
    rows, columns = rows + window[0].start, columns + window[1].start
    nearest = np.argmin((rows - centre[0]) ** 2 + (columns - centre[1]) ** 2)
    return int(rows[nearest]), int(columns[nearest])
