"""What goes wrong in a dock becomes one clear sentence in its status line, and its traceback goes to the log."""

import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from napari_utile.engine import errors
from napari_utile.engine.errors import UtileError

_logger = logging.getLogger("napari_utile")

_READING = "⋯ beside Image"
# What the engine advises, with the options of the command line: what does the same in the dock.
_IN_THE_DOCK = {
    r"give --plane-distance, in pixels": "type it at Plane distance, under How planes are linked",
    r"give --limits stack": "choose stack at Grey limits, under Advanced",
    r"leave out --(three-views|link \S+?)(?=[,.])": "choose another Link",
    r"leave the option out to resume, or start again with --overwrite": (
        "choose it as before to resume, or press Delete"
    ),
    r"start again with --overwrite": "press Delete, then Segment",
    r", or use --overwrite": "",
    r"started with --diameter": "started with the cell diameter",
    r"started (with|without) --(\S+)": r"started \1 the \2",
    r"started with another (choice of )?--(\S+)": r"started with another choice of \2",
    r"finish it with (utile segment and )?--resume": "press Segment on its image to finish it",
    r"(named? (it|its axes)|say which (they are|is which)) with --axes( \(axes= in Python\)(, out of TCZYXS)?)?": (
        f"say which is which at {_READING}"
    ),
    r"--axes says otherwise": f"{_READING} changes that",
    r": --axes \S+ reads a stack": f"; {_READING} changes that",
    r"--series N takes another, --series all every one": f"{_READING} opens another",
    r"; --accept-missing takes [^.]*": "",
}


def sentence_of(error: BaseException) -> str:
    """Turn an exception into one sentence that names what is in the dock, not options of the command line.

    Examples
    --------
    >>> sentence_of(UtileError("cells.ome.zarr is damaged or gone: start again with --overwrite."))
    'cells.ome.zarr is damaged or gone: press Delete, then Segment.'
    """
    return as_in_the_dock(errors.sentence_of(error))


@contextmanager
def refusals_as_in_the_dock() -> Iterator[None]:
    """Let napari show what is refused with what is in the dock, not options of the command line."""
    try:
        yield
    except UtileError as error:
        raise UtileError(sentence_of(error)) from error


def as_in_the_dock(said: str) -> str:
    """Name what is in the dock in a sentence of the engine that names options of the command line."""
    for option, place in _IN_THE_DOCK.items():
        said = re.sub(option, place, said)
    return said


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
        Called with the exception; `sentence_of` makes a sentence of it. Without it
        the exception only goes to the log: for what the next click says anyway.
    """
    try:
        yield
    except Exception as error:
        foreseen = isinstance(error, UtileError | ValueError | OSError)
        _logger.log(logging.DEBUG if foreseen else logging.ERROR, "in a dock: %s", error, exc_info=error)
        if tell is not None:
            tell(error)
