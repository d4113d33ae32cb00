"""Distances from every pixel to its nearest and second nearest cell, within a reach."""

import math
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_utile.engine.windows import Window

_BLOCK_PIXELS = 131072
"""Pixels worked on at a time: a few such arrays stay in the processor's cache."""

_WORKERS = min(os.cpu_count() or 1, 4)
"""Threads: numpy lets go of the interpreter while it works on a block."""

_FRACTION_BITS = 20
"""Squared distances between anisotropic pixels are integers in units of 2^-20."""

Ints = NDArray[np.signedinteger[Any]]


def nearest_two_within(
    cells: NDArray[np.integer[Any]],
    reach: float,
    aspect: tuple[float, float] = (1.0, 1.0),
    window: Sequence[slice] | None = None,
    each: bool = False,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Measure the distances to the two nearest cells, where their sum is within `reach`.

    The work per pixel grows with `reach` but not with the number of cells. Along
    each column, then along each row, the two smallest squared distances that
    belong to different cells are kept, the separable scheme of [1]_ for two
    labels at once: a cell which is third in a column cannot be among the two
    nearest of any pixel of that column's rows.

    Parameters
    ----------
    cells : (Y, X) array of non-negative integers
        0 is background.
    reach : float
        Pixels whose two distances sum to no more than this get both, exactly.
    aspect : (float, float)
        Height and width of a pixel in the unit of `reach`.
    window : Window or (slice, slice), optional
        Measure only there; cells outside it within reach still count.
    each : bool
        Give every distance up to `reach`, whatever the sum; takes twice as long.

    Returns
    -------
    d1, d2 : (Y, X) float32 arrays
        Distances to the nearest and second nearest cell, 0 inside a cell, both
        infinite where the sum is beyond `reach` (with `each`, each where it is itself).

    References
    ----------
    .. [1] Felzenszwalb, Huttenlocher: Distance transforms of sampled functions.
       Theory of Computing 8 (2012), 415-428.
    """
    window = Window.part_of(cells.shape, window).clipped(cells.shape)
    d1 = np.full(window.shape, np.inf, np.float32)
    d2 = np.full(window.shape, np.inf, np.float32)
    if not window.size:
        return d1, d2
    numbers, _ = _plain_ids(cells)
    search = _Search(reach, aspect, int(numbers.max()), each)

    def keep(block: slice, found: _Found) -> None:
        d1[block], d2[block] = search.distances(found)

    _search_blocks(numbers, search, window, keep)
    return d1, d2


def nearest_ids_within(
    cells: NDArray[np.integer[Any]], reach: float, aspect: tuple[float, float] = (1.0, 1.0)
) -> tuple[NDArray[np.integer[Any]], NDArray[np.integer[Any]]]:
    """Name the two nearest cells of every pixel where the sum of their distances is within `reach`.

    Parameters
    ----------
    cells, reach, aspect
        As for `nearest_two_within`.

    Returns
    -------
    first, second : (Y, X) arrays of the type of `cells`
        Ids of the nearest and second nearest cell, any of them where several are as near; both 0 where the
        sum is beyond `reach`.
    """
    first, second = np.zeros_like(cells), np.zeros_like(cells)
    if cells.size == 0:
        return first, second
    numbers, ids = _plain_ids(cells)
    search = _Search(reach, aspect, int(numbers.max()), name_second=True)

    def keep(block: slice, found: _Found) -> None:
        d1, _ = search.distances(found)
        for names, out in ((found.own, first), (found.other, second)):
            assert names is not None
            known = np.where(np.isinf(d1), 0, names)
            out[block] = known if ids is None else ids[known]

    _search_blocks(numbers, search, Window.whole(cells.shape), keep)
    return first, second


def _plain_ids(cells: NDArray[np.integer[Any]]) -> tuple[NDArray[np.integer[Any]], NDArray[Any] | None]:
    """Give cells other ids where theirs are too large for signed integers, and the old ones in order."""
    if int(cells.max()) <= np.iinfo(np.int64).max:
        return cells, None
    ids = np.unique(np.append(cells, np.zeros(1, cells.dtype)))
    return np.searchsorted(ids, cells), ids


def _search_blocks(
    cells: NDArray[np.integer[Any]],
    search: "_Search",
    window: tuple[slice, ...],
    keep: Callable[[slice, "_Found"], None],
) -> None:
    """Search block by block and hand what was found to `keep`, with the rows of the window it is for."""
    rows, columns = window
    pad_y, pad_x = search.reach_y, search.reach_x

    def measure(block: tuple[int, int]) -> None:
        start, stop = block
        slab = _window(
            cells, start - pad_y, stop + pad_y, columns.start - pad_x, columns.stop + pad_x, search.type
        )
        found = search.block(slab)
        if found is not None:
            keep(slice(start - rows.start, stop - rows.start), found)

    blocks = list(_blocks(rows.start, rows.stop, columns.stop - columns.start + 2 * pad_x))
    if len(blocks) == 1:
        measure(blocks[0])
    else:
        with ThreadPoolExecutor(_WORKERS) as pool:
            list(pool.map(measure, blocks))


def _blocks(top: int, bottom: int, width: int) -> Iterator[tuple[int, int]]:
    height = max(8, _BLOCK_PIXELS // width)
    for start in range(top, bottom, height):
        yield start, min(start + height, bottom)


def _window(
    cells: NDArray[np.integer[Any]], top: int, bottom: int, left: int, right: int, dtype: type
) -> Ints:
    """Cut a window that may reach over the edge, where it is background."""
    window: Ints = np.zeros((bottom - top, right - left), dtype)
    height, width = cells.shape
    y0, y1, x0, x1 = max(top, 0), min(bottom, height), max(left, 0), min(right, width)
    if y0 < y1 and x0 < x1:
        window[y0 - top : y1 - top, x0 - left : x1 - left] = cells[y0:y1, x0:x1]
    return window


@dataclass(frozen=True)
class _Found:
    """Squared distances to the two nearest cells, and their ids; the second one's only if asked for."""

    near: Ints
    second: Ints
    own: Ints
    other: Ints | None


class _Search:
    """The offsets to look at and the integer types that hold the squared distances.

    Selections are made with sign masks, minima and maxima instead of
    `numpy.where`, which is thirty times slower on short integers. Background
    is -1 here: ``(a ^ b) - 1`` is negative exactly where a equals b or one is -1.
    Offsets that differ in sign only are handled as one, the sign being the last bit.
    """

    def __init__(
        self,
        reach: float,
        aspect: tuple[float, float],
        largest_id: int,
        each: bool = False,
        name_second: bool = False,
    ) -> None:
        self.reach = reach
        self.reach_y, self.reach_x = (math.floor(reach / side) for side in aspect)
        self.each = each
        near = reach if each else reach / 2
        self.near_x = math.floor(near / aspect[1])
        self.unit = 1 if aspect == (1.0, 1.0) else 1 << _FRACTION_BITS
        self.square_y, self.square_x = (round(side * side * self.unit) for side in aspect)
        # Beyond every squared distance in reach: "nothing found".
        self.far = math.ceil((reach + max(aspect)) ** 2 * self.unit) + 1
        self.near_far = math.ceil((near + max(aspect)) ** 2 * self.unit) + 1
        # Below the squared distances along rows: the offset at which it was found.
        self.near_bits = (2 * self.near_x + 1).bit_length()
        self.second_bits = (2 * self.reach_x + 1).bit_length() if name_second else 0
        largest = max(
            (self.far + self.square_x * self.reach_x**2 + 1) << self.second_bits,
            2 * self.reach_y + 1,
            (self.near_far + self.square_x * self.near_x**2 + 1) << self.near_bits,
            largest_id + 1,
        )
        self.type: Any = next(t for t in (np.int16, np.int32, np.int64) if largest <= np.iinfo(t).max)
        self.sign_shift = np.iinfo(self.type).bits - 1

    def block(self, slab: Ints) -> _Found | None:
        """Search one block: `slab` is the block with a margin of the reach on all sides."""
        if not slab.any():
            return None
        slab[slab == 0] = -1
        square1, ids, square2, ids2 = self._along_columns(slab)
        near, own = self._nearest_along_rows(square1, ids)
        if int(near.min()) >= self.near_far:
            return None
        second = self._other_along_rows(square1, ids, square2, own)
        if ids2 is None:
            return _Found(near, second, own, None)
        index = self._index(second, self.second_bits, ids.shape[1])
        other = np.take(ids, index)
        other = np.where(other == own, np.take(ids2, index), other)
        return _Found(near, second >> self.second_bits, own, other)

    def distances(self, found: _Found) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Turn what was found into distances, infinite beyond reach."""
        d1 = np.sqrt(found.near.astype(np.float32) / np.float32(self.unit))
        d2 = np.sqrt(found.second.astype(np.float32) / np.float32(self.unit))
        reach = np.float32(self.reach)
        if self.each:
            d1[d1 > reach] = np.inf
            d2[d2 > reach] = np.inf
        else:
            beyond = d1 + d2 > reach
            d1[beyond] = np.inf
            d2[beyond] = np.inf
        return d1, d2

    def _along_columns(self, slab: Ints) -> tuple[Ints, Ints, Ints, Ints | None]:
        """Squared distances and ids of the nearest and second nearest cell in each column."""
        reach = self.reach_y
        rows, width = slab.shape[0] - 2 * reach, slab.shape[1]
        # As unsigned numbers the masks, all ones, are larger than every distance.
        unsigned: Any = np.dtype(self.type).str.replace("i", "u")
        background = (slab >> self.sign_shift).view(unsigned)
        background_above = background | 1
        code = background[reach : reach + rows].copy()
        here, above = np.empty_like(code), np.empty_like(code)
        for offset in range(1, reach + 1):
            below = background[reach + offset :][:rows]
            np.minimum(below, background_above[reach - offset :][:rows], out=here)
            np.bitwise_or(here, 2 * offset, out=here)
            np.minimum(code, here, out=code)
        steps = np.arange(2 * reach + 3) // 2
        steps[1::2] *= -1
        steps[-1] = 0
        squares = np.minimum(steps**2 * self.square_y, self.far)
        squares[-1] = self.far
        squares = squares.astype(self.type)
        np.minimum(code, 2 * reach + 2, out=code)
        code = code.view(self.type)  # NumPy before 2.1 takes no unsigned 64-bit indices
        places = np.arange(reach * width, (reach + rows) * width).reshape(rows, width)
        ids = np.take(slab, places + np.take(steps * width, code))

        second = np.full_like(here, 2 * reach + 2)
        same_here, same_above = here.view(self.type), above.view(self.type)
        for offset in range(1, reach + 1):
            self._same(slab[reach + offset :][:rows], ids, same_here)
            self._same(slab[reach - offset :][:rows], ids, same_above)
            np.bitwise_or(above, 1, out=above)
            np.minimum(here, above, out=here)
            np.bitwise_or(here, 2 * offset, out=here)
            np.minimum(second, here, out=second)
        second = second.view(self.type)
        ids2 = np.take(slab, places + np.take(steps * width, second)) if self.second_bits else None
        return np.take(squares, code), ids, np.take(squares, second), ids2

    def _same(self, one: Ints, other: Ints, out: Ints) -> None:
        """Give -1 where both are the same cell or one is background, else 0."""
        np.bitwise_xor(one, other, out=out)
        np.subtract(out, 1, out=out)
        np.right_shift(out, self.sign_shift, out=out)

    def _nearest_along_rows(self, square: Ints, ids: Ints) -> tuple[Ints, Ints]:
        """Squared distance to the nearest cell and its id, near enough for both to be in reach."""
        near, margin, bits = self.near_x, self.reach_x, self.near_bits
        width = square.shape[1] - 2 * margin
        to_right = np.minimum(square, self.near_far) << bits
        to_left = to_right | 1
        code = to_right[:, margin : margin + width].copy()
        scratch = np.empty_like(code)
        for offset in range(1, near + 1):
            left = to_left[:, margin - offset :][:, :width]
            np.minimum(to_right[:, margin + offset :][:, :width], left, out=scratch)
            np.add(scratch, ((self.square_x * offset * offset) << bits) + 2 * offset, out=scratch)
            np.minimum(code, scratch, out=code)
        return code >> bits, np.take(ids, self._index(code, bits, ids.shape[1]))

    def _index(self, code: Ints, bits: int, width: int) -> NDArray[np.intp]:
        """Index, in an array with margins to the left and right, of where each code's cell was found."""
        steps = np.arange(1 << bits) // 2
        steps[1::2] *= -1
        index = np.take(steps, code & ((1 << bits) - 1))
        index += np.arange(self.reach_x, self.reach_x + code.shape[1])
        index += (np.arange(code.shape[0]) * width)[:, None]
        return index

    def _other_along_rows(self, square1: Ints, ids: Ints, square2: Ints, own: Ints) -> Ints:
        """Squared distance to the nearest cell that is not `own`, above the bits of the offset."""
        margin, width, bits = self.reach_x, own.shape[1], self.second_bits
        found = np.full(own.shape, self.far << bits, self.type)
        square1, square2 = square1 << bits, square2 << bits
        right, left = np.empty_like(found), np.empty_like(found)
        for offset in range(margin + 1):
            for step, out in ((offset, right), (-offset, left)):
                columns = slice(margin + step, margin + step + width)
                self._same(ids[:, columns], own, out)
                np.bitwise_and(out, square2[:, columns], out=out)
                np.maximum(out, square1[:, columns], out=out)
            if bits:
                np.bitwise_or(left, offset > 0, out=left)
            np.minimum(right, left, out=right)
            cost = self.square_x * offset * offset << bits
            np.add(right, cost + (2 * offset if bits else 0), out=right)
            np.minimum(found, right, out=found)
        return found


def nearest_two(
    cells: NDArray[np.integer[Any]], aspect: tuple[float, float] = (1.0, 1.0)
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Measure the distances from every pixel to its two nearest cells, however far.

    The second nearest cell is the nearest among those whose number differs from the
    nearest one's in some bit, so that two distance transforms per bit are enough.

    Parameters
    ----------
    cells : (Y, X) array of non-negative integers
        0 is background.
    aspect : (float, float)
        Height and width of a pixel; distances are in the same unit.

    Returns
    -------
    d1, d2 : (Y, X) float32 arrays
        Infinite where there is no such cell.
    """
    d1 = np.full(cells.shape, np.inf, np.float32)
    d2 = np.full(cells.shape, np.inf, np.float32)
    ids, numbers = np.unique(cells, return_inverse=True)
    numbers = numbers.reshape(cells.shape) - int(ids[:1].sum() == 0)
    inside = cells != 0
    if not inside.any():
        return d1, d2
    d1[...], nearest = ndimage.distance_transform_edt(~inside, sampling=aspect, return_indices=True)
    own = numbers[tuple(nearest)]
    for bit in range(int(own.max()).bit_length()):
        own_bit = (own >> bit) & 1
        for value in (0, 1):
            others = inside & ((numbers >> bit) & 1 == value)
            if others.any():
                distance = ndimage.distance_transform_edt(~others, sampling=aspect).astype(np.float32)
                np.minimum(d2, distance, out=d2, where=own_bit != value)
    return d1, d2
