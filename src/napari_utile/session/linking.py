"""Linked labels as layers: a stack of labels with one id for one cell, its table, and tracks with their divisions."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_utile.engine.linking.params import LinkParams

__all__ = ["LinkedLayers", "link_layers"]


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
    summary : str
        In a phrase: ``"12 tracks, 2 divisions"``.
    """

    labels: NDArray[np.int32]
    features: dict[str, NDArray[Any]]
    tracks: NDArray[np.float64]
    graph: dict[int, list[int]]
    summary: str


def link_layers(
    labels: Any,
    letters: str,
    params: LinkParams,
    pixel_size: tuple[float, float] | None = None,
    unit: str | None = None,
    steps: Mapping[str, tuple[float, str | None]] | None = None,
    kept: Collection[int] = (),
) -> LinkedLayers:
    """Link the labels of a layer.

    Parameters
    ----------
    labels : (..., Y, X) integer array
    letters : str
        What each axis before Y and X is: "T", "Z", or "TZ".
    params : LinkParams
    pixel_size, unit, steps
        See `Spacing`.
    kept : collection of int
        Ids that were corrected by hand: see `link_planes`.

    Raises
    ------
    UtileError
        If there are no planes along the axis.
    """
    from napari_utile.engine.files.plane_file import Planes
    from napari_utile.engine.linking.links import link_planes
    from napari_utile.engine.linking.measure import ID_COLUMN, Spacing, link_table

    shape = tuple(int(size) for size in labels.shape)
    outer = shape[: len(letters)]
    planes = Planes(
        shape,
        f"{letters}YX",
        np.dtype(labels.dtype),
        lambda: (np.asarray(labels[index]) for index in np.ndindex(outer)),
    )
    links = link_planes(planes, params, kept)
    linked = np.stack(list(links.of_planes(planes).read())).reshape(shape)
    indices = [dict(zip(letters, index, strict=True)) for index in np.ndindex(outer)]
    table = link_table(links, indices, Spacing(pixel_size, unit, steps))
    features = {"index": table[ID_COLUMN[params.axis]], **table}
    sections = links.sections
    tracks = np.zeros((0, 1 + len(shape)))
    if params.axis == "T" and len(sections):
        where = np.array(np.unravel_index(sections.plane, outer)).T
        tracks = np.column_stack([links.ids, where, sections.y, sections.x]).astype(float)
        time = 1 + letters.index("T")
        tracks = tracks[np.lexsort((tracks[:, time], tracks[:, 0]))]
    graph = {track: [mother] for track, mother in links.parents.items()}
    return LinkedLayers(linked, features, tracks, graph, links.summary())
