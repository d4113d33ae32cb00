"""What the pages of an evaluation have in common: cells painted by kind, and the curve of precision."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_utile.engine.metrics.cells import IOU_THRESHOLDS

Kinds = Mapping[int, tuple[str, str, int]]
"""Value in the pictures -> (word, colour, how many cells)."""


def painted(
    image: NDArray[Any] | None, kinds_here: NDArray[np.uint8], kinds: Kinds
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return an image as colours, and the same with its cells tinted by kind.

    Parameters
    ----------
    image
        (Y, X) grey values or (Y, X, 3) colours; None for black.
    kinds_here
        (Y, X) kind of each pixel.
    kinds
        Colour of each kind.

    Returns
    -------
    two (Y, X, 3) arrays from 0 to 1
    """
    from matplotlib.colors import to_rgb

    base = _stretched(image, kinds_here.shape)
    tinted = base.copy()
    for kind, (_, colour, _) in kinds.items():
        inside = kinds_here == kind
        tinted[inside] = 0.55 * tinted[inside] + 0.45 * np.array(to_rgb(colour))
    return base, tinted


def draw_precision(axes: Any, names: Sequence[str], scores: Sequence[Mapping[str, float]]) -> None:
    """Draw the average precision of each prediction over IoU into Matplotlib axes."""
    for name, one in zip(names, scores, strict=True):
        values = [one[f"ap{round(100 * threshold)}"] for threshold in IOU_THRESHOLDS]
        axes.plot(IOU_THRESHOLDS, values, marker="o", markersize=3, label=name)
    axes.set(xlabel="IoU", ylabel="average precision", ylim=(0, 1.02))
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small")


def _stretched(image: NDArray[Any] | None, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Return colours 0 to 1 of an image, stretched between its 1st and 99.8th percentile."""
    if image is None:
        return np.full((*shape, 3), 0.1)
    pixels = np.nan_to_num(np.asarray(image, float))
    low, high = np.percentile(pixels, (1, 99.8))
    stretched = np.clip((pixels - low) / (high - low if high > low else 1), 0, 1)
    return stretched if stretched.ndim == 3 else np.repeat(stretched[..., np.newaxis], 3, axis=2)
