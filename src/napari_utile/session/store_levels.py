"""The levels of a store as arrays for layers, which show what is there when they are read."""

import os
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import zarr

CELLS, CLASSES = "labels/cells", "labels/classes"
_KEPT_BYTES = 64 << 20
"""Of pixels that were read, for each level."""
_AT_ONCE = 4
"""Up to so many chunks are read one by one, more together with what lies between them."""

_Place = tuple[int, ...]


class GrowingLevel:
    """One level of a store's image, which shows what is there when it is read.

    Parts of planes that were read are kept until their file is another one: napari reads what is in view, and the
    whole of the coarsest level, again whenever the camera moves.

    Parameters
    ----------
    array : zarr.Array
        (..., Y, X).
    outer : sequence of int or None
        What the axes of a layer before Y and X are: axes of the array, or None for those of length 1 that it lacks.
    folder : Path, optional
        Of the array; without it nothing is kept.
    """

    def __init__(self, array: Any, outer: Sequence[int | None] = (), folder: Path | None = None) -> None:
        self._array, self.outer, self._folder = array, tuple(outer), folder
        sizes = (1 if axis is None else array.shape[axis] for axis in self.outer)
        self.shape = (*sizes, *array.shape[-2:])
        self.dtype, self.ndim, self.size = np.dtype(array.dtype), len(self.shape), int(np.prod(self.shape))
        self._kept: OrderedDict[_Place, tuple[_Place, np.ndarray[Any, Any]]] = OrderedDict()
        self._lock = threading.Lock()

    def __getitem__(self, key: Any) -> np.ndarray[Any, Any]:
        key = key if isinstance(key, tuple) else (key,)
        key = (*key, *(slice(None),) * (self.ndim - len(key)))
        outer, plane = key[: len(self.outer)], key[len(self.outer) :]
        here = [axis for axis in self.outer if axis is not None]
        read = {
            axis: slice(int(each), int(each) + 1) if isinstance(each, int | np.integer) else each
            for axis, each in zip(self.outer, outer, strict=True)
            if axis is not None
        }
        pixels = self._read(tuple(read[axis] for axis in sorted(here)), plane)
        places = [sorted(here).index(axis) for axis in here]
        pixels = pixels.transpose(*places, *range(len(here), pixels.ndim))
        pixels = np.expand_dims(pixels, [place for place, axis in enumerate(self.outer) if axis is None])
        lead = tuple(0 if isinstance(each, int | np.integer) else slice(None) for each in outer)
        return np.asarray(pixels[lead])

    def _read(self, outer: tuple[Any, ...], plane: tuple[Any, ...]) -> np.ndarray[Any, Any]:
        """Read a part of the array; of one plane, what has not changed since it was read is not read again."""
        ends = [
            part.indices(size) if isinstance(part, slice) else (0, 0, 0)
            for part, size in zip(plane, self._array.shape[-2:], strict=True)
        ]
        one = all(isinstance(each, slice) and each.stop == (each.start or 0) + 1 for each in outer)
        if self._folder is None or not one or any(step != 1 for _, _, step in ends):
            return np.asarray(self._array[(*outer, *plane)])
        at = tuple(int(each.start) for each in outer)
        (top, bottom, _), (left, right, _) = ends
        made = np.zeros((max(0, bottom - top), max(0, right - left)), self.dtype)
        with self._lock:
            for (row, column), block in self._blocks(at, (top, bottom), (left, right)):
                rows = slice(max(top, row), min(bottom, row + block.shape[0]))
                columns = slice(max(left, column), min(right, column + block.shape[1]))
                made[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left] = block[
                    rows.start - row : rows.stop - row, columns.start - column : columns.stop - column
                ]
        return made[(np.newaxis,) * len(at)]

    def _blocks(
        self, at: _Place, rows: tuple[int, int], columns: tuple[int, int]
    ) -> Iterator[tuple[tuple[int, int], np.ndarray[Any, Any]]]:
        """Yield the chunks of a window that were written, each with its first row and column."""
        height, width = self._array.chunks[-2:]
        files = self._array.shards or self._array.chunks
        stamps: dict[_Place, _Place | None] = {}
        missing = []
        for row in range(rows[0] // height * height, rows[1], height):
            for column in range(columns[0] // width * width, columns[1], width):
                file = (*at, row // files[-2], column // files[-1])
                if file not in stamps:
                    stamps[file] = self._stamp(file)
                stamp, known = stamps[file], self._kept.get((*at, row, column))
                if stamp is None:
                    continue
                if known is None or known[0] != stamp:
                    missing.append((row, column, stamp))
                    continue
                self._kept.move_to_end((*at, row, column))
                yield (row, column), known[1]
        for group in [[each] for each in missing] if len(missing) <= _AT_ONCE else [missing]:
            top, left = min(row for row, _, _ in group), min(column for _, column, _ in group)
            bottom, right = (
                max(row for row, _, _ in group) + height,
                max(column for _, column, _ in group) + width,
            )
            pixels = np.asarray(self._array[(*at, slice(top, bottom), slice(left, right))])
            for row, column, stamp in group:
                block = pixels[row - top : row - top + height, column - left : column - left + width].copy()
                self._kept[(*at, row, column)] = stamp, block
                yield (row, column), block
        while len(self._kept) > max(1, _KEPT_BYTES // (height * width * self.dtype.itemsize)):
            self._kept.popitem(last=False)

    def _stamp(self, file: _Place) -> _Place | None:
        """Return what changes with a file of the array; None where there is none."""
        assert self._folder is not None
        try:
            found = os.stat(self._folder / self._array.metadata.encode_chunk_key(file))
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        return np.asarray(self[()], dtype)


def levels(place: Path, what: str = "", outer: Sequence[int | None] = ()) -> list[GrowingLevel]:
    """Return the levels of a store's image, the largest first.

    Parameters
    ----------
    what : str
        Empty for the probability, `CELLS` for the cells.
    outer : sequence of int or None
        See `GrowingLevel`.
    """
    folder = place / what
    found: list[GrowingLevel] = []
    while (folder / str(len(found))).is_dir():
        level = folder / str(len(found))
        found.append(GrowingLevel(zarr.open_array(level, mode="r"), outer, level))
    return found
