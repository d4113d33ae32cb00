"""Tables of linked cells: one row an object or a track, in physical units where they are known."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_utile.engine.cells.measure import Columns, length_suffix, unit_suffix
from napari_utile.engine.linking.links import Links
from napari_utile.engine.planes.units import canonical_time, canonical_unit, micrometres

ID_COLUMN = {"Z": "object", "T": "track_id"}
"""What the column of ids is called, by the axis that was linked."""


@dataclass(frozen=True)
class Spacing:
    """How large pixels are, and how far apart planes.

    Attributes
    ----------
    pixel_size : (float, float) or None
        Height and width of a pixel.
    unit : str or None
        Of the pixel size.
    steps : mapping of str to (float, str or None)
        From one plane to the next along Z or T, and its unit: see `ImageFile`.
    """

    pixel_size: tuple[float, float] | None = None
    unit: str | None = None
    steps: Mapping[str, tuple[float, str | None]] | None = None

    @property
    def depth(self) -> float | None:
        """From one plane to the next along Z, in `unit`; None where that is not known."""
        length, unit = (self.steps or {}).get("Z", (None, None))
        if length is not None and canonical_unit(unit) == canonical_unit(
            self.unit
        ):  # also where both lack it
            return length
        ours, theirs = micrometres(self.unit), micrometres(unit)
        if length is None or ours is None or theirs is None:
            return None
        return length * theirs / ours

    @property
    def interval(self) -> tuple[float, str]:
        """From one plane to the next along T, and its unit as a column's name has it; frames where it is not known."""
        length, unit = (self.steps or {}).get("T", (None, None))
        return (
            (float(length), unit_suffix(canonical_time(unit) or unit)) if length and unit else (1.0, "frame")
        )


def link_table(
    links: Links, indices: Sequence[Mapping[str, int]], spacing: Spacing, cells: Columns | None = None
) -> Columns:
    """Measure each object or track.

    Parameters
    ----------
    links : Links
    indices : sequence of mappings
        Which entry of each axis each plane is, for example ``{"T": 3}``.
    spacing : Spacing
    cells : dict of str to (N,) arrays, optional
        Of each section a row, with its ``object`` or ``track_id`` and intensities, which are averaged.

    Returns
    -------
    dict of str to (M,) arrays
        Sorted by id.

        - Of objects: ``object``, further axes of the stack, ``planes`` (how many hold it), ``z_first``, ``z_last``,
          ``volume_px``; ``volume_<unit>3`` and ``z_extent_<unit>`` where pixel size and z spacing are known;
          ``centroid_z``, ``centroid_y``, ``centroid_x`` in planes and pixels.
        - Of tracks: ``track_id``, ``parent`` (0 for none), ``divides`` (0 or 1), ``frames``, ``t_first``, ``t_last``,
          ``area_px_mean``, ``path_<unit>``, ``distance_<unit>`` from the first to the last place,
          ``speed_<unit>_per_<interval>`` along the path.
        - Of both: ``intensity_mean`` of each channel.
    """
    sections = links.sections
    order = np.lexsort((sections.plane, links.ids))
    ids, starts = np.unique(links.ids[order], return_index=True)
    plane = sections.plane[order]
    count = np.diff(np.append(starts, order.size))
    chains = _Chains(
        np.array([index[links.axis] for index in indices], np.int64)[plane],
        sections.area[order],
        sections.y[order],
        sections.x[order],
        starts,
        starts + count - 1,
    )
    axis = links.axis.lower()
    table: Columns = {ID_COLUMN[links.axis]: ids}
    for other in indices[0] if indices else ():
        if other != links.axis and len({index[other] for index in indices}) > 1:
            table[other.lower()] = np.array([indices[place][other] for place in plane[starts]], np.int64)
    if links.axis == "T":
        mothers = {division.mother for division in links.divisions}
        table["parent"] = np.array([links.parents.get(int(each), 0) for each in ids], np.int64)
        table["divides"] = np.array([int(int(each) in mothers) for each in ids], np.int64)
    table["planes" if links.axis == "Z" else "frames"] = count
    table |= {f"{axis}_first": chains.entry[starts], f"{axis}_last": chains.entry[chains.ends]}
    table |= _volumes(chains, spacing) if links.axis == "Z" else _paths(chains, spacing)
    return table | _intensities(cells, ID_COLUMN[links.axis], ids)


@dataclass(frozen=True, eq=False)
class _Chains:
    """The sections of all objects or tracks one after the other, and where each chain of them starts and ends."""

    entry: NDArray[np.int64]
    area: NDArray[np.int64]
    y: NDArray[np.float64]
    x: NDArray[np.float64]
    starts: NDArray[np.intp]
    ends: NDArray[np.intp]

    @property
    def entries(self) -> NDArray[np.int64]:
        """How many entries of the axis lie between the first and the last section of each chain."""
        return self.entry[self.ends] - self.entry[self.starts]

    def total(self, values: NDArray[Any]) -> NDArray[Any]:
        """Sum a value of the sections over each chain."""
        return np.add.reduceat(values, self.starts) if self.starts.size else np.zeros(0, values.dtype)


def _volumes(chains: _Chains, spacing: Spacing) -> Columns:
    area = chains.area
    total = chains.total(area)
    table: Columns = {"volume_px": total}
    if spacing.pixel_size is not None and spacing.depth is not None:
        suffix = unit_suffix(spacing.unit)
        table[f"volume_{suffix}3"] = total * (spacing.pixel_size[0] * spacing.pixel_size[1] * spacing.depth)
        table[f"z_extent_{suffix}"] = (chains.entries + 1) * spacing.depth
    for name, values in (("z", chains.entry), ("y", chains.y), ("x", chains.x)):
        table[f"centroid_{name}"] = chains.total(area * values) / total
    return table


def _paths(chains: _Chains, spacing: Spacing) -> Columns:
    height, width = spacing.pixel_size or (1.0, 1.0)
    suffix = length_suffix(spacing.pixel_size, spacing.unit)
    y, x, starts, ends = chains.y * height, chains.x * width, chains.starts, chains.ends
    steps = np.zeros(y.size)
    steps[1:] = np.hypot(np.diff(y), np.diff(x))
    steps[starts] = 0  # from one track to the next is not a step
    path = chains.total(steps)
    length, interval = spacing.interval
    lasted = chains.entries * length
    speed = np.divide(path, lasted, out=np.full(path.shape, np.nan), where=lasted > 0)
    return {
        "area_px_mean": chains.total(chains.area) / (ends - starts + 1),
        f"path_{suffix}": path,
        f"distance_{suffix}": np.hypot(y[ends] - y[starts], x[ends] - x[starts]),
        f"speed_{suffix}_per_{interval}": speed,
    }


def _intensities(cells: Columns | None, column: str, ids: NDArray[np.int64]) -> Columns:
    """Average the mean intensities of sections by their areas."""
    if cells is None or not ids.size:
        return {}
    place = np.searchsorted(ids, cells[column])
    area = np.asarray(cells["area_px"], float)
    total = np.bincount(place, area, minlength=ids.size)
    return {
        name: np.bincount(place, area * values, minlength=ids.size) / total
        for name, values in cells.items()
        if name.startswith("intensity_mean")
    }
