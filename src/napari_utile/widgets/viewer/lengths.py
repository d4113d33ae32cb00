"""How far the pixels and planes of a layer lie apart in the world, with all that napari says of where it lies."""

import functools
from collections.abc import Sequence
from typing import Any

import napari.layers
import numpy as np
from napari.utils.notifications import show_info
from numpy.typing import NDArray

_SHEARED = 1e-3
"""Cosine of the angle between the sides of a pixel; a smaller one changes areas by less than a millionth."""


def step_lengths(layer: napari.layers.Layer, axes: Sequence[int] | None = None) -> tuple[float, ...]:
    """Say how far it is in the world from one entry of an axis to the next.

    Parameters
    ----------
    layer : napari layer
        The source.
    axes : sequence of int, optional
        The two axes of its plane; the last two by default.

    Returns
    -------
    tuple of float
        Of each axis of the layer, in the unit of that axis: along those of the plane from pixel to pixel, along the
        others from plane to plane, at right angles to them, as planes may be shifted against each other. What lies
        along axes of another kind is left out: where an image drifts with time, frames are as far apart as without.
    """
    plane = _of_plane(layer, axes)
    lengths = []
    for axis in range(layer.ndim):
        steps = _steps(layer, layer.units[axis])
        step, sides = steps[axis], steps[plane].T
        if axis not in plane:
            step = step - sides @ np.linalg.lstsq(sides, step, rcond=None)[0]
        lengths.append(float(np.linalg.norm(step)))
    return tuple(lengths)


def shorter_side(layer: napari.layers.Layer, axes: Sequence[int] | None = None) -> float:
    """Say how long the shorter side of a pixel is in the world; see `step_lengths`."""
    lengths = step_lengths(layer, axes)
    return min(lengths[axis] for axis in _of_plane(layer, axes))


def pixel_size_of(
    layer: napari.layers.Layer, axes: Sequence[int] | None = None
) -> tuple[tuple[float, float] | None, str | None]:
    """Say how large a pixel of a layer's plane is; once, where it is no rectangle, that it has no size.

    Parameters
    ----------
    layer : napari layer
        The source.
    axes : sequence of int, optional
        The two axes of the plane; the last two by default.

    Returns
    -------
    pixel_size : (y, x), optional
        World units per pixel; None where the layer has no unit of length, or is sheared.
    unit : str, optional
        The unit as people write it, for example ``"µm"``.
    """
    plane = _of_plane(layer, axes)
    unit = layer.units[plane[0]]
    if not all(layer.units[axis].is_compatible_with("meter") for axis in plane):
        return None, None
    sides = _steps(layer, unit)[plane]
    height, width = np.linalg.norm(sides, axis=1).tolist()
    cosine = float(sides[0] @ sides[1]) / (height * width)
    if abs(cosine) > _SHEARED:
        _say_sheared(round(cosine, 3), round(width / height, 3))
        return None, None
    return (height, width), f"{unit:~}"


@functools.cache
def _say_sheared(cosine: float, ratio: float) -> None:
    """Say it once for an image and all that lies on it: their pixels have the same shape."""
    show_info("This layer is sheared: lengths and areas are in pixels.")


def shear_of(layer: napari.layers.Layer) -> NDArray[np.float64]:
    """Return the shear of a layer as a matrix; napari has it as one, or as what lies above the diagonal."""
    shear = np.asarray(layer.shear, dtype=float)
    if shear.ndim == 1:
        upper = np.eye(layer.ndim)
        upper[np.triu_indices(layer.ndim, k=1)] = shear
        return upper
    return shear


def _of_plane(layer: napari.layers.Layer, axes: Sequence[int] | None) -> list[int]:
    return list(range(layer.ndim - 2, layer.ndim) if axes is None else axes)


def _steps(layer: napari.layers.Layer, unit: Any) -> NDArray[np.float64]:
    """Return what a step along each axis, a row, is in the world, in one unit; 0 along axes of other kinds."""
    turned = np.asarray(layer.rotate, dtype=float) @ shear_of(layer) * np.asarray(layer.scale, dtype=float)
    moved = np.asarray(layer.affine.linear_matrix, dtype=float) @ turned
    factors = np.array([_in_unit(each, unit) for each in layer.units])
    steps: NDArray[np.float64] = moved.T * factors
    return steps


def _in_unit(unit: Any, wanted: Any) -> float:
    if unit == wanted:
        return 1.0
    return float((1 * unit).to(wanted).magnitude) if unit.is_compatible_with(wanted) else 0.0
