"""The planes of label images in files, alone and paired with those of an image or of other labels."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_utile.engine.arrays import Labels, no_id
from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.image_file import ImageFile
from napari_utile.engine.planes.axes import ImagePlane
from napari_utile.engine.planes.computed import computed
from napari_utile.engine.planes.selection import SelectedPlanes
from napari_utile.engine.planes.spread import spread


def labels_of(
    image: ImageFile, volume: bool = False, most: int | None = None
) -> Iterator[tuple[dict[str, int], Labels]]:
    """Give the label planes of an image that was read before, each with its entries along axes longer than 1.

    Parameters
    ----------
    image : ImageFile
    volume : bool
        Give (Z, Y, X) volumes instead of (Y, X) planes, where there is the axis Z.
    most : int, optional
        How many of them, evenly spread; all by default.
    """
    image = _without_colours(image)
    sliders = {axis: size for axis, size in _sliders(image).items() if not (volume and axis == "Z")}
    positions = list(np.ndindex(*sliders.values()))
    for place in spread(len(positions), most or len(positions)):
        position = positions[place]
        index = dict(zip(sliders, position, strict=True))
        yield index, _plane_at(image, index, volume)


def label_planes_on(planes: SelectedPlanes, labels: ImageFile) -> list[ImagePlane]:
    """Give the labels that lie on the selected planes of an image, each (1, Y, X), none of them read yet.

    Raises
    ------
    UtileError
        If the two files do not pair.
    """
    image, found = _without_colours(labels), {}
    sliders = _sliders(image)
    for position in np.ndindex(*sliders.values()):
        index = dict(zip(sliders, position, strict=True))
        there, _ = index_in_image(index, labels, planes)
        found[tuple(sorted(there.items()))] = index
    return [
        ImagePlane(_lazy_plane(image, found[tuple(sorted(index.items()))]), labels.path.name)
        for index in planes.indices
    ]


def labels_in(plane: ImagePlane, window: Sequence[slice]) -> Labels:
    """Read a window (y, x) of labels that `label_planes_on` gave.

    Raises
    ------
    UtileError
        If they are not labels.
    """
    return whole_numbers(np.asarray(plane.data[(0, *window)]), plane.name)


def refuse_other_shape(shape: tuple[int, ...], plane: ImagePlane) -> None:
    """Refuse seeds that do not lie on the pixels of an image.

    Raises
    ------
    UtileError
    """
    if tuple(shape) != plane.shape:
        ours, theirs = (" x ".join(map(str, each)) for each in (shape, plane.shape))
        raise UtileError(
            f"The seeds have {ours} pixels and {plane.name} has {theirs}: seeds lie on the pixels of the image."
        )


def refuse_other_pixels(name: str, shape: tuple[int, ...], other: str, other_shape: tuple[int, ...]) -> None:
    """Refuse labels that do not have as many rows and columns as their image, or other labels.

    Raises
    ------
    UtileError
    """
    if tuple(shape) != tuple(other_shape):
        ours, theirs = (" x ".join(map(str, each)) for each in (shape, other_shape))
        raise UtileError(f"{name} has {ours} pixels and {other} {theirs}: they do not pair.")


def place_in_words(index: Mapping[str, int]) -> str:
    """Name a plane as tables do: ``"t0 z3"``."""
    return " ".join(f"{axis.lower()}{number}" for axis, number in index.items())


def label_stack(image: ImageFile) -> tuple[Labels, str]:
    """Give all planes of a label image as (..., Y, X), and its axes.

    Raises
    ------
    UtileError
        If the file holds no labels.
    """
    sizes = dict(zip(image.axes, image.data.shape, strict=True))
    axes = "".join(axis for axis in image.axes if axis not in "CSYX")
    planes = [plane for _, plane in labels_of(image)]
    return np.stack(planes).reshape(*(sizes[axis] for axis in axes), *planes[0].shape), f"{axes}YX"


def _without_colours(image: ImageFile) -> ImageFile:
    """Take away an axis of channels or colours along which all is the same, as grey saved as colours is."""
    data, axes = computed(image.data), image.axes
    for axis in set("CS") & set(axes):
        place = axes.index(axis)
        many = min(data.shape[place], 3) if data.shape[place] > 1 else 0  # one alone is not read
        entries = [np.asarray(data[_at(axes, {axis: entry})]) for entry in range(many)]
        if not all(np.array_equal(entries[0], other) for other in entries[1:]):
            raise UtileError(
                f"{image.path.name} has colours or channels, and a label image has one whole number for each "
                "pixel: save its ids as grey values, or name its axes with --axes."
            )
        data, axes = data[_at(axes, {axis: 0})], axes.replace(axis, "")
    if axes == image.axes:
        return replace(image, data=data)
    return ImageFile(data, axes, None, None, image.path)


def _plane_at(image: ImageFile, index: Mapping[str, int], volume: bool) -> Labels:
    """Give one plane of labels without colours; all Z of it for a volume."""
    kept = "ZYX" if volume and "Z" in image.axes else "YX"
    entries = {axis: index.get(axis, 0) for axis in image.axes if axis not in kept}
    order = [axis for axis in image.axes if axis in kept]
    plane = np.asarray(image.data[_at(image.axes, entries)]).transpose([order.index(axis) for axis in kept])
    return whole_numbers(plane, image.path.name)


def _lazy_plane(image: ImageFile, index: Mapping[str, int]) -> Any:
    """Give one plane of labels without colours as (1, Y, X), unread."""
    order = "YX" if image.axes.index("Y") < image.axes.index("X") else "XY"
    entries = {axis: index.get(axis, 0) for axis in image.axes if axis not in order}
    plane = image.data[_at(image.axes, entries)]
    return (plane if order == "YX" else plane.transpose())[np.newaxis]


def index_in_image(
    index: Mapping[str, int], labels: ImageFile, planes: SelectedPlanes
) -> tuple[dict[str, int], str]:
    """Find the plane of an image, or of other labels, that belongs to a plane of labels.

    Parameters
    ----------
    index : mapping
        Where the plane lies in the labels.
    labels : ImageFile
    planes : SelectedPlanes
        The labels have as many planes as its image, or as were selected.

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
    ours, image = _sliders(labels), planes.image
    first = planes.indices[0]
    for theirs, starts in (
        (planes.sliders, {}),
        (dict(zip(planes.stacked, planes.sizes, strict=True)), first),
    ):
        if ours == theirs:
            renamed = {axis: axis for axis in ours}
        elif [*ours.values()] == [*theirs.values()]:
            renamed = dict(zip(ours, theirs, strict=True))
        else:
            continue
        there = {other: index.get(axis, 0) + starts.get(other, 0) for axis, other in renamed.items()}
        said = ", ".join(f"{axis} with {other}" for axis, other in renamed.items() if axis != other)
        said = (
            said and f"{labels.path.name} and {image.path.name} paired by the order of their planes, {said}"
        )
        return {**starts, **there}, said

    def has(file: ImageFile, sliders: Mapping[str, int]) -> str:
        along = " and ".join(f"{size} planes along {axis}" for axis, size in sliders.items())
        return f"{file.path.name} has {along or 'one plane'}"

    raise UtileError(
        f"{has(labels, ours)}, and {has(image, planes.sliders)}: they do not pair; where the axes of the labels are "
        "wrongly named, say which they are with --axes (axes= in Python)."
    )


def pairing_in_words(labels: ImageFile, others: ImageFile | SelectedPlanes) -> str:
    """Say what is assumed where labels and an image, or other labels, are paired; empty where their axes agree.

    Raises
    ------
    UtileError
        Where the two do not pair.
    """
    planes = others if isinstance(others, SelectedPlanes) else SelectedPlanes(others)
    return index_in_image({}, labels, planes)[1]


def paired_labels(
    labels: ImageFile, others: ImageFile, volume: bool = False
) -> Iterator[tuple[dict[str, int], Labels, Labels]]:
    """Pair the planes of labels with those of other labels of the same image, by the names of their axes.

    Yields
    ------
    index, plane, other
        Where the plane lies in `labels`, and the two planes.

    Raises
    ------
    UtileError
        Where the two do not pair.
    """
    plain = _without_colours(others)
    if volume and (sliders := _sliders(labels)) and "Z" not in sliders:
        raise UtileError(
            f"{labels.path.name} has no axis Z, but {' and '.join(sliders)}: say which is which with --axes."
        )
    for index, plane in labels_of(labels, volume):
        there, _ = index_in_image(index, labels, SelectedPlanes(plain))
        if volume and "Z" in _sliders(labels) and "Z" not in _sliders(plain):
            raise UtileError(f"{plain.path.name} has no axis Z: say which is which with --axes.")
        yield index, plane, _plane_at(plain, there, volume)


def planes_with_labels(
    planes: SelectedPlanes, labels: ImageFile
) -> Iterator[tuple[tuple[int, ...], dict[str, int], ImagePlane, Labels]]:
    """Pair the selected planes of an image with those of its labels, such as seeds.

    Yields
    ------
    position, index, plane, labels
        Where the plane lies in the stack of results, where in the image, its pixels, and its labels.

    Raises
    ------
    UtileError
        If the two files do not pair.
    """
    places = zip(planes.indices, np.ndindex(*planes.sizes), strict=True)
    wanted = {tuple(sorted(index.items())): position for index, position in places}
    for index, plane in labels_of(labels):
        there, _ = index_in_image(index, labels, planes)
        position = wanted.pop(tuple(sorted(there.items())), None)
        if position is not None:
            yield position, there, planes.plane(there), plane


def _sliders(file: ImageFile) -> dict[str, int]:
    """Give the axes of planes that are longer than 1, and how long."""
    channel = "S" if "S" in file.axes else "C"
    sizes = zip(file.axes, file.data.shape, strict=True)
    return {axis: int(size) for axis, size in sizes if size > 1 and axis not in ("Y", "X", channel)}


def whole_numbers(array: NDArray[Any], name: str) -> Labels:
    """Return labels as integers, also where they were stored as floating point numbers.

    Raises
    ------
    UtileError
        If they are not whole numbers of at least 0.
    """
    if array.dtype.kind == "f":
        whole = np.isfinite(array) & (array == np.floor(array))
        if not whole.all():
            raise UtileError(f"{no_id(name, array[~whole].flat[0])}.")
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
        raise UtileError(f"{no_id(name, array.min())}.")
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def _at(axes: str, index: Mapping[str, int]) -> tuple[int | slice, ...]:
    return tuple(index.get(axis, slice(None)) for axis in axes)
