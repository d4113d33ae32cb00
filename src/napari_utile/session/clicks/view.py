"""Actions on many cells at once: accept all certain ones in view, and find the unsure ones."""

from collections.abc import Generator
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from napari_utile.engine.arrays import Labels
from napari_utile.engine.cells.instances import InstanceParams, foreground_mask, label_instances
from napari_utile.engine.cells.uncertainty import confidences
from napari_utile.engine.clicks.markers import Marker
from napari_utile.engine.clicks.prompts import Probability, cut_sides
from napari_utile.engine.windows import Window
from napari_utile.engine.words import counted
from napari_utile.session.clicks.actions import Clicks
from napari_utile.session.clicks.label_plane import Edit, edit_of, joined_edits
from napari_utile.session.clicks.outcome import Action, Outcome

# More than this in view is too much to do at once. Pixels.
MOST_IN_VIEW = 1 << 24
# Cells whose centre is in view may reach this far out of it. Pixels.
_MARGIN = 64
_BLOCK = 1024


@dataclass(frozen=True)
class RatedCell:
    """A labelled cell, how sure the model is of it (0 to 1), and its middle (row, column)."""

    label: int
    confidence: float
    centre: tuple[float, float]


def accept_all(clicks: Clicks, view: Window, confidence: float) -> Action:
    """Take every instance whose centre is in view and of which the model is sure enough, as one edit.

    Parameters
    ----------
    view : Window
        Rows and columns in view.
    confidence : float
        The least confidence, 0..1.
    """
    if not view.size:
        return Outcome("The image is not in view.")
    if view.size > MOST_IN_VIEW:
        return Outcome("Zoom in first: there is too much in view to accept at once.")
    window = view.grown(_MARGIN).clipped(clicks.labels.shape)
    found, rated = yield instances_in(clicks.field, window, clicks.params)
    top, left = window.start
    present = clicks.labels.read(window)
    edits: list[Edit] = []
    markers: list[Marker] = []
    cells: list[int] = []
    unsure = taken = 0
    for cell, box in rated:
        block, mask = box.moved(window.start), found[box] == cell.label
        y, x = top + cell.centre[0], left + cell.centre[1]
        if not view.holds_point((y, x)):
            continue
        mask &= clicks.labels.reached(block)
        free = mask & (present[box] == 0)
        if not mask.any():
            continue
        if np.count_nonzero(free) < 0.5 * np.count_nonzero(mask):
            taken += 1
            continue
        if cell.confidence < confidence:
            unsure += 1
            continue
        label = clicks.next_label + len(cells)
        edit = edit_of(free, block.start, label)
        edits.append(edit)
        middle = np.argmin((edit.rows - y) ** 2 + (edit.columns - x) ** 2)
        point = int(edit.rows[middle]), int(edit.columns[middle])
        markers.append(Marker(point, label))
        cells.append(label)
    left_out = f"; {unsure} less certain ones were left" if unsure else ""
    if not edits:
        known = " All others are labelled." if taken else ""
        return Outcome(f"No new cell in view is certain enough{left_out}.{known}")
    clicks.next_label += len(cells)
    message = f"{counted(len(cells), 'cell')} accepted{left_out}."
    return Outcome(message, joined_edits(edits), markers=tuple(markers), cells=tuple(cells))


def instances_in(
    field: Probability, window: Window, params: InstanceParams
) -> Generator[None, None, tuple[Labels, list[tuple[RatedCell, Window]]]]:
    """Segment a window; returns its labels and [(RatedCell, box)] of the cells that it does not cut."""
    height = yield from field.height_steps(window)
    probability = yield from field.read_steps(window)
    cut = cut_sides(window, field.shape)
    mask = foreground_mask(probability, params, cut)
    labels = label_instances(probability, mask, params, height)
    whole = np.ones(int(labels.max()) + 1, dtype=bool)
    whole[labels[cut.rim(labels.shape)]] = False
    ids, confidence = confidences(labels, probability)
    boxes = ndimage.find_objects(labels)
    rated = []
    for label, sure in zip(ids.tolist(), confidence.tolist(), strict=True):
        if whole[label]:
            rows, columns = boxes[label - 1]
            y, x = (float(part.mean()) for part in np.nonzero(labels[rows, columns] == label))
            rated.append((RatedCell(label, sure, (y + rows.start, x + columns.start)), Window(rows, columns)))
    return labels, rated


def rate_cells(field: Probability, labels: Labels, window: Window) -> Generator[None, None, list[RatedCell]]:
    """Rate the labelled cells of a window by how sure the model is, the least sure first.

    Parameters
    ----------
    labels : (y, x) integer array
        A copy of the labels in the window.

    Yields
    ------
    None
        Before something is computed.
    """
    probability = np.zeros(labels.shape, dtype=np.float32)
    for block in _blocks_with_cells(labels):
        yield
        probability[block] = yield from field.read_steps(block.moved(window.start))
    ids, confidence = confidences(labels, probability)
    numbers = np.searchsorted(ids, labels) + 1
    numbers[labels == 0] = 0
    centres = ndimage.center_of_mass(numbers > 0, numbers, np.arange(1, ids.size + 1)) if ids.size else []
    rated = [
        RatedCell(int(label), float(sure), (float(y) + window[0].start, float(x) + window[1].start))
        for label, sure, (y, x) in zip(ids, confidence, centres, strict=True)
    ]
    return sorted(rated, key=lambda cell: (cell.confidence, cell.label))


def _blocks_with_cells(labels: Labels) -> list[Window]:
    """Cut an array into blocks, and crop each to the cells in it; blocks without cells are left out."""
    blocks = []
    for block in Window.whole(labels.shape).blocks(_BLOCK):
        cells = Window.of_mask(labels[block] != 0)
        if cells is not None:
            blocks.append(cells.moved(block.start).grown(2).clipped(labels.shape))
    return blocks
