"""Arrays of other libraries as arrays that can be sliced: torch, xarray, zarr, masked, lists."""

from typing import Any

import numpy as np

from napari_utile.engine.arrays import dims_of
from napari_utile.engine.errors import UtileError
from napari_utile.engine.planes.computed import Computed, computed


def as_array(image: Any) -> tuple[Any, tuple[object, ...] | None]:
    """Give an array that is sliced like numpy's, read only where it is sliced; and the names of its axes.

    Parameters
    ----------
    image : array-like
        numpy (masked pixels become NaN, which counts as no pixel), dask, zarr, xarray, torch, nested lists.

    Returns
    -------
    array, names
        numpy, or of dask what is `Computed`; None where the axes have no names.
    """
    if (names := dims_of(image)) is not None:
        return as_array(image.data)[0], names
    if hasattr(image, "detach") and hasattr(image, "cpu"):  # torch
        image = image.detach().cpu()
        return np.asarray(image.float() if "bfloat16" in str(image.dtype) else image), None
    if isinstance(image, np.ma.MaskedArray):
        return _unmasked(image), None
    if isinstance(image, np.ndarray):
        return np.asarray(image) if isinstance(image, np.matrix) else image, None
    if not hasattr(image, "shape") or not hasattr(image, "dtype"):
        try:
            return np.asarray(image), None
        except (TypeError, ValueError) as error:  # rows of different lengths, a Dataset of xarray
            raise UtileError(f"This is not an array of numbers: {str(error).rstrip('.')}.") from error
    image = computed(image)
    if hasattr(image, "chunks") and hasattr(image, "__getitem__"):  # zarr, h5py
        from dask.array import from_array

        metadata = getattr(image, "metadata", None)
        names = getattr(metadata, "dimension_names", None)
        chunks = image.chunks or "auto"
        return Computed(from_array(image, chunks=chunks, name=False)), tuple(names) if names else None
    return (image if hasattr(image, "transpose") and hasattr(image, "ndim") else np.asarray(image)), None


def as_label_array(labels: Any) -> tuple[Any, tuple[object, ...] | None]:
    """Give an array of labels as `as_array` does; masked pixels are background."""
    return as_array(labels.filled(0) if isinstance(labels, np.ma.MaskedArray) else labels)


def _unmasked(image: Any) -> Any:
    if not np.ma.is_masked(image) or image.dtype.kind not in "buif":
        return np.asarray(image)
    kind = image.dtype if image.dtype.kind == "f" else np.dtype("f4" if image.dtype.itemsize <= 2 else "f8")
    return image.astype(kind).filled(np.nan)
