"""What stages keep on disk until the labels are done: a file for each block, without compression."""

import functools
import io
import math
import mmap
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_utile.engine.cells.blocks.decoder import Facts
from napari_utile.engine.cells.blocks.grid import Key
from napari_utile.engine.store.durable import make_durable, reading, write_beside

_BEFORE_HEADER = 10
"""Bytes before the description of an array in a file of NumPy, version 1.0; the last two say how long that is."""


class DiskShelf:
    """Keeps planes and tables of one plane's blocks in a folder; see `decoder.Shelf`.

    Several processes may read it and write different blocks. What was written is on the disk after `sync`.

    Parameters
    ----------
    folder : Path
    of_all : dict, optional
        Where tables of all blocks are kept that were read; several shelves of one folder may share it.
    """

    def __init__(self, folder: Path, of_all: "dict[str, tuple[int, Facts]] | None" = None) -> None:
        self._folder = folder
        self._written: list[Path] = []
        self._of_all = {} if of_all is None else of_all

    def plane(self, name: str, key: Key) -> NDArray[Any]:
        """Return a block of a plane, read where it is looked at."""
        path = self._file(name, key, ".npy")
        with reading(str(path)), path.open("rb") as file:
            return _array_in(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))

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
        known = self._of_all.get(name)
        if known is None or known[0] != stamp:
            known = self._of_all[name] = stamp, _read_tables(path)
        return known[1]

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
    with reading(str(path)), zipfile.ZipFile(path) as tables:
        return {name.removesuffix(".npy"): _array_in(tables.read(name)) for name in tables.namelist()}


def _array_in(file: "bytes | mmap.mmap") -> NDArray[Any]:
    """Return the array that a file of NumPy holds; it is not copied."""
    start = _BEFORE_HEADER + int.from_bytes(file[_BEFORE_HEADER - 2 : _BEFORE_HEADER], "little")
    shape, dtype = _described(file[:start])
    return np.frombuffer(file, dtype, math.prod(shape), start).reshape(shape)


@functools.lru_cache(maxsize=4096)
def _described(head: bytes) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Return shape and type by the head of a file: blocks have the same ones again and again, and NumPy reads slowly.

    Raises
    ------
    ValueError
        If it is none, or none that `DiskShelf` writes.
    """
    file = io.BytesIO(head)
    if np.lib.format.read_magic(file) != (1, 0):
        raise ValueError("another version")
    shape, by_columns, dtype = np.lib.format.read_array_header_1_0(file)
    if by_columns or dtype.hasobject:
        raise ValueError("an order of pixels, or objects, that are not written")
    return shape, dtype
