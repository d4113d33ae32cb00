"""What a click does, without Qt and napari: actions that look at labels and probability and give one edit each.

An action runs where the labels live, on the GUI thread, and yields the slow part, reading the probability, to be
run elsewhere; see `napari_utile.engine.steps.Run`. The labels are looked at after the answer is there, so painting
in between is never lost.
"""

import dataclasses
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
from scipy import ndimage

from napari_utile.engine.arrays import BoolArray, Float32Array
from napari_utile.engine.cells.between import split_between
from napari_utile.engine.cells.instances import InstanceParams
from napari_utile.engine.clicks import corrections
from napari_utile.engine.clicks.following import Section, first_section, next_section
from napari_utile.engine.clicks.markers import Marker, cells_from_markers
from napari_utile.engine.clicks.prompts import SMALLEST_RADIUS, Cell, Probability, Steps, cell_at
from napari_utile.engine.windows import Window
from napari_utile.engine.words import counted
from napari_utile.session.clicks.label_plane import LabelPlane, edit_of, joined_edits
from napari_utile.session.clicks.outcome import Action, Outcome

Point = tuple[int, int]

# A cell of which less than this share is free is one that was labelled before.
_FREE_SHARE = 0.5

SELECT_FIRST = "Click on a cell first, then make it larger or smaller."
"""What is said where no cell is selected."""


_OUTSIDE = Outcome("That is outside the layer for the cells; choose a new layer.")
Beside = Callable[[int], Generator[Steps, Any, "Clicks | None"]]
"""Gives the actions on the plane that is so many planes deeper; None where there is none."""


@dataclass
class Clicks:
    """The actions on one plane.

    Attributes
    ----------
    field : Probability
        Of a cell, on the same pixels.
    next_label : int
        The next free one; counts up.
    markers : list of Marker
        Those that stand, to split between and to keep inside.
    overwrite : bool
        Whether a new cell takes pixels of others.
    radius : int
        Half the width of the first window that is read.
    windows : mapping of int to Window
        Where cells that were clicked before lie.
    """

    labels: LabelPlane
    field: Probability
    params: InstanceParams
    next_label: int = 1
    markers: list[Marker] = dataclasses.field(default_factory=list)
    overwrite: bool = False
    radius: int = SMALLEST_RADIUS
    windows: Mapping[int, Window] = dataclasses.field(default_factory=dict)

    def take(self, point: Point) -> Action:
        """Take the cell at a point under the next free label; select it where it is labelled already."""
        if not self.labels.holds(point):
            return _OUTSIDE
        if label := self.labels.at(point):
            return Outcome(f"Cell {label} is selected.", selected=label)
        cell = yield cell_at(self.field, point, self.params, self.radius)
        if label := self.labels.at(point):  # taken or painted meanwhile
            return Outcome(f"Cell {label} is selected.", selected=label)
        if cell is None:
            return Outcome("The model sees no cell here. Lower the threshold, or paint it.", selected=0)
        found = self.room_for(cell, point)
        if isinstance(found, int):
            return Outcome(f"Cell {found} is selected; the rest of it was not added.", selected=found)
        label = self._new_label()
        edit = edit_of(found, cell.window.start, label)
        marker = Marker(point, label)
        return Outcome(
            f"Cell {label}: {counted(len(edit), 'pixel')}.", edit, label, (marker,), cells=(label,)
        )

    def follow(self, point: Point, beside: Beside) -> Action:
        """Take the cell at a point, and its sections in the planes above and below until the model is not sure."""
        outcome: Outcome = yield from self.take(point)
        if outcome.edit is None or not outcome.selected:
            return outcome
        edit, label, further = outcome.edit, outcome.selected, []
        mask = np.zeros(edit.window.shape, bool)
        mask[edit.rows - edit.window.start[0], edit.columns - edit.window.start[1]] = True
        start: Section = yield first_section(self.field, Cell(edit.window, mask))
        for direction in (1, -1):
            section, distance = start, direction
            while (clicks := (yield from beside(distance))) is not None:
                found = yield next_section(clicks.field, section, self.params, self.radius)
                if found is None:
                    break
                section, distance = found, distance + direction
                free = clicks.free_part(section.cell)
                if free is None:
                    break
                further.append((clicks.labels, edit_of(free, section.cell.window.start, label)))
        planes = len(further) + 1
        message = outcome.message if planes == 1 else f"Cell {label} in {planes} planes."
        return dataclasses.replace(outcome, message=message, further=tuple(further))

    def free_part(self, cell: Cell) -> BoolArray | None:
        """Return what a section may take of its window; None where most of it has a label already."""
        mask = cell.mask & self.labels.reached(cell.window)
        free = mask & (self.overwrite | (self.labels.read(cell.window) == 0))
        return None if np.count_nonzero(free) < _FREE_SHARE * np.count_nonzero(cell.mask) else free

    def room_for(self, cell: Cell, point: Point) -> BoolArray | int:
        """Return what a new cell may take of its window, or the label that most of it has already."""
        present = self.labels.read(cell.window)
        mask = cell.mask & self.labels.reached(cell.window)
        free = mask & (present == 0)
        if np.count_nonzero(free) < _FREE_SHARE * np.count_nonzero(mask):
            labels, pixels = np.unique(present[mask & (present != 0)], return_counts=True)
            return int(labels[pixels.argmax()])
        if self.overwrite:
            return mask
        pieces, _ = ndimage.label(free)
        top, left = cell.window.start
        here = pieces[point[0] - top, point[1] - left]
        return np.asarray(pieces == here)

    def split(self, point: Point) -> Action:
        """Split the cell at a point between its markers and this one."""
        if not self.labels.holds(point):
            return _OUTSIDE
        label = self.labels.at(point)
        if not label:
            return (yield from self.take(point))
        window = self._around_object(point)
        probability, height = yield self._read(window)
        if self.labels.at(point) != label:
            return _gone(label)
        box, mask = self.labels.object_at(point)
        here, others = _local(point, box), self._markers_in(box, mask)
        others = [each for each in others if each != here] or corrections.deepest_points(mask, [here])
        if not others:
            return Outcome(f"Cell {label} is too small to split.", selected=label)
        groups = [others, [here]]
        likely, hills = _crop(probability, window, box), _crop(height, window, box)
        parts = split_between(mask, likely, groups, hills)
        new = self._new_label()
        edit = edit_of(parts == 2, box.start, new)
        markers = [Marker(point, new, "split")]
        if not any(marker.inside and marker.cell == label for marker in self.markers):
            top, left = box.start
            markers.insert(0, Marker((others[0][0] + top, others[0][1] + left), label))
        message = f"Split into cells {label} and {new}."
        return Outcome(message, edit, new, tuple(markers), cells=(label, new))

    def _read(self, window: Window) -> Steps:
        """Read probability and height of a window."""
        probability = yield from self.field.read_steps(window)
        height = yield from self.field.height_steps(window)
        return probability, height

    def push_back(self, point: Point) -> Action:
        """Say that a pixel is background: the cell at it loses that part."""
        if not self.labels.holds(point):
            return _OUTSIDE
        label = self.labels.at(point)
        if not label:
            return Outcome("This is background already.")
        window = self._around_object(point)
        probability, height = yield self._read(window)
        if self.labels.at(point) != label:
            return _gone(label)
        box, mask = self.labels.object_at(point)
        here = _local(point, box)
        inside = [each for each in self._markers_in(box, mask) if each != here]
        likely, hills = _crop(probability, window, box), _crop(height, window, box)
        kept = corrections.push_back(mask, likely, inside, [here], hills)
        edit = edit_of(mask & ~kept, box.start, 0)
        top, left = box.start
        # The cell lies beside the marker from now on; where nothing of it is left, there is nothing to mark.
        middles = [(y + top, x + left) for y, x in corrections.deepest_points(kept, [])]
        markers = tuple(Marker(point, label, "background", beside=each) for each in middles)
        return Outcome(
            f"Cell {label} gave back {counted(len(edit), 'pixel')}.", edit, label, markers, cells=(label,)
        )

    def merge(self, points: list[Point]) -> Action:
        """Merge the cells along a way into the first one; at an end without a label, what the model sees there."""
        seen: dict[int, Point] = {}
        for point in points:
            if self.labels.holds(point) and (label := self.labels.at(point)):
                seen.setdefault(label, point)
        end = points[-1] if points and self.labels.holds(points[-1]) else None
        if len(seen) == 1 and end is not None and not self.labels.at(end):
            return (yield from self._add(end, *seen.items()))
        if len(seen) < 2:
            return Outcome("Hold Shift and drag from one cell into another to merge them.")
        objects = {label: self.labels.object_at(point) for label, point in seen.items()}
        window = self.labels.around(Window.around(box for box, _ in objects.values()), 1)
        present = self.labels.read(window)
        masks = [present == label for label in objects]
        first, *others = objects
        if gap := corrections.too_far(masks):
            return Outcome(
                f"Cells {first} and {others[-1]} are {gap:.0f} px apart, too far to be one. To move the image, drag "
                "without Shift."
            )
        merged = corrections.merge_masks(masks, present == 0)
        edit = edit_of(merged & ~masks[0], window.start, first)
        names = ", ".join(str(label) for label in others)
        return Outcome(f"Cell {names} is now part of cell {first}.", edit, first, cells=(first, *others))

    def _add(self, end: Point, cell: tuple[int, Point]) -> Action:
        label, point = cell
        found = yield cell_at(self.field, end, self.params, self.radius)
        if self.labels.at(point) != label or self.labels.at(end):
            return _gone(label)
        if found is None:
            return Outcome(f"The model sees nothing there to add to cell {label}.", selected=label)
        box, _ = self.labels.object_at(point)
        window = self.labels.around(Window.around([box, found.window]), 1)
        present = self.labels.read(window)
        own, free = present == label, present == 0
        added = np.zeros_like(own)
        added[found.window.relative_to(window)] = found.mask
        if gap := corrections.too_far([own, added]):
            return Outcome(
                f"That is {gap:.0f} px from cell {label}, too far to belong to it: click to take it. To move the "
                "image, drag without Shift.",
                selected=label,
            )
        merged = corrections.merge_masks([own, added & free], free)
        edit = edit_of(merged & ~own, window.start, label)
        marker = Marker(end, label)
        return Outcome(
            f"{len(edit)} pixels were added to cell {label}.", edit, label, (marker,), cells=(label,)
        )

    def remove(self, point: Point) -> Action:
        """Remove the cell at a point."""
        yield from ()
        if not self.labels.holds(point):
            return _OUTSIDE
        label = self.labels.at(point)
        if not label:
            return Outcome("There is no cell here to remove.")
        box, mask = self.labels.object_at(point)
        return Outcome(f"Cell {label} is removed.", edit_of(mask, box.start, 0), 0, cells=(label,))

    def resize(self, point: Point | None, steps: int) -> Action:
        """Grow (`steps` above 0) or shrink the cell at a point along the probability contour; None for no cell."""
        if point is None:
            return Outcome(SELECT_FIRST)
        if not self.labels.holds(point):
            return _OUTSIDE
        label = self.labels.at(point)
        if not label:
            return Outcome(SELECT_FIRST)
        window = self._around_object(point, margin=abs(steps) + 1)
        probability = yield self.field.read_steps(window)
        if self.labels.at(point) != label:
            return _gone(label)
        box, own = self.labels.object_at(point)
        wide = self.labels.around(box, abs(steps) + 1)
        present = self.labels.read(wide)
        before = present == label
        likely, mask = _crop(probability, window, wide), before
        inside = [_local(each, wide.relative_to(box)) for each in self._markers_in(box, own)]
        for _ in range(abs(steps)):
            if steps > 0:
                mask = corrections.grow(mask, likely, present == 0)
            else:
                mask = corrections.shrink(mask, likely, inside)
        edits = [edit_of(mask & ~before, wide.start, label), edit_of(before & ~mask, wide.start, 0)]
        area = int(np.count_nonzero(mask))
        threshold = _contour_of(mask, likely)
        edit = joined_edits(edits)
        if not len(edit):
            return Outcome(f"Cell {label} cannot change further here.", selected=label)
        return Outcome(
            f"Cell {label}: {counted(area, 'pixel')}.", edit, label, threshold=threshold, cells=(label,)
        )

    def apply_markers(self) -> Action:
        """Make all cells with markers again from the probability; everything else stays."""
        standing = list(self.markers)
        if not any(marker.inside for marker in standing):
            return Outcome("No marker lies in a cell: click on cells first.")
        cells = yield cells_from_markers(self.field, standing, self.params, self.radius)
        labels = {marker.cell for marker in standing if marker.inside}
        edits = []
        for label in cells:  # also where a marker was moved away from
            window = self.windows.get(label)
            points = [marker.point for marker in standing if marker.cell == label and marker.inside]
            if window is not None:
                edits.append(edit_of(self.labels.read(window) == label, window.start, 0))
            for point in points:
                if self.labels.at(point) == label:
                    box, mask = self.labels.object_at(point)
                    edits.append(edit_of(mask, box.start, 0))
        for label, cell in cells.items():
            present = self.labels.read(cell.window)
            free = (present == 0) | np.isin(present, list(labels)) | self.overwrite
            edits.append(edit_of(cell.mask & free, cell.window.start, label))
        missing = len(labels) - len(cells)
        note = f" {missing} had nothing under their markers and stay." if missing else ""
        if not edits:
            return Outcome(f"Nothing was found under the markers.{note}")
        edit = self.labels.changed(joined_edits(edits))
        self.next_label = max(self.next_label, max(labels) + 1)
        changed = tuple(sorted(labels))
        return Outcome(
            f"{counted(len(cells), 'cell')} computed again.{note}", edit if len(edit) else None, cells=changed
        )

    def _new_label(self) -> int:
        label = self.next_label
        self.next_label += 1
        return label

    def _around_object(self, point: Point, margin: int = 1) -> Window:
        box, _ = self.labels.object_at(point)
        return self.labels.around(box, margin)

    def _markers_in(self, box: Window, mask: BoolArray) -> list[Point]:
        """Return the markers inside a cell's mask, in its own coordinates."""
        found = []
        for marker in self.markers:
            if marker.inside and marker.point in Cell(box, mask):
                found.append(_local(marker.point, box))
        return sorted(set(found))


def _local(point: Sequence[int], window: Window) -> Point:
    """Express a pixel of the plane in coordinates of a window."""
    return point[0] - window[0].start, point[1] - window[1].start


@overload
def _crop(values: Float32Array, window: Window, box: Window) -> Float32Array: ...
@overload
def _crop(values: None, window: Window, box: Window) -> None: ...
def _crop(values: Float32Array | None, window: Window, box: Window) -> Float32Array | None:
    """Cut a box out of a window that was read, if anything was; what was not read counts as 0."""
    if values is None:
        return None
    cut = np.zeros(box.shape, dtype=np.float32)
    both = window & box
    cut[both.relative_to(box)] = values[both.relative_to(window)]
    return cut


def _contour_of(mask: BoolArray, probability: Float32Array) -> float:
    """Return the probability threshold that an outline stands for: between what lies just inside and outside."""
    inner = mask & ~ndimage.binary_erosion(mask)
    outer = ndimage.binary_dilation(mask) & ~mask
    sides = [float(np.median(probability[side])) for side in (inner, outer) if side.any()]
    return float(np.clip(np.mean(sides), 0.02, 0.98)) if sides else 0.5


def _gone(label: int) -> Outcome:
    return Outcome(f"Cell {label} has changed since; click again.")
