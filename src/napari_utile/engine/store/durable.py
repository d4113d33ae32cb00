"""Files that are on the disk, not only on their way there."""

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from tokenize import TokenError
from typing import IO
from zipfile import BadZipFile

from napari_utile.engine.errors import UtileError

PART = ".part"
_DAMAGE = (
    FileNotFoundError, AttributeError, EOFError, LookupError, OverflowError, RecursionError, SyntaxError, TypeError,
    ValueError, BadZipFile, TokenError,
)  # fmt: skip
"""What is raised where a file of a store is gone, or is not what this program wrote."""


@contextlib.contextmanager
def reading(what: str) -> Iterator[None]:
    """Read a file of a store; one that is damaged or gone is said in a sentence."""
    try:
        yield
    except _DAMAGE as error:
        raise UtileError(f"{what} is damaged or gone: start again with --overwrite.") from error


def write_beside(path: Path, write: Callable[[IO[bytes]], object]) -> Path:
    """Write a file beside its place and rename it into it; `make_durable` is still to be called."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}.{id(write)}{PART}")
    try:
        with part.open("wb") as file:
            write(file)
        part.replace(path)
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
    return path


def make_durable(paths: Iterable[Path]) -> None:
    """Put files, and that they are in their folders, on the disk."""
    every = list(paths)
    for path in every:
        _sync(path)
    if os.name != "nt":  # Windows opens no folders
        for folder in {path.parent for path in every}:
            _sync(folder)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() or os.name != "nt" else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
