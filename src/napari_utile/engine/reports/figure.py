"""One figure of a result: the image, the outlines of its cells, the probability and the weight map."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray
from skimage.segmentation import find_boundaries

from napari_utile.engine.planes.finite import finite
from napari_utile.engine.words import counted

LARGEST_PANEL = 1024
"""Rows or columns above which a panel shows every second, third ... pixel."""
OUTLINE = (1.0, 0.85, 0.1)
"""Red, green and blue of the outlines."""


def overview(
    image: NDArray[Any],
    labels: NDArray[Any],
    probability: NDArray[Any],
    weights: NDArray[Any],
    title: str = "",
) -> Figure:
    """Draw what went in and what came out, side by side.

    Parameters
    ----------
    image : (Y, X) or (Y, X, 3) array
        Grey values of any range, or colours (integers over their whole range, or float from 0 to 1).
    labels : (Y, X) integer array
        0 = background.
    probability : (Y, X) array
        Of being a cell, from 0 to 1.
    weights : (Y, X) array
        Weight of each pixel in the loss.
    title : str, optional

    Returns
    -------
    matplotlib.figure.Figure
        To be saved with `savefig`; no window is made.

    Raises
    ------
    ValueError
        If the four do not cover the same pixels.
    """
    shapes = {array.shape[:2] for array in (image, labels, probability, weights)}
    if len(shapes) != 1:
        raise ValueError(f"The image and its results must cover the same pixels; got {sorted(shapes)}.")
    ((height, width),) = shapes
    step = -(-max(height, width) // LARGEST_PANEL)
    thin = (slice(None, None, step), slice(None, None, step))
    colours = as_colours(image[thin])
    outlined = colours.copy()
    outlined[find_boundaries(labels[thin], mode="inner")] = OUTLINE
    count = np.unique(labels[labels != 0]).size

    side = 5.0  # inches
    figure = Figure(figsize=(2 * side + 1.3, 2 * side * height / width + 0.9), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(2, 2)
    panels: tuple[tuple[Axes, str, NDArray[Any], dict[str, Any] | None], ...] = (
        (axes[0, 0], "image", colours, None),
        (axes[0, 1], counted(count, "instance"), outlined, None),
        (axes[1, 0], "cell probability", probability[thin], {"vmin": 0, "vmax": 1, "cmap": "magma"}),
        (axes[1, 1], "weight map", weights[thin], {"vmin": 0, "cmap": "viridis"}),
    )
    for panel, name, shown, scale in panels:
        drawn = panel.imshow(shown, interpolation="nearest", **(scale or {}))
        panel.set_title(name)
        panel.set_axis_off()
        if scale:
            figure.colorbar(drawn, ax=panel, shrink=0.8, pad=0.02)
    figure.suptitle(title)
    return figure


def as_colours(image: NDArray[Any]) -> NDArray[np.float32]:
    """Stretch grey values between their 1st and 99.8th percentiles; take colours as they are.

    Parameters
    ----------
    image : (Y, X) or (Y, X, 3) array

    Returns
    -------
    (Y, X, 3) float32 array from 0 to 1; what is not a number is black.
    """
    whole = np.asarray(image, np.result_type(image.dtype, np.float32))
    values = finite(whole)
    if image.ndim == 3:
        scaled = values / np.iinfo(image.dtype).max if image.dtype.kind in "ui" else values
    else:
        low, high = np.percentile(values, (1.0, 99.8))
        scaled = np.repeat(((values - low) / max(high - low, 1e-6))[..., np.newaxis], 3, axis=2)
    colours: NDArray[np.float32] = np.clip(scaled, 0.0, 1.0).astype(np.float32)
    return colours
