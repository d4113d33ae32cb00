"""Stores as folders: what is one, how large it is, and its end; known without torch."""

import shutil
from pathlib import Path

from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.unfinished import HOME, is_store
from napari_utile.engine.store.journal import only_run


def refuse_foreign(place: Path) -> None:
    """Refuse to overwrite what is not a store of this program.

    Raises
    ------
    UtileError
        If it is something else.
    """
    if not is_store(place):
        raise UtileError(f"{place} is not a store of this program, so it is not overwritten.")


def remove_store(place: Path) -> None:
    """Delete a store, or what is left of one.

    Raises
    ------
    UtileError
        If it is something else, or a run is writing it.
    """
    refuse_foreign(place)
    with only_run(place / HOME, place.name):
        gone = place.with_name(f".{place.name}.deleted")
        shutil.rmtree(gone, ignore_errors=True)
        place.rename(gone)
    shutil.rmtree(gone)


def size_of(place: Path) -> int:
    """Return how many bytes a store takes on the disk."""
    return sum(path.stat().st_size for path in place.rglob("*") if path.is_file())
