"""Pixel size, distance of planes and time between frames: what a file says, and what of it can be used."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from napari_utile.engine.planes.units import canonical_time, canonical_unit, micrometres

Said = tuple[object, str | None]
"""What a file says of a length or a time: anything for a number, and its unit in any spelling."""


@dataclass(frozen=True)
class UsableSpace:
    """Pixel size and its unit, the steps along Z and T, and what could not be used."""

    pixel_size: tuple[float, float] | None = None
    unit: str | None = None
    steps: Mapping[str, tuple[float, str | None]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def space_of(said: Mapping[str, Said]) -> UsableSpace:
    """Take what can be used of what a file says; of lengths that cannot be used it is noted that they are left out.

    Parameters
    ----------
    said : mapping of str to (object, str or None)
        Along Y and X, the size of a pixel; along Z and T, where the image has these axes, how far apart their entries
        are. An axis that is lacking, or None, is one of which the file says nothing.

    Examples
    --------
    >>> space_of({"Y": (0.5, "micron"), "X": (0.5, "micron"), "Z": (-1, "micron")}).notes
    ('the distance of its planes (-1 micron) cannot be used and was left out',)
    """
    told = {axis: each for axis, each in said.items() if each[0] is not None}
    (height, height_unit), (width, width_unit) = (said.get(axis, (None, None)) for axis in "YX")
    size, unit = usable_pixel_size(height, width, height_unit, width_unit)
    steps: dict[str, tuple[float, str | None]] = {}
    notes = []
    silent = (height, width) == (1, 1) and canonical_unit(height_unit) is None
    if size is None and told.keys() & {"Y", "X"} and not silent:
        both = f"{_in_words(height, height_unit)} x {_in_words(width, width_unit)}"
        notes.append(f"its pixel size ({both}) cannot be used and was left out")
    if "Z" in told:
        depth, depth_unit = told["Z"]
        if length := usable_length(depth, depth_unit):
            steps["Z"] = (length, canonical_unit(depth_unit))
        else:
            words = _in_words(depth, depth_unit)
            notes.append(f"the distance of its planes ({words}) cannot be used and was left out")
    if "T" in told and (interval := usable_interval(*told["T"])):
        steps["T"] = interval
    return UsableSpace(size, unit, steps, tuple(notes))


def _in_words(value: object, unit: str | None) -> str:
    values = value if isinstance(value, tuple) else (value,)
    numbers = (f"{each:g}" if isinstance(each, int | float) else str(each) for each in values)
    return f"{','.join(numbers)} {unit or ''}".rstrip()


_SMALLEST, _LARGEST = 1e-9, 1e9
"""Micrometres: no pixel of an image is smaller or larger."""


def usable_pixel_size(
    height: object, width: object, unit: str | None, width_unit: str | None = None
) -> tuple[tuple[float, float] | None, str | None]:
    """Give pixel size and unit, or (None, None) where the file's numbers cannot be a pixel size.

    Parameters
    ----------
    height, width : object
        What the file says; anything.
    unit : str or None
        Any spelling; of the height, and of the width unless that has its own.
    width_unit : str, optional
        Where it differs, the width is converted to the unit of the height.
    """
    y, x = usable_length(height, unit), usable_length(width, width_unit or unit)
    if y is None or x is None:
        return None, None
    name, other = canonical_unit(unit), canonical_unit(width_unit or unit)
    if name != other:
        own, others = micrometres(name), micrometres(other)
        if own is None or others is None:
            return None, None
        x *= others / own
    return (None, None) if (y, x) == (1.0, 1.0) and name is None else ((y, x), name)


def usable_length(value: Any, unit: str | None) -> float | None:
    """Give a number of the file as a length, or None where it cannot be one."""
    try:
        length = float(value)
    except (TypeError, ValueError):
        return None
    factor = micrometres(unit)
    if not np.isfinite(length) or length <= 0:
        return None
    if factor is not None and not _SMALLEST <= length * factor <= _LARGEST:
        return None
    return length


def usable_interval(value: Any, unit: object) -> tuple[float, str] | None:
    """Give a time between frames with the short name of its unit, or None where that is not a time."""
    length, name = usable_length(value, None), canonical_time(str(unit or ""))
    return None if length is None or name is None else (length, name)
