"""Files to be written, looked at before anything is computed: no finished result is lost to a wrong name."""

import os
import shutil
import stat
import tempfile
from collections.abc import Collection, Iterable
from pathlib import Path

from napari_utile.engine.errors import UtileError
from napari_utile.engine.words import bytes_in_words

Identity = tuple[int, int]
"""What tells a file from all others, whatever it is called: device and number."""

_NAME_BYTES = 255


def identities(paths: Iterable[str | os.PathLike[str]]) -> frozenset[Identity]:
    """Say which files these are, so that `check_target` can tell that one of them would be overwritten."""
    found = (_identity(path) for path in paths)
    return frozenset(identity for identity in found if identity is not None)


def check_target(
    path: str | os.PathLike[str], inputs: Collection[Identity] = (), suffixes: Collection[str] = ()
) -> Path:
    """Check that a file can be written and that nothing is lost by it; an older file with this name may be replaced.

    Parameters
    ----------
    path : str or path-like
        A symbolic link is followed.
    inputs : collection of Identity
        Of what is read, see `identities`: neither these files nor anything inside these folders is written.
    suffixes : collection of str
        Suffixes of what will be written, such as ``".tif"``; empty: any.

    Returns
    -------
    Path
        The file that will be replaced or made.

    Raises
    ------
    UtileError
        If its folder is missing or closed, if it is a folder, a device or an input, if its name is too long or has
        another suffix.
    """
    given = Path(path)
    shown = given if len(given.name) < 100 else f"{given.name[:60]}..."
    if os.path.isdir(given):
        raise UtileError(f"Cannot write {shown}: it is a folder.")
    if os.path.exists(given) and not stat.S_ISREG(os.stat(given).st_mode):
        raise UtileError(f"Cannot write {shown}: it is a device, not a file.")
    if os.path.exists(given) and not os.access(given, os.W_OK):  # renaming would replace it all the same
        raise UtileError(f"Cannot write {shown}: it is write-protected.")
    if suffixes and given.suffix.lower() not in suffixes:
        *others, last = suffixes
        wanted = f"{', '.join(others)} or {last}" if others else last
        raise UtileError(f"Cannot write {shown}: the name must end in {wanted}.")
    target = Path(os.path.realpath(given))
    if not os.path.isdir(target.parent):
        raise UtileError(f"Cannot write {shown}: the folder {target.parent} does not exist.")
    if len(os.fsencode(target.name)) > _longest_name(target.parent):
        raise UtileError(
            f"Cannot write {shown}: the name is too long for this disk; give the image a shorter one."
        )
    _refuse_inputs(target, inputs, shown)
    check_writable(target.parent)
    return target


def check_folder(folder: Path, inputs: Collection[Identity] = ()) -> None:
    """Make a folder for results where it is missing, and check that files can be written in it.

    Parameters
    ----------
    folder : Path
    inputs : collection of Identity
        Of what is read: no folder is made inside it.

    Raises
    ------
    UtileError
        If that is not possible, or the name is rather that of a file.
    """
    _refuse_inputs(Path(os.path.realpath(folder)), inputs, folder)
    suffix = folder.suffix
    if not os.path.lexists(folder) and suffix[1:2].isalpha() and suffix[1:].isalnum():
        raise UtileError(f"{folder} looks like the name of a file: give a folder for the results.")
    if os.path.lexists(folder) and not os.path.isdir(folder):
        raise UtileError(f"{folder} is a file: give a folder for the results.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UtileError(f"Cannot create the folder {folder}: {error.strerror or error}.") from error
    check_writable(folder)


def check_writable(folder: Path) -> None:
    """Check that files can be made in a folder.

    Raises
    ------
    UtileError
        If not.
    """
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UtileError(f"Cannot write in the folder {folder}: {error.strerror or error}.") from error


def check_space(folder: Path, size: float) -> None:
    """Check that a disk has room.

    Parameters
    ----------
    folder : Path
    size : float
        Bytes that will be written.

    Raises
    ------
    UtileError
        If less is free.
    """
    try:
        free = shutil.disk_usage(folder).free
    except OSError:
        return  # some network disks do not say
    if free < size:
        raise UtileError(
            f"The results need about {bytes_in_words(size)}, and {bytes_in_words(free)} are free on the disk of "
            f"{folder}."
        )


def _refuse_inputs(target: Path, inputs: Collection[Identity], shown: object) -> None:
    """Refuse what is read and anything inside it."""
    if inputs and any(_identity(place) in inputs for place in (target, *target.parents)):
        raise UtileError(
            f"Cannot write {shown}: it is what is read here, and would be lost; choose another name."
        )


def _identity(path: str | os.PathLike[str]) -> Identity | None:
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return None
    return found.st_dev, found.st_ino


def _longest_name(folder: Path) -> int:
    """Give how many bytes a name may have; some encrypted disks allow fewer than others."""
    try:
        return os.pathconf(folder, "PC_NAME_MAX")
    except (AttributeError, OSError, ValueError):
        return _NAME_BYTES


def stamp_of(path: Path) -> tuple[int, ...]:
    """Return what changes with a file, nothing where there is none: no clock, as a disk may have another."""
    try:
        found = path.stat()
    except OSError:
        return ()
    return found.st_ino, found.st_mtime_ns, found.st_size
