"""Clicks on the canvas become cells in a label layer: what the Click page does, without its looks."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import napari.viewer
import numpy as np
from qtpy.QtCore import QObject, Signal

from napari_utile.engine.clicks.prompts import Cell, cell_at
from napari_utile.session.clicks.actions import SELECT_FIRST, Clicks
from napari_utile.session.clicks.field import FieldStore, ReadyField
from napari_utile.session.clicks.label_plane import LabelPlane, label_range
from napari_utile.session.clicks.outcome import Action, Outcome
from napari_utile.session.clicks.view import accept_all
from napari_utile.session.linking import carried
from napari_utile.session.state import Session
from napari_utile.widgets.connections import Connections
from napari_utile.widgets.failures import failures_to
from napari_utile.widgets.later import later
from napari_utile.widgets.pages.click.aim import Aim, Aims
from napari_utile.widgets.pages.click.layers import OutlineLayer
from napari_utile.widgets.pages.click.queue import ClickQueue
from napari_utile.widgets.viewer.layers import plain_viewer
from napari_utile.widgets.viewer.linked_layers import linked_stack_of
from napari_utile.widgets.viewer.measured_tables import set_measured
from napari_utile.widgets.viewer.regions import region_in_view

Point = tuple[int, int]


@dataclass(frozen=True)
class Selected:
    """The selected cell.

    Attributes
    ----------
    labels : Labels layer
    label : int
    position : tuple of int
        A pixel of it, in the array of the layer: the same label may be another cell on another plane.
    """

    labels: Any
    label: int
    position: tuple[int, ...]

    def point_on(self, aim: Aim) -> Point | None:
        """Return its pixel on the plane that clicks go to; None where it is not there, or not any more."""
        point = aim.plane.point_of(self.position) if aim.labels is self.labels else None
        return point if point is not None and aim.plane.at(point) == self.label else None


class ClickTool(QObject):
    """Turns intents into actions, carries them out in order, and shows what came of them.

    Parameters
    ----------
    aims : Aims
        Says where clicks go.

    Attributes
    ----------
    said : Signal(str, str)
        A sentence and its kind: "info", "good" or "problem".
    failed : Signal(object)
        An exception to be said in one sentence.
    selected_changed : Signal(int)
        0 for none.
    model_ready : Signal(object)
        The `ReadyField` in use.
    writing : bool
        Whether what changes in the labels now is the tool's own edit.
    """

    said = Signal(str, str)
    failed = Signal(object)
    selected_changed = Signal(int)
    model_ready = Signal(object)

    def __init__(
        self, viewer: napari.viewer.Viewer, session: Session, aims: Aims, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._viewer = plain_viewer(viewer)
        self._session = session
        self._fields = FieldStore(session)
        self._aims = aims
        self._selected: Selected | None = None
        self._hover: Cell | None = None
        self.writing = False
        self.outline = OutlineLayer(self._viewer)
        self.queue = ClickQueue(self)
        self.queue.failed.connect(self.failed)
        self._later = later(self, 0, self._follow_labels)
        aims.labels_changed.connect(self._later.start)
        aims.forgotten.connect(self._forgotten)
        self._connections = Connections(self)
        self._connections.connect(session.events.models_changed, self._models_changed)

    @property
    def selected(self) -> int:
        """Label of the selected cell, 0 for none."""
        return self._selected.label if self._selected else 0

    # What the user asks for.

    def take(self, pixel: Point) -> None:
        """Take or select the cell at a pixel; where it is to be followed, in all planes where the model sees it."""
        with failures_to(self.failed.emit):
            aim = self._aims.aim(make=True)
            assert aim is not None
            if aim.settings.follow:
                self._do(lambda clicks: clicks.follow(pixel, partial(self._beside, aim)), pixel)
            else:
                self._do(lambda clicks: clicks.take(pixel), pixel)

    def _beside(self, aim: Aim, distance: int) -> Any:
        other = self._aims.beside(aim, distance)
        if other is None:
            return None
        ready = yield from self.ready(other)
        return self._clicks_at(other, ready)

    def split(self, pixel: Point) -> None:
        """Split the cell at a pixel."""
        self._do(lambda clicks: clicks.split(pixel), pixel)

    def push_back(self, pixel: Point) -> None:
        """Say that a pixel is background."""
        self._do(lambda clicks: clicks.push_back(pixel), pixel)

    def remove(self, pixel: Point) -> None:
        """Remove the cell at a pixel."""
        self._do(lambda clicks: clicks.remove(pixel), pixel)

    def merge(self, pixels: list[Point]) -> None:
        """Merge the cells along a way."""
        self._do(lambda clicks: clicks.merge(pixels), pixels[0] if pixels else None)

    def merge_with_selected(self, pixel: Point) -> None:
        """Merge the cell at a pixel into the selected one."""
        aim = self._here()
        start = None if aim is None else self._selected_on(aim)
        self.merge([start or pixel, pixel])

    def resize(self, steps: int) -> None:
        """Grow or shrink the selected cell, as it is when its turn comes."""
        aim = self._here()
        point = None if aim is None else self._selected_on(aim)
        if aim is None or point is None:
            self.said.emit(SELECT_FIRST, "info")
            return
        self._do(lambda clicks: clicks.resize(self._selected_on(aim), steps), point)

    def _here(self) -> Aim | None:
        """Return where clicks go now; why they can go nowhere is told when clicked."""
        with failures_to():
            if (aim := self._aims.aim()) is not None:
                return aim
        return None

    def _selected_on(self, aim: Aim) -> Point | None:
        return None if self._selected is None else self._selected.point_on(aim)

    def apply_markers(self) -> None:
        """Make the cells with markers again; where none were set, those of a layer of points that was opened."""
        with failures_to(self.failed.emit):
            aim = self._aims.aim(make=True)
            if aim is not None and not aim.target.store.markers:
                aim.target.markers.adopt_opened(aim.labels)
            self._do(lambda clicks: clicks.apply_markers(), None)

    def accept_all(self, confidence: float) -> None:
        """Take all certain cells in view."""
        with failures_to(self.failed.emit):
            aim = self._aims.aim(make=True)
            assert aim is not None
            view = region_in_view(aim.source.layer, aim.source.place)
            self.said.emit("Looking at what is in view…", "info")
            self._do(lambda clicks: accept_all(clicks, view, confidence), None)

    def make_ready(self) -> None:
        """Load the model before the first click, so that it is answered at once."""
        with failures_to(self.failed.emit):
            aim = self._aims.aim()
            if aim is not None and self._fields.known(aim.request) is None:
                self.queue.add(lambda: self.ready(aim), lambda _: None)

    def _do(self, action: Callable[[Clicks], Action], pixel: Point | None) -> None:
        with failures_to(self.failed.emit):
            aim = self._aims.aim(make=True)
            assert aim is not None
            if not aim.labels.visible:
                raise ValueError(f"{aim.labels.name} is hidden; show it to click on its cells.")
            self.queue.add(lambda: self._steps(aim, action), lambda outcome: self._done(aim, outcome, pixel))

    def ready(self, aim: Aim) -> Any:
        """Load what an aim needs, if it is not there yet: the first step of an action."""
        ready = self._fields.known(aim.request)
        if ready is None:
            self.said.emit("Loading the model…", "info")
            ready = yield from self._fields.get_ready(aim.request)
            self.model_ready.emit(ready)
        return ready

    def _steps(self, aim: Aim, action: Callable[[Clicks], Action]) -> Any:
        ready: ReadyField = yield from self.ready(aim)
        target = aim.target
        if target.next_label is None:
            lowest, highest = yield label_range(aim.labels.data)
            if lowest < 0:
                raise ValueError(f"{aim.labels.name} holds the negative id {lowest}; use a new layer.")
            if highest >= np.iinfo(np.int64).max:
                raise ValueError(
                    f"{aim.labels.name} holds the id {highest}, which is too large; use a new layer."
                )
            target.next_label = highest + 1
        target.store.follow(aim.labels.data)
        clicks = self._clicks_at(aim, ready)
        outcome: Outcome = yield from action(clicks)
        if clicks.next_label - 1 > np.iinfo(aim.labels.data.dtype).max:
            raise ValueError(
                f"{aim.labels.name} ({aim.labels.data.dtype}) has no free label; use a new layer."
            )
        target.next_label = clicks.next_label
        return outcome

    def _clicks_at(self, aim: Aim, ready: ReadyField) -> Clicks:
        target = aim.target
        plane = aim.plane.of(aim.labels.data)  # a user may have replaced the data meanwhile
        return Clicks(
            plane,
            ready.field,
            aim.settings.instances_for(ready.suggested),
            target.next_label or 1,
            [each for each in target.store.on_plane(plane.index, plane.offset) if plane.holds(each.point)],
            aim.settings.overwrite,
            ready.radius,
            aim.table.windows,
        )

    # What came of it.

    def _done(self, aim: Aim, outcome: Outcome, pixel: Point | None) -> None:
        labels, target = aim.labels, aim.target
        if labels not in self._viewer.layers:
            self.said.emit("The label layer was removed; the click changed nothing.", "problem")
            return
        edit = None if outcome.edit is None else aim.plane.of(labels.data).changed(outcome.edit)
        if edit is not None and len(edit):
            index = aim.plane.full_index(edit)
            further = None if linked_stack_of(labels) is None else carried(labels.data, index, edit.values)
            self.writing = True
            with labels.block_history():
                labels.data_setitem(index, edit.values)
                if further is not None and further[1].size:
                    labels.data_setitem(*further)
                for plane, section in outcome.further:
                    labels.data_setitem(plane.full_index(section), section.values)
            self.writing = False
            target.store.follow(labels.data)
            aim.table.note(dict.fromkeys(outcome.cells, edit.window))
        for marker in outcome.markers:
            target.store.add(marker.placed(aim.plane.position))
        if outcome.threshold is not None and outcome.selected:
            target.store.set_threshold(outcome.selected, outcome.threshold)
        if outcome.selected is not None:
            self.select(aim, outcome.selected, _point_in(aim.plane, outcome, pixel))
        self._hover = None
        self._later.start()  # once the cell is on screen
        self.said.emit(outcome.message, "good" if edit is not None else "info")

    def select(self, aim: Aim, label: int, point: Point | None) -> None:
        """Select the cell with a label where clicks go or went, of which `point` is a pixel."""
        if not label or point is None:
            self._deselect()
            return
        self._selected = Selected(aim.labels, label, aim.plane.position(point))
        aim.labels.selected_label = label
        self.selected_changed.emit(label)
        self._later.start()

    def _deselect(self) -> None:
        self._selected = None
        self.selected_changed.emit(0)
        self._later.start()

    def _follow_labels(self) -> None:
        """Bring markers, table and outline up to date after an edit, undo or redo, at once for all of them."""
        self._later.stop()
        aim = self._aims.current if self._selected is None else self._here()
        if aim is not None and aim.labels not in self._viewer.layers:
            aim = None
        if self._selected is not None and (aim is None or self._selected_on(aim) is None):
            self._deselect()  # undone, erased, painted over, or elsewhere
        if aim is None:
            self._draw()
            return
        target, labels = aim.target, aim.labels
        if target.next_label is not None:
            target.next_label = max(target.next_label, int(labels.selected_label) + 1)
        target.store.follow(labels.data)
        target.markers.show(labels)
        ready = self._fields.known(aim.request)
        table = aim.table.update(aim.plane, dict(labels.features), ready.field if ready is not None else None)
        if table is not None:
            set_measured(labels, table)
            self.selected_changed.emit(self.selected)
        self._draw()

    # Under the mouse.

    def _models_changed(self) -> None:
        self._fields.forget()  # one of the same name may have been trained further

    def _forgotten(self) -> None:
        self._hover = None
        if self._selected is not None:
            self._later.start()

    def hover(self, pixel: Point | None) -> None:
        """Outline the cell that a click on a pixel would take."""
        if pixel is None:
            self._hover = None
            self._draw()
            return
        if self._hover is not None and pixel in self._hover:
            return
        with failures_to():  # told when clicked
            aim = self._aims.aim()
            if aim is None:
                return
            if aim.plane.at(pixel) or not aim.plane.holds(pixel):
                self._hover = Cell(*aim.plane.object_at(pixel)) if aim.plane.holds(pixel) else None
                self._draw()
                return
            self.queue.preview(lambda: self._find(aim, pixel), lambda cell: self._found(aim, pixel, cell))

    def _find(self, aim: Aim, pixel: Point) -> Any:
        ready = yield from self.ready(aim)
        instances = aim.settings.instances_for(ready.suggested)
        return (yield cell_at(ready.field, pixel, instances, ready.radius))

    def _found(self, aim: Aim, pixel: Point, cell: Any) -> None:
        if aim is not self._aims.current:
            return
        self._hover = None
        if cell is not None:
            free = cell.mask & (aim.plane.read(cell.window) == 0)
            reached = aim.plane.reached(cell.window)
            if np.count_nonzero(free) >= 0.5 * cell.area or aim.settings.overwrite:
                self._hover = Cell(cell.window, reached & (cell.mask if aim.settings.overwrite else free))
        self._draw()

    def _draw(self) -> None:
        aim, selected = self._aims.current, None
        if aim is None or aim.labels not in self._viewer.layers:
            self.outline.clear()
            return
        point = self._selected_on(aim)
        if point is not None:
            selected = Cell(*aim.plane.object_at(point))
        hovered, chosen = (
            None if part is None else (aim.plane.in_array(part.window), part.mask)
            for part in (self._hover, selected)
        )
        self.outline.show(aim.labels, aim.plane.place, hovered, chosen)

    def stop(self) -> None:
        """Forget what waits and clear the outline; labels and markers stay."""
        self.queue.drop()
        self._hover = None
        self._deselect()
        self._aims.forget()
        self._later.stop()
        self.outline.remove()


def _point_in(plane: LabelPlane, outcome: Outcome, pixel: Point | None) -> Point | None:
    """Return a pixel of the selected cell: the clicked one, else one that was just labelled."""
    if pixel is not None and plane.holds(pixel) and plane.at(pixel) == outcome.selected:
        return pixel
    if outcome.edit is not None:
        own = np.flatnonzero(outcome.edit.values == outcome.selected)
        if own.size:
            middle = own[own.size // 2]
            return int(outcome.edit.rows[middle]), int(outcome.edit.columns[middle])
    return None
