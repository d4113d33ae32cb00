"""Segment into a store on disk: what is large appears as it grows, is kept when cancelled, and is resumed."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QLabel, QSizePolicy, QWidget

from napari_utile.engine.errors import UtileError
from napari_utile.engine.inference.cost import duration
from napari_utile.session.results import SegmentRequest
from napari_utile.session.store_jobs import (
    CELLS,
    ENDING,
    default_place,
    delete_store,
    levels,
    needs_store,
    said_of,
    store_job,
)
from napari_utile.widgets.pages.segment.run_estimate import progress_text
from napari_utile.widgets.parts.button import push_button
from napari_utile.widgets.viewer.layers import space_of
from napari_utile.widgets.viewer.own_pictures import add_own, mark_own
from napari_utile.widgets.viewer.regions import region_in_view
from napari_utile.widgets.viewer.source import Source
from napari_utile.widgets.worker import JobHandle, run_job, sentence_of

if TYPE_CHECKING:
    import napari.layers
    import napari.viewer

    from napari_utile.engine.inference.predict import Progress
    from napari_utile.engine.store.run import StoreResult
    from napari_utile.session.state import Session

__all__ = ["StoreRun"]

# Every refresh reads what is on screen from the disk. Seconds.
_REFRESH_EVERY = 0.5


class StoreRun(QWidget):
    """Runs a segmentation into a store, and says where the store lies; hidden for images that memory holds.

    Attributes
    ----------
    progress : Signal(int, int, str)
        How much is done, of how much, in words.
    ended : Signal(str, bool)
        What is to be said, and whether it is a problem.
    """

    progress = Signal(int, int, str)
    ended = Signal(str, bool)

    def __init__(
        self, viewer: "napari.viewer.Viewer", session: "Session", parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._viewer, self._session = viewer, session
        self._chosen: dict[str, Path] = {}
        self._place: Path | None = None
        self._default: Path | None = None
        self._job: JobHandle | None = None
        self._layer: napari.layers.Layer | None = None
        self._source: Source | None = None
        self._request: SegmentRequest | None = None
        self._refreshed = 0.0
        self._label = QLabel()
        self._label.setWordWrap(True)
        self._label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.choose_button = push_button("Place…", "Choose where on the disk the result is written.")
        self.delete_button = push_button("Delete", "Delete the unfinished result from the disk.")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._label, 1)
        layout.addWidget(self.choose_button)
        layout.addWidget(self.delete_button)
        self.choose_button.clicked.connect(lambda _: self._choose())
        self.delete_button.clicked.connect(lambda _: self._delete())
        self.delete_button.hide()
        self.hide()

    @property
    def running(self) -> bool:
        """Whether a store is being filled."""
        return self._job is not None and self._job.running

    def follow(self, request: SegmentRequest | None) -> None:
        """Show where the result of a request will lie; None where it needs no store."""
        if self.running:
            return
        self.setVisible(request is not None)
        if request is not None:
            self._default = default_place(request)
            place = self.place
            begun = "begun in" if place.exists() else "goes to"
            self._label.setText(f"Large image: its result {begun} {place}")
            self._label.setToolTip(str(place))
            self.delete_button.setVisible(place.exists())

    @property
    def place(self) -> Path:
        """Where the store lies."""
        assert self._default is not None
        return self._chosen.get(str(self._default), self._default)

    def takes(self, planes: Sequence[tuple[Source, SegmentRequest]]) -> bool:
        """Say whether what is to be segmented needs a store.

        Raises
        ------
        UtileError
            If it is several large planes.
        """
        large = any(needs_store(request) for _, request in planes)
        if large and len(planes) > 1:
            raise UtileError("A large image is segmented plane by plane: choose one plane.")
        return large

    def start(self, source: Source, request: SegmentRequest) -> None:
        """Begin or resume a store."""
        self.follow(request)
        self._source, self._request, self._place = source, request, self.place
        self.delete_button.hide()
        self.choose_button.setEnabled(False)
        self._job = run_job(
            store_job(self._session, request, self._place, self._middle_of_view()),
            on_progress=self._show_progress,
            on_done=self._finish,
            on_error=lambda error: self._end(sentence_of(error), problem=True),
            on_cancelled=self._cancelled,
            owner=self,
        )

    def cancel(self) -> None:
        """Stop after the tiles that are being computed; finished blocks are kept."""
        if self._job is not None and self._job.running:
            self._job.cancel()

    def drop(self) -> None:
        """Stop, and say nothing any more."""
        if self._job is not None:
            self._job.drop()
        self._remove_picture()
        self.choose_button.setEnabled(True)

    def _middle_of_view(self) -> Any:
        """Return what gives the pixel of the region in the middle of the canvas, None where it shows none."""
        assert self._source is not None
        assert self._request is not None
        start = (0, 0) if self._request.region is None else self._request.region.start
        try:
            view = region_in_view(self._viewer, self._source.layer, self._source.place)
        except ValueError:  # the image is out of sight
            return None
        y, x = ((part.start + part.stop) / 2 - first for part, first in zip(view, start, strict=True))
        middle = float(y), float(x)
        return lambda: middle

    def _show_progress(self, step: "Progress") -> None:
        left = "" if step.seconds_left is None else f", {duration(step.seconds_left)} left"
        text = progress_text(step) if step.stage == "size" else f"{100 * step.done // step.total} %{left}"
        self.progress.emit(step.done, step.total, text)
        assert self._place is not None
        if self._layer is None and step.stage != "size":
            self._layer = self._show("", "image", "probability (running)")
        now = time.perf_counter()
        if self._layer is not None and step.stage == "tiles" and now - self._refreshed > _REFRESH_EVERY:
            self._refreshed = now
            self._layer.refresh(thumbnail=False)

    def _show(self, what: str, kind: str, name: str) -> "napari.layers.Layer":
        from napari.layers import Image, Labels

        assert self._source is not None
        assert self._request is not None
        assert self._place is not None
        place, region = self._source.place, self._request.region
        data = levels(self._place, what, len(place.result_axes) - 2)
        plane = place.result
        space = space_of(
            self._source.layer, place.result_axes, plane.point((0, 0) if region is None else region.start)
        )
        many = len(data) > 1
        options = {"name": f"{self._source.plane.name} {name}", "multiscale": many, **space}
        if kind == "labels":
            cells = Labels(data if many else np.asarray(data[0]), **options)
            mark_own(cells, "instances")
            self._viewer.add_layer(cells)
            return cells
        picture = Image(
            data if many else data[0],
            rgb=False,
            colormap="magma",
            blending="additive",
            contrast_limits=(0, 255),
            **options,
        )
        return add_own(self._viewer, picture, "preview")

    def _finish(self, result: "StoreResult") -> None:
        self._remove_picture()
        if self._source is not None and self._source.layer in self._viewer.layers:
            self._show(CELLS, "labels", "instances")
        self._end(f"{sum(result.cells)} cells, in {result.place}")

    def _cancelled(self) -> None:
        assert self._place is not None
        self.delete_button.setVisible(self._place.exists())
        self._end(said_of(self._place) if self._place.exists() else "Cancelled.")

    def _end(self, text: str, *, problem: bool = False) -> None:
        self.choose_button.setEnabled(True)
        if problem:
            self._remove_picture()
        self.ended.emit(text, problem)

    def _remove_picture(self) -> None:
        if self._layer is not None and self._layer in self._viewer.layers:
            self._viewer.layers.remove(self._layer)
        self._layer = None

    def _choose(self) -> None:
        chosen, _ = QFileDialog.getSaveFileName(self, "Result", str(self.place), f"OME-Zarr (*{ENDING})")
        if chosen:
            path = Path(chosen)
            path = path if path.suffix == ".zarr" else path.with_name(path.name + ENDING)
            self._chosen[str(self._default)] = path
            self._label.setText(f"Large image: its result goes to {path}")

    def _delete(self) -> None:
        self._remove_picture()
        try:
            delete_store(self.place)
        except Exception as error:  # noqa: BLE001 - whatever the disk says
            self.ended.emit(sentence_of(error), True)
            return
        self.delete_button.hide()
        self._label.setText(f"Large image: its result goes to {self.place}")
        self.ended.emit("Deleted.", False)
