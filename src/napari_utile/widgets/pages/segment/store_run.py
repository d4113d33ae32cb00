"""Segment into a store on disk: what is large appears as it grows, is kept when cancelled, and is resumed."""

import time
from collections.abc import Generator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import napari.layers
import napari.viewer
import numpy as np
from napari.layers import Labels
from qtpy.QtCore import QTimer, Signal
from qtpy.QtWidgets import QFileDialog, QLabel, QLineEdit, QWidget

from napari_utile.engine.cells.classes import classes_in_words, covered_in_words
from napari_utile.engine.files.unfinished import is_complete, is_store
from napari_utile.engine.inference.cell_size import CellSize
from napari_utile.engine.inference.cost import duration
from napari_utile.engine.inference.predict import Progress
from napari_utile.engine.models.library import Model
from napari_utile.engine.store.cost import StoreCost
from napari_utile.engine.store.remove import size_of
from napari_utile.engine.words import bytes_in_words, counted
from napari_utile.session.results import SegmentRequest
from napari_utile.session.run_on import remember, remembered
from napari_utile.session.state import Session
from napari_utile.session.store_jobs import (
    ENDING,
    FinishedStore,
    default_place,
    delete_store,
    needs_store,
    outer_axes,
    said_of,
    store_estimate_job,
    store_job,
)
from napari_utile.session.store_levels import CELLS, CLASSES, levels
from napari_utile.widgets.deleting import may_delete
from napari_utile.widgets.failures import failures_to, sentence_of
from napari_utile.widgets.pages.segment.linking import Linking
from napari_utile.widgets.pages.segment.preview_layer import PreviewLayer
from napari_utile.widgets.pages.segment.run_estimate import progress_text
from napari_utile.widgets.parts.arrange import column, row
from napari_utile.widgets.parts.button import push_button
from napari_utile.widgets.parts.words import Words
from napari_utile.widgets.viewer.layers import space_of, take_away
from napari_utile.widgets.viewer.measured_tables import set_measured
from napari_utile.widgets.viewer.own_pictures import METADATA_KEY, add_own, glow, mark_own
from napari_utile.widgets.viewer.regions import region_in_view
from napari_utile.widgets.viewer.source import Source
from napari_utile.widgets.viewer.store_layers import keep_shown, renew_paths, shown_of, store_of
from napari_utile.widgets.worker import OneJob, run_job

# Every refresh reads what is on screen from the disk. Seconds.
_REFRESH_EVERY = 0.5
# How often it is seen where the user looks. Milliseconds.
_LOOK_EVERY = 300
CELLS_NAME = "instances"
RUNNING, UNFINISHED = "probability (running)", "probability (unfinished)"


class StoreRun(OneJob, QWidget):
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

    def __init__(self, viewer: napari.viewer.Viewer, session: Session, linking: Linking) -> None:
        super().__init__()
        self._viewer, self._session, self._linking = viewer, session, linking
        self._place: Path | None = None
        self._default: Path | None = None
        self._layer: napari.layers.Layer | None = None
        self._source: Source | None = None
        self._requests: list[SegmentRequest] = []
        self._look: PreviewLayer | None = None
        self._middle: tuple[float, float] | None = None
        self._refreshed = 0.0
        self._looking = QTimer(self)
        self._looking.setInterval(_LOOK_EVERY)
        self._looking.timeout.connect(self._follow_view)
        self._label = Words()
        self.choose_button = push_button("Place…", "Choose where on the disk the result is written.")
        self.delete_button = push_button(
            "Delete", "Delete the unfinished result from the disk, after asking."
        )
        self.run_on = QLineEdit(remembered())
        self.run_on.setPlaceholderText("this computer")
        self.run_on.setAccessibleName("Run on")
        self.run_on.setToolTip(
            "Address of a Dask scheduler, such as tcp://workstation:8786, whose workers compute the blocks; they must "
            "find image and result under the same paths. Leave it empty for this computer."
        )
        buttons = row(self.choose_button, self.delete_button, spacing=4)
        column(self._label, buttons, row(QLabel("Run on"), (self.run_on, 1)), on=self, spacing=4)
        self.choose_button.clicked.connect(lambda _: self._choose())
        self.delete_button.clicked.connect(lambda _: self._delete())
        self.delete_button.hide()
        self.hide()

    @property
    def asks(self) -> str:
        """What must not end unasked, as a sentence; "" where no store is being filled."""
        if not self.running or self._place is None:
            return ""
        return f"An image is being segmented into {self._place.name}; what is finished is kept there."

    def follow(self, requests: Sequence[SegmentRequest]) -> None:
        """Show where the result of some planes will lie; none where they need no store."""
        if self.running:
            return
        self.setVisible(bool(requests))
        if requests:
            self._default = default_place(requests)
            place = self.place
            self._say_where(place)

    def _say_where(self, place: Path) -> None:
        begun, done = is_store(place), is_complete(place)
        where = "is in" if done else "is started in" if begun else "goes to"
        then = "; Segment shows it." if done else "; Segment resumes." if begun else ""
        self._label.setText(f"Large image: its result {where} {place}{then}")
        self._label.setToolTip(str(place))
        self.delete_button.setVisible(begun and not done)

    @property
    def place(self) -> Path:
        """Where the store lies."""
        assert self._default is not None
        return self._session.store_places.get(str(self._default), self._default)

    def place_of(self, requests: Sequence[SegmentRequest]) -> Path:
        """Return where the store of some planes lies, or would."""
        default = default_place(requests)
        return self._session.store_places.get(str(default), default)

    def takes(self, planes: Sequence[tuple[Source, SegmentRequest]]) -> bool:
        """Say whether what is to be segmented needs a store."""
        return any(needs_store(request, len(planes)) for _, request in planes)

    def estimate(
        self, requests: Sequence[SegmentRequest]
    ) -> Generator[Progress | None, None, tuple[Model, StoreCost, CellSize | None]]:
        """Say what a store of some planes will take."""
        return store_estimate_job(
            self._session, requests, self._address, self._linking.chosen_for(len(requests))
        )

    @property
    def _address(self) -> str:
        return self.run_on.text().strip()

    def start(self, planes: Sequence[tuple[Source, SegmentRequest]]) -> None:
        """Begin or resume the store of some planes."""
        self._source, self._requests = planes[0][0], [request for _, request in planes]
        self.follow(self._requests)
        self._place, self._middle = self.place, None
        self._follow_view()
        self._looking.start()
        address = self._address
        remember(address)
        self.delete_button.hide()
        self.choose_button.setEnabled(False)
        self.run_on.setEnabled(False)
        self.job = run_job(
            store_job(
                self._session,
                self._requests,
                self._place,
                self._middle_of_view,
                address,
                self._linking.chosen_for(len(planes)),
            ),
            on_progress=self._show_progress,
            on_done=self._finish,
            on_error=lambda error: self._end(sentence_of(error), problem=True),
            on_cancelled=self._cancelled,
            owner=self,
        )

    def drop(self) -> None:
        """Stop, and say nothing any more."""
        self._looking.stop()
        super().drop()
        self._remove_picture()
        self.choose_button.setEnabled(True)
        self.run_on.setEnabled(True)

    def _follow_view(self) -> None:
        """Note which pixel of the region the user looks at; where none is in sight, it stays the last one."""
        assert self._source is not None
        request = self._requests[0]
        size = request.plane.shape if request.region is None else request.region.shape
        start = (0, 0) if request.region is None else request.region.start
        self._middle = self._middle or (size[0] / 2, size[1] / 2)
        with suppress(ValueError):  # the image is out of sight
            view = region_in_view(self._source.layer, self._source.place)
            y, x = ((part.start + part.stop) / 2 - first for part, first in zip(view, start, strict=True))
            self._middle = y, x

    def _middle_of_view(self) -> tuple[float, float]:
        """Return what was looked at last; asked from the thread of the job."""
        assert self._middle is not None
        return self._middle

    def _show_progress(self, step: Progress) -> None:
        if step.stage == "look":
            self._show_look(step)
            return
        left = "" if step.seconds_left is None else f", {duration(step.seconds_left)} left"
        share = f"{100 * step.done // step.total} %{left}" if step.done else "computing the first block…"
        text = progress_text(step) if step.stage == "size" else share
        self.progress.emit(step.done, step.total, text)
        if step.stage == "size":
            return
        if self._layer is None or self._layer not in self._viewer.layers:
            self._layer = self._show("", "image", RUNNING)
        self._layer.name = self._layer.name.replace(UNFINISHED, RUNNING)
        now = time.perf_counter()
        if step.window is not None and step.stage == "tiles" and now - self._refreshed > _REFRESH_EVERY:
            self._refreshed = now
            self._layer.refresh(thumbnail=False)
            self._remove_look()

    def _show_look(self, step: Progress) -> None:
        """Show the first tiles, long before the first block is done."""
        assert self._source is not None
        if step.window is None or step.foreground is None:
            return
        if self._look is None:
            name = f"{self._source.plane.name} first look"
            self._look = PreviewLayer(self._viewer, self._source.layer, self._source.place, step.window, name)
        self._look.show(step.window, step.foreground)

    def _remove_look(self) -> None:
        if self._look is not None:
            self._look.remove()
            self._look = None

    def _show(self, what: str, kind: str, name: str, role: str = "instances") -> napari.layers.Layer:
        assert self._source is not None
        place, region = self._source.place, self._requests[0].region
        data, plane = self._data(what), place.result
        space = space_of(
            self._source.layer, place.result_axes, plane.point((0, 0) if region is None else region.start)
        )
        many = len(data) > 1
        options = {"name": f"{self._source.plane.name} {name}", "multiscale": many, **space}
        if kind == "labels":
            cells = Labels(data if many else np.asarray(data[0]), **options)
            mark_own(cells, role, self._source.layer)
            own = {"store": str(self._place)} if role == "instances" else {}
            cells.metadata = {METADATA_KEY: {"role": role, **own}}
            self._viewer.add_layer(cells)
            return cells
        return add_own(
            self._viewer, glow(data if many else data[0], contrast_limits=(0, 255), **options), "preview"
        )

    def _data(self, what: str) -> list[Any]:
        """Give the levels of something in the store, on the axes of the image."""
        assert self._source is not None
        assert self._place is not None
        place = self._source.place
        sliders = [axis for axis in place.result_axes if axis not in place.axes]
        return levels(self._place, what, outer_axes(self._requests, sliders))

    def _finish(self, made: FinishedStore) -> None:
        self._remove_picture()
        result = made.result
        if self._source is not None and self._source.layer in self._viewer.layers:
            self._show_classes(tuple(result.covered))
            known = next((each for each in self._viewer.layers if store_of(each) == result.place), None)
            cells = known or self._show(CELLS, "labels", CELLS_NAME)
            if known is not None:
                known.refresh()
            set_measured(cells, made.features)
            self._session.choose_made(cells, self._source.layer)
            if len(made.tracks):
                self._show_paths(made, cells)
        cells_found = counted(sum(result.cells), "cell")
        found = f"{result.linked}, from {cells_found}" if result.linked else cells_found
        share = f", {covered_in_words(result.covered)}" if result.covered and any(result.cells) else ""
        self._end(f"{found}{share}, in {result.place}")

    def _show_paths(self, made: FinishedStore, cells: Labels) -> None:
        """Show where tracks go, in the layer of this store where there is one."""
        assert self._source is not None
        if renew_paths(self._viewer, made.result.place, made.tracks, made.graph):
            return
        name, shown = f"{self._source.plane.name} paths", space_of(cells, range(cells.ndim))
        paths = self._viewer.add_tracks(made.tracks, graph=made.graph, name=name, **shown)
        mark_own(paths, "paths")
        keep_shown(paths, made.result.place, "paths")
        self._viewer.layers.selection.active = cells

    def _show_classes(self, names: tuple[str, ...]) -> None:
        """Show the class of each pixel, where the model tells several apart and no layer of this store shows it."""
        if len(names) < 2:
            return
        assert self._place is not None
        for layer in shown_of(self._viewer, self._place, CLASSES):
            if layer.multiscale:  # which nobody can paint on
                layer.refresh()
                return
            if np.array_equal(layer.data, self._data(CLASSES)[0]):
                return
        layer = self._show(CLASSES, "labels", classes_in_words(names), "classes")
        layer.visible = False
        keep_shown(layer, self._place, CLASSES)

    def _cancelled(self) -> None:
        assert self._place is not None
        self._remove_look()
        if is_complete(self._place):
            self._remove_picture()
        elif self._layer is not None:
            self._layer.name = self._layer.name.replace(RUNNING, UNFINISHED)
        self.delete_button.setVisible(self._place.exists() and not is_complete(self._place))
        self._end(said_of(self._place) if self._place.exists() else "Cancelled.")

    def _end(self, text: str, *, problem: bool = False) -> None:
        self._looking.stop()
        self.choose_button.setEnabled(True)
        self.run_on.setEnabled(True)
        if problem:
            self._remove_picture()
        self._source, self._requests = None, []  # no layer is kept alive that the user may remove
        self.ended.emit(text, problem)

    def _remove_picture(self) -> None:
        self._remove_look()
        take_away(self._viewer, self._layer)
        self._layer = None

    def _choose(self) -> None:
        chosen, _ = QFileDialog.getSaveFileName(self, "Result", str(self.place), f"OME-Zarr (*{ENDING})")
        if chosen:
            path = Path(chosen)
            # File dialogs walk into a store, as it is a folder: what is chosen inside stands for it.
            path = next((each for each in path.parents if is_store(each)), path)
            path = path if path.suffix == ".zarr" else path.with_name(path.name + ENDING)
            self._session.store_places[str(self._default)] = path
            self._say_where(path)

    def _delete(self) -> None:
        place = self.place
        if not may_delete(self, f"{place.name} ({bytes_in_words(size_of(place))} of finished blocks)"):
            return
        self._remove_picture()
        with failures_to(lambda error: self.ended.emit(sentence_of(error), True)):
            delete_store(place)
            self._say_where(place)
            self.ended.emit("Deleted.", False)
