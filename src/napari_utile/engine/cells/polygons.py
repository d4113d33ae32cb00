"""Cells as polygons along the edges of their pixels, and files of them for ImageJ, QuPath and others."""

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.atomic import atomic_path

Ring = list[tuple[int, int]]
"""Corners (x, y) of pixels; the last is joined to the first."""

EXPORT_SUFFIXES = (".zip", ".geojson")


@dataclass(frozen=True)
class CellPolygon:
    """A cell: for each of its pieces the outline and the holes, and the plane on which it lies."""

    label: int
    parts: tuple[tuple[Ring, tuple[Ring, ...]], ...]
    index: Mapping[str, int] = field(default_factory=dict)


def cell_polygons(
    labels: NDArray[np.integer], index: Mapping[str, int] | None = None, start: Sequence[int] = (0, 0)
) -> Iterator[CellPolygon]:
    """Trace each cell of a plane along the edges of its pixels: the polygon covers exactly these pixels.

    Parameters
    ----------
    labels : (Y, X) integer array
        0 = background.
    index : mapping of str to int, optional
        Which plane of a stack this is, for example ``{"T": 3}``.
    start : (int, int)
        Row and column of the image at which the labels begin.

    Yields
    ------
    CellPolygon
        By label. Pixels that touch at a corner only belong to different pieces.

    Examples
    --------
    >>> [cell] = cell_polygons(np.array([[0, 7], [0, 7]]))
    >>> cell.label, cell.parts
    (7, (([(1, 0), (2, 0), (2, 2), (1, 2)], ()),))
    """
    ids, compact = np.unique(labels, return_inverse=True)
    compact = compact.reshape(labels.shape).astype(np.int32) + (ids[0] != 0 if ids.size else 0)
    ids = ids[ids != 0]
    for number, (label, box) in enumerate(zip(ids.tolist(), ndimage.find_objects(compact), strict=True), 1):
        pieces, count = ndimage.label(compact[box] == number)
        top, left = (part.start + first for part, first in zip(box, start, strict=True))
        parts = tuple(_traced(pieces == piece, top, left) for piece in range(1, count + 1))
        yield CellPolygon(label, parts, dict(index or {}))


def _traced(mask: NDArray[np.bool_], top: int, left: int) -> tuple[Ring, tuple[Ring, ...]]:
    """Follow the edges between inside and outside of one piece, the inside to the right.

    Where two of its pixels touch at a corner only, the way turns left: what they close off is a hole then, and no ring
    comes to a corner twice, which other programs would take for a mistake.
    """
    padded = np.pad(mask, 1)
    inside = padded[1:-1, 1:-1]
    leaving: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for (dy, dx), (y0, x0), step in (
        ((0, 1), (0, 0), (1, 0)),  # above a pixel, to the right
        ((1, 2), (0, 1), (0, 1)),  # right of it, down
        ((2, 1), (1, 1), (-1, 0)),  # below it, to the left
        ((1, 0), (1, 0), (0, -1)),  # left of it, up
    ):
        open_side = inside & ~padded[dy : dy + mask.shape[0], dx : dx + mask.shape[1]]
        for y, x in np.argwhere(open_side).tolist():
            leaving.setdefault((x + x0, y + y0), []).append(step)
    rings: list[Ring] = []
    while leaving:
        start = here = next(iter(leaving))
        ring: Ring = []
        before: tuple[int, int] | None = None
        while not ring or here != start:
            ways = leaving[here]
            left_turn = (before[1], -before[0]) if before else None
            step = left_turn if left_turn in ways else ways[0]
            ways.remove(step)
            if not ways:
                del leaving[here]
            if step != before:
                ring.append((here[0] + left, here[1] + top))
            before = step
            here = (here[0] + step[0], here[1] + step[1])
        rings.append(ring)
    rings.sort(key=_area)
    return rings[-1], tuple(rings[:-1])


def _area(ring: Ring) -> float:
    x, y = np.array(ring, float).T
    return float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2


def write_polygons(path: str | os.PathLike[str], cells: Iterable[CellPolygon]) -> int:
    """Write cells for other programs.

    Parameters
    ----------
    path : str or path-like
        Ends in ``.zip`` (regions of interest of ImageJ and Fiji, which QuPath reads too; holes are left out, each
        piece of a cell is one region) or ``.geojson`` (QuPath and others, with pieces and holes).
    cells : iterable of CellPolygon

    Returns
    -------
    int
        How many cells were written.

    Raises
    ------
    UtileError
        If there is no cell, the suffix is another, or the file cannot be written.
    """
    found = list(cells)
    if not found:
        raise UtileError("There are no cells to export: all labels are 0.")
    suffix = Path(path).suffix.lower()
    if suffix not in EXPORT_SUFFIXES:
        raise UtileError(
            f"Cells are exported as {' or '.join(EXPORT_SUFFIXES)}, not as {suffix or 'a file without'}."
        )
    with atomic_path(path) as temporary:
        if suffix == ".zip":
            _write_rois(temporary, found)
        else:
            features = [_feature(cell) for cell in found]
            text = json.dumps({"type": "FeatureCollection", "features": features})
            temporary.write_text(text + "\n", encoding="utf-8")
    return len(found)


def _feature(cell: CellPolygon) -> dict[str, Any]:
    pieces = [[[*ring, ring[0]] for ring in (outline, *holes)] for outline, holes in cell.parts]
    single = len(pieces) == 1
    geometry: dict[str, Any] = {
        "type": "Polygon" if single else "MultiPolygon",
        "coordinates": pieces[0] if single else pieces,
    }
    if cell.index:
        # QuPath's own member, which other programs pass over: channel -1 stands for all.
        geometry["plane"] = {"c": -1, "z": cell.index.get("Z", 0), "t": cell.index.get("T", 0)}
    properties = {"objectType": "detection", "name": str(cell.label), "label": cell.label, **cell.index}
    return {"type": "Feature", "geometry": geometry, "properties": properties}


def _write_rois(path: Path, cells: list[CellPolygon]) -> None:
    from roifile import ImagejRoi, roiwrite

    rois = []
    for cell in cells:
        plane = "".join(f"{axis.lower()}{number}-" for axis, number in cell.index.items())
        for number, (outline, _) in enumerate(cell.parts, 1):
            name = f"{plane}{cell.label}" + (f"-{number}" if len(cell.parts) > 1 else "")
            place = {axis.lower(): cell.index[axis] for axis in "ZT" if axis in cell.index}
            rois.append(ImagejRoi.frompoints(np.array(outline, np.int32), name=name, **place))
    roiwrite(path, rois, mode="w")
