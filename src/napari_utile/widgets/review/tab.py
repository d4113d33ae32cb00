"""The tab *Review*: one image of a batch after the other, accepted, corrected, rejected or skipped by a key."""

from collections.abc import Callable, Generator
from dataclasses import replace
from pathlib import Path
from typing import Any

import napari.viewer
from napari.utils.notifications import show_warning
from qtpy.QtCore import QEvent
from qtpy.QtWidgets import QDockWidget, QFileDialog, QWidget

from napari_utile.engine.steps import Run
from napari_utile.engine.words import percent
from napari_utile.session.review import EDITED, Decisions, ReviewItem, review_job, stores_apart
from napari_utile.session.state import ChosenImage
from napari_utile.widgets.connections import Connections
from napari_utile.widgets.failures import failures_to, sentence_of
from napari_utile.widgets.parts.arrange import column, fields, row
from napari_utile.widgets.parts.button import push_button
from napari_utile.widgets.parts.forms import choice
from napari_utile.widgets.parts.place_table import PlaceTable
from napari_utile.widgets.parts.status_line import StatusLine
from napari_utile.widgets.parts.words import Words
from napari_utile.widgets.review.opened import Opened, keep_reviewed, layers_of, sets_job
from napari_utile.widgets.viewer.hovered_rows import hover_by_plane
from napari_utile.widgets.viewer.keys import BorrowedKeys
from napari_utile.widgets.viewer.layers import give_keys_to_canvas, plain_viewer, session_of, take_away
from napari_utile.widgets.viewer.store_layers import has_open_part
from napari_utile.widgets.worker import NO_JOB, JobHandle, run_job

_START = (
    "Open the folder with the results of a batch. The least sure image comes first; correct its cells with the "
    "brush or on the page Click, then press a key."
)
_PART = "Write the part back, or remove its layer, first."
_NO_SET, _NEW_SET = "no training set", "Reviewed"


class ReviewTab(QWidget):
    """A queue of images; what was decided is kept at once, and edits are saved when an image is left.

    Attributes
    ----------
    sets : QComboBox
        The training set that accepted images go to.
    """

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__()
        self._viewer, self._session = plain_viewer(viewer), session_of(viewer)
        self._items: list[ReviewItem] = []
        self._decisions: Decisions | None = None
        self._apart = ""
        self._at = -1
        self._opened: Opened | None = None
        self._writing: dict[Path, JobHandle] = {}
        self._keys: list[BorrowedKeys] = []
        self._covered = False
        self.open_folder = push_button("Open folder…", "Open the folder of results of a batch.")
        self.progress = Words(_START)
        self.table = PlaceTable(("Image", "Sure", "Decision"), numbers=(1,))
        self.accept = push_button("Accept (A)", "These cells are right, as they are now.")
        self.reject = push_button("Reject (R)", "These cells cannot be used.")
        self.skip = push_button("Skip (S)", "Decide later.")
        self.back = push_button("Back (B)", "Go to the image before.")
        self.sets = choice(
            "Add accepted to", "Accepted images are also put into this training set, for the page Train."
        )
        self.status = StatusLine()
        self._arrange()
        self._connect()
        self._show()

    def _arrange(self) -> None:
        self.sets.addItem(_NO_SET, "")
        column(
            self.open_folder,
            self.progress,
            (self.table, 1),
            row(self.accept, self.reject),
            row(self.skip, self.back),
            fields(("Add accepted to", self.sets)),
            self.status,
            on=self,
            margins=None,
        )

    def _connect(self) -> None:
        self.open_folder.clicked.connect(lambda _: self._ask_folder())
        self.table.chosen.connect(self.go_to)
        self.sets.activated.connect(lambda _: give_keys_to_canvas(self._viewer))
        for button, function in zip(
            (self.accept, self.reject, self.skip, self.back), self._functions().values(), strict=True
        ):
            button.clicked.connect(lambda _=False, function=function: function(None))
        run_job(sets_job(), on_done=self._list_sets, owner=self)
        self._connections = Connections(self)
        self._connections.connect(self._session.events.closed, self._save_at_the_end)

    def _functions(self) -> dict[str, Callable[[Any], None]]:
        def accept(_: Any) -> None:
            """Accept the cells of this image."""
            self.decide("accepted")

        def reject(_: Any) -> None:
            """Reject the cells of this image."""
            self.decide("rejected")

        def skip(_: Any) -> None:
            """Decide on this image later."""
            self.decide("skipped")

        def back(_: Any) -> None:
            """Go to the image before."""
            self.go_to(self._at - 1)

        return {"A": accept, "R": reject, "S": skip, "B": back}

    # What is reviewed.

    def review(self, folder: Path) -> None:
        """Open the results in a folder, at the first image that nobody decided on."""
        self.status.say("Looking for results…")

        def show(items: tuple[ReviewItem, ...]) -> None:
            if not self._leave():
                return
            self._end_queue()
            self._items, self._apart, self._decisions = [*items], stores_apart(folder), Decisions(folder)
            self.status.say("")
            self._next(-1)

        run_job(review_job(folder), on_done=show, on_error=self.status.failed, owner=self)

    def go_to(self, place: int) -> None:
        """Open an image of the queue, or what was closed of the one that is open; edits of another are saved."""
        self.status.say("")
        if place == self._at and self._opened is not None:
            self._bring(self._opened)
        self._go_to(place)

    def _go_to(self, place: int) -> None:
        """Open an image; a problem with the one before stays in sight."""
        if not 0 <= place < len(self._items) or place == self._at or not self._leave():
            return
        self._at = place
        item = self._items[place]
        self._show()
        if item.image is None:
            self.status.problem(f"The image of {item.labels.name} was not found.")
            return
        self._say("Opening…")
        run_job(
            layers_of(item, self._writing.get(item.labels, NO_JOB)),
            on_done=lambda opened: self._open(item, opened),
            on_error=self.status.failed,
            owner=self,
        )

    def decide(self, decision: str) -> None:
        """Keep a decision on the image that is open, and go to the next."""
        if self._opened is None or self._at < 0:
            return
        opened = self._opened
        self.status.say("")
        if self._refuses(opened):
            return
        if decision == "accepted" and opened.cells not in self._viewer.layers:
            closed = "The cells of {0} were closed, and nothing is accepted: click on {0} in the list to open them."
            self.status.problem(closed.format(self._items[self._at].name))
            return
        if decision == "accepted" and (opened.is_changed or opened.corrected):
            decision = "corrected"
        into_set = self.sets.currentData() if decision in ("accepted", "corrected") else ""
        if self._keep(opened, decision, into_set):
            self._close_layers(opened)
            self._next(self._at)

    def _open(self, item: ReviewItem, opened: Opened) -> None:
        if self._at < 0 or self._items[self._at].labels != item.labels:
            return  # the user went on meanwhile
        self._say("")
        self._opened = opened
        hover_by_plane(self._viewer)
        self._bring(opened)

    def _bring(self, opened: Opened) -> None:
        """Show what was closed, cells first and without channels, where one is left; choose image and cells."""
        layers = self._viewer.layers
        missing = [layer for layer in opened.layers if layer not in layers]
        if not missing:
            return
        if opened.cells in missing and len(missing) < len(opened.layers):
            missing = [opened.cells]
        above = len(layers)
        for layer in reversed(opened.layers):
            if layer in missing:
                layers.insert(above, layer)
            above = layers.index(layer) if layer in layers else above
        if opened.image in missing:
            self._session.image = ChosenImage(opened.image, channels=opened.channels)
        self._session.cells = opened.cells
        self._viewer.layers.selection.active = opened.cells
        self._viewer.reset_view()
        self._take_keys()

    def _leave(self) -> bool:
        """Save what was edited and not decided on, and close its layers; where that cannot be, they stay."""
        if self._decisions is not None:
            self._write(self._decisions, self._items)
        opened = self._opened
        if opened is None:
            return True
        if self._refuses(opened) or (opened.is_changed and not self._keep(opened, self._left_as, "")):
            return False
        self._close_layers(opened)
        return True

    def _refuses(self, opened: Opened) -> bool:
        """Say what to do where a part of cells on disk is open: its edits are not in their store yet."""
        if part := has_open_part(opened.cells, self._viewer.layers):
            self.status.problem(_PART)
        return part

    @property
    def _left_as(self) -> str:
        """What an image is to be called whose edited cells are left without a decision: as before, where it had one."""
        before = self._items[self._at].decision
        return "corrected" if before == "accepted" else before or EDITED

    def _keep(
        self, opened: Opened, decision: str, into_set: str, run: Callable[..., JobHandle] = run_job
    ) -> bool:
        """Write cells that are right or were edited, and what was decided; say whether nothing stands against it."""
        decisions, at, items = self._decisions, self._at, self._items
        if decisions is None:
            return True
        item = items[at]

        def failed(error: Exception) -> None:
            """Nothing is decided, and the cells come back where they are gone."""
            items[at] = item
            if opened.cells not in self._viewer.layers and not self._session.closed:
                self._viewer.add_layer(opened.cells)
            if items is self._items:
                self._show()
            self._tell(sentence_of(error), items)

        def written(of_the_set: str = "") -> None:
            self._write(decisions, items)
            if of_the_set:
                self._tell(of_the_set, items)

        items[at] = replace(item, decision=decision)
        too_large = bool(opened.cells.multiscale)  # what was corrected lies in the store already
        if too_large and into_set:
            self.status.problem(
                f"{item.name} is too large for a training set: add a part of it, from a layer."
            )
        if too_large or (decision in ("rejected", "skipped") and not opened.is_changed):
            self._write(decisions, items, {item.labels.name: decision})
            return True
        with failures_to(failed):
            # Without an owner: what is being written is finished, also where the tab is closed.
            job = keep_reviewed(opened, item, decision, decisions, into_set)
            self._writing[item.labels] = run(job, on_done=written, on_error=failed)
        return items[at] is not item

    def _write(
        self, decisions: Decisions, items: list[ReviewItem], decided: dict[str, str] | None = None
    ) -> None:
        """Write what was decided; where that cannot be, it stays in memory and is written with what comes next."""

        def failed(error: Exception) -> None:
            there = items is self._items
            then = "kept here, and written with the next one" if there else "lost"
            self._tell(f"{sentence_of(error)} What you decided is {then}.", items)

        with failures_to(failed):
            decisions.write(decided)

    def _tell(self, problem: str, items: list[ReviewItem]) -> None:
        """Say a problem here, or in the window where this queue is not shown any more."""
        if items is self._items:
            self.status.problem(problem)
        else:
            show_warning(problem)

    def _end_queue(self) -> None:
        """Show no queue any more; the last chance for decisions that could not be written."""
        self._items, self._at = [], -1
        if self._decisions is not None:
            self._write(self._decisions, [])

    def _close_layers(self, opened: Opened) -> None:
        self._opened = None
        self._give_back()
        take_away(self._viewer, *opened.layers)

    def _next(self, after: int) -> None:
        """Open the next image that nobody decided on."""
        order = [*range(after + 1, len(self._items)), *range(after + 1)]
        left = [place for place in order if not self._items[place].is_decided]
        self._at = -1
        if left:
            self._go_to(left[0])
            return
        self._show()
        self._say("That was the last one: every image has a decision. Click on one to look again.", "good")

    def _say(self, text: str, kind: str = "info") -> None:
        """Say something, unless a problem is said."""
        if self.status.kind != "problem":
            self.status.say(text, kind)

    # What the user sees.

    def _show(self) -> None:
        self.table.set_rows(
            [
                (item.name, "–" if item.confidence is None else percent(item.confidence), item.decision)
                for item in self._items
            ],
            [str(item.image or "its image was not found") for item in self._items],
        )
        if 0 <= self._at < len(self._items):
            self.table.selectRow(self._at)
        done = [item.decision for item in self._items if item.is_decided]
        if self._items:
            good = sum(decision in ("accepted", "corrected") for decision in done)
            said = f"{len(done)} of {len(self._items)} reviewed, {good} of them accepted."
            self.progress.setText(f"{said} {self._apart}".rstrip())
        for button in (self.accept, self.reject, self.skip, self.back):
            button.setEnabled(bool(self._items))

    def _list_sets(self, titles: list[str]) -> None:
        for title in titles:
            self.sets.addItem(title, title)
        if _NEW_SET not in titles:
            self.sets.addItem(f"new set “{_NEW_SET}”", _NEW_SET)

    def _ask_folder(self) -> None:
        start = self._decisions.folder if self._decisions else Path.home()
        path = QFileDialog.getExistingDirectory(self, "Results of a batch", str(start))
        if path:
            self.review(Path(path))

    # Keys, and the end.

    def _save_at_the_end(self, _: object = None) -> None:
        """Save what was edited as the window closes, before the program can end: its threads end with it."""
        if self._opened is not None and self._opened.is_changed:
            if not self._keep(self._opened, self._left_as, "", _finish):
                show_warning(self.status.text())
            self._opened = None
        for job in self._writing.values():
            job.wait()
        self._end_queue()

    def _take_keys(self) -> None:
        self._give_back()
        if self._opened is None or self._covered:
            return
        for holder in (self._viewer, self._opened.cells):  # those of the active layer come first
            keys = BorrowedKeys(holder, self._functions())
            keys.take()
            self._keys.append(keys)

    def _give_back(self) -> None:
        while self._keys:
            self._keys.pop().give_back()

    def _seen(self, seen: bool) -> None:
        """Give the keys back while another tab is shown: of that Qt says nothing but this."""
        self._covered = not seen
        self._take_keys()

    def changeEvent(self, event: QEvent | None) -> None:
        """Listen to the frame around this widget; save, and end, when napari's X has taken it out."""
        super().changeEvent(event)
        if event is None or event.type() != QEvent.Type.ParentChange:
            return
        frame = self.parent()
        if isinstance(frame, QDockWidget):
            frame.visibilityChanged.connect(self._seen)
        elif frame is None:
            if not self._leave():
                show_warning(self.status.text())
            self._give_back()
            self._end_queue()
            self.deleteLater()


def _finish(job: Generator[Any, Any, Any], **then: Callable[[Any], object]) -> JobHandle:
    """Do a job here and now, with the answers of `run_job`."""
    with failures_to(then["on_error"]):
        then["on_done"](Run(job).result)
    return NO_JOB
