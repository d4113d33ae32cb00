"""Nucleus, cytoplasm and a ring around the nucleus of each cell: areas, intensities and their ratios."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_utile.engine.arrays import Labels
from napari_utile.engine.cells.measure import Columns, length_suffix, measure
from napari_utile.engine.cells.seeds import distance_to

FloatArray = NDArray[np.float64]

RING = 3
"""Width in pixels of the ring around a nucleus."""


def parts_of(cells: Labels, nuclei: Labels, ring: int = RING) -> dict[str, Labels]:
    """Cut cells (Y, X) into the parts that are measured; each has the id of its cell.

    Parameters
    ----------
    cells, nuclei : (Y, X) int array
        A cell and its nucleus have the same id.
    ring : int
        Width in pixels of the ring around the nucleus; it ends where the cell does.
    """
    inside = np.where(cells == nuclei, nuclei, 0)
    cytoplasm = np.where(inside > 0, 0, cells)
    near = distance_to(inside, ring + 1) <= ring
    return {"nucleus": inside, "cytoplasm": cytoplasm, "ring": np.where(near, cytoplasm, 0)}


def compartments(
    cells: Labels,
    nuclei: Labels,
    intensity: ArrayLike,
    *,
    ring: int = RING,
    pixel_size: tuple[float, float] | None = None,
    unit: str | None = None,
) -> Columns:
    """Measure nucleus, cytoplasm and a ring around the nucleus of each cell, and their ratios.

    Parameters
    ----------
    cells, nuclei : (Y, X) int array
        A cell and its nucleus have the same id.
    intensity : (Y, X) or (C, Y, X) array
    ring : int
        Width in pixels of the ring around the nucleus; it ends where the cell does.
    pixel_size, unit
        As for `measure`.

    Returns
    -------
    dict of str to (N,) array
        ``index``: ids of the cells, sorted. ``area_nucleus_<unit>2``, ``area_cytoplasm_<unit>2``,
        ``area_nucleus_share``; for each channel (numbered where there are several) ``intensity_mean_nucleus``,
        ``intensity_mean_cytoplasm``, ``intensity_mean_ring``, ``intensity_nucleus_to_cytoplasm``. Where a part has no
        pixel its mean and ratios are NaN.

    Examples
    --------
    >>> cells = np.array([[0, 4, 4, 4, 4, 0]])
    >>> nuclei = np.array([[0, 0, 4, 4, 0, 0]])
    >>> table = compartments(cells, nuclei, np.array([[0, 2, 6, 6, 4, 0]]))
    >>> float(table["intensity_nucleus_to_cytoplasm"][0]), int(table["area_cytoplasm_px2"][0])
    (2.0, 2)
    """
    ids = np.unique(cells)
    channels = np.asarray(intensity)
    channels = channels[np.newaxis] if channels.ndim == 2 else channels
    parts = {
        name: measure(part, channels, basic=True) for name, part in parts_of(cells, nuclei, ring).items()
    }
    return compartment_columns(ids[ids > 0], parts, len(channels), pixel_size, unit)


def compartment_columns(
    ids: Labels,
    parts: Mapping[str, Columns],
    channels: int,
    pixel_size: tuple[float, float] | None = None,
    unit: str | None = None,
) -> Columns:
    """Make the columns of `compartments`.

    Parameters
    ----------
    ids : (N,) int array
        Of the cells, sorted.
    parts : mapping of str to columns
        Of each of `parts_of`, ``index``, ``area_px`` and ``intensity_mean`` (numbered where there are several).
    channels : int
    pixel_size, unit
        As for `measure`.
    """
    pixel_area = 1.0 if pixel_size is None else pixel_size[0] * pixel_size[1]
    suffix = length_suffix(pixel_size, unit)
    nucleus, body = (
        _by_id(parts[part], "area_px", ids, 0.0) * pixel_area for part in ("nucleus", "cytoplasm")
    )
    columns: Columns = {
        "index": ids,
        f"area_nucleus_{suffix}2": nucleus,
        f"area_cytoplasm_{suffix}2": body,
        "area_nucleus_share": nucleus / np.maximum(nucleus + body, np.finfo(float).tiny),
    }
    for number in range(channels):
        end = "" if channels == 1 else f"_{number}"
        means = {part: _by_id(table, f"intensity_mean{end}", ids, np.nan) for part, table in parts.items()}
        columns |= {f"intensity_mean_{part}{end}": mean for part, mean in means.items()}
        with np.errstate(divide="ignore", invalid="ignore"):
            columns[f"intensity_nucleus_to_cytoplasm{end}"] = means["nucleus"] / means["cytoplasm"]
    return columns


def _by_id(table: Columns, name: str, ids: Labels, missing: float) -> FloatArray:
    """Return a column with a value for each wanted id."""
    values = np.full(ids.size, missing)
    values[np.searchsorted(ids, table["index"])] = table[name]
    return values
