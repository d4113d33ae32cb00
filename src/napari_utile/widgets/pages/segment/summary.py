"""What was found, in one sentence: cells of a plane, objects of a stack, tracks of a time-lapse."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

from napari_utile.engine.cells.classes import covered_in_words
from napari_utile.engine.planes.axes import ImagePlane
from napari_utile.engine.words import counted, three_digits


def summary_of(
    rows: Mapping[str, Any],
    covered: Mapping[str, float],
    plane: ImagePlane | None = None,
    where: str = "",
) -> str:
    """Say in one sentence what was found.

    Parameters
    ----------
    rows : mapping of str to (N,) arrays
        The table of the cells.
    covered : mapping of str to float
        Which share of the area each class covers; empty where nobody knows.
    plane : ImagePlane, optional
        That they lie on, for its unit.
    where : str
        Which plane of several that is, such as "slice 2 of 3".

    Returns
    -------
    str
        For example ``"132 cells, median area 41.2 µm², median diameter 7.2 µm; they cover 23 % of the area."``
    """
    count = len(rows["index"])
    if count == 0:
        return "No cells were found; lower the threshold or the minimum size, or try another model."
    area = float(np.median(rows["area_px"]))
    unit = "px"
    if plane is not None and plane.pixel_size is not None and plane.unit is not None:
        area, unit = area * plane.pixel_size[0] * plane.pixel_size[1], plane.unit
    diameter = 2 * np.sqrt(area / np.pi)
    cells = counted(count, "cell") + (f" in {where}" if where else "")
    return (
        f"{cells}, median area {three_digits(area)} {unit}², median diameter {three_digits(diameter)} {unit}"
        f"{_covered(rows, covered)}."
    )


def _covered(rows: Mapping[str, Any], covered: Mapping[str, float]) -> str:
    """Say which share of the area is covered, by which classes, and how many cells each class has."""
    it = "it covers" if len(rows["index"]) == 1 else "they cover"
    said = f"; {it} {covered_in_words(covered)}" if covered else ""
    counts = Counter(str(name) for name in rows.get("class", ()) if isinstance(name, str) and name)
    names = dict.fromkeys([*(covered if len(covered) > 1 else ()), *counts])
    return f"{said} ({', '.join(f'{counts[name]} {name}' for name in names)})" if names else said


def summary_of_linked(rows: Mapping[str, Any], axis: str) -> str:
    """Say in one sentence what planes were linked to, by the table of objects or tracks.

    Examples
    --------
    >>> summary_of_linked({"index": [1, 2], "volume_px": [20, 40], "volume_um3": [2.0, 4.0], "planes": [2, 3]}, "Z")
    '2 objects, median volume 3 µm³, in 2.5 planes (median).'
    >>> summary_of_linked({"index": [1], "divides": [0], "frames": [4]}, "T")
    '1 track, 0 divisions, 4 frames long (median).'
    """
    count = len(rows["index"])
    if axis == "T":
        said = f"{counted(count, 'track')}, {counted(int(np.sum(rows['divides'])), 'division')}"
        return f"{said}, {_median(rows['frames'], 'frame')} long (median)." if count else f"{said}."
    if not count:
        return "No objects are left."
    column = next((name for name in rows if name.startswith("volume_") and name != "volume_px"), "volume_px")
    unit = column.removeprefix("volume_").removesuffix("3").replace("um", "µm")
    volume = three_digits(float(np.median(rows[column])))
    planes = _median(rows["planes"], "plane")
    return f"{counted(count, 'object')}, median volume {volume} {unit}³, in {planes} (median)."


def _median(numbers: Any, noun: str) -> str:
    number = three_digits(float(np.median(numbers)))
    return f"{number} {noun}{'' if number == '1' else 's'}"
