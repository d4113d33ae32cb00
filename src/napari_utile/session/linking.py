"""Linked labels as layers: a stack of labels with one id for one cell, its table, and tracks with their divisions."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.plane_file import Planes
from napari_utile.engine.linking.edits import StackEdit, divide, split
from napari_utile.engine.linking.links import Links, divisions_left, link_planes
from napari_utile.engine.linking.measure import ID_COLUMN, Spacing, link_table
from napari_utile.engine.linking.params import LinkParams
from napari_utile.engine.linking.sections import count, gathered
from napari_utile.session.own_columns import same_cells


@dataclass(frozen=True)
class StackSpace:
    """What the axes of a stack of labels are, and how far apart its pixels.

    Attributes
    ----------
    letters : str
        What each axis before Y and X is: "T", "Z", "TZ" or "ZT".
    pixel_size, unit, steps
        See `Spacing`.
    """

    letters: str
    pixel_size: tuple[float, float] | None = None
    unit: str | None = None
    steps: Mapping[str, tuple[float, str | None]] | None = None

    @property
    def spacing(self) -> Spacing:
        """How large pixels are, and how far apart planes."""
        return Spacing(self.pixel_size, self.unit, self.steps)


@dataclass(frozen=True, eq=False)
class LinkedLayers:
    """What linking gives to show.

    Attributes
    ----------
    labels : int32 array
        Of the shape that was given, with the ids of objects or tracks.
    features : dict of str to (N,) arrays
        A row an object or a track; the column ``index`` holds its id, as napari's table wants it.
    tracks : (M, 1 + axes) float64 array
        A row a section: id, then its place along every axis, as napari's Tracks want it. Empty for objects.
    graph : dict of int to list of int
        Daughter -> [mother].
    kept : frozenset of int
        What the ids that were corrected by hand are called now.
    summary : str
        In a phrase: ``"12 tracks, 2 divisions"``.
    """

    labels: NDArray[np.int32]
    features: dict[str, NDArray[Any]]
    tracks: NDArray[np.float64]
    graph: dict[int, list[int]]
    kept: frozenset[int]
    summary: str

    @property
    def parents(self) -> dict[int, int]:
        """Daughter -> mother."""
        return {daughter: mother for daughter, (mother,) in self.graph.items()}


def link_layers(
    labels: Any,
    space: StackSpace,
    params: LinkParams,
    kept: Collection[int] = (),
    parents: Mapping[int, int] | None = None,
) -> LinkedLayers:
    """Link the labels of a layer.

    Parameters
    ----------
    labels : (..., Y, X) integer array
    kept : collection of int
        Ids that were corrected by hand: see `link_planes`.
    parents : mapping of int to int, optional
        Of the kept ones: daughter -> mother.

    Raises
    ------
    UtileError
        If there are no planes along the axis.
    """
    planes = _planes(labels, space)
    links = link_planes(planes, params, kept, parents)
    linked = np.stack(list(links.of_planes(planes).read())).reshape(planes.shape)
    by_hand = np.isin(links.sections.label, np.fromiter(kept, np.int64))
    return _layers(linked, links, space, frozenset(links.ids[by_hand].tolist()))


def described(labels: Any, space: StackSpace, axis: str, parents: Mapping[int, int]) -> LinkedLayers:
    """Measure objects or tracks as they are, for example after a correction; their ids stay.

    Parameters
    ----------
    labels : (..., Y, X) integer array
        With one id a cell.
    axis : {"Z", "T"}
    parents : mapping of int to int
        Daughter -> mother; divisions of which a cell is not there are left out.
    """
    planes = _planes(labels, space)
    sections = gathered([count(planes.read())])
    left = divisions_left(parents, set(sections.label.tolist()))
    links = Links(axis, sections, sections.label, left)
    return _layers(np.asarray(labels), links, space, frozenset())


def described_anew(
    labels: Any, seen: LinkedLayers | None, space: StackSpace, axis: str, parents: Mapping[int, int]
) -> tuple[LinkedLayers, dict[int, int] | None] | None:
    """Measure what is not as it was seen last, and say which cells have another id; None where all is.

    Parameters
    ----------
    seen : LinkedLayers, optional
        Of labels of the same shape.
    labels, space, axis, parents
        See `described`.
    """
    now = np.array(labels)  # it may be painted on meanwhile
    if seen is None:
        return described(now, space, axis, parents), None
    left = divisions_left(parents, set(seen.features["index"].tolist()))
    if np.array_equal(now, seen.labels) and left == seen.parents:
        return None
    return described(now, space, axis, parents), same_cells(seen.labels, now)


def corrected(labels: Any, space: StackSpace, axis: str, steps: Sequence[int], correct: Any) -> StackEdit:
    """Correct objects or tracks of the stack along an axis that goes through a plane.

    Parameters
    ----------
    labels : (..., Y, X) integer array
    axis : {"Z", "T"}
    steps : sequence of int
        Where the plane lies along the axes before Y and X.
    correct : callable
        Gets the stack (planes, Y, X) and gives a `StackEdit` of it.

    Returns
    -------
    StackEdit
        Of all labels.

    Raises
    ------
    UtileError
        If there are several stacks, or it cannot be done.
    """
    shape = np.shape(labels)
    along = space.letters.index(axis)
    if any(size > 1 for place, size in enumerate(shape[:-2]) if place != along):
        raise UtileError("Corrections are for stacks with one slider: choose one depth or one time point.")
    stack = np.asarray(labels).reshape(shape[along], *shape[-2:])
    edit: StackEdit = correct(stack)
    plane, *pixel = edit.index
    outer = [
        plane if place == along else np.full_like(plane, steps[place]) for place in range(len(shape) - 2)
    ]
    return replace(edit, index=(*outer, *pixel))


def marked_division(
    labels: NDArray[np.integer[Any]], mother: int, daughters: tuple[int, int], plane: int
) -> tuple[StackEdit, dict[int, int]]:
    """Mark a division, see `divide`; also where no cell needs another id one gets it, so that it can be undone."""
    edit, parents = divide(labels, mother, daughters, plane)
    if edit.values.size:
        return edit, parents
    first, second = daughters
    new = int(labels.max()) + 1
    index = np.nonzero(labels == first)
    said = f"Cell {mother} divides into {new} and {second}."
    values = np.full(index[0].size, new, np.int64)
    return StackEdit(index, values, (mother, new, second), said), dict.fromkeys((new, second), mother)


def carried(
    labels: NDArray[np.integer[Any]], index: Sequence[NDArray[np.intp]], values: NDArray[np.integer[Any]]
) -> tuple[tuple[NDArray[np.intp], ...], NDArray[np.int64]]:
    """Say what a correction in one plane means for the other planes of the objects or tracks that it meets.

    A cell that is gone from the plane, as it was removed or merged, goes from the others as well; one of which a part
    became a new cell is separated there, too.

    Parameters
    ----------
    labels : (..., Y, X) integer array
        As they are before the correction. With several stacks, nothing is carried on.
    index : tuple of int arrays
        The pixels that are corrected, all in one plane.
    values : int array
        Their new ids.

    Returns
    -------
    index, values
        Further pixels, in other planes.
    """
    outer = tuple(int(axis[0]) for axis in index[:-2])
    none = tuple(np.zeros(0, np.intp) for _ in index), np.zeros(0, np.int64)
    if sum(size > 1 for size in labels.shape[:-2]) != 1:
        return none
    before = labels[outer]
    after = before.copy()
    after[index[-2], index[-1]] = values
    stack = labels.reshape(-1, *labels.shape[-2:])
    here = int(np.ravel_multi_index(outer, labels.shape[:-2]))
    further = stack.copy()
    for cell in np.unique(before[before != after]):
        become = np.unique(after[(before == cell) & (after != cell)])
        if cell == 0 or become.size != 1:
            continue
        new = int(become[0])
        if not (after == cell).any():
            further[stack == cell] = new
        elif new and not (stack == new).any():
            first, second = (_deepest((before == cell) & (after == each)) for each in (cell, new))
            edit = split(stack, int(cell), (here, *first), (here, *second))
            further[edit.index] = new
    further[here] = stack[here]
    places = np.nonzero((further != stack).reshape(labels.shape))
    return places, further.reshape(labels.shape)[places].astype(np.int64)


def _deepest(mask: NDArray[np.bool_]) -> tuple[int, int]:
    """Return the pixel of a cell that is farthest from its edge."""
    depth = np.asarray(ndimage.distance_transform_edt(np.pad(mask, 1)))[1:-1, 1:-1]
    y, x = np.unravel_index(int(depth.argmax()), mask.shape)
    return int(y), int(x)


def _planes(labels: Any, space: StackSpace) -> Planes:
    shape = tuple(int(size) for size in labels.shape)
    outer = shape[: len(space.letters)]
    return Planes(
        shape,
        f"{space.letters}YX",
        np.dtype(labels.dtype),
        lambda: (np.asarray(labels[index]) for index in np.ndindex(outer)),
    )


def _layers(labels: Any, links: Links, space: StackSpace, kept: frozenset[int]) -> LinkedLayers:
    outer = labels.shape[:-2]
    indices = [dict(zip(space.letters, index, strict=True)) for index in np.ndindex(outer)]
    table = link_table(links, indices, space.spacing)
    features = {"index": table[ID_COLUMN[links.axis]], **table}
    sections = links.sections
    tracks = np.zeros((0, 1 + labels.ndim))
    if links.axis == "T" and len(sections):
        where = np.array(np.unravel_index(sections.plane, outer)).T
        tracks = np.column_stack([links.ids, where, sections.y, sections.x]).astype(float)
        time = 1 + space.letters.index("T")
        tracks = tracks[np.lexsort((tracks[:, time], tracks[:, 0]))]
    graph = {track: [mother] for track, mother in links.parents.items()}
    return LinkedLayers(labels, features, tracks, graph, kept, links.summary())
