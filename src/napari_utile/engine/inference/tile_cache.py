"""Probabilities of tiles that were computed before, bounded in memory and shared between jobs."""

import threading
from collections import OrderedDict
from collections.abc import Hashable

import numpy as np
from numpy.typing import NDArray


class TileCache:
    """Least recently used tiles, by key; safe to use from several threads.

    Parameters
    ----------
    max_bytes : int
        What all tiles together may take.
    """

    def __init__(self, max_bytes: int = 512 << 20) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._tiles: OrderedDict[Hashable, NDArray[np.float32]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> NDArray[np.float32] | None:
        """Return a tile (K, y, x), not to be written to, or None."""
        with self._lock:
            tile = self._tiles.get(key)
            if tile is not None:
                self._tiles.move_to_end(key)
            return tile

    def put(self, key: Hashable, tile: NDArray[np.float32]) -> None:
        """Keep a copy of a tile, and drop the least recently used ones that no longer fit."""
        tile = np.array(tile)
        tile.flags.writeable = False
        with self._lock:
            previous = self._tiles.pop(key, None)
            self._bytes += tile.nbytes - (previous.nbytes if previous is not None else 0)
            self._tiles[key] = tile
            while self._bytes > self._max_bytes and self._tiles:
                _, dropped = self._tiles.popitem(last=False)
                self._bytes -= dropped.nbytes

    def clear(self) -> None:
        """Drop every tile."""
        with self._lock:
            self._tiles.clear()
            self._bytes = 0

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return self._bytes

    def __len__(self) -> int:
        return len(self._tiles)
