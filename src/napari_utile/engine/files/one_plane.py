"""The one plane, and the region of it, that a call from Python means."""

import operator
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from napari_utile.engine.arrays import PATHS
from napari_utile.engine.errors import UtileError, warn
from napari_utile.engine.files.image_file import ImageFile
from napari_utile.engine.files.images import read_image
from napari_utile.engine.planes.arrays import as_array
from napari_utile.engine.planes.axes import PIXEL_KINDS, ImagePlane, guess_axes
from napari_utile.engine.planes.naming import asked_axes, axes_to_link
from napari_utile.engine.planes.selection import SelectedPlanes, Selection
from napari_utile.engine.windows import Window


def planes_of(image: Any, selection: Selection, linked: str = "") -> SelectedPlanes:
    """Find the one plane that is meant of a file or an array, the first one, in its stack.

    Parameters
    ----------
    image : path, ImageFile, array-like or SelectedPlanes
        Planes that are selected already are themselves.
    selection : Selection
    linked : str
        The axis whose planes are linked, "Z" or "T": all are meant then, and three axes without names are it, Y, X.

    Raises
    ------
    UtileError
        Where a file has several planes, none is chosen and none are linked, or where it is not an image.
    """
    if isinstance(image, SelectedPlanes):
        planes = image
    elif isinstance(image, (*PATHS, ImageFile)):
        if isinstance(image, ImageFile):
            file, selection = image, _as_read(image, selection)
        else:
            file = read_image(image, axes=selection.axes, series=selection.series)
        planes = SelectedPlanes(file, selection)
        if len(planes) > 1 and not linked:
            raise UtileError(
                f"{file.path.name} has {len(planes)} planes along {' and '.join(planes.stacked)}: choose one with "
                "z= or t=, or make one with project=; or read the file with read_image and segment each."
            )
    else:
        array, names = as_array(image)
        if selection.series not in (None, "0"):
            raise UtileError(f"An array has no series {selection.series}: it is one image.")
        axes = asked_axes(selection.axes, array.shape, "the image") if selection.axes else None
        if 0 in array.shape:
            raise UtileError(f"The image is empty: it has the shape {tuple(array.shape)}.")
        if np.dtype(array.dtype).kind not in PIXEL_KINDS:
            raise UtileError(f"The image holds {array.dtype} values; an image holds real numbers.")
        if not axes:
            unnamed_stack = linked and len(array.shape) == 3 and not names
            axes = axes_to_link(array.shape, linked) if unnamed_stack else guess_axes(array, names)
        planes = SelectedPlanes(ImageFile(array, axes, None, None, Path("image")), selection)
        if len(planes) > 1 and not linked:
            ways = " or ".join(f"{axis.lower()}=" for axis in planes.stacked)
            warn(
                f"Only the first of {len(planes)} planes along {' and '.join(planes.stacked)} is used: choose another "
                f"with {ways}, or segment each."
            )
    return planes


def _as_read(image: ImageFile, selection: Selection) -> Selection:
    """Add what a file was read as, by which its pixels are found again."""
    for name in ("axes", "series"):
        if getattr(selection, name) is not None:
            raise UtileError(f"{image.name} was read already: give {name}= to read_image.")
    return replace(selection, axes=image.axes, series=str(image.chosen) if len(image.series) > 1 else None)


def plane_of(image: Any, selection: Selection | None = None) -> ImagePlane:
    """Give the one plane that is meant of a file or an array; a plane is itself.

    Raises
    ------
    UtileError
        As `planes_of`, or where something is selected of a plane.
    """
    selection = selection or Selection()
    if isinstance(image, ImagePlane):
        said = [
            f"{each.name}=" for each in fields(Selection) if getattr(selection, each.name) != each.default
        ]
        if said:
            raise UtileError(f"{image.name} is one plane already: leave out {' and '.join(said)}.")
        return image
    planes = planes_of(image, selection)
    return planes.plane(planes.indices[0])


def plane_like(image: Any, selection: Selection, index: Mapping[str, int], *, same: bool) -> ImagePlane:
    """Give the plane of an image that has the place of one of another image; where there is none, see `plane_of`.

    Parameters
    ----------
    image : as for `plane_of`
    selection, index
        What was selected of the other image, and where in it the plane lies.
    same : bool
        Whether it is that image: then its axes are what they were said to be, else what it says itself comes first.
    """
    if isinstance(image, ImagePlane):
        return plane_of(image)
    place: dict[str, Any] = {axis.lower(): str(entry) for axis, entry in index.items() if axis in "ZT"}
    as_said, by_itself = replace(selection, **place), [Selection(**place), Selection()]
    for wanted in [as_said, *by_itself] if same else [*by_itself, as_said]:
        with suppress(UtileError):
            return plane_of(image, wanted)
    return plane_of(image)


def region_of(region: Sequence[slice], plane: ImagePlane) -> Window:
    """Give the window of a region, whose ends may be left out or counted from the end as in numpy.

    Raises
    ------
    UtileError
        Where it has a step, or does not lie in the plane.
    """
    if (
        not isinstance(region, Sequence)
        or len(region) != 2
        or any(not isinstance(part, slice) for part in region)
    ):
        raise UtileError(f"A region is a slice of rows and one of columns; got {region!r}.")
    ends = []
    for part, size, what in zip(region, plane.shape, ("rows", "columns"), strict=True):
        if part.step not in (None, 1):
            raise UtileError(f"A region holds every pixel between its ends: leave out the step {part.step}.")
        try:
            start, stop = (
                operator.index(each if each is not None else end)
                for each, end in ((part.start, 0), (part.stop, size))
            )
        except TypeError as error:
            raise UtileError(f"A region's ends are whole numbers of pixels; got {region!r}.") from error
        start, stop = (end + size if end < 0 else end for end in (start, stop))
        if not 0 <= start < stop <= size:
            raise UtileError(
                f"The region's {what} {part.start}:{part.stop} do not lie in an image of {size} {what}."
            )
        ends.append(slice(start, stop))
    return Window(*ends)
