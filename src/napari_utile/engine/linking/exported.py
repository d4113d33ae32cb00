"""Tracks for other programs: a folder as in the Cell Tracking Challenge, or a graph in GEFF."""

import itertools
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_utile.engine.errors import UtileError, warn
from napari_utile.engine.files.targets import check_target
from napari_utile.engine.linking.links import divisions_left
from napari_utile.engine.linking.measure import Spacing
from napari_utile.engine.planes.units import ome_axis

GEFF = ".geff"
CHALLENGE = "_RES"
TRACK_ENDINGS = (GEFF, CHALLENGE)
GEFF_VERSION = "1.1"
_MOST_IDS = 65535
Part = tuple[int, int, int]
"""Of a track, without gaps: id, first and last frame."""

Frames = Callable[[], Iterator[NDArray[np.integer[Any]]]]
"""Gives the frames (Y, X) of a time-lapse from the first to the last, as often as it is called; one id a track."""


def write_tracks(
    path: str | os.PathLike[str],
    frames: Frames,
    parents: Mapping[int, int] | None = None,
    spacing: Spacing | None = None,
    start: Sequence[int] = (0, 0, 0),
) -> int:
    """Write tracks for other programs, beside the place and renamed into it.

    Parameters
    ----------
    path : str or path-like
        Ends in ``_RES``: a folder of the Cell Tracking Challenge, with a mask of each frame and ``res_track.txt``; a
        track with a gap becomes two there, the second a child of the first. Or in ``.geff``: a graph in the Graph
        Exchange File Format, a node for each cell of a frame.
    frames : callable
        See `Frames`.
    parents : mapping of int to int, optional
        Daughter -> mother; divisions of which a cell is not there are left out.
    spacing : Spacing, optional
        For the places of nodes; pixels and frames by default.
    start : (int, int, int)
        Frame, row and column of the image at which the labels begin, for the places of nodes.

    Returns
    -------
    int
        How many tracks there are.

    Raises
    ------
    UtileError
        If there is none, the name ends in something else, is taken, or cannot be written.
    """
    target = Path(path)
    if not target.name.endswith(TRACK_ENDINGS):
        raise UtileError(
            f"Tracks are exported to a name that ends in {' or '.join(TRACK_ENDINGS)}; got {target.name}."
        )
    if target.exists():
        raise UtileError(f"{target.name} is there already: delete it, or choose another name.")
    check_target(target)
    tracks = _appearances(frames)
    if not tracks:
        raise UtileError("There are no tracks to export: all labels are 0.")
    there = divisions_left(parents or {}, tracks)
    temporary = Path(tempfile.mkdtemp(prefix=f".{target.stem[:40]}.", suffix=".tmp", dir=target.parent))
    try:
        if target.name.endswith(GEFF):
            _write_graph(temporary, frames, there, spacing or Spacing(), start)
        else:
            _write_challenge(temporary, frames, tracks, there)
        temporary.chmod(0o777 & ~_umask())
        os.replace(temporary, target)
    except OSError as error:
        raise UtileError(f"Cannot write {target}: {error.strerror or error}.") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return len(tracks)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _appearances(frames: Frames) -> dict[int, list[int]]:
    """List the frames in which each track is seen."""
    seen: dict[int, list[int]] = {}
    for number, labels in enumerate(frames()):
        for track in np.unique(labels[labels > 0]).tolist():
            seen.setdefault(track, []).append(number)
    return seen


def _write_challenge(
    folder: Path, frames: Frames, tracks: Mapping[int, list[int]], parents: Mapping[int, int]
) -> None:
    import tifffile

    parts: dict[int, list[Part]] = {}
    free = max(tracks) + 1
    for track, seen in tracks.items():
        breaks = np.flatnonzero(np.diff(seen) > 1) + 1
        for number, run in enumerate(np.split(np.asarray(seen), breaks)):
            parts.setdefault(track, []).append((track if number == 0 else free, int(run[0]), int(run[-1])))
            free += number > 0
    if free - 1 > _MOST_IDS:
        parts = _renumbered(parts)
    lines = []
    for track, runs in sorted(parts.items()):
        before = [part for part, _, last in parts.get(parents.get(track, 0), ()) if last < runs[0][1]]
        parent = before[-1] if before else 0
        for part, first, last in runs:
            lines.append(f"{part} {first} {last} {parent}")
            parent = part
    count = max(last for seen in tracks.values() for last in seen) + 1
    digits = max(3, len(str(count - 1)))
    ids = np.array([0, *sorted(parts)])
    for number, labels in enumerate(frames()):
        here = [
            next((part for part, first, last in parts[each] if first <= number <= last), 0)
            for each in ids[1:]
        ]
        mask = np.array([0, *here], np.uint16)[np.searchsorted(ids, labels)]
        tifffile.imwrite(folder / f"mask{number:0{digits}}.tif", mask, compression="zlib")
    (folder / "res_track.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _renumbered(parts: Mapping[int, Sequence[Part]]) -> dict[int, list[Part]]:
    """Give the parts of tracks the numbers from 1, and say so."""
    count = sum(map(len, parts.values()))
    if count > _MOST_IDS:
        raise UtileError(f"The Cell Tracking Challenge numbers tracks up to {_MOST_IDS:,}; these need more.")
    warn(
        f"The Cell Tracking Challenge numbers tracks up to {_MOST_IDS:,}: these are renumbered, 1 to {count:,}."
    )
    numbers = itertools.count(1)
    return {
        track: [(next(numbers), first, last) for _, first, last in runs]
        for track, runs in sorted(parts.items())
    }


def _write_graph(
    folder: Path, frames: Frames, parents: Mapping[int, int], spacing: Spacing, start: Sequence[int]
) -> None:
    import zarr

    first, top, left = start
    height, width = spacing.pixel_size or (1.0, 1.0)
    step, time_unit = (spacing.steps or {}).get("T", (1.0, None))
    columns: dict[str, list[NDArray[Any]]] = {"t": [], "y": [], "x": [], "track_id": [], "area": []}
    for number, labels in enumerate(frames()):
        y, x = np.nonzero(labels)
        tracks, place = np.unique(labels[y, x], return_inverse=True)
        area = np.bincount(place, minlength=tracks.size)
        for name, values in (
            ("t", np.full(tracks.size, (first + number) * step, np.float64)),
            ("y", (top + np.bincount(place, y, tracks.size) / area) * height),
            ("x", (left + np.bincount(place, x, tracks.size) / area) * width),
            ("track_id", tracks.astype(np.int64)),
            ("area", area * height * width),
        ):
            columns[name].append(values)
    props = {name: np.concatenate(values) for name, values in columns.items()}
    group = zarr.open_group(folder, mode="w", zarr_format=2)
    nodes, edges = group.create_group("nodes"), group.create_group("edges")
    nodes.create_array("ids", data=np.arange(props["t"].size, dtype=np.uint64))
    edges.create_array("ids", data=_edges(props["track_id"], parents))
    for name, values in props.items():
        nodes.create_array(f"props/{name}/values", data=values)
    units = {"T": time_unit, "Y": spacing.unit, "X": spacing.unit}
    axes: Any = [
        {**ome_axis(letter, unit), "min": float(values.min()), "max": float(values.max())}
        for letter, unit in units.items()
        for values in (props[letter.lower()],)
    ]
    group.attrs["geff"] = {
        "geff_version": GEFF_VERSION,
        "directed": True,
        "axes": axes,
        "node_props_metadata": {
            name: {"identifier": name, "dtype": str(values.dtype), "varlength": False}
            for name, values in props.items()
        },
        "edge_props_metadata": {},
    }


def _edges(tracks: NDArray[np.int64], parents: Mapping[int, int]) -> NDArray[np.uint64]:
    """Join each cell with the next of its track, and the last of a mother with the first of each daughter."""
    order = np.argsort(tracks, kind="stable")  # by frame within a track
    follows = tracks[order[1:]] == tracks[order[:-1]]
    pairs = [np.stack([order[:-1][follows], order[1:][follows]], axis=1)]
    ids, first = np.unique(tracks[order], return_index=True)
    begins = dict(zip(ids.tolist(), order[first].tolist(), strict=True))
    ends = dict(zip(ids.tolist(), order[np.append(first[1:], order.size) - 1].tolist(), strict=True))
    divided = [(ends[mother], begins[daughter]) for daughter, mother in sorted(parents.items())]
    return np.concatenate([*pairs, np.array(divided, np.int64).reshape(-1, 2)]).astype(np.uint64)
