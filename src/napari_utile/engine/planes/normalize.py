"""Intensity normalisation: limits measured once per image, never per tile, so that tiles agree.

Percentiles rather than minimum and maximum, because one hot pixel must not darken the cells.
"""

from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from napari_utile.engine.parameters import Bounds, check_bounds

EXACT_PIXELS = 1 << 24
"""Images up to this many pixels are measured whole; larger ones at a lattice of blocks."""
LATTICE, BLOCK = 12, 256


@dataclass(frozen=True)
class Normalization:
    """Which percentiles of an image become 0 and 1."""

    low: Annotated[
        float, Bounds(0, 50, unit="%", label="Low percentile", help="This percentile becomes 0.")
    ] = 1.0
    high: Annotated[
        float, Bounds(50, 100, unit="%", label="High percentile", help="This percentile becomes 1.")
    ] = 99.8

    def __post_init__(self) -> None:
        check_bounds(self)


@dataclass(frozen=True)
class IntensityLimits:
    """The grey values that become 0 and 1, one pair per channel."""

    low: tuple[float, ...]
    high: tuple[float, ...]

    def apply(self, window: NDArray[Any]) -> NDArray[np.float32]:
        """Scale a window (C, Y, X) to float32; NaN becomes 0, infinities and outliers end at -1 and 4.

        The ends lie far outside of what cells have, so they only tame broken pixels.
        """
        low = np.asarray(self.low, np.float64)[:, None, None]
        span = np.asarray(self.high, np.float64)[:, None, None] - low
        scale = np.where(span > 0, 1.0 / np.where(span > 0, span, 1.0), 0.0)
        values: NDArray[np.floating[Any]] = np.array(
            window, dtype=np.float32 if window.dtype.itemsize <= 4 else np.float64
        )
        with np.errstate(invalid="ignore"):
            values -= low.astype(values.dtype)
            values *= scale.astype(values.dtype)
        values[np.isnan(values)] = 0
        return np.clip(values, -1.0, 4.0, out=values).astype(np.float32, copy=False)


def measure_limits(data: Any, normalization: Normalization | None = None) -> IntensityLimits:
    """Measure the intensity limits of a plane.

    Parameters
    ----------
    data : (C, Y, X) array, numpy, dask or zarr
        Read whole up to `EXACT_PIXELS`; beyond, at a lattice of blocks whose places depend on the shape alone.
    normalization : Normalization, optional

    Returns
    -------
    IntensityLimits
        Non-finite pixels do not count; a channel without finite pixels gets (0, 0) and so becomes 0 everywhere.
    """
    normalization = normalization or Normalization()
    lows, highs = [], []
    for channel in range(data.shape[0]):
        values = _sample(data, channel)
        if values.dtype.kind == "f":
            values = values[np.isfinite(values)]
        if values.size == 0:
            low = high = 0.0
        elif values.dtype.kind == "b":
            low, high = 0.0, 1.0
        else:
            low, high = _percentiles(values, normalization.low, normalization.high)
            if high <= low:  # few bright pixels on an even ground: take what range there is
                low, high = float(values.min()), float(values.max())
        lows.append(float(low))
        highs.append(float(high))
    return IntensityLimits(tuple(lows), tuple(highs))


def _sample(data: Any, channel: int) -> NDArray[Any]:
    _, height, width = data.shape
    if height * width <= EXACT_PIXELS:
        return np.asarray(data[channel]).ravel()
    blocks = [data[channel, y : y + BLOCK, x : x + BLOCK] for y in _lattice(height) for x in _lattice(width)]
    if hasattr(data, "dask"):
        import dask.base

        compute: Any = dask.base.compute
        blocks = compute(*blocks)  # planning one at a time takes longer than reading
    return np.concatenate([np.asarray(block).ravel() for block in blocks])


def _lattice(size: int) -> list[int]:
    if size <= LATTICE * BLOCK:
        return list(range(0, size, BLOCK))
    return [round(i * (size - BLOCK) / (LATTICE - 1)) for i in range(LATTICE)]


def _percentiles(values: NDArray[Any], low: float, high: float) -> tuple[float, float]:
    """Take percentiles; of small integers from their histogram, which is many times faster and the same."""
    if values.dtype.kind == "u" and values.dtype.itemsize <= 2:
        counts = np.bincount(values)
        cumulative = np.cumsum(counts)

        def at(rank: float) -> float:
            below = int(np.searchsorted(cumulative, np.floor(rank), side="right"))
            above = int(np.searchsorted(cumulative, np.ceil(rank), side="right"))
            return below + (above - below) * float(rank - np.floor(rank))

        last = values.size - 1
        return at(low / 100 * last), at(high / 100 * last)
    first, second = np.percentile(values, (low, high))
    return float(first), float(second)
