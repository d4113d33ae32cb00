"""From seeds to whole cells: each seed, for example a nucleus, grows to one cell that keeps its id.

Where a model knows the cells its relief and its cell probability decide; elsewhere the image itself does, within a
distance of the seeds, as in CellProfiler's secondary objects [1]_.

References
----------
.. [1] A. E. Carpenter et al., "CellProfiler: image analysis software for identifying and quantifying cell
       phenotypes", Genome Biology 7:R100, 2006.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage
from skimage.filters import sobel, threshold_otsu
from skimage.segmentation import watershed

from napari_utile.engine.cells.measure import Columns, measure, unit_suffix
from napari_utile.engine.planes.units import canonical_unit

Labels = NDArray[np.integer[Any]]

SMOOTHING = 1.5
"""Sigma in pixels of the smoothing before intensities are compared: noise must not stop a cell."""
EDGE_WEIGHT = 0.3
"""How much a strong edge counts against the whole distance. In dense tissue distance alone is as good as any edge."""
CLEARLY_APART = 0.75
"""Share of the variance that two kinds of grey values must explain, for one of them to be the background."""


def grow_in_relief(
    seeds: Labels,
    foreground: NDArray[np.bool_],
    relief: NDArray[np.floating[Any]],
    distance: float | None = None,
) -> Labels:
    """Grow seeds downhill in the foreground; where two meet lies the valley between them.

    Parameters
    ----------
    seeds : (Y, X) int array
        0 is background; every other id is kept.
    foreground : (Y, X) bool array
        Pixels that cells may take; seeds keep their own pixels whatever it says.
    relief : (Y, X) float array
        High inside cells, low between them.
    distance : float, optional
        Pixels that a cell reaches beyond its seed at most.

    Returns
    -------
    (Y, X) int array
        With the ids and the type of the seeds. Foreground without a seed is background.

    Raises
    ------
    ValueError
        If the shapes differ.
    """
    if not seeds.shape == foreground.shape == relief.shape:
        raise ValueError(
            f"Seeds {seeds.shape}, foreground {foreground.shape} and relief {relief.shape} differ."
        )
    allowed = foreground | (seeds > 0)
    if distance is not None:
        allowed &= _distance_to(seeds) <= distance
    return _watershed(-relief, seeds, allowed)


def grow_in_intensity(seeds: Labels, image: ArrayLike, distance: float) -> Labels:
    """Grow seeds to the edges of the cells in an image, within a distance.

    Where the image is clearly made of bright cells on a dark ground, the cells end with the bright. They meet half-way
    between their seeds, drawn towards the edges in the image.

    Parameters
    ----------
    seeds : (Y, X) int array
        0 is background; every other id is kept.
    image : (Y, X) array
        A stain of the whole cells.
    distance : float
        Pixels that a cell reaches beyond its seed at most.

    Returns
    -------
    (Y, X) int array
        With the ids and the type of the seeds.

    Raises
    ------
    ValueError
        If the shapes differ.

    Examples
    --------
    >>> image = np.array([[0, 0, 9, 9, 9, 9, 0, 0]]) * np.ones((5, 1))
    >>> seeds = np.zeros((5, 8), int)
    >>> seeds[2, 3] = 7
    >>> grow_in_intensity(seeds, image, distance=2)[2].tolist()
    [0, 0, 7, 7, 7, 7, 0, 0]
    """
    grey = np.nan_to_num(np.asarray(image, dtype=np.float32))
    if grey.shape != seeds.shape:
        raise ValueError(f"The seeds have shape {seeds.shape}, the image {grey.shape}.")
    if not (seeds > 0).any():
        return np.zeros_like(seeds)
    away = _distance_to(seeds)
    allowed = away <= distance
    smooth = ndimage.gaussian_filter(grey, SMOOTHING)
    edges = sobel(smooth)
    strong = float(np.percentile(edges[allowed], 90))
    level = _clear_level(grey[allowed])
    if level is not None and grey[seeds > 0].mean() > level:
        allowed &= (grey > level) | (smooth > level)
    heights = away / max(distance, 1) + EDGE_WEIGHT * edges / (strong or 1)
    return _watershed(heights, seeds, allowed | (seeds > 0))


def compartments(
    cells: Labels,
    nuclei: Labels,
    intensity: ArrayLike,
    *,
    ring: int = 3,
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
    ids = ids[ids > 0]
    inside = np.where(cells == nuclei, nuclei, 0)
    cytoplasm = np.where(inside > 0, 0, cells)
    near = _distance_to(inside) <= ring
    parts = {"nucleus": inside, "cytoplasm": cytoplasm, "ring": np.where(near, cytoplasm, 0)}
    channels = np.asarray(intensity)
    channels = channels[np.newaxis] if channels.ndim == 2 else channels
    tables = {part: _by_id(labels, channels, ids) for part, labels in parts.items()}
    pixel_area = 1.0 if pixel_size is None else pixel_size[0] * pixel_size[1]
    suffix = "px" if pixel_size is None or canonical_unit(unit) is None else unit_suffix(unit)
    nucleus, body = (tables[part][0] * pixel_area for part in ("nucleus", "cytoplasm"))
    columns: Columns = {
        "index": ids,
        f"area_nucleus_{suffix}2": nucleus,
        f"area_cytoplasm_{suffix}2": body,
        "area_nucleus_share": nucleus / np.maximum(nucleus + body, np.finfo(float).tiny),
    }
    for number in range(len(channels)):
        end = "" if len(channels) == 1 else f"_{number}"
        means = {part: table[1][number] for part, table in tables.items()}
        columns |= {f"intensity_mean_{part}{end}": mean for part, mean in means.items()}
        with np.errstate(divide="ignore", invalid="ignore"):
            columns[f"intensity_nucleus_to_cytoplasm{end}"] = means["nucleus"] / means["cytoplasm"]
    return columns


def _distance_to(labels: Labels) -> NDArray[np.float64]:
    """Pixels to the nearest label; infinite everywhere where there is none."""
    if not (labels > 0).any():
        return np.full(labels.shape, np.inf)
    distance: NDArray[np.float64] = ndimage.distance_transform_edt(labels == 0)
    return distance


def _clear_level(values: NDArray[np.float32]) -> float | None:
    """Return the grey value half-way between two kinds of pixels, where they are clearly apart (Otsu), else None."""
    if values.min() == values.max():
        return None
    bright = values > threshold_otsu(values)
    share, high, low = float(bright.mean()), float(values[bright].mean()), float(values[~bright].mean())
    between = share * (1 - share) * (high - low) ** 2
    return (high + low) / 2 if between >= CLEARLY_APART * float(values.var()) else None


def _watershed(heights: NDArray[Any], seeds: Labels, allowed: NDArray[np.bool_]) -> Labels:
    """Flood from the seeds; scikit-image counts in int32, so larger ids are numbered and put back."""
    ids, numbered = np.unique(seeds, return_inverse=True)
    first = 0 if ids.size and ids[0] == 0 else 1
    markers = (numbered.reshape(seeds.shape) + first).astype(np.int32)
    grown = watershed(heights, markers, mask=allowed)
    table = np.concatenate([np.zeros(first, dtype=seeds.dtype), ids])
    labels: Labels = table[grown]
    return labels


def _by_id(
    labels: Labels, channels: NDArray[Any], ids: Labels
) -> tuple[NDArray[np.float64], list[NDArray[np.float64]]]:
    """Return pixels and mean intensities of labels, a value for each wanted id: 0 pixels and NaN where missing."""
    table = measure(labels, channels, basic=True)
    place = np.searchsorted(ids, table["index"])
    area = np.zeros(ids.size)
    area[place] = table["area_px"]
    means = []
    for number in range(len(channels)):
        mean = np.full(ids.size, np.nan)
        mean[place] = table["intensity_mean" if len(channels) == 1 else f"intensity_mean_{number}"]
        means.append(mean)
    return area, means
