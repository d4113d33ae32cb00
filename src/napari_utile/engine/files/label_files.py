"""Label images in files: which belongs to which, and their planes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.image_file import ImageFile
from napari_utile.engine.files.images import find_images, read_image

LABEL_ENDINGS = (
    "_labels",
    "_label",
    "_masks",
    "_mask",
    "_cp_masks",
    "_pred",
    "_prediction",
    "_seg",
    "_instances",
)
"""What tools append to an image's name to name its labels."""


@dataclass(frozen=True)
class FilePair:
    """Two files of the same image: `first` and `second`, and the name that they share."""

    name: str
    first: Path
    second: Path


@dataclass(frozen=True)
class Pairing:
    """Files paired by name, and those of each side that found no partner."""

    pairs: tuple[FilePair, ...]
    first_alone: tuple[Path, ...]
    second_alone: tuple[Path, ...]


def pair_files(first: str | Path, second: str | Path) -> Pairing:
    """Pair two files, or the files of two folders or patterns by their names.

    Two single files are paired whatever they are called. Else names must be equal, up to suffixes of the
    file type and endings such as ``_labels`` or ``_masks``.

    Raises
    ------
    UtileError
        If one side does not exist or holds no image, or two files of one side have the same name.
    """
    ours, theirs = find_images([first]), find_images([second])
    if len(ours) == len(theirs) == 1:
        return Pairing((FilePair(_stem(theirs[0]), ours[0], theirs[0]),), (), ())
    one, other = _by_name(ours), _by_name(theirs)
    names = [name for name in other if name in one]
    return Pairing(
        tuple(FilePair(name, one[name], other[name]) for name in names),
        tuple(path for name, path in one.items() if name not in other),
        tuple(path for name, path in other.items() if name not in one),
    )


def label_planes(path: str | Path, volume: bool = False) -> Iterator[tuple[str, NDArray[np.integer]]]:
    """Read a label image plane by plane.

    Parameters
    ----------
    path
        An image file of whole numbers, without channels.
    volume
        Give (Z, Y, X) volumes instead of (Y, X) planes, where the file has the axis Z.

    Yields
    ------
    str, array
        Which plane it is, for example ``"t0 z3"``, empty for a file of one plane; and its labels.

    Raises
    ------
    UtileError
        If the file holds no labels.
    """
    image = read_image(path)
    yield from labels_of(image, volume)


def labels_of(image: ImageFile, volume: bool = False) -> Iterator[tuple[str, NDArray[np.integer]]]:
    """Give the label planes of an image that was read before; see `label_planes`."""
    kept = "ZYX" if volume and "Z" in image.axes else "YX"
    data, axes = image.data, image.axes
    for axis in "CS":
        if axis in axes:
            if data.shape[axes.index(axis)] != 1:
                raise UtileError(f"{image.path.name} has colours or channels; a label image has none.")
            data, axes = data[_at(axes, {axis: 0})], axes.replace(axis, "")
    sliders = [axis for axis in axes if axis not in kept]
    sizes = [data.shape[axes.index(axis)] for axis in sliders]
    order = [axis for axis in axes if axis in kept]
    for position in np.ndindex(*sizes):
        index = dict(zip(sliders, position, strict=True))
        plane = np.asarray(data[_at(axes, index)]).transpose([order.index(axis) for axis in kept])
        where = " ".join(
            f"{axis.lower()}{number}"
            for (axis, number), size in zip(index.items(), sizes, strict=True)
            if size > 1
        )
        yield where, whole_numbers(plane, image.path.name)


def whole_numbers(array: NDArray[Any], name: str) -> NDArray[np.integer]:
    """Return labels as integers, also where they were stored as floating point numbers.

    Raises
    ------
    UtileError
        If they are not whole numbers of at least 0.
    """
    if array.dtype.kind == "f":
        whole = np.isfinite(array) & (array == np.floor(array))
        if not whole.all():
            raise UtileError(f"{name} is no label image: it holds the value {array[~whole].flat[0]}.")
        array = array.astype(np.int64)
    if array.dtype == bool:
        return array.view(np.uint8)
    if array.dtype.kind == "i" and array.size and array.min() < 0:
        raise UtileError(f"{name} is no label image: it holds the value {array.min()}.")
    return array


def _at(axes: str, index: dict[str, int]) -> tuple[int | slice, ...]:
    return tuple(index.get(axis, slice(None)) for axis in axes)


def _by_name(paths: Sequence[Path]) -> dict[str, Path]:
    named: dict[str, Path] = {}
    for path in paths:
        name = _stem(path)
        if name in named:
            raise UtileError(
                f"{named[name].name} and {path.name} are both labels of {name}: keep one of them."
            )
        named[name] = path
    return named


def _stem(path: Path) -> str:
    stem = path.stem.removesuffix(".ome")
    for ending in sorted(LABEL_ENDINGS, key=len, reverse=True):
        if stem.lower().endswith(ending) and len(stem) > len(ending):
            return stem[: -len(ending)]
    return stem
