"""Parts of a result on disk, edited in memory and written back: napari edits no pyramids."""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.tables import read_columns
from napari_utile.engine.parameters import from_json
from napari_utile.engine.planes.axes import ImagePlane
from napari_utile.engine.planes.pixels import seen_of, sha256_of
from napari_utile.engine.store.plan import StorePlan, load_plan
from napari_utile.engine.store.table import path_of_table
from napari_utile.engine.store.versions import (
    Version,
    changed_meanwhile,
    read_part,
    undo_version,
    versions_of,
    write_part,
)
from napari_utile.engine.windows import Window
from napari_utile.session.store_tables import Paths, features_of, paths_of

MOST_EDITED = 4096
"""Rows and columns of a part, at most."""


@dataclass(frozen=True)
class StorePart:
    """Which part of a store is edited, as JSON can hold it: it goes with the layer, also through a crash.

    Attributes
    ----------
    store : str
        Where the store is.
    plane : int
        Which of its planes.
    bounds : ((int, int), (int, int))
        Rows and columns, in pixels of the store.
    seen : str
        SHA-256 of the labels as they were read.
    """

    store: str
    plane: int
    bounds: tuple[tuple[int, int], ...]
    seen: str

    @property
    def place(self) -> Path:
        """Where the store is."""
        return Path(self.store)

    @property
    def window(self) -> Window:
        """In pixels of the store."""
        return Window(*(slice(start, stop) for start, stop in self.bounds))


def part_in(kept: Mapping[str, Any], shape: Sequence[int]) -> StorePart | None:
    """Return the part of a store that labels of a shape are, by what outlives their layer; None where they are none."""
    try:
        part: StorePart = from_json(StorePart, kept["part"])
        return part if part.window.shape == tuple(shape[-2:]) else None
    except (KeyError, TypeError, ValueError):
        return None


@dataclass(frozen=True, eq=False)
class OpenedPart:
    """A part of a store as it was read.

    Attributes
    ----------
    labels : (y, x) int32 array
    features : dict of str to (N,) arrays
        The rows of the store's table that are of cells in the part; empty where it has none.
    """

    part: StorePart
    labels: NDArray[np.int32]
    features: dict[str, NDArray[Any]]


def open_part_job(place: Path, steps: Sequence[int], window: Window) -> Generator[None, None, OpenedPart]:
    """Read a part of a store.

    Parameters
    ----------
    steps : sequence of int
        Where the plane lies along the stacked axes of the store.
    window : Window
        In pixels of the store.
    """
    yield

    plan = load_plan(place)
    sizes = plan.space.shape[:-2]
    plane = int(np.ravel_multi_index(tuple(steps), sizes)) if sizes else 0
    labels = read_part(place, plane, window)
    yield
    table = read_columns(path_of_table(place, plan.planes[plane]))
    here = np.isin(table["index"], labels) if table else np.zeros(0, bool)
    part = StorePart(str(place.absolute()), plane, window.bounds, sha256_of(labels))
    return OpenedPart(part, labels, {name: column[here] for name, column in table.items()})


@dataclass(frozen=True, eq=False)
class WrittenPart:
    """What a part that was written back became.

    Attributes
    ----------
    version : Version or None
        None where no pixel was changed.
    table : dict of str to (N,) arrays
        Of all cells of the store.
    paths : Paths
        Of all tracks.
    labels : (y, x) int32 array
        The part as the store holds it now: cells that were new in it have other ids than they were painted with.
    part : StorePart
        What is to be written next.
    """

    version: Version | None
    table: dict[str, NDArray[Any]]
    paths: Paths
    labels: NDArray[np.int32]
    part: StorePart


def write_back_job(
    part: StorePart,
    edited: NDArray[np.integer[Any]],
    image: Sequence[ImagePlane] = (),
    sliders: Sequence[str] = (),
    outer: Sequence[int | None] | None = None,
) -> Generator[None, None, WrittenPart]:
    """Write an edited part into its store.

    Parameters
    ----------
    edited : (y, x) integer array
    image : sequence of ImagePlane
        The planes of the image that is open: on it cells are measured where the store's image is not a file.
    sliders : sequence of str
        See `features_of`.
    outer : sequence of int or None, optional
        See `paths_of`; the axes of the store by default.

    Raises
    ------
    UtileError
        See `write_part`.
    """
    yield

    place, plane, window = part.place, part.plane, part.window
    plan = load_plan(place)
    before = read_part(place, plane, window)
    if sha256_of(before) != part.seen:
        raise changed_meanwhile(place)
    differs = not np.array_equal(before, edited)
    version = (
        write_part(place, plane, window, before, edited, _planes(plan, place, image)) if differs else None
    )
    labels = read_part(place, plane, window)
    table, paths = features_of(place, plan, sliders), _paths(place, plan, outer)
    return WrittenPart(version, table, paths, labels, replace(part, seen=sha256_of(labels)))


def with_stored_ids(
    labels: NDArray[np.integer[Any]], edited: NDArray[np.integer[Any]], stored: NDArray[np.int32]
) -> NDArray[np.int64]:
    """Give what was painted on while it was written the ids that its cells have in the store now.

    Parameters
    ----------
    labels : (y, x) integer array
        As they are now.
    edited, stored : (y, x) integer arrays
        The part that was written, with the ids that it was painted with, and with those of the store.

    Examples
    --------
    Cell 90 became 7 in the store; the 7 that was begun meanwhile is another cell.

    >>> import numpy as np
    >>> edited = np.array([[0, 3, 90, 0, 0]])
    >>> stored = np.array([[0, 3, 7, 0, 0]])
    >>> with_stored_ids(np.array([[0, 3, 90, 90, 7]]), edited, stored).tolist()
    [[0, 3, 7, 7, 97]]
    """
    ids, first = np.unique(edited, return_index=True)
    which = np.searchsorted(ids, labels).clip(max=ids.size - 1)
    written = ids[which] == labels
    begun = np.where(np.isin(labels, stored), labels + max(labels.max(), stored.max()), labels)
    return np.where(written, stored.flat[first][which], begun).astype(np.int64)


def undo_job(
    place: Path,
    image: Sequence[ImagePlane] = (),
    sliders: Sequence[str] = (),
    outer: Sequence[int | None] | None = None,
) -> Generator[None, None, tuple[Version, dict[str, NDArray[Any]], Paths]]:
    """Undo the newest version of a store; return it, the table of all cells, and the paths of all tracks."""
    yield

    plan = load_plan(place)
    version = undo_version(place, _planes(plan, place, image))
    return version, features_of(place, plan, sliders), _paths(place, plan, outer)


def _paths(place: Path, plan: StorePlan, outer: Sequence[int | None] | None) -> Paths:
    return paths_of(place, plan, range(len(plan.space.axes) - 2) if outer is None else outer)


def written(place: Path) -> int:
    """Return how many versions of a store can be undone."""
    return len(versions_of(place))


def _planes(plan: StorePlan, place: Path, image: Sequence[ImagePlane]) -> tuple[ImagePlane, ...]:
    """Return the image where it is not a file, else nothing: it is opened from there.

    Raises
    ------
    UtileError
        If it is not open.
    """
    if Path(plan.source).exists():
        return ()
    if not image or seen_of(list(image)) != plan.seen:
        raise UtileError(f"Choose the image that {place.name} was made of: its cells are measured on it.")
    return tuple(image)
