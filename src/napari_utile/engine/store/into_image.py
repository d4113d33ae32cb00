"""Labels in the OME-Zarr image that they were made of: ``labels/cells``, in the version of the image, with levels."""

import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.label_origin import MARK, mark_of
from napari_utile.engine.files.ome_zarr import ome_attributes
from napari_utile.engine.files.plane_file import Planes
from napari_utile.engine.files.pyramid import has_pyramid, read_pyramid
from napari_utile.engine.planes.selection import Selection, first_of
from napari_utile.engine.store.layout import (
    CELLS,
    Space,
    labels_metadata,
    levels_of,
    multiscale_of,
    ome_metadata,
)
from napari_utile.engine.store.plan import SIDE, load_plan
from napari_utile.engine.windows import Window

Block = tuple[tuple[int, ...], Window, NDArray[np.integer[Any]]]
"""Where a block lies: the plane along the stacked axes, and its window; and its labels."""


@dataclass(frozen=True, eq=False)
class LabelBlocks:
    """Labels of an image, block by block.

    Attributes
    ----------
    axes : str
        A letter each; the last two are Y and X.
    shape : tuple of int
    start : mapping of str to int
        Where they begin in the image, for each axis.
    selection : Selection
        What of the image was read.
    read : callable
        Returns an iterator of blocks with sides of `SIDE`.
    linked : {"", "Z", "T"}
        The axis along which their ids are linked.
    """

    axes: str
    shape: tuple[int, ...]
    start: Mapping[str, int]
    selection: Selection
    read: Callable[[], Iterator[Block]]
    linked: str = ""


def blocks_of_planes(
    planes: Planes,
    indices: Sequence[Mapping[str, int]],
    region: Window | None,
    selection: Selection,
    linked: str = "",
) -> LabelBlocks:
    """Give label planes block by block, with where in their image they lie: planes, region, and what was read."""

    def read() -> Iterator[Block]:
        for index, plane in zip(np.ndindex(*planes.shape[:-2]), planes.read(), strict=True):
            for reaching in Window.whole(plane.shape).blocks(SIDE):
                window = reaching.clipped(plane.shape)
                yield index, window, plane[window]

    corner = (0, 0) if region is None else region.start
    start = first_of(indices) | dict(zip("YX", corner, strict=True))
    return LabelBlocks(planes.axes, planes.shape, start, selection, read, linked)


def blocks_of_store(place: Path) -> LabelBlocks:
    """Give the labels of a finished store block by block."""
    plan = load_plan(place)

    def read() -> Iterator[Block]:
        array: Any = zarr.open_array(place / CELLS / "0", mode="r")
        for number in range(len(plan.planes)):
            index = plan.index(number)
            for reaching in Window.whole(plan.window.shape).blocks(SIDE):
                window = reaching.clipped(plan.window.shape)
                yield index, window, np.asarray(array[(*index, *window)])

    start = first_of(plan.planes) | dict(zip("YX", plan.window.start, strict=True))
    return LabelBlocks(plan.space.axes, plan.space.shape, start, plan.selection, read, plan.linking.axis)


def check_image(image: Path, *, overwrite: bool = False) -> None:
    """Check, before anything is computed, that labels can be written into an image.

    Raises
    ------
    UtileError
        If it is not an OME-Zarr image, or has labels of this name already; ours are replaced with `overwrite`.
    """
    if not has_pyramid(image):
        raise UtileError(
            f"{image.name} is not an OME-Zarr image of version 0.4 or 0.5: labels cannot be written into it, leave out "
            "--into-image."
        )
    place = image / CELLS
    if not place.exists():
        return
    ours = MARK in dict(zarr.open_group(place, mode="r").attrs)
    if not ours or not overwrite:
        how = "replace them with --overwrite" if ours else "rename or remove them first"
        raise UtileError(f"{image.name} has labels called cells already: {how}.")


def write_into_image(image: Path, labels: LabelBlocks, *, overwrite: bool = False) -> Path:
    """Write labels into an image; they appear in it whole or not at all.

    Parameters
    ----------
    image : Path
        Folder of an OME-Zarr image of version 0.4 or 0.5.
    labels : LabelBlocks
    overwrite : bool
        Whether labels of this program are replaced.

    Returns
    -------
    Path
        Where they lie.

    Raises
    ------
    UtileError
        See `check_image`.
    """
    check_image(image, overwrite=overwrite)
    number: Any = 3 if (image / "zarr.json").exists() else 2
    version = "0.5" if number == 3 else "0.4"
    space, place = _space_in(image, labels), image / CELLS
    # Beside the folder of labels, which readers look into, and which is made when there is something in it.
    part, gone = (image / f".{place.name}.{os.getpid()}.{name}" for name in ("part", "gone"))
    try:
        made = zarr.create_group(part, zarr_format=number)
        levels = [_level(made, level, space, number) for level in range(levels_of(space.plane, SIDE))]
        turned = space.axes.index("X") < space.axes.index("Y")
        for index, window, block in labels.read():
            for level in levels:
                at = dict(zip(labels.axes, (*index, *window), strict=True))
                level[tuple(at.get(letter, 0) for letter in space.axes)] = block.T if turned else block
                block = block[::2, ::2]
                start = [first // 2 for first in window.start]
                window = Window.span(start, (a + size for a, size in zip(start, block.shape, strict=True)))
        multiscale = multiscale_of(space, SIDE, place.name, "nearest")
        made.attrs.update(
            {**ome_metadata(version, multiscale, "../../"), **mark_of(labels.selection, labels.linked)}
        )
        folder = zarr.open_group(place.parent, mode="a", zarr_format=number)
        if place.exists():
            place.rename(gone)
        part.rename(place)
    finally:
        for each in (part, gone):
            shutil.rmtree(each, ignore_errors=True)
    names = [str(name) for name in ome_attributes(folder).get("labels") or ()]
    names += [] if place.name in names else [place.name]
    folder.attrs.update(labels_metadata(version, names))
    return place


def _space_in(image: Path, labels: LabelBlocks) -> Space:
    """Return the space of labels: the axes of their image, in its order, without channels; and where they begin."""
    known = read_pyramid(image)
    kept = [number for number, letter in enumerate(known.axes) if letter != "C"]
    sizes = dict(zip(labels.axes, labels.shape, strict=True))
    letters = [known.axes[number] for number in kept]
    starts = [labels.start.get(letter, 0) for letter in letters]
    return Space(
        tuple(sizes.get(letter, 1) for letter in letters),
        "".join(letters),
        tuple(known.scale[number] for number in kept),
        tuple(
            known.translation[number] + start * known.scale[number]
            for number, start in zip(kept, starts, strict=True)
        ),
        tuple(known.units[number] for number in kept),
    )


def _level(group: Any, level: int, space: Space, number: int) -> Any:
    """Make the empty array of one level; a block writes whole chunks of it."""
    side = max(1, SIDE >> level)
    named: dict[str, Any] = {"dimension_names": [letter.lower() for letter in space.axes]}
    return group.create_array(
        str(level),
        dtype="int32",
        shape=tuple(-(-size // step) for size, step in zip(space.shape, space.step(level), strict=True)),
        chunks=tuple(side if letter in "YX" else 1 for letter in space.axes),
        chunk_key_encoding={"name": "default" if number == 3 else "v2", "separator": "/"},
        **(named if number == 3 else {}),
    )
