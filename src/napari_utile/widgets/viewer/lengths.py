"""How far the pixels and planes of a layer lie apart in the world, with all that napari says of where it lies."""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from napari.layers import Layer
from napari.utils.notifications import show_info
from napari.utils.transforms import Affine
from numpy.typing import NDArray

_SHEARED = 1e-3
"""Cosine of the angle between the sides of a pixel; a smaller one changes areas by less than a millionth."""
_OWN = ("scale", "rotate", "shear", "units")


def world_of(space: Mapping[str, Any], ndim: int) -> Affine:
    """Make one transform to the world, without offset, of all that says where a layer lies.

    Parameters
    ----------
    space : mapping
        scale, rotate, shear, affine and units, as the attributes of a layer; each may be lacking.
    ndim : int
        How many axes the layer has.
    """
    own = Affine(**{name: value for name, value in space.items() if name in _OWN}, ndim=ndim)
    moved = np.asarray(space.get("affine", np.eye(ndim + 1)), dtype=float)[:-1, :-1]
    return Affine(linear_matrix=moved @ own.linear_matrix, units=own.units)


def step_lengths(lies: Layer | Affine, axes: Sequence[int] | None = None) -> tuple[float, ...]:
    """Say how far it is in the world from one entry of an axis to the next.

    Parameters
    ----------
    lies : napari layer, or what `world_of` gives
    axes : sequence of int, optional
        The two axes of its plane; the last two by default.

    Returns
    -------
    tuple of float
        Of each axis of the layer, in the unit of that axis: along those of the plane from pixel to pixel, along the
        others from plane to plane, at right angles to them, as planes may be shifted against each other. What lies
        along axes of another kind is left out: where an image drifts with time, frames are as far apart as without.
    """
    plane = _of_plane(lies, axes)
    lengths = []
    for axis in range(lies.ndim):
        steps = _steps(lies, lies.units[axis])
        step, sides = steps[axis], steps[plane].T
        if axis not in plane:
            step = step - sides @ np.linalg.lstsq(sides, step, rcond=None)[0]
        lengths.append(float(np.linalg.norm(step)))
    return tuple(lengths)


def is_sheared(lies: Layer | Affine, axes: Sequence[int] | None = None) -> bool:
    """Say whether a pixel is no rectangle, so that it has no height and width; see `step_lengths`."""
    return abs(_cosine(lies, axes)) > _SHEARED


def shorter_side(layer: Layer, axes: Sequence[int] | None = None) -> float:
    """Say how long the shorter side of a pixel is in the world; see `step_lengths`."""
    lengths = step_lengths(layer, axes)
    return min(lengths[axis] for axis in _of_plane(layer, axes))


def pixel_size_of(
    layer: Layer, axes: Sequence[int] | None = None
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
    height, width = np.linalg.norm(_steps(layer, unit)[plane], axis=1).tolist()
    if is_sheared(layer, plane):
        _say_sheared(round(_cosine(layer, plane), 3), round(width / height, 3))
        return None, None
    return (height, width), f"{unit:~}"


@functools.cache
def _say_sheared(cosine: float, ratio: float) -> None:
    """Say it once for an image and all that lies on it: their pixels have the same shape."""
    show_info("This layer is sheared: lengths and areas are in pixels.")


def _of_plane(lies: Layer | Affine, axes: Sequence[int] | None) -> list[int]:
    return list(range(lies.ndim - 2, lies.ndim) if axes is None else axes)


def _cosine(lies: Layer | Affine, axes: Sequence[int] | None) -> float:
    plane = _of_plane(lies, axes)
    one, other = _steps(lies, lies.units[plane[0]])[plane]
    return float(one @ other / (np.linalg.norm(one) * np.linalg.norm(other) or 1))


def _steps(lies: Layer | Affine, unit: Any) -> NDArray[np.float64]:
    """Return what a step along each axis, a row, is in the world, in one unit; 0 along axes of other kinds."""
    if isinstance(lies, Layer):
        lies = world_of({name: getattr(lies, name) for name in (*_OWN, "affine")}, lies.ndim)
    factors = np.array([_in_unit(each, unit) for each in lies.units])
    steps: NDArray[np.float64] = lies.linear_matrix.T * factors
    return steps


def _in_unit(unit: Any, wanted: Any) -> float:
    if unit == wanted:
        return 1.0
    return float((1 * unit).to(wanted).magnitude) if unit.is_compatible_with(wanted) else 0.0
