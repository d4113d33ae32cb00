"""What stages keep on disk until the labels are done: a file for each block, without compression."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_utile.engine.cells.blocks.decoder import Facts
from napari_utile.engine.cells.blocks.grid import Key
from napari_utile.engine.store.durable import make_durable, reading, write_beside


class DiskShelf:
    """Keeps planes and tables of one plane's blocks in a folder; see `decoder.Shelf`.

    Several processes may read it and write different blocks. What was written is on the disk after `sync`.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._written: list[Path] = []
        self._of_all: dict[str, tuple[int, Facts]] = {}

    def plane(self, name: str, key: Key) -> NDArray[Any]:
        """Return a block of a plane, read where it is looked at."""
        path = self._file(name, key, ".npy")
        with reading(str(path)):
            block: NDArray[Any] = np.lib.format.open_memmap(path, mode="r")  # it refuses objects
        return block

    def keep_plane(self, name: str, key: Key, block: NDArray[Any]) -> None:
        """Keep a block of a plane; one that is the same everywhere as one pixel."""
        first = block[:1, :1]
        small = first if (block == first).all() else block
        path = self._file(name, key, ".npy")
        self._written.append(
            write_beside(path, lambda file: np.save(file, np.ascontiguousarray(small), allow_pickle=False))
        )

    def facts(self, name: str, key: Key | None) -> Facts:
        """Return tables that were kept; those of all blocks are read once."""
        path = self._file(name, key, ".npz")
        if key is not None:
            return _read_tables(path)
        with reading(str(path)):
            stamp = path.stat().st_mtime_ns
        if name not in self._of_all or self._of_all[name][0] != stamp:
            self._of_all[name] = stamp, _read_tables(path)
        return self._of_all[name][1]

    def keep_facts(self, name: str, key: Key | None, facts: Facts) -> None:
        """Keep tables."""
        save: Any = np.savez
        self._written.append(write_beside(self._file(name, key, ".npz"), lambda file: save(file, **facts)))

    def sync(self) -> None:
        """Put all that was written on the disk."""
        written, self._written = self._written, []
        make_durable(written)

    def _file(self, name: str, key: Key | None, ending: str) -> Path:
        place = "all" if key is None else f"{key[0]}.{key[1]}"
        return self._folder / name / f"{place}{ending}"


def _read_tables(path: Path) -> Facts:
    # np.load leaves a damaged file that it opened itself open.
    with reading(str(path)), path.open("rb") as file, np.load(file, allow_pickle=False) as tables:
        return {name: tables[name] for name in tables.files}
