"""Layers of objects and tracks: their table and paths follow every correction, and its undo."""

import contextlib
import weakref
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import napari.layers
import napari.viewer
import numpy as np
from napari.layers import Labels
from numpy.typing import NDArray
from qtpy.QtCore import QObject

from napari_utile.engine.arrays import letter_of
from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.plane_file import file_order
from napari_utile.engine.linking.edits import StackEdit
from napari_utile.engine.linking.params import LinkParams
from napari_utile.engine.provenance.linked import LinkRecord, hash_of_ids, linking_in
from napari_utile.session.linking import LinkedLayers, Relinked, StackSpace, corrected, described
from napari_utile.session.own_columns import renumbered, same_cells
from napari_utile.widgets.later import later
from napari_utile.widgets.viewer.layers import (
    Place,
    pixel_size_of,
    place_of,
    session_of,
    slider_name,
    space_of,
)
from napari_utile.widgets.viewer.measured_tables import set_measured
from napari_utile.widgets.viewer.own_pictures import CELLS, METADATA_KEY, image_of, lasting, mark_own
from napari_utile.widgets.viewer.result_layers import is_untouched, own_layer
from napari_utile.widgets.worker import LatestJob, as_job

# A correction, or its undo, is measured when nothing has changed for this long. Milliseconds.
_MEASURED_AFTER = 300

_stacks: "weakref.WeakKeyDictionary[Any, LinkedStack]" = weakref.WeakKeyDictionary()


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


def stack_space_of(layer: napari.layers.Labels, axis: str) -> StackSpace:
    """Say what the axes before the plane are: by their names, else time before depth.

    Raises
    ------
    UtileError
        If there are too few or too many.
    """
    size, unit = pixel_size_of(layer, (layer.ndim - 2, layer.ndim - 1))
    letters = _letters(layer, axis)
    steps = {
        letter: (float(layer.scale[place]), str(layer.units[place])) for place, letter in enumerate(letters)
    }
    return StackSpace(
        letters, size, unit, {letter: step for letter, step in steps.items() if step[1] != "pixel"}
    )


def _letters(layer: Any, axis: str) -> str:
    outer = layer.ndim - 2
    if getattr(layer, "multiscale", False) or outer not in (1, 2):
        raise UtileError(f"{layer.name} is not a stack of labels: there is nothing to link.")
    names = [str(label).lower()[:1] for label in layer.axis_labels[:outer]]
    if outer == 1:
        if names[0] in "tz" and names[0] != axis:
            raise UtileError(
                f"{layer.name} has no axis {axis.upper()}, its planes lie along {names[0].upper()}."
            )
        return axis.upper()
    return "ZT" if names == ["z", "t"] else "TZ"


def named_along(axis: str, space: dict[str, Any]) -> dict[str, Any]:
    """Call the one axis before the planes, where it has no name, by what they are linked along: it is saved with it."""
    names = tuple(space["axis_labels"])
    unnamed = len(names) == 3 and letter_of(names[0]) is None
    return {**space, "axis_labels": (axis.lower(), *names[1:])} if unnamed else space


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
    if not (chosen and session.clicking):
        source.visible = False
    paths = None
    if len(made.tracks):
        paths = viewer.add_tracks(made.tracks, graph=made.graph, name=f"{source.name} paths", **placed)
        mark_own(paths, "paths")
    viewer.layers.selection.active = layer
    by_hand = not is_untouched(source) if known is None else known.record.by_hand or not known.is_as_made()
    stack = keep_linked(viewer, layer, space, LinkRecord(params, 0, {}, by_hand=by_hand), made, paths)
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
        self._painted = False
        self.table: Mapping[str, Any] | None = None
        self._seen: Any = None
        self._relinked: list[Relinked] = []
        self._records = [record]  # before each of those, and after the last
        self._at = 0  # which of them is on now: the others were undone, or may be redone
        self._jobs = LatestJob(owner=self)
        self._timer = later(self, _MEASURED_AFTER, self._measure)
        self._note_as_made()
        if made is None:
            self._keep(by_hand=record.by_hand or record.labels != self.record.labels)
            self._timer.start()
        else:
            self._keep(parents=_parents_of(made))
            self._take(made)
        layer.events.paint.connect(self._painted_on)
        layer.events.data.connect(self._painted_on)
        layer.events.set_data.connect(self._changed)  # undo and redo say no more

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

    def apply(self, correct: Any) -> str:
        """Make one correction, which one Ctrl+Z takes back; return what was done, as a sentence.

        Parameters
        ----------
        correct : callable
            Gets the stack (planes, Y, X), gives a `StackEdit` of it.

        Raises
        ------
        UtileError
            If it cannot be done.
        """
        edit: StackEdit = corrected(
            self.layer.data, self.space, self.axis, (0,) * (self.layer.ndim - 2), correct
        )
        self.write(edit.index, edit.values)
        self._keep(kept=tuple(sorted({*self.record.kept, *edit.changed})))
        return edit.said

    def divide(self, correct: Any) -> str:
        """Mark a division, like `apply`; `correct` also gives what divided into what: daughter -> mother."""
        parents: dict[int, int] = {}

        def edited(labels: Any) -> StackEdit:
            edit: StackEdit
            edit, found = correct(labels)
            parents.update(found)
            return edit

        said = self.apply(edited)
        self._keep(parents={**self.record.parents, **parents})
        return said

    def write(self, index: Any, values: Any) -> None:
        """Set pixels as one step of the layer's history."""
        if len(values):
            with self.layer.block_history():
                self.layer.data_setitem(index, values)

    def replace(self, made: LinkedLayers, params: LinkParams) -> None:
        """Show what was linked again, as one step of the layer's history."""
        record = replace(
            self.record,
            params=params,
            parents=_parents_of(made),  # of these ids alone: earlier ones meant other cells
            kept=tuple(sorted(made.kept)),
            by_hand=self.record.by_hand or not self.seems_as_made(),
        )
        before = np.asarray(self.layer.data)
        self._relinked[self._at :] = [Relinked.of(before, made.labels)]
        self._records[self._at :] = [self.record, record]
        ids = same_cells(before, made.labels)
        self._jobs.drop()
        index = np.nonzero(before != made.labels)
        self.write(index, made.labels[index])
        self._follow_relinking()
        self._take(made, ids)
        self._note_as_made()

    def _follow_relinking(self) -> None:
        """Take the record along where linking again was undone or redone: the same ids mean other cells then."""
        done = [place for place, step in enumerate(self._relinked, 1) if step.is_done(self.layer.data)]
        at = max(done, default=0)
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
        self._as_made, self._painted = True, False

    def _painted_on(self, _: object = None) -> None:
        self._painted = True
        self._changed()

    def _changed(self, _: object = None) -> None:
        if self._painted:  # else another plane is shown
            self._as_made = None
            self._follow_relinking()
        self._timer.start()

    def _measure(self) -> None:
        self._jobs.run(
            as_job(
                _described_anew, self.layer.data, self._seen, self.space, self.axis, dict(self.record.parents)
            ),
            on_done=lambda found: None if found is None else self._take(*found),
            on_error=lambda _: None,  # it is being painted on: the next change is measured again
        )

    def _take(self, made: LinkedLayers, ids: Mapping[int, int] | None = None) -> None:
        """Show what was measured; `ids` are what cells are called now that had a row."""
        self._seen, self.table = np.array(made.labels), made.features
        self._keep(total=len(made.features["index"]))
        if not self.is_by_plane:
            set_measured(self.layer, made.features, ids)
        elif ids is not None:
            self.layer.features = renumbered(dict(self.layer.features.items()), ids)
        session_of(self._viewer).events.measured.emit(self.layer)
        if self._paths is not None and self._paths in self._viewer.layers:
            self._paths.graph = {}
            self._paths.data = made.tracks
            self._paths.graph = made.graph


def _parents_of(made: LinkedLayers) -> dict[int, int]:
    return {daughter: mother for daughter, (mother,) in made.graph.items()}


def _described_anew(
    labels: Any, seen: Any, space: StackSpace, axis: str, parents: dict[int, int]
) -> tuple[LinkedLayers, dict[int, int] | None] | None:
    """Measure what changed, and say which cells have another id; None where nothing did."""
    now = np.array(labels)
    if np.array_equal(now, seen):
        return None
    return described(now, space, axis, parents), None if seen is None else same_cells(seen, now)
