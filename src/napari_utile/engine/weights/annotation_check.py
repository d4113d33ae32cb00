"""What is likely wrong in an annotation: cells without a gap, scattered pieces, holes and specks."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.measure import label as label_components

from napari_utile.engine.arrays import Labels
from napari_utile.engine.parameters import Bounds, check_bounds
from napari_utile.engine.weights.touching import as_cells, contacts, separate_touching
from napari_utile.engine.words import counted


@dataclass(frozen=True)
class AnnotationCheckParams:
    """What counts as wrong in an annotation."""

    speck_size: Annotated[
        int,
        Bounds(0, 1000, 1, "px²", "Specks up to", help="Pieces of at most this many pixels count as specks."),
    ] = 8

    def __post_init__(self) -> None:
        check_bounds(self)


@dataclass(frozen=True)
class Finding:
    """One thing that is likely wrong, and how to fix it.

    Attributes
    ----------
    kind : {"touching", "pieces", "hole", "speck"}
    cells : tuple of int
        The ids it is about.
    position : (float, float)
        Row and column of one of its pixels.
    size : int
        Pixels: of the contact, of the smaller pieces, of the hole or speck.
    text : str
        What is wrong, in words.
    fix : str
        What the fix does, in words.
    rows, columns : (N,) arrays
        The pixels that the fix changes.
    values : (N,) integer array
        What they become.
    """

    kind: str
    cells: tuple[int, ...]
    position: tuple[float, float]
    size: int
    text: str
    fix: str
    rows: NDArray[np.intp] = field(repr=False, compare=False)
    columns: NDArray[np.intp] = field(repr=False, compare=False)
    values: NDArray[Any] = field(repr=False, compare=False)


def check_annotation(labels: Any, params: AnnotationCheckParams | None = None) -> tuple[Finding, ...]:
    """Find what is likely wrong in a label image before it is trained on.

    Parameters
    ----------
    labels : (Y, X) array
        0 is background, every other value one cell.
    params : AnnotationCheckParams, optional

    Returns
    -------
    tuple of Finding
        Touching pairs, cells in several pieces, holes and specks, the largest of each kind first. Each can be fixed
        by itself; after a fix, check again.

    Raises
    ------
    ValueError
        Unless `labels` is two-dimensional and holds whole numbers from 0 up.
    """
    cells = as_cells(labels)
    params = params or AnnotationCheckParams()
    if cells.size == 0:
        return ()
    pieces, specks = _scattered(cells, params.speck_size)
    found: list[Finding] = []
    for kind in (_touching(cells), pieces, _holes(cells), specks):
        found += sorted(kind, key=lambda finding: (-finding.size, finding.cells))
    return tuple(found)


def apply_fix(labels: NDArray[Any], finding: Finding) -> None:
    """Carry out a fix in place."""
    labels[finding.rows, finding.columns] = finding.values


def _finding(
    kind: str, cells: tuple[int, ...], size: int, text: str, fix: str, places: tuple[Any, Any], values: Any
) -> Finding:
    rows, columns = places
    # The pixel of the set that is nearest to its centre.
    middle = int(np.argmin((rows - rows.mean()) ** 2 + (columns - columns.mean()) ** 2))
    position = (float(rows[middle]), float(columns[middle]))
    values = np.broadcast_to(np.asarray(values), rows.shape)
    return Finding(kind, cells, position, size, text, fix, rows, columns, values)


def _touching(cells: Labels) -> Iterator[Finding]:
    separated = separate_touching(cells)
    gone: list[NDArray[np.intp]] = []
    low: list[Labels] = []
    high: list[Labels] = []
    width = cells.shape[1]
    given = (separated == 0) & (cells != 0)
    for here, there, meets in contacts(cells):
        flat = np.flatnonzero(meets)
        y, x = np.divmod(flat, meets.shape[1])
        one, other = cells[here][y, x], cells[there][y, x]
        for side in (here, there):
            gives = given[side][y, x]
            row = y + (side[0].start or 0)
            column = x + (side[1].start or 0)
            gone.append((row * width + column)[gives])
            low.append(np.minimum(one, other)[gives])
            high.append(np.maximum(one, other)[gives])
    pixels, lows, highs = np.concatenate(gone), np.concatenate(low), np.concatenate(high)
    if not len(pixels):
        return
    ids, numbers = np.unique(np.stack([lows, highs]), return_inverse=True)
    pair, group = np.unique(numbers.reshape(2, -1).T @ [len(ids), 1], return_inverse=True)
    order = np.argsort(group, kind="stable")
    for number, members in zip(
        pair, np.split(pixels[order], np.cumsum(np.bincount(group))[:-1]), strict=True
    ):
        one_id, other_id = int(ids[number // len(ids)]), int(ids[number % len(ids)])
        places = np.divmod(np.unique(members), width)
        size = len(places[0])
        text = f"Cells {one_id} and {other_id} touch without a gap ({size} pixels)."
        yield _finding(
            "touching", (one_id, other_id), size, text, "Put one pixel of background between them.", places, 0
        )


def _scattered(cells: Labels, speck_size: int) -> tuple[list[Finding], list[Finding]]:
    """Find cells in several pieces, and pieces too small to be meant."""
    components, count = label_components(cells, connectivity=2, background=0, return_num=True)
    if count == 0:
        return [], []
    sizes = np.bincount(components.ravel(), minlength=count + 1)
    boxes = ndimage.find_objects(components)
    owners = np.zeros(count + 1, cells.dtype)
    owners[components.ravel()] = cells.ravel()
    next_id = int(cells.max()) + 1
    pieces: list[Finding] = []
    specks: list[Finding] = []
    ids, pieces_of = np.unique(owners[1:], return_counts=True)
    for component in np.flatnonzero(sizes <= speck_size):
        if component == 0:
            continue
        cell = int(owners[component])
        text = f"A speck of {sizes[component]} pixels has the id {cell}."
        places = _pixels(components, boxes, int(component))
        specks.append(_finding("speck", (cell,), int(sizes[component]), text, "Erase it.", places, 0))
    scattered = ids[pieces_of > 1]
    members = np.flatnonzero(np.isin(owners, scattered) & (np.arange(count + 1) > 0) & (sizes > speck_size))
    for cell_id in scattered:
        parts = members[owners[members] == cell_id]
        if len(parts) < 2:
            continue
        parts = parts[np.argsort(-sizes[parts], kind="stable")]
        others = [_pixels(components, boxes, int(part)) for part in parts[1:]]
        values = np.repeat(np.arange(next_id, next_id + len(others)), [len(rows) for rows, _ in others])
        next_id += len(others)
        rows, columns = (np.concatenate(axis) for axis in zip(*others, strict=True))
        text = f"Cell {int(cell_id)} is in {len(parts)} pieces."
        fix = "Give each piece but the largest an id of its own."
        pieces.append(_finding("pieces", (int(cell_id),), len(values), text, fix, (rows, columns), values))
    return pieces, specks


def _holes(cells: Labels) -> Iterator[Finding]:
    gaps, count = label_components(cells == 0, connectivity=1, background=0, return_num=True)
    height, width = cells.shape
    for gap, box in enumerate(ndimage.find_objects(gaps, count), start=1):
        rows, columns = box
        if rows.start == 0 or columns.start == 0 or rows.stop == height or columns.stop == width:
            continue
        around = slice(rows.start - 1, rows.stop + 1), slice(columns.start - 1, columns.stop + 1)
        hole = gaps[around] == gap
        ring = ndimage.binary_dilation(hole, np.ones((3, 3), bool)) & ~hole
        neighbours = np.unique(cells[around][ring])
        neighbours = neighbours[neighbours != 0]
        if len(neighbours) != 1:
            continue
        y, x = np.nonzero(hole)
        cell = int(neighbours[0])
        text = f"Cell {cell} has a hole of {counted(len(y), 'pixel')}."
        places = (y + around[0].start, x + around[1].start)
        yield _finding("hole", (cell,), len(y), text, "Fill it.", places, neighbours[0])


def _pixels(components: NDArray[Any], boxes: list[Any], which: int) -> tuple[Any, Any]:
    rows, columns = boxes[which - 1]
    y, x = np.nonzero(components[rows, columns] == which)
    return y + rows.start, x + columns.start
