"""Intensity normalisation: limits measured once per image, never per tile, so that tiles agree.

Percentiles rather than minimum and maximum, because one hot pixel must not darken the cells; and of the rest of the
image where debris covers more than a high percentile leaves out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from napari_utile.engine.parameters import Bounds, check_bounds
from napari_utile.engine.planes.computed import Computed, computed
from napari_utile.engine.planes.debris import pixels_without_debris
from napari_utile.engine.planes.percentiles import percentiles
from napari_utile.engine.windows import Window

EXACT_PIXELS = 1 << 24
"""Images up to this many pixels are measured whole; larger ones at a lattice of blocks."""
LATTICE, BLOCK = 12, 256
RULES = ("robust", "percentiles", "spread", "fixed")
SPREAD = 5.0
"""With the rule ``spread``: 0 and 1 lie this many standard deviations below and above the mean."""
FIXED = 65536.0
"""With the rule ``fixed``: the grey value that becomes 1."""


@dataclass(frozen=True)
class Normalization:
    """Which grey values of an image become 0 and 1: two percentiles, with or without bright debris, or others."""

    low: Annotated[
        float, Bounds(0, 50, unit="%", label="Low percentile", help="This percentile becomes 0.")
    ] = 1.0
    high: Annotated[
        float, Bounds(50, 100, unit="%", label="High percentile", help="This percentile becomes 1.")
    ] = 99.8
    rule: Annotated[
        str,
        Bounds(
            choices=RULES,
            label="Limits",
            help="robust leaves out debris many times as bright as the cells; percentiles counts every pixel. Models "
            "made elsewhere may take the mean and its spread, or fixed grey values.",
        ),
    ] = "robust"

    def __post_init__(self) -> None:
        check_bounds(self)


@dataclass(frozen=True)
class IntensityLimits:
    """The grey values that become 0 and 1, one pair per channel."""

    low: tuple[float, ...]
    high: tuple[float, ...]

    def apply(self, window: NDArray[Any]) -> NDArray[np.float32]:
        """Scale a window (C, Y, X) to float32; NaN becomes 0, infinities and outliers end at -1 and 4.

        The ends lie far outside what cells have, so they only tame broken pixels.
        """
        low = np.asarray(self.low, np.float64)[:, None, None]
        span = np.asarray(self.high, np.float64)[:, None, None] - low
        values: NDArray[np.floating[Any]] = np.array(
            window, dtype=np.float32 if window.dtype.itemsize <= 4 else np.float64
        )
        with np.errstate(invalid="ignore", over="ignore"):  # a span near 0: its scale is infinite
            scale = np.where(span > 0, 1.0 / np.where(span > 0, span, 1.0), 0.0)
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
    limits = [_limits_of(_sample(data, channel), normalization) for channel in range(data.shape[0])]
    return IntensityLimits(tuple(low for low, _ in limits), tuple(high for _, high in limits))


def _limits_of(image: NDArray[Any], normalization: Normalization) -> tuple[float, float]:
    """Measure the limits of one channel (Y, X)."""
    values = _finite(image)
    if values.size == 0:
        return 0.0, 0.0
    if normalization.rule == "fixed":
        return 0.0, FIXED
    if normalization.rule == "spread":
        mean, deviation = float(values.mean(dtype=np.float64)), float(values.std(dtype=np.float64))
        reach = SPREAD * deviation or 1.0  # an even image becomes the mean everywhere
        return mean - reach, mean + reach
    if values.dtype.kind == "b":
        return 0.0, 1.0
    low, high = percentiles(values, (normalization.low, normalization.high))
    if high <= low:  # few bright pixels on an even ground: take what range there is
        return float(values.min()), float(values.max())
    if normalization.rule == "robust":
        even = (
            image if values.size == image.size else np.where(np.isfinite(image), image, image.dtype.type(low))
        )
        kept = pixels_without_debris(even, low, high)
        if kept is not None:
            (high,) = percentiles(even[kept], (normalization.high,))
    return low, high


def _finite(image: NDArray[Any]) -> NDArray[Any]:
    values = image.ravel()
    return values[np.isfinite(values)] if values.dtype.kind == "f" else values


def _sample(data: Any, channel: int) -> NDArray[Any]:
    """Read a channel (Y, X): whole, or at a lattice of blocks that are put side by side."""
    _, height, width = data.shape
    if height * width <= EXACT_PIXELS:
        return np.asarray(data[channel])
    columns = _lattice(width)
    windows = [(channel, slice(y, y + BLOCK), slice(x, x + BLOCK)) for y in _lattice(height) for x in columns]
    data = computed(data)
    blocks = data.read(windows) if isinstance(data, Computed) else [data[window] for window in windows]
    rows = [blocks[start : start + len(columns)] for start in range(0, len(blocks), len(columns))]
    return np.concatenate([np.concatenate([np.asarray(block) for block in row], axis=1) for row in rows])


def sampled_windows(shape: Sequence[int]) -> list[Window]:
    """Return the windows in which a plane (Y, X) is measured: all of it, or beyond `EXACT_PIXELS` a lattice."""
    height, width = shape
    if height * width <= EXACT_PIXELS:
        return [Window.whole((height, width))]
    corners = [(y, x) for y in _lattice(height) for x in _lattice(width)]
    return [Window.span((y, x), (y + BLOCK, x + BLOCK)).clipped((height, width)) for y, x in corners]


def _lattice(size: int) -> list[int]:
    if size <= LATTICE * BLOCK:
        return list(range(0, size, BLOCK))
    return [round(i * (size - BLOCK) / (LATTICE - 1)) for i in range(LATTICE)]
