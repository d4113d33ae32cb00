"""Measurements of instances: one row for each, in physical units where the pixel size is known."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_utile.engine.arrays import rows_and_columns_last
from napari_utile.engine.cells.label_runs import (
    LabelRuns,
    convex_pixels,
    intensity_limits,
    intensity_sums,
    label_runs,
    moments,
)
from napari_utile.engine.cells.outlines import perimeters, touching
from napari_utile.engine.metrics.contingency import as_labels
from napari_utile.engine.planes.arrays import as_array
from napari_utile.engine.planes.units import canonical_unit, checked_pixel_size
from napari_utile.engine.words import counted, unlike

Columns = dict[str, NDArray[Any]]


def index_columns(index: Mapping[str, int], rows: int) -> Columns:
    """Say in which plane of a stack cells lie: in columns ``t`` and ``z``, as every table names them.

    Parameters
    ----------
    index : mapping of str to int
        Which entry of each stacked axis, for example ``{"T": 3}``.
    rows : int
        How many cells there are.

    Examples
    --------
    >>> index_columns({"T": 3}, 2)["t"].tolist()
    [3, 3]
    """
    return {axis.lower(): np.full(rows, entry, np.int64) for axis, entry in index.items()}


def measure(
    labels: ArrayLike,
    intensity: ArrayLike | None = None,
    pixel_size: tuple[float, float] | None = None,
    unit: str | None = None,
    *,
    basic: bool = False,
    channel_names: Sequence[str] | None = None,
) -> Columns:
    """Measure each instance of a label image.

    Parameters
    ----------
    labels : (Y, X) integer array
        0 = background.
    intensity : (Y, X) or (C, Y, X) array, optional
        An image, or its channels; NaN, and masked pixels, spread to the sums of the instances that hold them.
    pixel_size : (float, float), optional
        Height and width of a pixel. Without it lengths and areas are in pixels.
    unit : str, optional
        Of the pixel size, for example ``"µm"``; without one, columns end in ``_unit``.
    basic : bool
        Only index, area, centroid and mean intensities: fast enough to follow a slider.
    channel_names : sequence of str, optional
        One for each channel; numbers by default, and added to names that occur twice.

    Returns
    -------
    dict of str to (N,) array
        - ``index`` (as napari calls it) and ``label`` (as scikit-image does): label id; rows are sorted by it.
        - ``area_px``, and ``area_<unit>2`` where the pixel size is known.
        - ``centroid_y``, ``centroid_x``: mean position of the pixel centres, in pixels.
        - ``perimeter_<unit>``: see `outlines.perimeters`.
        - ``major_axis_<unit>``, ``minor_axis_<unit>``, ``eccentricity``: of the ellipse with the same
          second moments as the pixel centres, as in scikit-image.
        - ``solidity``: area divided by the pixels of the convex hull, 0 to 1.
        - ``neighbours``: other instances with at most one pixel of background between.
        - ``touching_fraction``: share of the outline that other instances lie behind.
        - ``intensity_mean``, ``_min``, ``_max``, ``_sum``: for each channel, with its name appended where
          there is more than one.

    Raises
    ------
    ValueError
        If the labels are not 2-D and whole numbers of at least 0, or shapes do not fit.

    Examples
    --------
    >>> labels = np.array([[1, 1, 0, 4], [1, 1, 0, 4]])
    >>> table = measure(labels, 10 * labels, pixel_size=(0.5, 0.5), unit="µm", basic=True)
    >>> table["index"].tolist(), table["area_um2"].tolist(), table["intensity_mean"].tolist()
    ([1, 4], [1.0, 0.5], [10.0, 40.0])
    """
    plane = as_labels(labels)
    if plane.ndim != 2:
        raise ValueError(f"labels must be (Y, X), got shape {plane.shape}")
    if pixel_size is not None:
        pixel_size = checked_pixel_size(pixel_size)
    if unit is not None and not isinstance(unit, str):
        raise ValueError(f"the unit must be a text such as 'µm', got {type(unit).__name__}")
    runs = label_runs(plane)
    area, centroid, covariance = moments(runs)
    columns: Columns = {"index": runs.ids, "label": runs.ids, "area_px": area.astype(np.int64)}
    size = pixel_size or (1.0, 1.0)
    suffix = length_suffix(pixel_size, unit)
    if suffix != "px":
        columns[f"area_{suffix}2"] = area * (size[0] * size[1])
    columns |= {"centroid_y": centroid[:, 0], "centroid_x": centroid[:, 1]}
    if not basic:
        columns |= _shape_columns(plane, runs, area, covariance, size, suffix)
    return columns | _intensity_columns(plane, runs, area, intensity, channel_names, basic)


def length_suffix(pixel_size: tuple[float, float] | None, unit: str | None) -> str:
    """Return how columns of lengths end: ``px`` where pixels have no other size, else as `unit_suffix`.

    Examples
    --------
    >>> length_suffix(None, "µm"), length_suffix((1, 1), None), length_suffix((2, 2), None), length_suffix((1, 1), "µm")
    ('px', 'px', 'unit', 'um')
    """
    in_pixels = pixel_size is None or (canonical_unit(unit) is None and tuple(pixel_size) == (1.0, 1.0))
    return "px" if in_pixels else unit_suffix(unit)


def unit_suffix(unit: str | None) -> str:
    """Return a unit of length as plain ASCII for a column name: ``um`` for micrometres."""
    name = (canonical_unit(unit) or "unit").replace("µ", "u").replace("Å", "angstrom")
    return "".join(letter if letter.isalnum() and letter.isascii() else "_" for letter in name)


def _shape_columns(
    plane: NDArray[np.integer],
    runs: LabelRuns,
    area: NDArray[np.float64],
    covariance: NDArray[np.float64],
    size: tuple[float, float],
    suffix: str,
) -> Columns:
    scaled = covariance * np.outer(size, size)
    # Eigenvalues of a symmetric 2x2 matrix; rounding must not make the smaller one negative.
    mean = (scaled[:, 0, 0] + scaled[:, 1, 1]) / 2
    spread = np.hypot((scaled[:, 0, 0] - scaled[:, 1, 1]) / 2, scaled[:, 0, 1])
    major, minor = mean + spread, np.maximum(mean - spread, 0)
    ratio = np.divide(minor, major, out=np.ones_like(major), where=major > 0)
    neighbours, fraction = touching(plane, runs.ids)
    return {
        f"perimeter_{suffix}": perimeters(plane, runs.ids, size),
        f"major_axis_{suffix}": 4 * np.sqrt(major),
        f"minor_axis_{suffix}": 4 * np.sqrt(minor),
        "eccentricity": np.sqrt(1 - ratio),
        "solidity": area / convex_pixels(runs),
        "neighbours": neighbours,
        "touching_fraction": fraction,
    }


def _intensity_columns(
    plane: NDArray[np.integer],
    runs: LabelRuns,
    area: NDArray[np.float64],
    intensity: ArrayLike | None,
    names: Sequence[str] | None,
    basic: bool,
) -> Columns:
    if intensity is None:
        return {}
    channels = np.asarray(as_array(rows_and_columns_last(intensity, "the intensity"))[0])
    if channels.dtype.kind not in "buif":
        raise ValueError(f"intensity must be an array of real numbers, got {channels.dtype}")
    if channels.ndim == 2:
        channels = channels[np.newaxis]
    if channels.ndim != 3 or channels.shape[1:] != plane.shape:
        raise ValueError(f"intensity must be (Y, X) or (C, Y, X) on {plane.shape}, got {channels.shape}")
    if names is not None and len(names) != len(channels):
        raise ValueError(f"{counted(len(channels), 'channel')} and {counted(len(names), 'name')} were given")
    columns: Columns = {}
    distinct = unlike(range(len(channels)) if names is None else names, "_")
    for name, channel in zip(distinct, channels, strict=True):
        end = "" if len(channels) == 1 else f"_{name}"
        pixels = np.ascontiguousarray(channel)
        total = intensity_sums(runs, pixels)
        columns[f"intensity_mean{end}"] = total / area
        if not basic:
            lowest, highest = intensity_limits(runs, pixels)
            columns |= {
                f"intensity_min{end}": lowest,
                f"intensity_max{end}": highest,
                f"intensity_sum{end}": total,
            }
    return columns
