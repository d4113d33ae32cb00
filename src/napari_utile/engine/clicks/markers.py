"""Clicks as lasting constraints: markers that say which cells there are, and the cells they make.

The cells follow from the markers and the probability alone, in whatever order the markers were set. So
markers can be moved, saved, and applied again to a new prediction or with another model. As rows of a table they are
what a layer of points holds, and the CSV file that napari saves it to.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_utile.engine.arrays import BoolArray
from napari_utile.engine.cells.between import split_between
from napari_utile.engine.cells.instances import InstanceParams
from napari_utile.engine.clicks.corrections import merge_masks, push_back
from napari_utile.engine.clicks.prompts import SMALLEST_RADIUS, Cell, Probability, cell_at, cell_from_mask
from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.tables import Table
from napari_utile.engine.windows import Window

KINDS = ("cell", "split", "background")
_COLUMNS = ("kind", "cell", "order")


@dataclass(frozen=True)
class Marker:
    """One click that stays.

    Attributes
    ----------
    point : tuple of int
        Index of a pixel: row and column of a plane, or one entry per axis of an array of labels.
    cell : int
        Label of the cell it belongs to. Markers of one cell that lie in different objects merge them;
        markers of different cells in one object split it.
    kind : str
        One of `KINDS`. The pixel of "cell" and "split" lies inside the cell, that of "background" does not.
    threshold : float, optional
        The probability threshold at which the cell was outlined; the parameters' by default.
    order : int
        Counts up; stands for the marker.
    stands : bool
        False while the click that set it is undone.
    moved : bool
        True from when a user moves or loads it until it is applied.
    beside : tuple of int, optional
        Of a "background" marker that was clicked, a pixel of the cell that it took pixels from.
    """

    point: tuple[int, ...]
    cell: int
    kind: str = "cell"
    threshold: float | None = None
    order: int = 0
    stands: bool = True
    moved: bool = False
    beside: tuple[int, ...] | None = None

    @property
    def inside(self) -> bool:
        """Whether its pixel lies inside the cell."""
        return self.kind != "background"

    def placed(self, position: Callable[[tuple[int, ...]], tuple[int, ...]]) -> "Marker":
        """Return the marker with its pixels where a function puts them, such as from a plane into an array."""
        beside = None if self.beside is None else position(self.beside)
        return replace(self, point=position(self.point), beside=beside)

    def on_plane(self, index: Sequence[int | slice], offset: Sequence[int] = (0, 0)) -> "Marker | None":
        """Return the marker at row and column of the plane at `index`; None where it lies on another one.

        The array of labels begins at `offset` in the plane.
        """
        steps = list(zip(index, self.point, strict=True))
        if any(entry != step for entry, step in steps if not isinstance(entry, slice)):
            return None
        place = [step for entry, step in steps if isinstance(entry, slice)]
        return replace(self, point=(place[0] + offset[0], place[1] + offset[1]), beside=None)


def label_marked_cells(
    field: Probability, markers: Sequence[Marker], params: InstanceParams, radius: int = SMALLEST_RADIUS
) -> Generator[None, None, NDArray[np.int32]]:
    """Label the cells that markers ask for; only what is around them is computed.

    Parameters
    ----------
    field, params, radius
        As for `cells_from_markers`.
    markers : sequence of Marker
        Those outside the plane say nothing.

    Returns
    -------
    (Y, X) int32 array
        The markers' cells under their labels. Labels whose markers lie where the model sees nothing are missing.
    """
    on_plane = [each for each in markers if Window.whole(field.shape).holds_point(each.point)]
    cells = yield from cells_from_markers(field, on_plane, params, radius)
    labels = np.zeros(field.shape, dtype=np.int32)
    for label, cell in cells.items():
        labels[cell.window][cell.mask] = label
    return labels


def cells_from_markers(
    field: Probability, markers: Sequence[Marker], params: InstanceParams, radius: int = SMALLEST_RADIUS
) -> Generator[None, None, dict[int, Cell]]:
    """Make the cells that the markers ask for.

    Parameters
    ----------
    field : Probability
    markers : sequence of Marker
        On the plane; their order does not matter.
    params : InstanceParams
    radius : int
        See `prompts.cell_at`.

    Yields
    ------
    None
        Before something is computed.

    Returns
    -------
    dict of int to Cell
        By label. Labels whose markers lie where the model sees nothing are missing. No two cells share a
        pixel.
    """
    objects = yield from _objects_under(field, markers, params, radius)
    parts: dict[int, list[Cell]] = {}
    background = [marker.point for marker in markers if not marker.inside]
    for cell, inside in objects:
        split = yield from _split(field, cell, inside, [point for point in background if point in cell])
        for label, part in split:
            parts.setdefault(label, []).append(part)
    taken: list[Cell] = []
    made = {}
    for label in sorted(parts):
        others = [part for other, cells in parts.items() if other != label for part in cells]
        joined = _joined(parts[label], taken, others, background)
        if joined is not None:
            made[label] = joined
            taken.append(joined)
    return made


def _objects_under(
    field: Probability, markers: Sequence[Marker], params: InstanceParams, radius: int
) -> Generator[None, None, list[tuple[Cell, list[Marker]]]]:
    """Find the model's object under each positive marker, each object once with all of its markers."""
    objects: list[tuple[Cell, list[Marker]]] = []
    for marker in sorted((m for m in markers if m.inside), key=lambda m: (m.point, m.cell)):
        level = params if marker.threshold is None else replace(params, threshold=marker.threshold)
        cell = yield from cell_at(field, marker.point, level, radius)
        if cell is None:
            continue
        for known, inside in objects:
            if known.same_pixels(cell):
                inside.append(marker)
                break
        else:
            objects.append((cell, [marker]))
    return objects


def _split(
    field: Probability, cell: Cell, inside: list[Marker], background: list[tuple[int, ...]]
) -> Generator[None, None, list[tuple[int, Cell]]]:
    """Split an object between the cells that its markers belong to, and push back its background markers."""
    labels = sorted({marker.cell for marker in inside})
    top, left = cell.window.start
    groups = {
        label: [(m.point[0] - top, m.point[1] - left) for m in inside if m.cell == label] for label in labels
    }
    claimed = {point for points in groups.values() for point in points}
    outside = sorted({(y - top, x - left) for y, x in background} - claimed)
    if len(labels) == 1 and not outside:
        return [(labels[0], cell)]
    probability = yield from field.read_steps(cell.window)
    height = yield from field.height_steps(cell.window)
    kept = [point for points in groups.values() for point in points]
    mask = push_back(cell.mask, probability, kept, outside, height)
    parts = split_between(mask, probability, list(groups.values()), height)
    found = []
    for number, label in enumerate(labels, start=1):
        part = cell_from_mask(parts == number, (top, left), cell.threshold)
        if part is not None:
            found.append((label, part))
    return found


def _joined(
    parts: list[Cell],
    taken: list[Cell],
    others: list[Cell],
    background: list[tuple[int, ...]],
) -> Cell | None:
    """Join the parts of one cell; leave out what another cell took, and build bridges around all others."""
    window = Window.around(part.window for part in parts)
    free = np.ones(window.shape, dtype=bool)
    for other in taken:
        _paint(free, window, other, False)
    masks = []
    for part in parts:
        mask = np.zeros(free.shape, dtype=bool)
        _paint(mask, window, part, True)
        masks.append(mask & free)
    masks = [mask for mask in masks if mask.any()]
    if not masks:
        return None
    for other in others:
        _paint(free, window, other, False)
    for y, x in background:
        if window.holds_point((y, x)):
            free[y - window[0].start, x - window[1].start] = False
    merged = merge_masks(masks, free) if len(masks) > 1 else masks[0]
    return cell_from_mask(merged, window.start, min(part.threshold for part in parts))


def _paint(mask: BoolArray, window: Window, cell: Cell, value: bool) -> None:
    """Set the pixels of a cell in an array that covers a window of the plane."""
    both = cell.window & window
    mask[both.relative_to(window)][cell.mask[both.relative_to(cell.window)]] = value


def markers_of_table(positions: NDArray[Any], columns: Mapping[str, Any]) -> list[Marker]:
    """Read the markers of a table; points without a known kind, such as those added by hand, say nothing.

    Parameters
    ----------
    positions : (N, D) array
    columns : mapping of str to (N,) arrays
        "kind", "cell" and "order"; "threshold" may be missing.

    Raises
    ------
    ValueError
        If a column is missing.
    """
    missing = [name for name in _COLUMNS if name not in columns]
    if missing:
        raise ValueError(f"These points are not markers: they have no column {', '.join(missing)}.")
    thresholds = columns.get("threshold", np.full(len(positions), np.nan))
    rows = zip(positions, *(columns[name] for name in _COLUMNS), thresholds, strict=True)
    return [
        Marker(
            tuple(int(np.floor(float(part) + 0.5)) for part in position),
            int(cell),
            str(kind),
            float(threshold) if np.isfinite(threshold) else None,
            int(order),
        )
        for position, kind, cell, order, threshold in rows
        if kind in KINDS and np.isfinite([cell, order]).all() and np.isfinite(position).all()
    ]


def read_markers(path: Path) -> list[Marker]:
    """Read the CSV file that napari saves a layer of markers to.

    Raises
    ------
    UtileError
        If the file cannot be read, or holds no markers.
    """
    table = Table(path)
    rows = list(table)
    axes = sorted(
        (name for name in table.columns if name.startswith("axis-")), key=lambda name: (len(name), name)
    )
    if len(axes) < 2 or not rows:
        raise UtileError(f"{path} holds no points: napari saves them with the columns axis-0, axis-1 ...")
    try:
        positions = np.array([[float(row[name]) for name in axes] for row in rows])
        columns: dict[str, list[Any]] = {
            name: [_number(row[name]) for row in rows]
            for name in ("cell", "order", "threshold")
            if name in table.columns
        }
    except ValueError as error:
        raise UtileError(f"{path} holds a marker that cannot be read: {error}.") from error
    if "kind" in table.columns:
        columns["kind"] = [row["kind"] for row in rows]
    try:
        return markers_of_table(positions, columns)
    except ValueError as error:
        raise UtileError(f"{path}: {error}") from error


def _number(text: str) -> float:
    return float(text) if text else float("nan")
