"""What goes wrong in a dock becomes one clear sentence in its status line, and its traceback goes to the log."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from napari_utile.engine.errors import UtileError

_logger = logging.getLogger("napari_utile")


@contextmanager
def failures_to(tell: Callable[[Exception], object] | None = None) -> Iterator[None]:
    """Leave the block at the first exception, tell it and continue after the block.

    Put all that depends on the block's success inside it::

        with failures_to(self._show_error):
            request = self.request()
            self._start(request)

    What a user can fix (`UtileError`, `ValueError`, `OSError`) is logged for debugging only; anything
    else is a defect, and its traceback is logged as an error.

    Parameters
    ----------
    tell : callable, optional
        Called with the exception; `napari_utile.engine.errors.sentence_of` makes a sentence of it. Without it
        the exception only goes to the log: for what the next click says anyway.
    """
    try:
        yield
    except Exception as error:
        foreseen = isinstance(error, UtileError | ValueError | OSError)
        _logger.log(logging.DEBUG if foreseen else logging.ERROR, "in a dock: %s", error, exc_info=error)
        if tell is not None:
            tell(error)
