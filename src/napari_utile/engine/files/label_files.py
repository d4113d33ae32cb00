"""Label images in files: which belongs to which, and their planes."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.find import find_images
from napari_utile.engine.files.image_file import ImageFile
from napari_utile.engine.files.images import read_image
from napari_utile.engine.files.names import (
    LABEL_BEGINNINGS,
    LABEL_ENDINGS,
    PICTURE_ENDINGS,
    beginning_and_name,
    name_and_ending,
)

_PREFERRED: dict[str, tuple[tuple[str, ...], ...]] = {
    "prediction": (LABEL_ENDINGS, ("_mask",), ("",), ("_truth",)),
    "reference": (("_truth",), LABEL_ENDINGS, ("_mask",), ("",)),
    "image": (("",), (*PICTURE_ENDINGS, "_mask", "_truth", *LABEL_ENDINGS)),
}
"""Which of several files of one name is meant, by the ending that follows the name."""


@dataclass(frozen=True)
class FilePair:
    """Two files of the same image: `first` and `second`, and the name that they share."""

    name: str
    first: Path
    second: Path


@dataclass(frozen=True)
class Pairing:
    """Files paired by name, those of each side that found no partner, and those that lay beside what was meant."""

    pairs: tuple[FilePair, ...]
    first_alone: tuple[Path, ...]
    second_alone: tuple[Path, ...]
    ignored: tuple[Path, ...] = ()


def pair_files(
    first: str | Path, second: str | Path, first_is: str = "prediction", second_is: str = "reference"
) -> Pairing:
    """Pair two files, or the files of two folders or patterns by their names.

    Two single files are paired whatever they are called. Else names must be equal, up to suffixes of the file type and
    endings such as ``_labels`` or ``_masks``; what has no partner then is paired where it has one without regard to
    capitals, or to beginnings such as ``mask_``, ``img_`` and those of the Cell Tracking Challenge (``t000``,
    ``mask000``, ``man_seg000``). Where a folder holds several files of one name,
    as `utile segment` writes them, the one that is meant is taken and the others are ignored: of a prediction
    ``cells_labels.tif`` before ``cells_mask.tif`` before ``cells.tif``, of a reference ``cells_truth.tif``
    before these, of an image ``cells.tif``. Probabilities are no labels.

    Parameters
    ----------
    first, second
        File, folder or pattern.
    first_is, second_is : {"prediction", "reference", "image"}
        What each side holds.

    Raises
    ------
    UtileError
        If one side does not exist or holds no image, or two files of one side are equally good.
    """
    ours, theirs = find_images([first]), find_images([second])
    if len(ours) == len(theirs) == 1:
        return Pairing((FilePair(name_and_ending(theirs[0])[0], ours[0], theirs[0]),), (), ())
    (one, beside_one), (other, beside_other) = _by_name(ours, first_is), _by_name(theirs, second_is)
    ignored = beside_one + beside_other
    if len(one) == len(other) == 1:
        (ours_left,), ((name, theirs_left),) = one.values(), other.items()
        return Pairing((FilePair(name, ours_left, theirs_left),), (), (), ignored)
    partners = _partners(list(one), list(other))
    return Pairing(
        tuple(FilePair(name, one[partners[name]], other[name]) for name in other if name in partners),
        tuple(path for name, path in one.items() if name not in partners.values()),
        tuple(path for name, path in other.items() if name not in partners),
        ignored,
    )


def _partners(ours: list[str], theirs: list[str]) -> dict[str, str]:
    """Give the name of ours that belongs to each of theirs: the same, else but for capitals, else for beginnings."""
    partners: dict[str, str] = {}
    for key in (str, str.lower, lambda name: beginning_and_name(name)[1]):
        left = _unique(key, [name for name in ours if name not in partners.values()])
        for shared, name in _unique(key, [name for name in theirs if name not in partners]).items():
            if shared in left:
                partners[name] = left[shared]
    return partners


def _unique(key: Callable[[str], str], names: list[str]) -> dict[str, str]:
    counts = Counter(map(key, names))
    return {key(name): name for name in names if counts[key(name)] == 1}


def find_labels(labels: str | Path) -> tuple[list[Path], tuple[Path, ...]]:
    """List the label images that a file, folder or pattern stands for, and what lies beside them and is none.

    Raises
    ------
    UtileError
        If there is none, or two files are equally good for one name.
    """
    found = find_images([labels])
    if len(found) == 1:
        return found, ()
    named, ignored = _by_name(found, "prediction")
    return list(named.values()), ignored


def label_planes(
    path: str | Path, volume: bool = False, axes: str | None = None
) -> Iterator[tuple[str, NDArray[np.integer]]]:
    """Read a label image plane by plane.

    Parameters
    ----------
    path
        An image file of whole numbers, without channels.
    volume
        Give (Z, Y, X) volumes instead of (Y, X) planes, where the file has the axis Z.
    axes
        What the axes are, whatever the file says.

    Yields
    ------
    str, array
        Which plane it is, for example ``"t0 z3"``, empty for a file of one plane; and its labels.

    Raises
    ------
    UtileError
        If the file holds no labels.
    """
    image = read_image(path, as_labels=True, axes=axes)
    yield from labels_of(image, volume)


def labels_of(image: ImageFile, volume: bool = False) -> Iterator[tuple[str, NDArray[np.integer]]]:
    """Give the label planes of an image that was read before; see `label_planes`."""
    kept = "ZYX" if volume and "Z" in image.axes else "YX"
    data, axes = image.data, image.axes
    for axis in "CS":
        if axis in axes:
            if not _is_one_picture(data, axes.index(axis)):
                raise UtileError(
                    f"{image.path.name} has colours or channels, and a label image has one whole number for each "
                    "pixel: save its ids as grey values, or name its axes with --axes."
                )
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


def label_stack(image: ImageFile) -> tuple[NDArray[np.integer], str]:
    """Give all planes of a label image as (..., Y, X), and its axes.

    Raises
    ------
    UtileError
        If the file holds no labels.
    """
    sliders = [axis for axis in image.axes if axis not in "CSYX"]
    sizes = [image.data.shape[image.axes.index(axis)] for axis in sliders]
    planes = [plane for _, plane in labels_of(image)]
    return np.stack(planes).reshape(*sizes, *planes[0].shape), "".join(sliders) + "YX"


def _is_one_picture(data: Any, axis: int) -> bool:
    """Whether all entries of an axis of colours or channels show the same, as grey saved as colours does."""
    entries = [np.asarray(data[(*(slice(None),) * axis, entry)]) for entry in range(min(data.shape[axis], 3))]
    return all(np.array_equal(entries[0], other) for other in entries[1:])


def index_in_image(index: dict[str, int], labels: ImageFile, image: ImageFile) -> tuple[dict[str, int], str]:
    """Find the plane of an image that belongs to a plane of its labels.

    Parameters
    ----------
    index : dict
        Where the plane lies in the labels.
    labels, image : ImageFile

    Returns
    -------
    dict, str
        Where the plane lies in the image, and what was assumed, in words: axes of other names and the same lengths
        are paired by their order.

    Raises
    ------
    UtileError
        Where the two do not pair.
    """
    ours, theirs = _sliders(labels), _sliders(image)
    if ours == theirs or dict(ours) == dict(theirs):
        return index, ""
    if [size for _, size in ours] == [size for _, size in theirs]:
        renamed = {axis: other for (axis, _), (other, _) in zip(ours, theirs, strict=True)}
        said = ", ".join(f"{axis} with {other}" for axis, other in renamed.items() if axis != other)
        return {renamed[axis]: entry for axis, entry in index.items() if axis in renamed}, (
            f"{labels.path.name} and {image.path.name} paired by the order of their planes, {said}"
        )

    def planes(file: ImageFile, sliders: list[tuple[str, int]]) -> str:
        along = " and ".join(f"{size} planes along {axis}" for axis, size in sliders)
        return f"{file.path.name} has {along or 'one plane'}"

    raise UtileError(
        f"{planes(labels, ours)}, and {planes(image, theirs)}: they do not pair; where the axes of the labels are "
        "named wrong, say which they are with --axes."
    )


def _sliders(file: ImageFile) -> list[tuple[str, int]]:
    channel = "S" if "S" in file.axes else "C"
    sizes = zip(file.axes, file.data.shape, strict=True)
    return [(axis, int(size)) for axis, size in sizes if size > 1 and axis not in ("Y", "X", channel)]


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
            raise UtileError(
                f"{name} is not a label image: it holds the value {array[~whole].flat[0]}; ids are whole numbers, and "
                "background is 0."
            )
        if array.size and not -(2.0**63) <= float(array.min()) <= float(array.max()) < 2.0**63:
            raise UtileError(f"{name} holds the value {array.max()}, which is too large for an id.")
        array = array.astype(np.int64)
    if array.dtype == bool:
        return array.view(np.uint8)
    if array.dtype == np.uint64 and array.size and array.max() > np.iinfo(np.int64).max:
        raise UtileError(
            f"{name} holds the id {array.max()}; ids go up to {np.iinfo(np.int64).max}: renumber them."
        )
    if array.dtype.kind == "i" and array.size and array.min() < 0:
        raise UtileError(
            f"{name} is not a label image: it holds the value {array.min()}; ids are above 0, and background is 0."
        )
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def _at(axes: str, index: dict[str, int]) -> tuple[int | slice, ...]:
    return tuple(index.get(axis, slice(None)) for axis in axes)


def _by_name(paths: Sequence[Path], kind: str) -> tuple[dict[str, Path], tuple[Path, ...]]:
    """Choose one file of each name; return them by name, and the others."""
    groups: dict[str, list[tuple[int, Path]]] = {}
    for path in paths:
        name, ending = name_and_ending(path)
        ranks = [rank for rank, endings in enumerate(_PREFERRED[kind]) if ending in endings]
        if ranks:
            groups.setdefault(name, []).append((ranks[0], path))
    named: dict[str, Path] = {}
    for name, group in groups.items():
        best = min(rank for rank, _ in group)
        chosen = [path for rank, path in group if rank == best]
        if len(chosen) > 1:
            what = "images called" if kind == "image" else "labels of"
            raise UtileError(
                f"{chosen[0].name} and {chosen[1].name} are both {what} {name}: keep one of them."
            )
        named[name] = chosen[0]
    named = _of_kind(named, labels=kind != "image")
    kept = set(named.values())
    return named, tuple(path for path in paths if path not in kept)


def _of_kind(named: dict[str, Path], *, labels: bool) -> dict[str, Path]:
    """Where ``img_1`` and ``mask_1`` lie in one folder, keep those that hold labels, or those that do not."""
    kinds: dict[str, set[bool]] = {}
    for name in named:
        beginning, number = beginning_and_name(name)
        kinds.setdefault(number, set()).add(beginning in LABEL_BEGINNINGS)

    def is_meant(name: str) -> bool:
        beginning, number = beginning_and_name(name)
        return len(kinds[number]) == 1 or (beginning in LABEL_BEGINNINGS) == labels

    return {name: path for name, path in named.items() if is_meant(name)}
