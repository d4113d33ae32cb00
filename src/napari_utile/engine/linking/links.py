"""One id for one cell in all planes of a stack, and what divided into what."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_utile.engine.arrays import Int64Array, dims_of, letter_of, rows_and_columns_last
from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.plane_file import Planes
from napari_utile.engine.linking.matching import chains_of
from napari_utile.engine.linking.objects import follow_through_z
from napari_utile.engine.linking.params import LinkParams
from napari_utile.engine.linking.sections import Counts, SectionCounter, Sections, gathered
from napari_utile.engine.linking.tracks import follow_through_t
from napari_utile.engine.planes.arrays import as_label_array
from napari_utile.engine.planes.naming import axes_to_link
from napari_utile.engine.words import counted


@dataclass(frozen=True)
class Division:
    """A cell that divided: its track, and the tracks of the daughters."""

    mother: int
    daughters: tuple[int, int]


@dataclass(frozen=True, eq=False)
class Links:
    """Which sections of a stack are one cell.

    Attributes
    ----------
    axis : str
        "Z" or "T".
    sections : Sections
        Their planes are counted through the stack, the last axis fastest.
    ids : (N,) int64 array
        For each section the number, from 1, of its object or track: in the order in which they begin.
    parents : dict of int to int
        Track -> the track that it divided from.
    """

    axis: str
    sections: Sections
    ids: Int64Array
    parents: dict[int, int]

    @property
    def total(self) -> int:
        """Number of objects or tracks."""
        return int(np.unique(self.ids).size)

    @cached_property
    def divisions(self) -> tuple[Division, ...]:
        """The cells that divided, in the order of their ids."""
        daughters: dict[int, list[int]] = {}
        for track, parent in sorted(self.parents.items()):
            daughters.setdefault(parent, []).append(track)
        return tuple(
            Division(mother, (pair[0], pair[1]))
            for mother, pair in sorted(daughters.items())
            if len(pair) == 2
        )

    def relabelled(self, plane: int, labels: NDArray[np.integer]) -> NDArray[np.int32]:
        """Give the labels (Y, X) of a plane the ids of their objects or tracks; 0 stays 0.

        Raises
        ------
        ValueError
            Where the plane holds a label that was not there when it was linked.
        """
        here = slice(*np.searchsorted(self.sections.plane, [plane, plane + 1]))
        known, ids = self.sections.label[here], self.ids[here]
        order = np.argsort(known)
        known, ids = np.append(0, known[order]), np.append(0, ids[order])
        place = np.minimum(np.searchsorted(known, labels), known.size - 1)
        if not np.array_equal(known[place], labels):
            raise ValueError(f"Plane {plane} holds labels that were not there when it was linked.")
        return ids.astype(np.int32)[place]

    def of_planes(self, planes: Planes) -> Planes:
        """Give the planes that were linked their new ids, when they are read."""
        read = planes.read
        return replace(
            planes,
            dtype=np.dtype(np.int32),
            read=lambda: (self.relabelled(number, plane) for number, plane in enumerate(read())),
        )

    def summary(self) -> str:
        """Say in a phrase what was linked: ``"12 tracks, 2 divisions"``."""
        what = "object" if self.axis == "Z" else "track"
        said = counted(self.total, what)
        return said if self.axis == "Z" else f"{said}, {counted(len(self.divisions), 'division')}"


def link_counts(parts: Sequence[Counts], params: LinkParams, kept: Collection[int] = ()) -> Links:
    """Link the sections that were counted in the blocks of a stack: see `SectionCounter`.

    Parameters
    ----------
    parts : sequence of Counts
        Of all blocks, with a reach of ``params.link_gap + 1``, in any order.
    params : LinkParams
        Its axis is "Z" or "T".
    kept : collection of int
        Labels that were linked before and corrected by hand: each stays one object or track, and no other joins it.
    """
    if not params.axis:
        raise ValueError("Say along which axis the planes are linked: z or t.")
    sections = gathered(parts)
    by_hand = np.isin(sections.label, np.fromiter(kept, np.int64))
    places = np.flatnonzero(~by_hand)
    free = sections.part(~by_hand)
    following, mother = np.full((2, len(sections)), -1, np.int64)
    if params.axis == "Z":
        after = follow_through_z(free, params)
    else:
        after, before = follow_through_t(free, params)
        mother[places[before >= 0]] = places[before[before >= 0]]
    following[places[after >= 0]] = places[after[after >= 0]]
    of_one = np.flatnonzero(by_hand)
    of_one = of_one[np.argsort(sections.label[of_one], kind="stable")]
    goes_on = sections.label[of_one[:-1]] == sections.label[of_one[1:]]
    following[of_one[:-1][goes_on]] = of_one[1:][goes_on]
    ids = np.zeros(len(sections), np.int64)
    for number, chain in enumerate(chains_of(following), start=1):
        ids[chain] = number
    parents = {int(ids[place]): int(ids[mother[place]]) for place in np.flatnonzero(mother >= 0)}
    return Links(params.axis, sections, ids, parents)


def link_planes(
    planes: Planes, params: LinkParams, kept: Collection[int] = (), parents: Mapping[int, int] | None = None
) -> Links:
    """Link the planes of a stack along one of its axes, for each entry of the others by itself.

    Parameters
    ----------
    planes : Planes
        Labels; read once.
    params : LinkParams
    kept : collection of int
        Labels that were linked before and corrected by hand: see `link_counts`.
    parents : mapping of int to int, optional
        Of the kept ones: daughter -> mother.

    Raises
    ------
    UtileError
        If the stack has no such axis.
    """
    stacked = planes.axes[: planes.axes.index("Y")]
    numbers = stacks_of(stacked, planes.shape[: len(stacked)], params)
    group_of = np.empty(numbers.size, np.int64)
    group_of[numbers] = np.arange(len(numbers))[:, None]
    counters = [SectionCounter(params.link_gap + 1, planes.corner) for _ in numbers]
    for number, plane in enumerate(planes.read()):
        counters[group_of[number]].add(plane)
    links = joined_links([link_counts([counter.counts], params, kept) for counter in counters], numbers)
    new = dict(zip(links.sections.label.tolist(), links.ids.tolist(), strict=True))
    given = {
        new[each]: new[mother] for each, mother in (parents or {}).items() if {each, mother} <= set(kept)
    }
    return replace(links, parents=links.parents | given) if given else links


def links_of_objects(planes: Planes) -> Links:
    """Give the links of planes in which each object has one id already, numbered as it begins."""
    largest = max((int(plane.max(initial=0)) for plane in planes.read()), default=0)
    return link_planes(planes, LinkParams("z"), range(1, largest + 1))


def stacks_of(stacked: str, sizes: Sequence[int], params: LinkParams) -> Int64Array:
    """Say which planes are linked with each other: one stack along the axis for each entry of the others.

    Parameters
    ----------
    stacked, sizes : str, sequence of int
        The axes before Y and X, and how long they are.
    params : LinkParams

    Returns
    -------
    (stacks, planes) int64 array
        Numbers of planes, counted with the last axis fastest.

    Raises
    ------
    UtileError
        If there is no such axis.
    """
    if params.axis not in stacked:
        raise UtileError(
            f"There are no planes along {params.axis} to link: leave out --link {params.link}, or take more planes."
        )
    every = np.arange(int(np.prod(sizes)), dtype=np.int64).reshape(tuple(sizes))
    along = np.moveaxis(every, stacked.index(params.axis), -1)
    return along.reshape(-1, along.shape[-1])


def joined_links(groups: Sequence[Links], numbers: Int64Array) -> Links:
    """Make one of the links of several stacks, with ids one after the other.

    Parameters
    ----------
    groups : sequence of Links
    numbers : (groups, planes) array
        Which plane of the whole each of their planes is.
    """
    if len(groups) == 1:
        return groups[0]
    plane = np.concatenate([row[each.sections.plane] for each, row in zip(groups, numbers, strict=True)])
    order = np.argsort(plane, kind="stable")
    place = np.empty(order.size, np.int64)
    place[order] = np.arange(order.size)
    sections_before = np.cumsum([0, *(len(each.sections) for each in groups)])
    ids_before = np.cumsum([0, *(each.total for each in groups)])
    made = [each.sections for each in groups]
    ends = [
        place[
            np.concatenate(
                [getattr(each, end) + first for each, first in zip(made, sections_before[:-1], strict=True)]
            )
        ]
        for end in ("before", "after")
    ]
    by_section = np.lexsort(ends[::-1])
    label, area, y, x = (
        np.concatenate([getattr(each, name) for each in made])[order] for name in ("label", "area", "y", "x")
    )
    shared = np.concatenate([each.shared for each in made])[by_section]
    sections = Sections(plane[order], label, area, y, x, ends[0][by_section], ends[1][by_section], shared)
    ids = np.concatenate([each.ids + first for each, first in zip(groups, ids_before[:-1], strict=True)])
    parents = {
        track + int(first): parent + int(first)
        for each, first in zip(groups, ids_before[:-1], strict=True)
        for track, parent in each.parents.items()
    }
    return Links(groups[0].axis, sections, ids[order], parents)


def divisions_left(parents: Mapping[int, int], there: Collection[int]) -> dict[int, int]:
    """Leave out the divisions of which a cell is not there any more.

    Parameters
    ----------
    parents : mapping of int to int
        Daughter -> mother.
    there : collection of int
        Ids.

    Examples
    --------
    >>> divisions_left({3: 1, 4: 1, 5: 2, 6: 2}, {1, 2, 3, 4, 5})
    {3: 1, 4: 1}
    """
    lost = {mother for daughter, mother in parents.items() if daughter not in there or mother not in there}
    return {daughter: mother for daughter, mother in parents.items() if mother not in lost}


@dataclass(frozen=True, eq=False)
class Linked:
    """Labels with one id for one cell, and how they were linked.

    Attributes
    ----------
    labels : (planes, Y, X) int32 array
    links : Links
    """

    labels: NDArray[np.int32]
    links: Links


def link(
    labels: ArrayLike,
    axis: str = "z",
    *,
    overlap: float = 0.5,
    distance: float | None = None,
    gap: int = 1,
) -> Linked:
    """Give each cell of a stack of label images one id.

    Parameters
    ----------
    labels : (planes, Y, X) integer array
        Each plane with its own ids, 0 = background.
    axis : {"z", "t"}
        Sections of objects, linked by their overlap; or frames of a time-lapse, linked by overlap and distance, with
        divisions.
    overlap : float
        Share of the smaller section that lies inside the other, at least.
    distance : float, optional
        How far a cell moves from one frame to the next at most (pixels); the median diameter by default.
    gap : int
        Planes in a row in which a cell may be missing.

    Returns
    -------
    Linked
        ``.labels``, and ``.links`` with ``divisions`` and ``parents``.

    Raises
    ------
    UtileError
        If it is not a stack of label images, or its planes lie along another axis.
    ValueError
        If it is the path of a file.

    Examples
    --------
    >>> planes = np.array([[[0, 3, 3]], [[7, 7, 0]]])
    >>> link(planes).labels.tolist()
    [[[0, 1, 1]], [[1, 1, 0]]]
    """
    if axis not in ("z", "t"):
        raise UtileError(f"Planes are linked along z or t; got {axis!r}.")
    named: Any = dims_of(labels) or getattr(labels, "axes", ())
    letters = [letter_of(name) for name in named]
    if {"Z", "T"} & {*letters} and axis.upper() not in letters:
        along = next(letter for letter in letters if letter in ("Z", "T"))
        raise UtileError(f"The labels have no planes along {axis.upper()} to link, but along {along}.")
    stack: Any = as_label_array(rows_and_columns_last(labels))[0]
    shape = tuple(int(size) for size in stack.shape)
    if len(shape) != 3 or 0 in shape:
        raise UtileError(f"Linking needs a stack of labels (planes, Y, X); got the shape {shape}.")
    if not {"Y", "X"} <= {*letters}:
        try:
            axes_to_link(shape, axis)
        except UtileError as error:
            raise UtileError(
                f"The planes of labels come first, (planes, Y, X); in the shape {shape} they seem to come last: "
                "move them, as np.moveaxis(labels, -1, 0) does, or name the axes in xarray."
            ) from error
    params = LinkParams(axis, overlap, distance, gap)
    dtype = np.dtype(stack.dtype)
    planes = Planes(shape, f"{params.axis}YX", dtype, lambda: (np.asarray(plane) for plane in stack))
    try:
        links = link_planes(planes, params)
    except ValueError as error:
        raise UtileError(f"These cannot be linked: {error}.") from error
    return Linked(np.stack(list(links.of_planes(planes).read())), links)
