"""Weight maps as files, with the parameters that made them."""

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from napari_utile.engine.arrays import Float32Array
from napari_utile.engine.files.tiff import write_image
from napari_utile.engine.parameters import to_json
from napari_utile.engine.weights.weight_map import WeightMap, WeightMapParams, weight_map

TERMS = ("total", "class_balance", "border", "d1", "d2")
"""What can be written or shown of a weight map."""


def weigh_planes(
    labels: Any, params: WeightMapParams, pixel_size: Sequence[float] | None = None, term: str = "total"
) -> Float32Array:
    """Compute one term of the weight map of every plane of a label stack.

    Parameters
    ----------
    labels : (..., Y, X) array
        Each plane is a label image of its own.
    params : WeightMapParams
    pixel_size : (height, width), optional
    term : str
        One of `TERMS`.

    Returns
    -------
    (..., Y, X) float32 array

    Raises
    ------
    ValueError
        As `weight_map`, or where `term` is unknown.
    """
    if term not in TERMS:
        raise ValueError(f"term must be one of {', '.join(TERMS)}; got {term!r}.")
    weights = np.empty(labels.shape, np.float32)
    for index in np.ndindex(*labels.shape[:-2]):
        weights[index] = getattr(weigh(np.asarray(labels[index]), params, pixel_size), term)
    return weights


def weigh(labels: Any, params: WeightMapParams, pixel_size: Sequence[float] | None = None) -> WeightMap:
    """Call `weight_map` with a dataclass of parameters."""
    return weight_map(
        labels,
        w0=params.w0,
        sigma=params.sigma,
        balance=params.balance,
        balance_limit=params.balance_limit,
        everywhere=params.everywhere,
        pixel_size=pixel_size,
    )


def write_weight_map(
    path: str | os.PathLike[str],
    weights: Float32Array,
    params: WeightMapParams,
    axes: str = "YX",
    pixel_size: tuple[float, float] | None = None,
    unit: str | None = None,
    term: str = "total",
    steps: Mapping[str, tuple[float, str | None]] | None = None,
) -> None:
    """Write weights as a float32 TIFF that holds the parameters as JSON: in ImageJ's Info, or in OME's Description.

    Parameters
    ----------
    path : str or path-like
        Ends in ``.tif`` or ``.tiff``.
    weights : (..., Y, X) float32 array
    params : WeightMapParams
    axes : str
        One letter an axis.
    pixel_size, unit, steps
        As for `napari_utile.engine.files.images.write_image`.
    term : str
        Which term of the map it is.

    Raises
    ------
    UtileError
        When the file cannot be written.
    """
    values = {
        name: value if isinstance(value, bool) else float(value) for name, value in to_json(params).items()
    }
    description = json.dumps({"weight_map": {"term": term, **values}})
    write_image(path, np.asarray(weights, np.float32), axes, pixel_size, unit, description, steps)
