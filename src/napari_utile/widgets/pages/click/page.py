"""The Click page: one click, one cell; further clicks correct it."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import napari.viewer
import numpy as np

from napari_utile.engine.models.catalogue import card_of
from napari_utile.engine.provenance.command import click_command
from napari_utile.engine.segment_params import MEASURED, SegmentParams, suggested_instances
from napari_utile.engine.words import capitalised, percent, three_digits
from napari_utile.session.cell_classes import class_of
from napari_utile.session.clicks.field import ReadyField
from napari_utile.session.results import locate_in
from napari_utile.widgets.connections import Connections
from napari_utile.widgets.failures import failures_to
from napari_utile.widgets.pages.click.aim import Aims, ClickSettings, z_axis_of
from napari_utile.widgets.pages.click.form import ClickForm
from napari_utile.widgets.pages.click.mouse import ClickMouse
from napari_utile.widgets.pages.click.tool import ClickTool
from napari_utile.widgets.pages.click.undo_keys import UndoKeys
from napari_utile.widgets.pages.click.unsure import UnsureWalk
from napari_utile.widgets.parts.chosen_values import ChosenValues
from napari_utile.widgets.viewer.cell_tables import table_on_screen
from napari_utile.widgets.viewer.keys import BorrowedKeys
from napari_utile.widgets.viewer.layers import plain_viewer, session_of
from napari_utile.widgets.viewer.projections import origin_of
from napari_utile.widgets.viewer.source import axes_of, on_screen, read_source
from napari_utile.widgets.workbench.page import Page

_UNSURE_KEY = "U"


class ClickPage(Page):
    """Click on cells to outline and label them.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        The viewer whose canvas is clicked.
    """

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__()
        self._viewer = plain_viewer(viewer)
        self._session = session_of(viewer)
        self._values_for = ""  # the model for which values were chosen
        self._as_segment = False  # whether they are those of the page Segment
        self._clicked_on: tuple[Any, ...] = ()
        self._waiting = 0
        session = self._session
        self.form = ClickForm(self._viewer, session)
        self._sliders = ChosenValues(self.form.instances.value, self.form.instances.set_value)
        self.aims = Aims(
            self._viewer,
            lambda place: read_source(self._viewer, session, place),
            self._settings,
            lambda: session.cells,
            self,
        )
        self.tool = ClickTool(self._viewer, self._session, self.aims, self)
        self.unsure = UnsureWalk(self._viewer, self.aims, self.tool)
        self.mouse = ClickMouse(self._viewer, self.aims.pixel_at, self.aims.is_cell, self._listens, self)
        self.show_form(self.form, self.form.status)
        self.main_button = self.form.toggle
        self._connect()
        self._follow_segment()
        self._image_changed()
        self.form.set_on(False)

    def _connect(self) -> None:
        form, tool = self.form, self.tool
        form.toggle.clicked.connect(self.set_on)
        form.smaller.clicked.connect(lambda: tool.resize(-1))
        form.larger.clicked.connect(lambda: tool.resize(1))
        form.undo.clicked.connect(lambda: self._history("undo"))
        form.redo.clicked.connect(lambda: self._history("redo"))
        form.accept.clicked.connect(lambda: tool.accept_all(form.confidence.value() / 100))
        form.unsure.clicked.connect(self.unsure.next)
        form.apply_again.clicked.connect(tool.apply_markers)
        form.copy_command.clicked.connect(self.copy_command)
        form.instances.changed.connect(self._instances_changed)
        form.compute.changed.connect(self._compute_changed)
        form.overwrite.clicked.connect(self.aims.forget)
        form.follow.clicked.connect(self.aims.forget)
        self.aims.target_made.connect(self._target_made)
        self.aims.labels_changed.connect(self._labels_changed)
        tool.said.connect(form.status.say)
        form.classes.said.connect(form.status.say)
        form.classes.given.connect(self._describe)
        tool.failed.connect(self.form.status.failed)
        tool.selected_changed.connect(self._describe)
        tool.model_ready.connect(self._model_ready)
        tool.queue.busy_changed.connect(self._busy)
        self.mouse.clicked.connect(self._clicked)
        self.mouse.dragged.connect(tool.merge)
        self.mouse.moved.connect(tool.hover)
        self.mouse.scrolled.connect(lambda _, steps: tool.resize(steps))
        self._connections = Connections(self)
        self._connections.connect(self._session.events.image, self._image_changed)
        self._connections.connect(self._session.events.cells, self._cells_changed)
        self._connections.connect(self._session.events.model, self._model_changed)
        for event in (self._session.events.asked, self._session.events.values):
            self._connections.connect(event, self._follow_segment)
        self._connections.connect(self._viewer.layers.events.removed, self._stop_without_layers)
        self._connections.connect(self._session.events.closed, self._close_down)
        self._connections.connect(self._viewer.layers.selection.events.active, self._active_changed)
        self._connections.connect(self._viewer.dims.events.ndisplay, self._show_state)
        self._mode = Connections(self)
        self._keys = BorrowedKeys(self._viewer, _keys_of(self.unsure))
        self._undo_keys = UndoKeys(self._viewer, self._session, self)
        ends = (
            self.mouse.remove,
            self._keys.give_back,
            self._undo_keys.give_back,
            self.tool.outline.remove,
            self.form.classes.give_back,
        )
        for function in ends:
            self.at_end(function)

    # On and off.

    @property
    def on(self) -> bool:
        """Whether clicks are for cells."""
        return self.form.toggle.isChecked()

    def set_on(self, on: bool) -> None:
        """Begin or stop listening to the mouse."""
        self.form.set_on(False)
        self._session.clicking = False
        if not on:
            self.mouse.remove()
            self._keys.give_back()
            self._undo_keys.give_back()
            self.tool.stop()
            self._clicked_on = ()
            self.form.status.say("")
            return
        with failures_to(self.form.status.failed):
            aim = self.aims.aim(make=True)
            assert aim is not None
            self._viewer.layers.selection.active = aim.labels
            aim.labels.mode = "pan_zoom"
            self.mouse.install()
            self._keys.take()
            self.form.status.say("Move over the image and click on a cell.")
            self.form.set_on(True)
            self._clicked_on = aim.source.layer, aim.labels
            self._active_changed()
            self._session.clicking = True
            self.tool.make_ready()

    def _listens(self) -> bool:
        """Whether a click is meant for cells: not while another tool of napari is in use."""
        return self.on and not self.covered and self._viewer.dims.ndisplay == 2 and self._in_pan_zoom()

    def _in_pan_zoom(self) -> bool:
        active = self._viewer.layers.selection.active
        return active is None or str(getattr(active, "mode", "pan_zoom")).lower().endswith("pan_zoom")

    def _active_changed(self, _: object = None) -> None:
        """Follow the tool of the active layer: while one is in use, clicks are its."""
        self._mode.disconnect_all()
        active = self._viewer.layers.selection.active
        if active is not None:
            self._mode.connect(active.events.mode, self._show_state)
        if self.on and not self.covered:
            self._undo_keys.take()
        self._show_state()

    def rest(self, covered: bool) -> None:
        """Give the key back while the dock is hidden; clicks are napari's then."""
        self.form.classes.rest(covered)
        if self.on:
            for keys in (self._keys, self._undo_keys):
                (keys.give_back if covered else keys.take)()
            self.tool.hover(None)

    def let_go(self) -> None:
        """Stop clicking."""
        self.form.classes.on.setChecked(False)
        self.set_on(False)

    # What the mouse and the buttons ask for.

    def _clicked(self, pixel: Any, gesture: str) -> None:
        if pixel is None:
            self.form.status.say("That is outside the image.")
            return
        wanted = {"shift": "split", "control": "remove", "background": "background"}
        name = wanted.get(gesture, self.form.gesture)
        act = {
            "take": self.tool.take,
            "split": self.tool.split,
            "merge": self.tool.merge_with_selected,
            "background": self.tool.push_back,
            "remove": self.tool.remove,
        }[name]
        act(pixel)

    def copy_command(self) -> None:
        """Copy the command line that makes the cells of the markers."""
        with failures_to(self.form.status.failed):
            source, settings = read_source(self._viewer, self._session), self._settings()
            params = replace(settings.params, channels=source.channels)
            size = (
                self._session.cell_sizes.known(params, source.stack) if params.diameter in MEASURED else None
            )
            if size is not None:
                params = replace(params, diameter=size.diameter)
            suggested = suggested_instances(card_of(params.model), params.known_diameter)
            params = replace(params, instances=settings.instances_for(suggested))
            path, project = origin_of(source.layer)
            located = locate_in(path, source.plane, axes_of(source), source.stack, project) if path else None
            selection, said = None, " Replace IMAGE.tif with your file's name."
            if located is not None:
                selection, said = located.all_planes().selection, ""
                if not source.stack.of_one_image:
                    params = replace(params, limits="plane")
                params = replace(params, channels=located.channels(params.channels))
            self.form.status.copied(
                click_command(
                    path if located else "IMAGE.tif", "MARKERS.csv", params, suggested, selection=selection
                ),
                f"Save the layer of markers as MARKERS.csv for it.{said}",
            )

    def _history(self, name: str) -> None:
        layer = self._session.cells
        if layer is not None:
            getattr(layer, name)()

    def _settings(self) -> ClickSettings:
        params = self._session.seen_as_asked(replace(self.form.compute.value(), model=self._session.model))
        values = self._sliders.values if self._values_for == self._session.model else {}
        follow = self.form.follow.isChecked() and not self.form.follow.isHidden()
        return ClickSettings(params, values, self.form.overwrite.isChecked(), follow)

    def _instances_changed(self) -> None:
        if self._values_for != self._session.model:
            self._sliders.forget()
        self._values_for, self._as_segment = self._session.model, False
        self._sliders.moved()
        self.aims.forget()

    def _compute_changed(self, _: object = None) -> None:
        """Tell the page Segment how large cells are, and where to compute."""
        asked, own = self._session.asked or SegmentParams(), self.form.compute.value()
        self._session.asked = replace(
            asked, diameter=own.diameter, device=own.device, precision=own.precision
        )
        self.aims.forget()

    def _follow_segment(self, _: object = None) -> None:
        """Ask for what the page Segment does: a click gives the cell that a segmentation would."""
        asked, values = self._session.asked, self._session.values
        if asked is not None:
            self.form.compute.set_value(asked)
            if values or self._as_segment:
                self._sliders.show(self._sliders.suggested, values)
                self._values_for = asked.model
            self._as_segment = bool(values)
        self.aims.forget()

    def _model_changed(self, _: object = None) -> None:
        self.aims.forget()
        if self.on:
            self.tool.make_ready()

    def _labels_changed(self) -> None:
        """Take back what was said of an edit that was undone or painted over."""
        if not self.tool.writing and self.form.status.kind == "good":
            self.form.status.say("")

    def _target_made(self, layer: Any) -> None:
        self._session.cells = layer

    def _cells_changed(self, _: object = None) -> None:
        self._stop_without_layers()
        self.aims.forget()
        if self.on:
            self._clicked_on = self._session.image.layer, self._session.cells
            self._active_changed()

    def _image_changed(self, _: object = None) -> None:
        self._stop_without_layers()
        self.form.set_has_image(self._session.image.layer is not None)
        shown = on_screen(self._viewer, self._session)
        self.form.set_has_depth(shown is not None and z_axis_of(*shown) is not None)
        self.aims.forget()

    def _stop_without_layers(self, _: object = None) -> None:
        """Stop where the image or the labels are gone: the next click must not go to what took their place."""
        if self.on and any(
            layer is not None and layer not in self._viewer.layers for layer in self._clicked_on
        ):
            self.set_on(False)
            self.form.status.say("Off: the layer was removed.")

    # What the user sees.

    def _model_ready(self, ready: ReadyField) -> None:
        self._sliders.show(ready.suggested, self._settings().values)
        if ready.size is not None:
            self.form.diameter.show_measured(ready.size.diameter)
        if self.form.status.text().startswith("Loading"):
            said = "" if ready.size is None else f" {capitalised(str(ready.size))}."
            self.form.status.say(f"Ready: click on a cell.{said}")

    def _describe(self, label: int) -> None:
        layer = self._session.cells
        here = {} if layer is None else table_on_screen(layer, self._viewer)
        self.form.show_cell("" if not label or layer is None else cell_in_words(label, here))

    def _busy(self, count: int) -> None:
        self._waiting = count
        self._show_state()

    def _show_state(self, _: object = None) -> None:
        """Say on the button what a click would do now."""
        if not self.on:
            text = "Click cells"
        elif self._viewer.dims.ndisplay != 2:
            text = "Paused: clicks work in 2-D"
        elif not self._in_pan_zoom():
            text = "Paused: another tool is in use"
        else:
            text = f"Clicking cells: {self._waiting} waiting" if self._waiting > 1 else "Clicking cells: on"
        self.form.toggle.setText(text)

    def _close_down(self) -> None:
        self.mouse.remove()
        self.tool.queue.drop()


def _keys_of(walk: UnsureWalk) -> dict[str, Callable[[Any], None]]:
    def next_unsure_cell(_: Any) -> None:
        """Go to the next cell by how unsure the model is of it."""
        walk.next()

    return {_UNSURE_KEY: next_unsure_cell}


def cell_in_words(label: int, table: Mapping[str, Any]) -> str:
    """Describe a cell by its row of a feature table."""
    word = class_of(table, label)
    text = f"Cell {label} is selected" + (f" ({word})" if word else "")
    if "index" not in table or "area_px" not in table:
        return f"{text}."
    rows = np.flatnonzero(np.asarray(table["index"]) == label)
    row = {name: np.asarray(table[name])[rows[0]] for name in table} if rows.size else {}
    if row.get("area_px", np.nan) != row.get("area_px", np.nan):
        return f"{text}."
    physical = [
        name for name in row if name.startswith("area_") and name.endswith("2") and row[name] == row[name]
    ]
    area = row[physical[0] if physical else "area_px"]
    unit = physical[0][len("area_") : -1].replace("um", "µm") if physical else "px"
    parts = [f"{three_digits(float(area))} {unit}²"]
    if row.get("confidence", np.nan) == row.get("confidence", np.nan):
        parts.append(f"{percent(row['confidence'])} sure")
    return f"{text}: {', '.join(parts)}."
