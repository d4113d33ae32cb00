"""Edit a part of a result on disk in a layer in memory, and write it back; napari edits no pyramids."""

from collections.abc import Generator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import napari.layers
import napari.viewer
import numpy as np
from napari.layers import Labels
from numpy.typing import NDArray
from qtpy.QtWidgets import QWidget

from napari_utile.engine.errors import UtileError
from napari_utile.engine.planes.axes import ImagePlane
from napari_utile.engine.store.versions import Version
from napari_utile.engine.words import counted
from napari_utile.session.own_columns import added_to, renumbered, with_added
from napari_utile.session.plane_rows import Cell, with_index, without_other_planes
from napari_utile.session.state import Session
from napari_utile.session.store_levels import CELLS, levels
from napari_utile.session.store_parts import (
    MOST_EDITED,
    OpenedPart,
    StorePart,
    WrittenPart,
    open_part_job,
    undo_job,
    with_stored_ids,
    write_back_job,
    written,
)
from napari_utile.session.store_tables import Paths
from napari_utile.widgets.connections import Connections
from napari_utile.widgets.failures import failures_to
from napari_utile.widgets.parts.arrange import column, row
from napari_utile.widgets.parts.button import push_button
from napari_utile.widgets.parts.status_line import StatusLine
from napari_utile.widgets.parts.words import Words
from napari_utile.widgets.viewer.edits import edits_of
from napari_utile.widgets.viewer.layers import (
    Place,
    place_of,
    plain_viewer,
    plane_at,
    slider_name,
    space_of,
    take_away,
)
from napari_utile.widgets.viewer.measured_tables import set_measured
from napari_utile.widgets.viewer.own_pictures import METADATA_KEY, image_of, mark_own
from napari_utile.widgets.viewer.regions import region_in_view
from napari_utile.widgets.viewer.source import Source, read_source
from napari_utile.widgets.viewer.store_layers import in_store_order, outer_of, part_of, renew_paths, store_of
from napari_utile.widgets.worker import OneJob, run_job


class StoreEdit(OneJob, QWidget):
    """Offers to edit the chosen cells part by part where they lie in a store; hidden for others."""

    def __init__(self, viewer: napari.viewer.Viewer, session: Session, status: StatusLine) -> None:
        super().__init__()
        self._viewer, self._session, self._status = plain_viewer(viewer), session, status
        self._label = Words()
        self.edit = push_button(
            "Edit this part",
            f"Open what is in view, up to {MOST_EDITED} x {MOST_EDITED} pixels, as a layer that can be painted.",
        )
        self.write = push_button("Write back", "Write the edited part into the result on disk.")
        self.leave = push_button("Leave", "Close the part; what was not written back is lost.")
        self.undo = push_button(
            "Undo write back", "Restore the part that was written last, as it was before."
        )
        for button, action in (
            (self.edit, self._edit),
            (self.write, self._write),
            (self.leave, self._leave),
            (self.undo, self._undo),
        ):
            button.clicked.connect(lambda _, action=action: self._try(action))
        column(self._label, row(self.edit, self.write, self.leave, self.undo), on=self)
        self._connections = Connections(self)
        self._connections.connect(session.events.cells, self.follow)
        self._connections.connect(self._viewer.layers.events.removed, self._removed)
        self.follow()

    def follow(self, _: object = None) -> None:
        """Show what can be done with the chosen cells."""
        chosen = self._session.cells
        part = part_of(chosen)
        place = store_of(chosen)
        busy = self.running
        self.setVisible(part is not None or place is not None)
        for button in (self.write, self.leave):
            button.setVisible(part is not None)
        self.edit.setVisible(part is None)
        self.undo.setVisible(part is None and place is not None and written(place) > 0)
        for button in (self.edit, self.write, self.leave, self.undo):
            button.setEnabled(not busy)
        if part is not None:
            self._label.setText(f"A part of {part.place.name}: paint or click, then write it back.")
        elif place is not None:
            self._label.setText(f"The cells are in {place.name} and are edited part by part.")

    def _try(self, action: Any) -> None:
        with failures_to(self._show_error):
            action()

    def _run(self, job: Generator[Any, Any, Any], done: Any) -> None:
        def then(answer: Any) -> None:
            with suppress(RuntimeError):  # the dock was closed meanwhile
                done(answer)
                self.follow()

        # Without an owner: what is being written is finished, also where the dock is closed.
        self.job = run_job(job, on_done=then, on_error=self._show_error)
        self.follow()

    # Opening.

    def _edit(self) -> None:
        whole = self._session.cells
        place = store_of(whole)
        if place is None:
            return
        where = place_of(whole, self._viewer)
        window = region_in_view(whole, where).central(MOST_EDITED)
        self._status.say("Opening…")
        self._run(
            open_part_job(place, in_store_order(whole, where.plane.steps), window),
            lambda opened: self._show(opened, whole, where.plane),
        )

    def _show(self, opened: OpenedPart, whole: Any, plane: Any) -> None:
        part = opened.part
        given = _added(whole, _step_of(part, whole))
        features = with_added(opened.features, given, ())
        space = space_of(whole, range(whole.ndim), plane.point(part.window.start))
        layer = Labels(
            plane.expanded(opened.labels),
            name=f"{whole.name} part",
            opacity=whole.opacity,
            features=features,
            **space,
        )
        mark_own(layer, "instances", image_of(whole))
        _keep_part(layer, part)
        self._viewer.add_layer(layer)
        whole.visible = False
        if self._session.cells is whole:
            self._session.cells = layer
        rows, columns = part.window.shape
        self._status.say(f"This part is {rows} x {columns} pixels: edit it, then press Write back.")

    # Writing.

    def _write(self) -> None:
        layer: Any = self._session.cells
        part = part_of(layer)
        if part is None:
            return
        whole = _whole_of(self._viewer, part)
        edited = np.array(layer.data).reshape(part.window.shape)
        self._status.say("Writing…")
        self._run(
            write_back_job(part, edited, self._image(whole), _sliders(whole), _outer(whole)),
            lambda made: self._written(layer, edited, made),
        )

    def _written(self, layer: Any, edited: NDArray[np.integer[Any]], made: WrittenPart) -> None:
        now = np.asarray(layer.data).reshape(edited.shape)
        went_on = layer in self._viewer.layers and not np.array_equal(now, edited)
        _take_ids(layer, edited, made, went_on)
        whole = _whole_of(self._viewer, made.part)
        _show_anew(whole, made.part.place, made.table)
        renew_paths(self._viewer, made.part.place, *made.paths)
        given = self._give(layer, made.labels, made.part, whole)
        if made.version is None and not given:
            self._show_error(UtileError("Nothing was changed in this part."))
            return
        open_here = layer in self._viewer.layers
        alone = open_here and whole is None and _differs(made.table, _added(layer, {}), ())
        if went_on or alone:
            _keep_part(layer, made.part)
            edits_of(self._viewer).note(layer)  # that it is another part now, too
        else:
            _close(self._viewer, self._session, layer, made.part)
        said, version = [], made.version
        if version is not None:
            said.append(
                f"Written back into {made.part.place.name}: {counted(version.cells, 'cell')} changed."
            )
            if version.cut:
                said.append(f"{version.cut} of them reach beyond this part and changed only inside it.")
        if given:
            said.append(_in_layer(made.part, whole))
        if alone:
            said.append(
                "What you added to its table is in this layer alone: open the result, and write it back again."
            )
        if went_on:
            said.append("What you edited since is still to be written back.")
        self._status.say(" ".join(said), "good")

    def _give(self, layer: Any, labels: NDArray[np.integer[Any]], part: StorePart, whole: Any) -> bool:
        """Give cells of the whole result what people added to their rows in a part; say whether that is another now."""
        if whole is None:
            return False
        there, table = _step_of(part, whole), dict(whole.features.items())
        step = tuple(each for name, each in there.items() if name in table)
        ids = {*np.unique(labels).tolist()}
        given = {
            (name, (cell, *step)): value
            for (name, (cell,)), value in _added(layer, there).items()
            if cell in ids
        }
        if not _differs(table, given, [*there]):
            return False
        whole.features = with_added(table, given, [*there])
        return True

    def _leave(self) -> None:
        layer = self._session.cells
        if (part := part_of(layer)) is not None:
            _close(self._viewer, self._session, layer, part)
            self._status.say("Closed; the result on disk is as it was.")
            self.follow()

    def _removed(self, event: Any) -> None:
        if (part := part_of(event.value)) is not None:
            _close(self._viewer, self._session, event.value, part)
            self.follow()

    # Undoing.

    def _undo(self) -> None:
        whole = self._session.cells
        place = store_of(whole)
        if place is not None:
            self._status.say("Undoing…")
            self._run(
                undo_job(place, self._image(whole), _sliders(whole), _outer(whole)),
                lambda made: self._undone(whole, place, *made),
            )

    def _undone(self, whole: Any, place: Path, version: Version, table: dict[str, Any], paths: Paths) -> None:
        _show_anew(whole, place, table)
        renew_paths(self._viewer, place, *paths)
        cells = "1 cell is" if version.cells == 1 else f"{version.cells} cells are"
        self._status.say(f"{cells} as before in {place.name}.", "good")

    def _image(self, whole: Any) -> tuple[ImagePlane, ...]:
        """Take the planes of the chosen image that lie where those of a result do, in the order of its store."""
        try:
            source = read_source(self._viewer, self._session)
            if whole is None:  # it is not open; other planes than the store's are noticed when they are used
                return tuple(plane_at(source.layer, each) for each in source.place.every)
            outer = outer_of(whole)
            at = [outer.index(axis) for axis in sorted(each for each in outer if each is not None)]
            return tuple(
                plane_at(source.layer, _place_at(source, whole, at, steps))
                for steps in np.ndindex(*(whole.data[0].shape[axis] for axis in at))
            )
        except (ValueError, IndexError):  # no image is open, or another one
            return ()

    def _show_error(self, error: Exception) -> None:
        self._status.failed(error)
        self.follow()


def _place_at(source: Source, whole: Any, axes: Sequence[int], steps: Sequence[int]) -> Place:
    """Return the plane of an image where the plane of a result lies that is at these steps of these axes."""
    point = np.zeros(whole.ndim)
    point[axes] = steps
    world = np.zeros(source.layer.ndim)
    world[-whole.ndim :] = whole.data_to_world(point)
    there = source.layer.world_to_data(world)
    index = (
        entry if isinstance(entry, slice) or source.place.shape[axis] == 1 else round(there[axis])
        for axis, entry in enumerate(source.place.index)
    )
    return replace(source.place, index=tuple(index))


def _sliders(whole: Any) -> list[str]:
    """Name the columns of the layer's table that say in which plane a cell lies."""
    if whole is None:
        return []
    return in_store_order(whole, [slider_name(whole, axis) for axis in range(whole.ndim - 2)])


def _outer(whole: Any) -> tuple[int | None, ...] | None:
    """Return `outer_of` a result that is open."""
    return None if whole is None else outer_of(whole)


def _keep_part(layer: Any, part: StorePart | None) -> None:
    """Let a layer be a part of a store, or no longer."""
    own = {**layer.metadata.get(METADATA_KEY, {}), "part": part and asdict(part)}
    layer.metadata = {**layer.metadata, METADATA_KEY: own}


def _whole_of(viewer: napari.viewer.Viewer, part: StorePart) -> Any:
    """Return the layer that shows the store of a part; None where none does."""
    place = part.place.resolve()
    stores = ((layer, store_of(layer)) for layer in viewer.layers)
    return next((layer for layer, store in stores if store is not None and store.resolve() == place), None)


def _close(viewer: napari.viewer.Viewer, session: Session, layer: Any, part: StorePart) -> None:
    """Take a part away, if the user has not, and show the result that it is of."""
    elsewhere = session.clicking and session.cells is not None and session.cells is not layer
    _keep_part(layer, None)
    take_away(viewer, layer)
    whole = _whole_of(viewer, part)
    if whole is not None:
        whole.visible = True
        if not elsewhere:
            session.cells = whole


def _take_ids(layer: Any, edited: NDArray[np.integer[Any]], made: WrittenPart, went_on: bool) -> None:
    """Let rows of a part call their cells what the store does; pixels, where it is painted on, as one step of it."""
    now = np.asarray(layer.data).reshape(edited.shape)
    ids = with_stored_ids(now, edited, made.labels)
    was, first = np.unique(now, return_index=True)
    became = dict(zip(was.tolist(), ids.flat[first].tolist(), strict=True))
    layer.features = renumbered(with_index(dict(layer.features.items())), became)
    ids = ids.reshape(layer.data.shape)
    other = np.nonzero(ids != layer.data)
    if went_on and other[0].size:
        with layer.block_history():
            layer.data_setitem(other, ids[other])


def _step_of(part: StorePart, whole: Any) -> dict[str, int]:
    """Name the columns of a result's table that say in which plane a cell lies, and what they say of a part's."""
    sizes = in_store_order(whole, whole.data[0].shape[:-2])
    steps = np.unravel_index(part.plane, sizes) if sizes else ()
    return dict(zip(_sliders(whole), map(int, steps), strict=True))


def _added(layer: Any, there: Mapping[str, int]) -> dict[tuple[str, Cell], Any]:
    """Give what people added to the rows of a plane, by column and id; None where it is empty."""
    rows = without_other_planes(with_index(dict(layer.features.items())), there)
    return added_to({name: each for name, each in rows.items() if name not in there}, (), empty=True)


def _differs(table: Mapping[str, Any], added: Mapping[tuple[str, Cell], Any], planes: Sequence[str]) -> bool:
    """Say whether a table has other values where it is given what was added to it."""
    return added_to(with_added(table, added, planes), planes) != added_to(table, planes)


def _in_layer(part: StorePart, whole: Any) -> str:
    """Say where that is kept which people added to the table of a part."""
    return f"What was added to its table is in that of {whole.name}, not in {part.place.name}."


def _show_anew(whole: Any, place: Path, table: dict[str, Any]) -> None:
    """Read what is on screen from the disk again, past what napari keeps of arrays that are computed on demand."""
    if whole is None:
        return
    whole.data = levels(place, CELLS, outer_of(whole))
    if table:
        planes = [name for name in _sliders(whole) if name in table]
        added = added_to(whole.features, planes, empty=True)
        set_measured(whole, table)  # which brings what the store knows of all cells, such as their classes
        whole.features = with_added(whole.features, added, planes)
