"""What a user is told in one sentence: an error that can be fixed, a warning, what nobody foresaw."""

import contextlib
import logging
import os
import tempfile
import traceback
import warnings
from pathlib import Path

_logger = logging.getLogger("napari_utile")
_LOG_BYTES = 2**20


class UtileError(Exception):
    """A file, model or request that cannot be used; the message is one sentence that says what to do.

    It is deliberately no ``RuntimeError``: generator workers of napari and superqt lose those.
    """


class UtileWarning(UserWarning):
    """Something about a result that the user should know; napari shows it as a notification."""


def warn(sentence: str) -> None:
    """Tell the user once; the command line prints it as a line, napari shows a notification."""
    warnings.warn(sentence, UtileWarning, stacklevel=3)


def sentence_of(error: BaseException) -> str:
    """Say in one sentence what went wrong; the traceback of what nobody foresaw goes to a log file that it names.

    Parameters
    ----------
    error : BaseException

    Returns
    -------
    str
        The message where it is meant for people: of `UtileError`, of what the operating system refuses, of a
        ``ValueError`` that this package raised. For all else the kind of error, its message and the log file.
    """
    text = " ".join(str(error).split())
    if is_out_of_memory(error):
        return "There is not enough memory for this; choose a smaller region or close other programs."
    if isinstance(error, OSError) and error.strerror and error.filename is not None:
        return f"Cannot use {error.filename}: {error.strerror}."
    if text and is_foreseen(error):
        return text[:500]
    where = _log(error)
    note = f" (details in {where})" if where else ""
    return f"Something went wrong ({type(error).__name__}): {text[:240] or 'no further details'}{note}"


def is_out_of_memory(error: BaseException) -> bool:
    """Say whether an exception of NumPy or torch, on whichever device, means that memory ran out."""
    text = str(error).lower()
    return isinstance(error, MemoryError) or "out of memory" in text or "can't allocate memory" in text


def is_foreseen(error: BaseException) -> bool:
    """Tell whether an error's message was written for people."""
    if isinstance(error, ValueError) and not isinstance(error, UnicodeError):
        frames = traceback.extract_tb(error.__traceback__)
        return not frames or Path(__file__).parents[1] in Path(frames[-1].filename).parents
    return isinstance(error, UtileError) or (isinstance(error, OSError) and error.errno is not None)


def log_file() -> Path:
    """Return where tracebacks are kept; the environment variable UTILE_LOG overrides the platform's place."""
    if chosen := os.environ.get("UTILE_LOG"):
        return Path(chosen)
    import platformdirs

    return platformdirs.user_log_path("napari-utile", appauthor=False) / "utile.log"


def _log(error: BaseException) -> Path | None:
    """Append a traceback to the log file, or else to one among the temporary files; return which."""
    _logger.debug("unforeseen", exc_info=error)
    lines = "".join(traceback.format_exception(error))
    for path in (log_file(), Path(tempfile.gettempdir()) / "utile.log"):
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            is_full = path.is_file() and path.stat().st_size > _LOG_BYTES
            with path.open("w" if is_full else "a", encoding="utf-8", errors="backslashreplace") as file:
                file.write(f"{lines}\n")
            return path
    return None
