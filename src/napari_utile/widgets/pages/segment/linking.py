"""Link planes to objects or tracks, and correct those: join, cut, exchange, divide, split, remove, fill in."""

from collections.abc import Callable, Generator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import napari.viewer
import numpy as np
from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import QFileDialog, QGridLayout, QLabel, QWidget

from napari_utile.engine.errors import UtileError
from napari_utile.engine.linking import edits
from napari_utile.engine.linking.exported import CHALLENGE, GEFF, write_tracks
from napari_utile.engine.linking.params import LinkParams
from napari_utile.engine.volumes.params import VolumeParams
from napari_utile.session.linking import LinkedLayers, marked_division
from napari_utile.session.state import ChosenImage, Session
from napari_utile.widgets.connections import Connections
from napari_utile.widgets.failures import failures_to
from napari_utile.widgets.pages.segment.link_axes import CHOICES, axis_along, choices
from napari_utile.widgets.pages.segment.link_layer import link_stack
from napari_utile.widgets.parts.arrange import column, row
from napari_utile.widgets.parts.button import push_button
from napari_utile.widgets.parts.folded import folded
from napari_utile.widgets.parts.forms import Form, choice
from napari_utile.widgets.parts.plane_picker import PlanePicker
from napari_utile.widgets.parts.room import room_for
from napari_utile.widgets.parts.status_line import StatusLine
from napari_utile.widgets.viewer.edits import edits_of
from napari_utile.widgets.viewer.layers import place_of, plain_viewer
from napari_utile.widgets.viewer.linked_layers import LinkedStack, linked_stack_of
from napari_utile.widgets.viewer.store_layers import store_of
from napari_utile.widgets.worker import OneJob, as_job, run_job

_FRAME = 48
"""Of a box of choices in napari's style, with its arrow. Pixels."""
_COUNT = {
    "z": ("link_overlap", "link_gap"),
    "views": ("plane_distance",),
    "t": ("link_overlap", "link_distance", "link_gap"),
}
"""Which settings count for each choice."""
# Name of each correction: its button, how many cells are picked for it, what it does.
_CORRECTIONS = {
    "join": ("Join", 2, "Join two cells: pick one, then the part that belongs to it."),
    "cut": ("Cut here", 1, "End a cell before this plane; from here on it is another cell."),
    "swap": (
        "Swap here",
        2,
        "Swap two cells from this plane on, where one was taken for the other.",
    ),
    "divide": (
        "Division",
        3,
        "Pick the mother, then both daughters in their first frame, and stay on that frame.",
    ),
    "split": ("Split", 2, "Divide a cell into two in all planes: pick two places inside it."),
    "remove": ("Remove", 1, "Remove a cell from all planes."),
    "interpolate": ("Fill planes", 1, "Fill the planes between those in which a cell was painted."),
}

_EXPORTS = {
    f"Graph Exchange File Format (*{GEFF})": GEFF,
    f"Cell Tracking Challenge (*{CHALLENGE})": CHALLENGE,
}
"""Kinds of files, as a dialog names them: their ending."""

Pick = tuple[int, tuple[int, ...]]
"""The id of a cell, and the pixel where it was picked."""


class Linking(OneJob, QWidget):
    """Says whether planes are linked, and corrects what was; hidden where there is one plane.

    Attributes
    ----------
    kind : QComboBox
        It stands beside the other choices.
    pick : QPushButton
        While it is down, clicks on the image pick cells.
    params, plane_distance : Form
        Of `LinkParams` and `VolumeParams`.
    changed : Signal
        Emitted when the user chooses whether and how planes are linked.
    """

    changed = Signal()

    def __init__(
        self, viewer: napari.viewer.Viewer, session: Session, planes: PlanePicker, status: StatusLine
    ) -> None:
        super().__init__()
        self._viewer, self._session, self._status = plain_viewer(viewer), session, status
        self._planes = planes
        self._picks: list[Pick] = []
        self._picking_on: Any = None
        self._said = ""  # of the last correction
        self.kind = choice(
            "Link planes",
            "Give a cell one id in all planes, in a new layer with a table of volumes or tracks.",
        )
        room_for(self.kind, max(CHOICES.values(), key=len), beside=_FRAME, exactly=False)
        self.link = push_button(
            "Link these cells", "Link all planes of the chosen cells; corrections are kept."
        )
        self.params = Form(
            session.linking.params, ("link_overlap", "link_distance", "link_gap"), sliders=False
        )
        self.plane_distance = Form(session.linking.views, ("plane_distance",), sliders=False)
        self.pick = push_button("Pick cells", "Click on cells of the image to name them for a correction.")
        self.pick.setCheckable(True)
        self.export = push_button(
            "Export tracks…", "Write the tracks as a graph (GEFF) or a folder of the Cell Tracking Challenge."
        )
        self._picked = QLabel()
        self.corrections = {name: push_button(text, about) for name, (text, _, about) in _CORRECTIONS.items()}
        self._arrange()
        for name, button in self.corrections.items():
            button.clicked.connect(lambda _, name=name: self._try(lambda: self.correct(name)))
        self.kind.currentIndexChanged.connect(lambda _: self._kind_chosen())
        self.link.clicked.connect(lambda _: self._try(self.start))
        self.export.clicked.connect(lambda _: self._try(self.export_tracks))
        self.kind.currentIndexChanged.connect(lambda _: self.changed.emit())
        self.params.changed.connect(lambda *_: self._keep())
        self.plane_distance.changed.connect(lambda *_: self._keep())
        self.plane_distance.changed.connect(lambda *_: self.changed.emit())
        self.pick.toggled.connect(self._pick_toggled)
        self._connections = Connections(self)
        self._connections.connect(session.events.cells, self._cells_changed)
        edits_of(self._viewer).edited.connect(self._edited)
        self._offer(None)

    def _arrange(self) -> None:
        self._grid = QGridLayout()
        self._tools = QWidget()
        column(row(self.pick, (self._picked, 1)), self._grid, on=self._tools)
        self._how = folded("How planes are linked", self.params.native, self.plane_distance.native)
        column(self.link, self._tools, self._how, on=self, spacing=4)

    def _kind_chosen(self) -> None:
        self._session.linking = replace(self._session.linking, kind=self.kind.currentData())
        self._show_kind()

    def _keep(self) -> None:
        """Let the next dock show the same values."""
        self._session.linking = replace(
            self._session.linking, params=self.params.value(), views=self.plane_distance.value()
        )

    def show_chosen(self) -> None:
        """Show what the session says of linking, as far as the image has such planes."""
        chosen = self._session.linking
        self.params.set_value(chosen.params)
        self.plane_distance.set_value(chosen.views)
        with QSignalBlocker(self.kind):
            self.kind.setCurrentIndex(max(self.kind.findData(chosen.kind), 0))
        self._show_kind()

    def _show_kind(self) -> None:
        """Offer what belongs to the choice."""
        self.link.setVisible(self.kind.currentData() in ("z", "t"))
        count = _COUNT.get(self.kind.currentData(), ())
        for form in (self.params, self.plane_distance):
            form.show_rows([field.name for field in form if field.name in count])
        self._how.setVisible(bool(count))

    @property
    def wanted(self) -> str:
        """Along which axis planes are linked after they were segmented: "z" or "t"; "" where they are not."""
        kind = self.kind.currentData()
        return str(kind) if not self.isHidden() and kind in ("z", "t") else ""

    @property
    def chosen(self) -> LinkParams:
        """Whether and how planes are linked."""
        params: LinkParams = self.params.value()
        return replace(params, link=self.wanted or "none")

    def chosen_for(self, planes: int) -> LinkParams:
        """Return whether and how so many planes are linked; one alone is not."""
        return self.chosen if planes > 1 else replace(self.chosen, link="none")

    def check(self) -> None:
        """Check that a range of planes has some to link.

        Raises
        ------
        UtileError
            If it takes one alone along the axis that is linked.
        """
        layer, lone = self._session.image.layer, self._planes.lone
        if not self.wanted or layer is None or lone is None:
            return
        if axis_along(layer, self.wanted, self._session.image.channel_axis) == lone:
            word = self._planes.word
            raise UtileError(
                f"The range is of one {word}, and linking takes several: choose a longer range, or all {word}s."
            )

    @property
    def views(self) -> VolumeParams | None:
        """How a stack is looked at from three sides; None where it is not."""
        if self.isHidden() or self.kind.currentData() != "views":
            return None
        return VolumeParams(True, self.plane_distance.value().plane_distance)

    def show_image(self, image: ChosenImage) -> bool:
        """Offer the axes of an image along which there are planes; return whether there is one."""
        return self._offer(image.layer, image.channel_axis)

    def _offer(self, layer: Any, channel_axis: int | None = None) -> bool:
        offered = choices(layer, channel_axis)
        if list(offered) != [self.kind.itemData(place) for place in range(self.kind.count())]:
            with QSignalBlocker(self.kind):
                self.kind.clear()
                for each, words in offered.items():
                    self.kind.addItem(words, each)
        self.show_chosen()
        self.kind.setVisible(bool(offered))
        self.setVisible(bool(offered))
        self._cells_changed()
        return bool(offered)

    # Linking.

    def start(self, doubt: str = "", made: Any = None) -> None:
        """Link the planes of cells that were made, or of the chosen ones; a doubt about them is said again then.

        Raises
        ------
        UtileError
            If there are none, no axis was chosen, or a range of one plane.
        """
        layer = self._session.cells if made is None else made
        if store_of(layer) is not None:
            raise UtileError("Cells on disk are linked while they are found: choose how, then press Segment.")
        if layer is None or layer.multiscale:
            raise UtileError("There are no cells to link: segment all planes first.")
        if not self.wanted:
            raise UtileError("Choose along which axis the planes are linked: through z, or through time.")
        self.check()
        if self.running:
            return
        self._status.say(f"Linking… {doubt}".rstrip(), "problem" if doubt else "info")
        link_stack(
            self,
            self._viewer,
            layer,
            self.chosen,
            lambda _, made: self._say_linked(made, doubt),
            self._status.failed,
        )

    def _say_linked(self, made: LinkedLayers, doubt: str) -> None:
        self._status.say(f"Linked: {made.summary}. {doubt}".rstrip(), "problem" if doubt else "good")

    def export_tracks(self, path: str = "") -> None:
        """Write the tracks for other programs.

        Raises
        ------
        UtileError
            If they are not those of a time-lapse of planes.
        """
        stack = linked_stack_of(self._session.cells)
        if stack is None:
            return
        if stack.space.letters != "T":
            raise UtileError("Tracks are exported of a time-lapse of planes; this one has more axes.")
        if not path:
            start = str(Path.home() / f"{stack.layer.name}{GEFF}")
            path, kind = QFileDialog.getSaveFileName(self, "Export tracks", start, ";;".join(_EXPORTS))
            path += "" if not path or path.endswith(tuple(_EXPORTS.values())) else _EXPORTS[kind]
        if path:
            frames = np.array(stack.layer.data)
            run_job(
                as_job(
                    write_tracks, path, lambda: iter(frames), dict(stack.record.parents), stack.space.spacing
                ),
                on_done=lambda count: self._status.say(f"Saved {count} tracks in {path}.", "good"),
                on_error=self._status.failed,
                owner=self,
            )

    def drop(self) -> None:
        """Stop picking, and forget what is under way."""
        self.pick.setChecked(False)
        super().drop()

    # Picking.

    def _cells_changed(self, _: object = None) -> None:
        stack = linked_stack_of(self._session.cells)
        self._tools.setVisible(stack is not None)
        offered = [*self.corrections.values(), self.export]
        if stack is None or stack.axis != "T":
            offered = [each for each in offered if each not in (self.corrections["divide"], self.export)]
        for button in (*self.corrections.values(), self.export):
            button.setVisible(button in offered)
        for place, button in enumerate(offered):
            self._grid.addWidget(button, *divmod(place, 3), 1, 2 if button is self.export else 1)
        if self._picking_on is not None and (stack is None or stack.layer is not self._picking_on):
            self.pick.setChecked(False)
        self._show_picks([])

    def _pick_toggled(self, on: bool) -> None:
        if self._picking_on is not None:
            if self._clicked in self._picking_on.mouse_drag_callbacks:
                self._picking_on.mouse_drag_callbacks.remove(self._clicked)
            self._picking_on = None
        stack = linked_stack_of(self._session.cells)
        if on and stack is not None:
            self._picking_on = stack.layer
            self._viewer.layers.selection.active = stack.layer
            stack.layer.mode = "pan_zoom"
            stack.layer.mouse_drag_callbacks.append(self._clicked)
            self._show_picks([])

    def _clicked(self, layer: Any, event: Any) -> Generator[None, None, None]:
        start = event.pos if hasattr(event, "pos") else event.position
        yield
        moved = False
        while event.type == "mouse_move":
            now = event.pos if hasattr(event, "pos") else event.position
            moved = moved or max(abs(a - b) for a, b in zip(now, start, strict=True)) > 3
            yield
        value = layer.get_value(event.position, view_direction=None, dims_displayed=None, world=True)
        if moved or not value:
            return
        pixel = tuple(round(float(each)) for each in layer.world_to_data(event.position))
        self._show_picks([*self._picks, (int(value), pixel)][-3:])

    def _show_picks(self, picks: list[Pick]) -> None:
        self._picks = picks
        names = ", ".join(str(cell) for cell, _ in picks)
        self._picked.setText(f"picked: {names}" if picks else "click on cells" if self._picking_on else "")
        for name, button in self.corrections.items():
            button.setEnabled(len(picks) >= _CORRECTIONS[name][1])

    # Correcting.

    def correct(self, name: str) -> None:
        """Correct the picked cells; one Ctrl+Z takes it back.

        Raises
        ------
        UtileError
            In one sentence, where it cannot be done.
        """
        stack = linked_stack_of(self._session.cells)
        if stack is None:
            return
        picks = self._picks[-_CORRECTIONS[name][1] :]
        along = stack.space.letters.index(stack.axis)
        on_screen = partial(_plane_on_screen, stack, self._viewer, along)
        self._said = f"{_correction(stack, name, picks, on_screen, along)} Ctrl+Z takes it back."
        self._show_picks([])
        self._status.say(self._said, "good")

    def _edited(self, layer: Any) -> None:
        """Take back what was said of a correction that is undone or painted over."""
        if layer is self._session.cells and self._status.text() == self._said:
            self._status.say("")

    def _try(self, action: Callable[[], object]) -> None:
        with failures_to(self._status.failed):
            action()


def _plane_on_screen(stack: LinkedStack, viewer: napari.viewer.Viewer, along: int) -> int:
    """Return which plane of a stack is on screen; of other layers or ranges of planes its slider has other steps."""
    entry = place_of(stack.layer, viewer).index[along]
    if isinstance(entry, slice):
        raise UtileError("Turn the view so that one of the linked planes is on screen.")
    return entry


def _correction(
    stack: LinkedStack, name: str, picks: list[Pick], on_screen: Callable[[], int], along: int
) -> str:
    cells = [cell for cell, _ in picks]
    places = [(pixel[along], *pixel[-2:]) for _, pixel in picks]
    if name == "divide":
        mother, *daughters = cells
        return stack.divide(
            lambda labels: marked_division(labels, mother, (daughters[0], daughters[1]), on_screen())
        )
    actions: dict[str, Callable[[Any], Any]] = {
        "join": lambda labels: edits.join(labels, cells[0], cells[-1]),
        "cut": lambda labels: edits.cut(labels, cells[0], on_screen()),
        "swap": lambda labels: edits.swap(labels, cells[0], cells[-1], on_screen()),
        "split": lambda labels: edits.split(labels, cells[0], places[0], places[-1]),
        "remove": lambda labels: edits.remove(labels, cells[0]),
        "interpolate": lambda labels: edits.interpolate(labels, cells[0]),
    }
    return stack.apply(actions[name])
