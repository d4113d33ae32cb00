"""One reading of label images, from files and arrays; what looks like something else than ids of cells is said."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from skimage.measure import label as label_components

from napari_utile.engine.arrays import PATHS, Labels
from napari_utile.engine.errors import UtileError, warn
from napari_utile.engine.files.image_file import ImageFile
from napari_utile.engine.files.images import read_image
from napari_utile.engine.files.label_planes import labels_of
from napari_utile.engine.files.names import as_path
from napari_utile.engine.files.unfinished import is_store, refuse_unfinished
from napari_utile.engine.planes.arrays import as_label_array
from napari_utile.engine.planes.naming import asked_axes, checked_letters, name_axes
from napari_utile.engine.planes.selection import SelectedPlanes

_CELLS = "labels/cells"
"""Where the cells of a store lie."""
_SEEN = 5
"""Planes of a stack that are looked at."""
_MOST = 0.5
"""Share of a plane that only its background covers."""
_REMEDY = "give every cell an id of its own, and 0 to the background"


def label_image(
    labels: Any, axes: str | None = None, what: str = "the labels", planes: SelectedPlanes | None = None
) -> ImageFile:
    """Read a label image, or a mask; of a store of this program its cells. See `read_labels`."""
    if isinstance(labels, ImageFile):
        return replace(labels, axes=asked_axes(axes, labels.data.shape, what)) if axes else labels
    if isinstance(labels, PATHS):
        path = as_path(labels, "labels")
        if is_store(path):
            refuse_unfinished(path)
        image = _read(path, axes) if axes or planes is None else _read_beside(path, planes)
        if image.notes:
            warn(f"{image.shown_name}: {', '.join(image.notes)}")
        return image
    array, names = as_label_array(labels)
    refuse_empty(array, what)
    named = asked_axes(axes, array.shape, what) if axes else name_axes(array.shape, names, what)[0]
    return ImageFile(array, named, None, None, Path(what))


def _read(path: Path, axes: str | None) -> ImageFile:
    if is_store(path):
        return replace(read_image(path / _CELLS, as_labels=True, axes=axes), path=path)
    return read_image(path, as_labels=True, axes=axes)


def _read_beside(path: Path, planes: SelectedPlanes) -> ImageFile:
    """Read labels by the axes that a person named of their image, where those and not their own pair with it."""
    if planes.selection.axes is not None:
        asked = [axis for axis in checked_letters(planes.selection.axes) if axis not in "CS"]
        taken = [axis for axis in asked if axis in f"{planes.stacked}YX"]
        for named in (None, "".join(asked), "".join(taken)):
            with suppress(UtileError):  # the axes are not those of such a file
                image = _read(path, named)
                if _pairs_by_name(image, planes):
                    return image
    return _read(path, None)


def _pairs_by_name(labels: ImageFile, planes: SelectedPlanes) -> bool:
    """Whether labels have the pixels of an image, and its planes or those that were selected, by the same names."""
    ours, image = (dict(zip(each.axes, each.data.shape, strict=True)) for each in (labels, planes.image))
    stacks = planes.sliders, dict(zip(planes.stacked, planes.sizes, strict=True))
    return {axis: size for axis, size in ours.items() if size > 1 or axis in "YX"} in [
        {**stack, "Y": image["Y"], "X": image["X"]} for stack in stacks
    ]


def refuse_empty(labels: Any, what: str) -> None:
    """Refuse an array without a pixel."""
    if 0 in labels.shape:
        raise UtileError(f"There are no pixels in {what}, an array of the shape {tuple(labels.shape)}.")


def read_labels(
    labels: Any,
    axes: str | None = None,
    what: str = "the labels",
    background: int | None = None,
    planes: SelectedPlanes | None = None,
) -> ImageFile:
    """Read a label image, and warn where it looks like a mask, a map of classes or one without background.

    Parameters
    ----------
    labels : path or array-like
    axes : str, optional
        A letter an axis, whatever the file says. An array without names is named by the rule of `planes.naming`.
    what : str
        What an array is called in messages.
    background : int, optional
        An id that marks background, as in labels that are painted in part.
    planes : SelectedPlanes, optional
        Of the image that they belong to. Where a person named its axes, those name the labels' as well if these do
        not pair with the image by names of their own.

    Returns
    -------
    ImageFile

    Raises
    ------
    UtileError
        If the file cannot be read, or holds no label image.
    """
    file = label_image(labels, axes, what, planes)
    seen = (plane for _, plane in labels_of(file, most=_SEEN))
    if doubt := doubt_of(plane if background is None else plane * (plane != background) for plane in seen):
        warn(f"{file.path.name} {doubt}")
    return file


def labels_of_one_plane(labels: Any, what: str) -> Labels:
    """Read the labels (Y, X) of an image of one plane, from a file or an array; what is in doubt is said.

    Raises
    ------
    UtileError
        If there are several planes, or they hold no labels.
    """
    planes = [plane for _, plane in labels_of(read_labels(labels, what=what))]
    if len(planes) != 1:
        raise UtileError(f"There are {len(planes)} planes in {what}: give those of one plane.")
    return planes[0]


def doubt_of(planes: Iterable[Labels]) -> str:
    """Say in a phrase why planes may hold something else than one id a cell; empty where nothing speaks for it.

    Parameters
    ----------
    planes : iterable of (Y, X) int arrays

    Examples
    --------
    >>> mask = np.zeros((5, 9), np.uint8)
    >>> mask[1:3, 1:3] = mask[1:3, 5:7] = 255
    >>> doubt_of([mask]).split(":")[0]
    'holds 1 id in 2 separate pieces'
    """
    ids = pieces = 0
    for plane in planes:
        if background := _background(plane):
            return (
                f"holds no background (0), and its id {background} reaches all four sides and covers most of it: it "
                f"counts as a cell; {_REMEDY}."
            )
        ids += np.unique(plane[plane > 0]).size
        pieces += label_components(plane, connectivity=2, background=0, return_num=True)[1]
    if pieces < 2 * max(ids, 1):
        return ""
    ids_, pieces_ = f"{ids} id{'s' if ids > 1 else ''}", f"{pieces} separate pieces"
    return f"holds {ids_} in {pieces_}: each id counts as one cell; where it is a mask or a map of classes, {_REMEDY}."


def _background(plane: Labels) -> int:
    """Give the id that seems to be the background of a plane without 0; 0 where there is none."""
    first = int(plane[0, 0])
    if first == 0 or any(not (side == first).any() for side in (plane[-1], plane[:, -1])):
        return 0
    return first if (plane == first).mean() > _MOST and not (plane == 0).any() else 0
