"""Outputs of a network that were computed before, bounded in memory and shared between jobs."""

import threading
from collections import OrderedDict
from collections.abc import Hashable

import numpy as np
from numpy.typing import NDArray

from napari_utile.engine.windows import Window

Entry = tuple[Hashable, Window, tuple[int, ...]]


class TileCache:
    """Least recently used outputs, by field and window; safe to use from several threads.

    Parameters
    ----------
    max_bytes : int
        What all together may take.
    """

    def __init__(self, max_bytes: int = 512 << 20) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._kept: OrderedDict[Entry, NDArray[np.float32]] = OrderedDict()
        self._tiles: dict[Hashable, set[Entry]] = {}
        self._lock = threading.Lock()

    def get(self, field: Hashable, window: Window, tile: tuple[int, ...] = ()) -> NDArray[np.float32] | None:
        """Return outputs (C, y, x), not to be written to, or None.

        Parameters
        ----------
        field : hashable
            Stands for the pixels, the network and all else that the outputs depend on.
        window : Window
        tile : tuple of int
            Shape of what the network read at once, which the last digits depend on; empty for blocks of a lattice.
        """
        entry = (field, window, tile)
        with self._lock:
            kept = self._kept.get(entry)
            if kept is not None:
                self._kept.move_to_end(entry)
            return kept

    def put(
        self, field: Hashable, window: Window, outputs: NDArray[np.float32], tile: tuple[int, ...] = ()
    ) -> None:
        """Keep a copy of outputs, and drop the least recently used ones that no longer fit."""
        outputs = np.array(outputs)
        outputs.flags.writeable = False
        entry = (field, window, tile)
        with self._lock:
            previous = self._kept.pop(entry, None)
            self._bytes += outputs.nbytes - (previous.nbytes if previous is not None else 0)
            self._kept[entry] = outputs
            if tile:
                self._tiles.setdefault(field, set()).add(entry)
            while self._bytes > self._max_bytes and self._kept:
                dropped, old = self._kept.popitem(last=False)
                self._bytes -= old.nbytes
                if dropped[2]:
                    self._tiles[dropped[0]].discard(dropped)
                    if not self._tiles[dropped[0]]:
                        del self._tiles[dropped[0]]

    def tiles(self, field: Hashable) -> list[tuple[Window, NDArray[np.float32]]]:
        """Return the tiles of a field that are known, of whatever run, and where they lie."""
        with self._lock:
            return [(entry[1], self._kept[entry]) for entry in self._tiles.get(field, ())]

    def clear(self) -> None:
        """Drop everything."""
        with self._lock:
            self._kept.clear()
            self._tiles.clear()
            self._bytes = 0

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return self._bytes

    def __len__(self) -> int:
        return len(self._kept)
