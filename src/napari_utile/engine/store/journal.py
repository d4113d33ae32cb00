"""What of a store is done: a line of JSON for each block, written after the block and made durable at once."""

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import filelock

from napari_utile.engine.cells.blocks.grid import Key
from napari_utile.engine.errors import UtileError

FILE, LOCK = "journal.jsonl", "lock"

Done = tuple[int, str, Key | None]
"""A plane's number, a stage, and a block; None for all blocks together."""


class Journal:
    """The journal of a store, read when it is opened.

    Parameters
    ----------
    folder : Path
        The store's ``.utile``.

    Attributes
    ----------
    facts : dict
        What was written of each block that is done.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self.facts: dict[Done, dict[str, Any]] = {}
        self._size = 0
        if self._path.is_file():
            for line in self._path.read_bytes().splitlines(keepends=True):
                entry = _entry_of(line)
                if entry is None:
                    break  # the process ended while it wrote this line, or it is damaged: what follows is done again
                self._size += len(line)
                self.facts[entry[0]] = entry[1]

    def __contains__(self, done: Done) -> bool:
        return done in self.facts

    def add(self, done: Done, facts: dict[str, Any]) -> None:
        """Say that something is done; it is on the disk when this returns."""
        plane, stage, block = done
        line = json.dumps({"plane": plane, "stage": stage, "block": block, **facts}).encode() + b"\n"
        with self._path.open("r+b" if self._path.exists() else "wb") as file:
            file.seek(self._size)
            file.truncate()
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
        self._size += len(line)
        self.facts[done] = facts


def _entry_of(line: bytes) -> tuple[Done, dict[str, Any]] | None:
    """Return what a line says is done, and the facts; None where it is not a whole entry."""
    try:
        entry: dict[str, Any] = json.loads(line if line.endswith(b"\n") else b"null")
        plane, stage, block = (entry.pop(name) for name in ("plane", "stage", "block"))
        key = None if block is None else (int(block[0]), int(block[1]))
        return (int(plane), str(stage), key), entry
    except (ValueError, TypeError, AttributeError, LookupError, OverflowError, RecursionError):
        return None


@contextlib.contextmanager
def only_run(folder: Path, shown: str) -> Iterator[None]:
    """Keep other runs out of a store for as long as the block, or this process, lives.

    Raises
    ------
    UtileError
        If another run is in it.
    """
    lock = filelock.FileLock(folder / LOCK, timeout=0)
    try:
        lock.acquire()
    except filelock.Timeout:
        raise UtileError(f"Another run is writing {shown}: wait for it, or stop it first.") from None
    try:
        yield
    finally:
        lock.release()
