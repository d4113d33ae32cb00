"""Steps before the network that look no further than a given reach, so that a window gives what the whole plane does.

A recipe of steps is a short text: ``"invert,background:50,smooth:1.5"``. Every window is read with the reach of all
steps around it, mirrored at the border of the plane; the filters are symmetric, so mirroring first or filtering first
is the same.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_utile.engine.arrays import Float64Array
from napari_utile.engine.planes.axes import ImagePlane
from napari_utile.engine.planes.finite import exponent_of, finite
from napari_utile.engine.planes.mirror import mirror_window
from napari_utile.engine.planes.narrowed import narrowed
from napari_utile.engine.windows import Window

_TRUNCATE = 3.0
LARGEST = 200.0
"""Of the numbers of steps; pixels."""


@dataclass(frozen=True)
class _Kind:
    """A step: what it does to (C, Y, X) values with its number, how far it looks, and whether it needs a number."""

    apply: Callable[[Float64Array, float], Float64Array]
    reach: Callable[[float], int]
    takes: str = ""


def _smooth(values: Float64Array, sigma: float) -> Float64Array:
    smoothed: Float64Array = ndimage.gaussian_filter(
        values, (0, sigma, sigma), truncate=_TRUNCATE, mode="mirror"
    )
    return smoothed


def _median(values: Float64Array, radius: float) -> Float64Array:
    side = 2 * int(radius) + 1
    middle: Float64Array = ndimage.median_filter(values, size=(1, side, side), mode="mirror")
    return middle


def _without_background(values: Float64Array, radius: float) -> Float64Array:
    side = 2 * int(radius) + 1
    ground: Float64Array = ndimage.grey_opening(values, size=(1, side, side), mode="mirror")
    return values - ground


def _local_contrast(values: Float64Array, radius: float) -> Float64Array:
    sigma, exponent = radius / _TRUNCATE, exponent_of(values)
    values = np.ldexp(values, -exponent)
    mean = _smooth(values, sigma)
    spread = np.sqrt(np.maximum(_smooth((values - mean) ** 2, sigma), 0))
    scaled: Float64Array = (values - mean) / (spread + 1e-3 * np.abs(mean) + np.ldexp(1e-12, -exponent))
    return scaled


def _sigma_reach(sigma: float) -> int:
    return int(_TRUNCATE * sigma + 0.5)


STEPS = {
    "invert": _Kind(lambda values, _: -values, lambda _: 0),
    "smooth": _Kind(_smooth, _sigma_reach, "the standard deviation of a Gaussian"),
    "median": _Kind(_median, lambda radius: int(radius), "a radius"),
    "background": _Kind(
        _without_background, lambda radius: 2 * int(radius), "the radius of the largest cell"
    ),
    "contrast": _Kind(_local_contrast, lambda radius: 2 * _sigma_reach(radius / _TRUNCATE), "a radius"),
}
"""Name of a step -> what it is; numbers are pixels of the image."""


def parse_steps(text: str | None) -> tuple[tuple[str, float], ...]:
    """Read steps such as ``"invert,smooth:1.5"``.

    Raises
    ------
    ValueError
        Naming the step that is unknown or lacks its number.

    Examples
    --------
    >>> parse_steps("invert,smooth:1.5")
    (('invert', 0.0), ('smooth', 1.5))
    """
    steps = []
    for part in (text or "").split(","):
        if not part.strip():
            continue
        name, colon, number = part.strip().partition(":")
        kind = STEPS.get(name)
        if kind is None:
            raise ValueError(f"preprocess has the steps {', '.join(STEPS)}; got {name!r}.")
        try:
            value = float(number) if colon else 0.0
        except ValueError:
            value = math.nan
        if bool(kind.takes) != bool(colon) or not (0 < value <= LARGEST if kind.takes else value == 0):
            needs = f"{kind.takes} in pixels, up to {LARGEST:g}" if kind.takes else "no number"
            raise ValueError(f"preprocess {name} takes {needs}; got {part.strip()!r}.")
        steps.append((name, value))
    return tuple(steps)


def steps_in_words(steps: Sequence[tuple[str, float]]) -> str:
    """Write steps as `parse_steps` reads them."""
    return ",".join(f"{name}:{value:g}" if STEPS[name].takes else name for name, value in steps)


def reach_of(text: str | None) -> int:
    """Give how many pixels around it the steps look at to make one."""
    return sum(STEPS[name].reach(value) for name, value in parse_steps(text))


def preprocessed(plane: ImagePlane, text: str | None) -> ImagePlane:
    """Give the plane as the steps make it, computed where it is read; the same plane where there are none."""
    steps = parse_steps(text)
    return replace(plane, data=Preprocessed(plane.data, steps)) if steps else plane


class Preprocessed:
    """A plane (C, Y, X) after some steps, float32, read window by window.

    Parameters
    ----------
    data : (C, Y, X) array-like
    steps : sequence of (str, float)
        See `parse_steps`.
    """

    def __init__(self, data: Any, steps: Sequence[tuple[str, float]]) -> None:
        self.source, self._steps = data, tuple(steps)
        self._reach = sum(STEPS[name].reach(value) for name, value in self._steps)
        self.shape = tuple(data.shape)
        self.ndim = 3
        self.dtype = np.dtype(np.float32)

    def __getitem__(self, index: Any) -> NDArray[np.float32]:
        index = index if isinstance(index, tuple) else (index,)
        if index and index[0] is Ellipsis:
            index = ()
        parts = [*index[1:], *[slice(None)] * (3 - max(1, len(index)))]
        window = Window(
            *(slice(*part.indices(size)[:2]) for part, size in zip(parts, self.shape[1:], strict=True))
        )
        values: Float64Array = mirror_window(self.source, window.grown(self._reach)).astype(np.float64)
        lost = ~np.isfinite(values)
        values = finite(values)
        for name, value in self._steps:
            values = STEPS[name].apply(values, value)
        values[lost] = np.nan  # what is missing is not measured, and dark also where an image is inverted
        rows, columns = (slice(self._reach, size - self._reach) for size in values.shape[1:])
        made = narrowed(values[:, rows, columns])
        return made[index[0]] if index else made
