"""Classes of cells: a class for each pixel and each cell, and which share of the area each class covers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_utile.engine.arrays import Float32Array

_MOST = 65535


@dataclass(frozen=True, eq=False)
class Classes:
    """The named classes of objects of a segmentation.

    Attributes
    ----------
    names : tuple of str
        A single one where the model tells none.
    values : (C, Y, X) float32 array
        All outputs of the model.
    channels : tuple of int
        Which of them are the probabilities of the classes.
    labels : (Y, X) integer array
        The cells.
    inside : (Y, X) bool array or None
        The area that counts; None: all.
    """

    names: tuple[str, ...]
    values: Float32Array
    channels: tuple[int, ...]
    labels: NDArray[np.integer]
    inside: NDArray[np.bool_] | None = None

    @property
    def several(self) -> bool:
        """Whether there is anything to tell apart."""
        return len(self.names) > 1

    @property
    def layer(self) -> NDArray[np.uint8]:
        """The class (Y, X) of each pixel of a cell: its place in `names`, from 1; 0 elsewhere."""
        mask = self.labels > 0
        return class_layer(self.values[list(self.channels)], mask) if self.several else mask.view(np.uint8)

    @property
    def of_cells(self) -> NDArray[np.object_]:
        """The name of each cell's class, in the order of their numbers."""
        _, found = classes_of_cells(self.values[list(self.channels)], self.labels)
        return np.array([self.names[each] for each in found], object)

    @property
    def covered(self) -> dict[str, float]:
        """Which share of the area each class covers (confluence), by name."""
        return area_fractions(self.layer, self.names, self.inside)


def class_layer(probabilities: Float32Array, mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Give each pixel of the mask its most likely class of objects.

    Parameters
    ----------
    probabilities : (K, Y, X) float array
        Of the classes of objects.
    mask : (Y, X) bool array

    Returns
    -------
    (Y, X) uint8 array
        1 to K, 0 outside the mask.
    """
    layer: NDArray[np.uint8] = np.where(mask, probabilities.argmax(axis=0) + 1, 0).astype(np.uint8)
    return layer


def classes_of_cells(
    probabilities: Float32Array, labels: NDArray[np.integer]
) -> tuple[NDArray[np.integer], NDArray[np.intp]]:
    """Give each cell the class that is most likely over all of its pixels.

    Parameters
    ----------
    probabilities : (K, Y, X) float array
        Of the classes of objects.
    labels : (Y, X) integer array

    Returns
    -------
    ids : (N,) integer array
        The cells' numbers, rising.
    classes : (N,) integer array
        0 to K - 1.

    Examples
    --------
    >>> sure = np.array([[[0.9, 0.4, 0.1]], [[0.1, 0.6, 0.9]]], np.float32)
    >>> ids, classes = classes_of_cells(sure, np.array([[4, 4, 7]]))
    >>> ids.tolist(), classes.tolist()
    ([4, 7], [0, 1])
    """
    ids, sums = class_sums(in_steps(probabilities), labels)
    return ids, sums.argmax(axis=0)


def in_steps(probabilities: Float32Array) -> NDArray[np.uint16]:
    """Give probabilities in steps of 1/65535: their sums are whole numbers, the same in one piece and in blocks."""
    steps = np.rint(np.clip(np.nan_to_num(probabilities), 0, 1) * np.float32(_MOST))
    whole: NDArray[np.uint16] = steps.astype(np.uint16)
    return whole


def class_sums(
    steps: NDArray[np.uint16], labels: NDArray[np.integer]
) -> tuple[NDArray[np.integer], NDArray[np.int64]]:
    """Sum up what each cell's pixels say of each class.

    Parameters
    ----------
    steps : (K, Y, X) uint16 array
        From `in_steps`.
    labels : (Y, X) integer array

    Returns
    -------
    ids : (N,) integer array
        The cells' numbers, rising.
    sums : (K, N) int64 array
    """
    inside = labels > 0
    ids, places = np.unique(labels[inside], return_inverse=True)
    sums = [np.bincount(places.ravel(), each[inside], minlength=ids.size) for each in steps]
    return ids, np.stack(sums).astype(np.int64)


def area_fractions(
    layer: NDArray[np.integer], names: Sequence[str], inside: NDArray[np.bool_] | None = None
) -> dict[str, float]:
    """Say which share of the area each class covers (confluence).

    Parameters
    ----------
    layer : (Y, X) integer array
        From `class_layer`.
    names : sequence of str
        Of the classes 1 to K.
    inside : (Y, X) bool array, optional
        The area; all by default.

    Examples
    --------
    >>> area_fractions(np.array([[0, 1, 2, 2]]), ["live", "dead"])
    {'live': 0.25, 'dead': 0.5}
    """
    counted = layer if inside is None else layer[inside]
    size = max(counted.size, 1)
    return {name: float(np.count_nonzero(counted == number) / size) for number, name in enumerate(names, 1)}


def classes_in_words(names: Sequence[str]) -> str:
    """Say which number stands for which class.

    Examples
    --------
    >>> classes_in_words(["live", "dead"])
    'classes (1 live, 2 dead)'
    """
    return f"classes ({', '.join(f'{number} {name}' for number, name in enumerate(names, 1))})"


def covered_in_words(shares: Mapping[str, float]) -> str:
    """Say which share of the area is covered, and by which classes where there are several.

    Examples
    --------
    >>> covered_in_words({"live": 0.25, "dead": 0.5})
    '75 % of the area: live 25 %, dead 50 %'
    >>> covered_in_words({"cell": 0.25})
    '25 % of the area'
    """
    total = f"{100 * sum(shares.values()):.0f} % of the area"
    if len(shares) < 2:
        return total
    return f"{total}: {', '.join(f'{name} {100 * share:.0f} %' for name, share in shares.items())}"


def cells_of_classes(
    labels: NDArray[Any], names: Mapping[int, str], background: int | None = None
) -> tuple[NDArray[np.int32], dict[int, str]]:
    """Make cells of painted class numbers: each connected piece of a number is a cell.

    Parameters
    ----------
    labels : (Y, X) integer array
        0 or the number of a class.
    names : mapping of int to str
        Of the numbers; one that has no name becomes ``"class N"``.
    background : int, optional
        The number that marks background; it is no class, and stays as it was painted.

    Returns
    -------
    cells : (Y, X) int32 array
    classes : dict of int to str
        The class of each cell.

    Examples
    --------
    >>> cells, classes = cells_of_classes(np.array([[1, 0, 1, 2]]), {1: "live", 2: "dead"})
    >>> cells.tolist(), classes
    ([[1, 0, 2, 3]], {1: 'live', 2: 'live', 3: 'dead'})
    """
    cells = np.zeros(np.shape(labels), np.int32)
    classes: dict[int, str] = {}
    for number in np.unique(labels):
        if number in (0, background):
            continue
        pieces, count = ndimage.label(labels == number, np.ones((3, 3), bool))
        cells[pieces > 0] = pieces[pieces > 0] + len(classes)
        name = names.get(int(number)) or f"class {number}"
        classes |= dict.fromkeys(range(len(classes) + 1, len(classes) + count + 1), name)
    if background:
        if background in classes:  # a cell has the number that marks background: it gets another one
            free = max(classes) + 1
            cells[cells == background] = free
            classes[free] = classes.pop(background)
        cells[np.asarray(labels) == background] = background
    return cells, classes
