"""The blocks of a plane: which there are, where they lie and which touch."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from napari_utile.engine.windows import Window

Key = tuple[int, int]
"""Row and column of a block in the grid."""

TOP, BOTTOM, LEFT, RIGHT = range(4)
_STEPS = ((-1, 0), (1, 0), (0, -1), (0, 1))


@dataclass(frozen=True)
class Grid:
    """Blocks of one size over a plane; those at its lower and right side end with it.

    Attributes
    ----------
    shape : (int, int)
        Rows and columns of the plane.
    side : (int, int)
        Rows and columns of a block.
    """

    shape: tuple[int, int]
    side: tuple[int, int]

    @property
    def counts(self) -> tuple[int, int]:
        """How many blocks there are along each axis."""
        rows, columns = (-(-size // side) for size, side in zip(self.shape, self.side, strict=True))
        return rows, columns

    def __len__(self) -> int:
        return self.counts[0] * self.counts[1]

    def __iter__(self) -> Iterator[Key]:
        rows, columns = self.counts
        return itertools.product(range(rows), range(columns))

    def window(self, key: Key) -> Window:
        """Return where a block lies in the plane."""
        start = (key[0] * self.side[0], key[1] * self.side[1])
        return Window.span(start, (start[0] + self.side[0], start[1] + self.side[1])).clipped(self.shape)

    def around(self, key: Key, halo: int) -> Window:
        """Return a block with a margin, as far as the plane goes."""
        return self.window(key).grown(halo).clipped(self.shape)

    def touched(self, window: Window) -> Iterator[Key]:
        """Yield the blocks that a window of the plane touches."""
        for block in window.blocks(self.side):
            yield block.start[0] // self.side[0], block.start[1] // self.side[1]

    def neighbour(self, key: Key, where: int) -> Key | None:
        """Return the block behind a border (`TOP` ...); None where the plane ends."""
        row, column = key[0] + _STEPS[where][0], key[1] + _STEPS[where][1]
        inside = 0 <= row < self.counts[0] and 0 <= column < self.counts[1]
        return (row, column) if inside else None


def borders(block: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """Return the outermost lines of a block, in the order of `TOP`, `BOTTOM`, `LEFT`, `RIGHT`."""
    return {
        "top": block[0].copy(),
        "bottom": block[-1].copy(),
        "left": block[:, 0].copy(),
        "right": block[:, -1].copy(),
    }
