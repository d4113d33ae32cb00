"""Layers of objects and tracks: their table and paths follow every correction, and its undo."""

import contextlib
import weakref
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import napari.layers
import napari.viewer
import numpy as np
from napari.layers import Labels
from numpy.typing import NDArray
from qtpy.QtCore import QObject

from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.plane_file import file_order
from napari_utile.engine.linking.edits import StackEdit
from napari_utile.engine.linking.params import LinkParams
from napari_utile.engine.provenance.linked import LinkRecord, hash_of_ids, linking_in
from napari_utile.session.linking import LinkedLayers, StackSpace, corrected, described_anew
from napari_utile.session.own_columns import renumbered, same_cells
from napari_utile.widgets.connections import Connections
from napari_utile.widgets.later import later
from napari_utile.widgets.viewer.layers import (
    Place,
    place_of,
    session_of,
    slider_name,
    space_of,
)
from napari_utile.widgets.viewer.measured_tables import set_measured
from napari_utile.widgets.viewer.own_pictures import CELLS, METADATA_KEY, image_of, lasting, mark_own
from napari_utile.widgets.viewer.result_layers import is_untouched, own_layer
from napari_utile.widgets.viewer.stack_space import named_along, stack_space_of
from napari_utile.widgets.worker import LatestJob, as_job

# A correction, or its undo, is measured when nothing has changed for this long. Milliseconds.
_MEASURED_AFTER = 300
# What was first, and a hundred steps: napari takes no more of them back.
_STEPS = 101

_stacks: "dict[Any, LinkedStack]" = {}
"""By their layer, while it is in a viewer."""


def linked_stack_of(layer: napari.layers.Layer | None) -> "LinkedStack | None":
    """Return what is known of a layer of objects or tracks; None for other layers."""
    return None if layer is None else _stacks.get(layer)


def as_found(viewer: napari.viewer.Viewer, labels: Any, image: Any, place: Place) -> bool:
    """Say whether labels on a plane of an image are what a model found there, linked or not, and nobody corrected."""
    stack = linked_stack_of(labels)
    if stack is None:
        return labels is not None and own_layer(viewer, CELLS, image, place) is labels
    if stack.record.by_hand or image_of(labels) is not image:
        return False
    plane = place_of(labels, viewer).plane
    in_order = plane.axes == (labels.ndim - 2, labels.ndim - 1)
    return stack.is_plane_as_made(plane.steps) if in_order else stack.is_as_made()


def show_linked(
    viewer: napari.viewer.Viewer,
    source: napari.layers.Labels,
    seen: NDArray[np.integer[Any]],
    space: StackSpace,
    params: LinkParams,
    made: LinkedLayers,
) -> "LinkedStack | None":
    """Show objects or tracks beside the labels that were linked; where those are objects or tracks, in their place.

    Where those were chosen, and no clicks go to them, objects or tracks are chosen.

    Parameters
    ----------
    source : Labels layer
    seen : integer array
        Its labels as they were linked.
    space : StackSpace
        Of the source.
    params : LinkParams

    Returns
    -------
    LinkedStack, optional
        None where the source was edited since: then nothing is shown, and it is to be linked again.
    """
    if not np.array_equal(source.data, seen):
        return None
    known = _stacks.get(source)
    if known is not None and known.axis == params.axis:
        known.replace(made, params)
        return known
    what = "objects" if params.axis == "Z" else "tracks"
    placed = named_along(params.axis, space_of(source, range(source.ndim)))
    layer = Labels(made.labels, name=f"{source.name} {what}", opacity=source.opacity, **placed)
    mark_own(layer, "instances", image_of(source))
    layer.metadata = {METADATA_KEY: {"role": CELLS, **lasting(source.metadata)}}
    session = session_of(viewer)
    chosen = session.cells is source
    viewer.add_layer(layer)
    earlier = [stack.layers for stack in _stacks.values() if stack.made_from() is source]
    for shown in ((source,), *earlier):  # one of them is seen at a time
        if not (session.clicking and session.cells is shown[0]):
            for each in shown:
                each.visible = False
    paths = None
    if len(made.tracks):
        paths = viewer.add_tracks(made.tracks, graph=made.graph, name=f"{source.name} paths", **placed)
        mark_own(paths, "paths")
    viewer.layers.selection.active = layer
    by_hand = not is_untouched(source) if known is None else known.record.by_hand or not known.is_as_made()
    stack = keep_linked(viewer, layer, space, LinkRecord(params, 0, {}, by_hand=by_hand), made, paths)
    stack.made_from = weakref.ref(source)
    if chosen and not session.clicking:
        session.cells = layer
    return stack


def keep_linked(
    viewer: napari.viewer.Viewer,
    layer: napari.layers.Labels,
    space: StackSpace,
    record: LinkRecord,
    made: LinkedLayers | None = None,
    paths: napari.layers.Tracks | None = None,
) -> "LinkedStack":
    """Take care of a layer that shows objects or tracks from now on; without `made` they are measured anew."""
    _stacks[layer] = stack = LinkedStack(viewer, layer, paths, space, record, made)
    return stack


def restore_links(viewer: napari.viewer.Viewer, layer: Any) -> None:
    """Take care of objects or tracks again that were saved, and opened or copied in napari since."""
    if layer is None or layer in _stacks or getattr(layer, "multiscale", False):
        return
    with contextlib.suppress(UtileError):  # then they are labels as others
        record = linking_in(lasting(layer.metadata), layer.name)
        if record is not None:
            keep_linked(viewer, layer, stack_space_of(layer, record.params.link), record)


class LinkedStack(QObject):
    """A layer of objects or tracks.

    Attributes
    ----------
    layer : Labels layer
    record : LinkRecord
        How it was linked and what was corrected since: the layer carries it, and is saved with it. Its parents are of
        all divisions found or marked since planes were linked; `LinkRecord.of` leaves out those that were undone.
    table : mapping of str to (N,) arrays, optional
        A row an object or a track, as last measured. The layer has it, too, with what people added to it; but not
        where it was opened with a table of the cells of each plane, which stays one.
    """

    def __init__(
        self,
        viewer: napari.viewer.Viewer,
        layer: napari.layers.Labels,
        paths: napari.layers.Tracks | None,
        space: StackSpace,
        record: LinkRecord,
        made: LinkedLayers | None,
    ) -> None:
        super().__init__()
        self._viewer, self.layer, self._paths, self.space = viewer, layer, paths, space
        self.record = record
        self._made: dict[tuple[int, ...], set[str]] = {}  # what was ever made of each plane: its hashes
        self._as_made: bool | None = None
        self._edited_at: tuple[int, ...] | None = None  # a plane that was, looked at first
        self.table: Mapping[str, Any] | None = None
        self.made_from: Callable[[], Any] = lambda: None
        self._seen: LinkedLayers | None = None
        # What was first, then the steps of the layer's history that changed the record, and the record after each;
        # those behind the one that is on now were undone, and may be redone.
        self._steps: list[Any] = [None]
        self._records, self._at = [record], 0
        self._undone = len(layer._redo_history)
        self._jobs = LatestJob(owner=self)
        self._timer = later(self, _MEASURED_AFTER, self._measure)
        self._note_as_made()
        if made is None:
            self._keep(by_hand=record.by_hand or record.labels != self.record.labels)
            self._timer.start()
        else:
            self._keep(parents=made.parents)
            self._take(made)
        self._connections = Connections(self)
        self._connections.connect(layer.events.paint, self._painted_on)
        self._connections.connect(layer.events.data, self._assigned)
        self._connections.connect(layer.events.set_data, self._changed)  # undo and redo say no more
        self._connections.connect(viewer.layers.events.removed, self._removed)
        self._connections.connect(session_of(viewer).events.closed, self._end)

    def _removed(self, event: Any) -> None:
        if event.value is self.layer:
            self._end()

    def _end(self, _: object = None) -> None:
        """Hold the layer no longer: where it comes back, `restore_links` knows it by its metadata."""
        _stacks.pop(self.layer, None)
        self._timer.stop()
        self._jobs.drop()
        self.deleteLater()  # which ends its connections, but not while the others hear of this

    @property
    def layers(self) -> tuple[napari.layers.Layer, ...]:
        """The cells, and their paths where they are tracks."""
        return (self.layer,) if self._paths is None else (self.layer, self._paths)

    @property
    def axis(self) -> str:
        """Along which planes are linked: "Z" or "T"."""
        return self.record.params.axis

    @property
    def is_by_plane(self) -> bool:
        """Whether the table of the layer is of the cells of each plane, as saved tracks have it."""
        along = slider_name(self.layer, self.space.letters.index(self.axis))
        return {"index", along} <= set(self.layer.features)

    def _keep(self, **changes: Any) -> None:
        self.record = replace(self.record, **changes)
        own = {**self.layer.metadata.get(METADATA_KEY, {}), "linking": self.record.to_json()}
        self.layer.metadata = {**self.layer.metadata, METADATA_KEY: own}

    def apply(self, correct: Any, parents: Mapping[int, int] = MappingProxyType({})) -> str:
        """Make one correction, which one Ctrl+Z takes back; return what was done, as a sentence.

        Parameters
        ----------
        correct : callable
            Gets the stack (planes, Y, X), gives a `StackEdit` of it.
        parents : mapping of int to int
            Divisions that it marks, daughter -> mother; `correct` may fill it.

        Raises
        ------
        UtileError
            If it cannot be done.
        """
        edit: StackEdit = corrected(
            self.layer.data, self.space, self.axis, (0,) * (self.layer.ndim - 2), correct
        )
        kept = tuple(sorted({*self.record.kept, *edit.changed}))
        self._step(edit.index, edit.values, kept=kept, parents={**self.record.parents, **parents})
        return edit.said

    def divide(self, correct: Any) -> str:
        """Mark a division, like `apply`; `correct` also gives what divided into what: daughter -> mother."""
        parents: dict[int, int] = {}

        def edited(labels: Any) -> StackEdit:
            edit: StackEdit
            edit, found = correct(labels)
            parents.update(found)
            return edit

        return self.apply(edited, parents)

    def replace(self, made: LinkedLayers, params: LinkParams) -> None:
        """Show what was linked again, as one step of the layer's history."""
        before = np.asarray(self.layer.data)
        ids = same_cells(before, made.labels)
        self._jobs.drop()
        index = np.nonzero(before != made.labels)
        self._step(
            index,
            made.labels[index],
            params=params,
            parents=made.parents,  # of these ids alone: earlier ones meant other cells
            kept=tuple(sorted(made.kept)),
            by_hand=self.record.by_hand or not self.seems_as_made(),
        )
        self._take(made, ids)
        self._note_as_made()

    def _step(self, index: Any, values: Any, **changes: Any) -> None:
        """Change pixels and the record as one step of the layer's history."""
        painted = bool(np.any(self.layer.data[index] != values))
        if not painted and replace(self.record, **changes) == self.record:
            return
        with self.layer.block_history():
            if painted:
                self.layer.data_setitem(index, values)
            else:  # the record alone changes: a pixel changes, and back, so that it can be undone
                pixel = tuple(np.zeros(1, np.intp) for _ in range(self.layer.ndim))
                value = self.layer.data[pixel]
                self.layer.data_setitem(pixel, value + 1)
                self.layer.data_setitem(pixel, value)
        self._records[self._at] = self.record
        self._keep(**changes)
        self._steps = [*self._steps[: self._at + 1], self.layer._undo_history[-1][0]][-_STEPS:]
        self._records = [*self._records[: self._at + 1], self.record][-_STEPS:]
        self._at = len(self._steps) - 1

    def _follow_history(self) -> None:
        """Take the record along where a step that changed it was undone or redone: ids mean other cells then."""
        done, undone = (
            {id(change) for step in history for change in step}
            for history in (self.layer._undo_history, self.layer._redo_history)
        )
        at = max(
            place
            for place, step in enumerate(map(id, self._steps))
            if step not in undone and (place <= self._at or step in done)
        )
        if at != self._at:
            self._records[self._at] = self.record
            self._at, self.record = at, self._records[at]
            self._keep()

    def is_as_made(self) -> bool:
        """Say whether nobody has painted on the labels or corrected them, or all of that was undone."""
        planes = [*np.ndindex(self.layer.data.shape[:-2])]
        planes.sort(key=lambda steps: steps != self._edited_at)
        self._edited_at = next((steps for steps in planes if not self.is_plane_as_made(steps)), None)
        self._as_made = self._edited_at is None
        return self._as_made

    def seems_as_made(self) -> bool:
        """Say the same in no time where nothing was painted since it was looked at: for each step of a slider."""
        return self.is_as_made() if self._as_made is None else self._as_made

    def is_plane_as_made(self, steps: tuple[int, ...]) -> bool:
        """Say the same of one plane, by where it lies along the axes before Y and X."""
        return hash_of_ids(self.layer.data[steps]) in self._made.get(steps, ())

    def _note_as_made(self) -> None:
        hashes = {
            steps: hash_of_ids(self.layer.data[steps]) for steps in np.ndindex(self.layer.data.shape[:-2])
        }
        for steps, plane in hashes.items():
            self._made.setdefault(steps, set()).add(plane)
        order = file_order([dict(zip(self.space.letters, steps, strict=True)) for steps in hashes])
        self._keep(labels=tuple([*hashes.values()][place] for place in order))
        self._as_made = True

    def _painted_on(self, _: object = None) -> None:
        self._as_made = None
        self._changed()

    def _assigned(self, _: object = None) -> None:
        """Measure anew what has another shape: its cells cannot be those of before."""
        if self._seen is not None and self._seen.labels.shape != self.layer.data.shape:
            self._seen = None
        self._painted_on()

    def _changed(self, _: object = None) -> None:
        undone = len(self.layer._redo_history)
        if undone != self._undone:  # else another plane is shown
            self._undone, self._as_made = undone, None
            self._follow_history()
        self._timer.start()

    def _measure(self) -> None:
        parents = dict(self.record.parents)
        self._jobs.run(
            as_job(described_anew, self.layer.data, self._seen, self.space, self.axis, parents),
            on_done=lambda found: self._say_measured() if found is None else self._take(*found),
            on_error=lambda _: None,  # it is being painted on: the next change is measured again
        )

    def _take(self, made: LinkedLayers, ids: Mapping[int, int] | None = None) -> None:
        """Show what was measured; `ids` are what cells are called now that had a row."""
        self._seen, self.table = replace(made, labels=np.array(made.labels)), made.features
        self._keep(total=len(made.features["index"]))
        if not self.is_by_plane:
            set_measured(self.layer, made.features, ids)
        elif ids is not None:
            self.layer.features = renumbered(dict(self.layer.features.items()), ids)
        self._say_measured()
        if self._paths is not None and self._paths in self._viewer.layers:
            self._paths.graph = {}
            self._paths.data = made.tracks
            self._paths.graph = made.graph

    def _say_measured(self) -> None:
        session_of(self._viewer).events.measured.emit(self.layer)
