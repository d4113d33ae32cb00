"""Segment planes in memory, one after the other: the probability grows on screen tile by tile."""

import time
from collections.abc import Sequence
from typing import Any

import napari.viewer
import numpy as np
from qtpy.QtCore import QObject, Signal

from napari_utile.engine.inference.cost import duration
from napari_utile.engine.windows import Window
from napari_utile.session.jobs import PlaneStep, segment_planes_job
from napari_utile.session.results import SegmentRequest
from napari_utile.session.state import Session
from napari_utile.widgets.failures import sentence_of
from napari_utile.widgets.pages.segment.preview_layer import PreviewLayer
from napari_utile.widgets.pages.segment.run_estimate import progress_text
from napari_utile.widgets.parts.plane_picker import plane_in_words
from napari_utile.widgets.viewer.source import Source, is_on_screen
from napari_utile.widgets.worker import OneJob, run_job

# What is over before shows its cells at once: to add a layer and take it away costs napari as much as many a run.
# Seconds.
PREVIEW_AFTER = 2.0


class PlaneRun(OneJob, QObject):
    """Runs a segmentation in memory.

    Attributes
    ----------
    progress : Signal(int, int, str)
        How much is done, of how much, in words.
    found : Signal(Source, SegmentResult)
        The cells of a plane.
    done : Signal(int)
        All planes are done: how many.
    ended : Signal(str, bool)
        What is to be said, and whether it is a problem.
    """

    progress = Signal(int, int, str)
    found = Signal(object, object)
    done = Signal(int)
    ended = Signal(str, bool)

    def __init__(self, viewer: napari.viewer.Viewer, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._viewer, self._session = viewer, session
        self._planes: Sequence[tuple[Source, SegmentRequest]] = ()
        self._done = 0
        self._preview: PreviewLayer | None = None
        self._tiles: list[tuple[Window, np.ndarray[Any, Any]]] = []
        self._began = self._started = 0.0

    def takes(self, planes: Sequence[tuple[Source, SegmentRequest]]) -> bool:
        """Say whether planes can be segmented in memory: all can that nothing else takes."""
        return bool(planes)

    def start(self, planes: Sequence[tuple[Source, SegmentRequest]]) -> None:
        """Segment planes."""
        self._planes, self._done = planes, 0
        self._began = self._started = time.monotonic()
        self.job = run_job(
            segment_planes_job(self._session, [request for _, request in planes]),
            on_progress=self._show_progress,
            on_done=self._finish,
            on_error=lambda error: self._end(sentence_of(error), problem=True),
            on_cancelled=self._cancelled,
            owner=self,
        )

    def drop(self) -> None:
        """Stop, and say nothing any more."""
        super().drop()
        self._let_go()

    def _show_progress(self, at: PlaneStep) -> None:
        source, request = self._planes[at.number]
        if at.result is not None:
            self._take_preview()
            self._done = at.number + 1
            self.found.emit(source, at.result)
            return
        step = at.step
        if step.window is not None and step.foreground is not None:
            self._tiles.append((step.window, step.foreground))
        if (
            self._preview is None
            and step.stage != "size"
            and time.monotonic() - self._began >= PREVIEW_AFTER
            and is_on_screen(source, self._viewer, self._session)
        ):
            name = f"{source.plane.name} probability (running)"
            self._preview = PreviewLayer(self._viewer, source.layer, source.place, request.region, name)
        if self._preview is not None:
            for window, foreground in self._tiles:
                self._preview.paint(window, foreground)
            self._tiles.clear()
        text = progress_text(step)
        if at.total > 1:
            text = f"{plane_in_words(source.layer, source.place)}{self._of_all(at, text)}"
        self.progress.emit(at.number * step.total + step.done, at.total * step.total, text)

    def _of_all(self, at: PlaneStep, text: str) -> str:
        """Say how long the planes that are left will take together; before the first is done, what is done in it."""
        if not self._done:
            return f": {text.partition(',')[0]}"
        left = (time.monotonic() - self._started) / self._done * (at.total - self._done)
        return f", {duration(left)} left"

    def _finish(self, count: int) -> None:
        self._end("")
        self.done.emit(count)

    def _cancelled(self) -> None:
        planes = f" {self._done} of {len(self._planes)} planes are done." if self._done else ""
        self._end(f"Cancelled.{planes} Tiles that were finished are kept for the next run.")

    def _end(self, text: str, *, problem: bool = False) -> None:
        self._let_go()
        self.ended.emit(text, problem)

    def _let_go(self) -> None:
        """Keep no layer alive that the user may remove."""
        self._take_preview()
        self._planes = ()

    def _take_preview(self) -> None:
        self._tiles, self._began = [], time.monotonic()
        if self._preview is not None:
            self._preview.remove()
            self._preview = None
