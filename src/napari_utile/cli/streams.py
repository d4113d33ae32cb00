"""What the commands say, on terminals that lack letters and into pipes that nobody reads any more."""

import contextlib
import errno
import io
import os
import sys
from collections.abc import Iterator
from typing import IO, Any


class _Patient:
    """A text stream for which no result is lost: it replaces what it cannot show, and goes quiet when it breaks."""

    def __init__(self, stream: IO[str] | None) -> None:
        self._stream = stream
        self.error: OSError | ValueError | None = None
        with contextlib.suppress(OSError, ValueError):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="replace")

    def write(self, text: str) -> int:
        if self._stream is not None and self.error is None:
            try:
                self._stream.write(text)
            except (OSError, ValueError) as error:
                self.error = error
        return len(text)

    def flush(self) -> None:
        if self._stream is not None and self.error is None:
            try:
                self._stream.flush()
            except (OSError, ValueError) as error:
                self.error = error

    def isatty(self) -> bool:
        return self._stream is not None and self.error is None and self._stream.isatty()

    def give_up(self) -> None:
        """Lead what is left in a broken stream nowhere: Python would try to write it when it ends."""
        if self._stream is None:
            return
        with contextlib.suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextlib.contextmanager
def patient_streams() -> Iterator[list[str]]:
    """Let nothing that is printed inside the block end it.

    Yields
    ------
    list of str
        Filled at the end: what went wrong with the standard output. Empty also where a pipe was closed, such as
        by `head`: that is how its reader says that it has enough.
    """
    before = sys.stdout, sys.stderr
    out, err = _Patient(sys.stdout), _Patient(sys.stderr)
    sys.stdout, sys.stderr = out, err
    problems: list[str] = []
    try:
        yield problems
    finally:
        sys.stdout, sys.stderr = before
        for stream in (out, err):
            stream.flush()
            if stream.error is not None:
                stream.give_up()
        if isinstance(out.error, OSError) and out.error.errno not in (errno.EPIPE, errno.EBADF):
            problems.append(f"cannot write to the standard output: {out.error.strerror or out.error}")


def open_missing_streams() -> None:
    """Open what a caller closed (``utile ... >&-``): else the next file that is opened would be taken for it."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
