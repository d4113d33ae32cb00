"""Arrays by what they hold, and what their axes are called."""

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.integer[Any]]
Int64Array = NDArray[np.int64]
Float32Array = NDArray[np.float32]
Float64Array = NDArray[np.float64]
Labels = IntArray
"""One id a cell, 0 for background."""

PATHS = (str, bytes, os.PathLike)
"""What names a file where an array could be given, too."""


def no_id(name: str, value: object) -> str:
    """Say that labels hold a value that is no id.

    Examples
    --------
    >>> no_id("cells.tif", -1)
    'cells.tif must hold whole numbers from 0 (background) up, got -1'
    """
    return f"{name} must hold whole numbers from 0 (background) up, got {value}"


_NAMES = {
    "T": {"t", "time", "times", "timepoint", "timepoints", "frame", "frames"},
    "Z": {"z", "depth", "slice", "slices", "plane", "planes"},
    "C": {"c", "ch", "channel", "channels", "band", "bands", "wavelength"},
    "Y": {"y", "row", "rows", "height", "lat"},
    "X": {"x", "col", "cols", "column", "columns", "width", "lon"},
    "S": {"s", "sample", "samples", "rgb", "rgba", "colour", "color"},
}


def letter_of(name: object) -> str | None:
    """Give the letter that stands for an axis of this name; None where the name says nothing.

    Examples
    --------
    >>> letter_of("time"), letter_of("dim_0")
    ('T', None)
    """
    word = str(name).strip().lower() if name is not None else ""
    return next((letter for letter, words in _NAMES.items() if word in words), None)


def dims_of(array: Any) -> tuple[object, ...] | None:
    """Give the names that an array of xarray has for its axes; None of any other array."""
    dims = getattr(array, "dims", None)
    return dims if isinstance(dims, tuple) and hasattr(array, "data") and hasattr(array, "coords") else None


def rows_and_columns_last(array: Any, what: str = "labels") -> Any:
    """Give an array whose Y and X come last; those without names are as they should be.

    Of what was read from a file, with ``data`` and a letter for each of its ``axes``, it is the data.

    Raises
    ------
    ValueError
        If it is the path of a file; the sentence says `what` was to be an array.
    """
    if isinstance(array, PATHS):
        raise ValueError(f"{what} must be an array, not a path: read_image(path) gives the one in a file")
    if isinstance(axes := getattr(array, "axes", None), str) and hasattr(array, "data"):
        order = sorted(range(len(axes)), key=lambda axis: ("YX".find(axes[axis]), axis))
        return array.data.transpose(order)
    names = {letter_of(name): name for name in dims_of(array) or ()}
    return array.transpose(..., names["Y"], names["X"]) if {"Y", "X"} <= set(names) else array
