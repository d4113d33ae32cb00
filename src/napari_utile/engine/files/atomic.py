"""Write a file so that a reader sees the old content or the new, never half of one."""

import contextlib
import errno
import os
import re
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.targets import check_target

# What a person can mend: no space, no quota, no permission, a missing or wrong folder, a read-only disk.
_USER_ERRORS = ("ENOSPC", "EDQUOT", "EACCES", "EPERM", "EROFS", "ENOENT", "ENOTDIR", "EISDIR", "EFBIG")
_USER_ERRNOS = {getattr(errno, name) for name in _USER_ERRORS if hasattr(errno, name)}
_known_as: dict[Path, Path] = {}
"""By a temporary path, the file that is written by way of it: the one that a user knows."""


@contextlib.contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary path beside `path`, renamed to `path` when the block succeeds.

    When the block raises, the temporary file is removed and `path` keeps its old content. When the process is
    killed, `path` keeps its old content and a hidden ``.<stem>.<random>.tmp<suffix>`` stays behind.

    Parameters
    ----------
    path : str or path-like
        The file to write. Its folder must exist. A symbolic link is followed: the file it names is replaced. It may be
        a temporary path that this gave before: what goes wrong names the file that is written in the end.

    Yields
    ------
    Path
        A path that does not exist yet, in the same folder (renaming is atomic there), with the same suffix.

    Raises
    ------
    UtileError
        When the folder is missing, the disk is full, or the file cannot be written or replaced.

    Examples
    --------
    >>> with atomic_path("table.csv") as temporary:  # doctest: +SKIP
    ...     temporary.write_text("index,area")
    """
    target = check_target(path)
    stem = target.stem
    while len(os.fsencode(stem)) > 40:  # with what is added, a long name must stay within the disk's limit
        stem = stem[:-1]
    temporary = target.with_name(f".{stem}.{uuid.uuid4().hex[:12]}.tmp{target.suffix}")
    known = _known_as[temporary] = _known_as.get(target, target)
    try:
        yield temporary
        if temporary.is_file():
            _flush_to_disk(temporary)
            if target.exists():
                shutil.copymode(target, temporary)
        os.replace(temporary, target)
    except OSError as error:
        by_name = error.filename is not None
        ours = Path(error.filename) in (temporary, target) if by_name else error.errno in _USER_ERRNOS
        if ours:
            raise UtileError(f"Cannot write {known}: {error.strerror or error}.") from error
        raise
    except Exception as error:
        said = re.search(r"\(os error (\d+)\)", str(error))  # by libraries in Rust, such as safetensors
        if said and int(said[1]) in _USER_ERRNOS:
            raise UtileError(f"Cannot write {known}: {os.strerror(int(said[1]))}.") from error
        raise
    finally:
        del _known_as[temporary]
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def _flush_to_disk(path: Path) -> None:
    """Make sure that the data are on disk before the name is: else a power cut leaves an empty file."""
    descriptor = os.open(path, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
