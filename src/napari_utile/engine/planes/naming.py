"""Which axis is which: by the names that a file or array gives, else by one rule, else asked.

The rule, the same for files, layers and arrays:

1. Names count: of OME, ImageJ, OME-Zarr, xarray, and the axis labels of a layer.
2. Of two axes without names the first is Y, the second X.
3. Of more, the last two are Y and X; but a last axis of up to 4 entries behind two longer ones holds channels
   (colours where it has 3 or 4).
4. Every other axis without a name is a row of planes, each an image of its own: T, or Z where T is taken.
5. What would then be a plane narrower than 8 pixels beside a long row is not guessed but asked.
"""

from collections.abc import Sequence

from napari_utile.engine.arrays import letter_of
from napari_utile.engine.errors import UtileError

LETTERS = "TZCYXS"
"""Time, depth, channel, row, column, colour sample."""

MOST_CHANNELS = 4
_NARROWEST_GUESS = 8
_ASK = "say which is which with --axes (axes= in Python), out of TCZYXS"


def name_axes(
    shape: Sequence[int],
    names: Sequence[object] | None = None,
    what: str = "the image",
    *,
    pages: bool = True,
) -> tuple[str, bool]:
    """Name every axis, the way the module says.

    Parameters
    ----------
    shape : sequence of int
    names : sequence, optional
        One entry an axis; None or a meaningless word where there is no name.
    what : str
        For messages.
    pages : bool
        Whether an unnamed row of planes is one (files and layers). A call that makes the labels of one plane
        takes a single unnamed axis before Y and X for channels instead, up to `MOST_CHANNELS`.

    Returns
    -------
    str, bool
        A letter each axis, and whether the rule had to guess more than Y and X.

    Raises
    ------
    UtileError
        Where the rule cannot tell.
    """
    shape = tuple(int(size) for size in shape)
    if len(shape) < 2:
        raise UtileError(f"{what} has the shape {shape}; an image needs its axes named, at least Y and X.")
    letters = [letter_of(name) for name in (names or [None] * len(shape))]
    letters = [letter if letters.count(letter) == 1 else None for letter in letters]
    open_ = [position for position, letter in enumerate(letters) if letter is None]
    if not open_:
        return "".join(letter or "" for letter in letters), False
    plane = [axis for axis in "YX" if axis not in letters]
    guessed = len(open_) > len(plane) and any(shape[position] > 1 for position in open_)
    if len(plane) == 2 and _channels_last(shape, letters):
        position = open_.pop()
        letters[position] = "S" if shape[position] >= 3 and "S" not in letters else "C"
    for axis in reversed(plane):
        if not open_:
            raise UtileError(
                f"{what} has the shape {shape} and needs its axes named, no one is {axis}: {_ASK}."
            )
        letters[open_.pop()] = axis
    if guessed and len(open_) and plane:
        _refuse_narrow(shape, letters, what)
    if not pages and len(open_) == 1 and len(shape) == 3 and shape[open_[0]] <= MOST_CHANNELS:
        letters[open_.pop()] = "C"
    for position in open_:
        free = next((axis for axis in ("TZ" if shape[position] > 1 else "TZCS") if axis not in letters), None)
        if free is None or (not pages and shape[position] > 1):
            raise UtileError(f"{what} has the shape {shape} and needs its axes named: {_ASK}.")
        letters[position] = free
    return "".join(letter or "" for letter in letters), guessed


def axes_to_link(shape: Sequence[int], along: str, what: str = "the image") -> str:
    """Name the three axes of planes to be linked, which have no names: planes, Y, X.

    Raises
    ------
    UtileError
        Where the rule reads them otherwise, or cannot tell.
    """
    if name_axes(shape, None, what)[0] != "TYX":
        raise UtileError(
            f"{what} has the shape {tuple(shape)}, whose last axis seems to hold channels, not X: {_ASK}."
        )
    return f"{along}YX"


def _channels_last(shape: tuple[int, ...], letters: Sequence[str | None]) -> bool:
    """Whether the last axis, unnamed, holds channels behind rows and columns."""
    if len(shape) < 3 or letters[-1] is not None or "C" in letters or "S" in letters:
        return False
    return shape[-1] <= MOST_CHANNELS < min(shape[-3:-1]) or (
        shape[-1] in (3, MOST_CHANNELS) and shape[-3] > MOST_CHANNELS and shape[-2] >= shape[-1]
    )


def _refuse_narrow(shape: tuple[int, ...], letters: Sequence[str | None], what: str) -> None:
    width, rows = shape[letters.index("X")], max(shape[: letters.index("Y")], default=0)
    if width < _NARROWEST_GUESS and rows >= 2 * _NARROWEST_GUESS:
        raise UtileError(f"{what} has the shape {shape}, which is unsure, and needs its axes named: {_ASK}.")


def order_to_show(axes: str) -> list[int]:
    """Give the order of axes in which the last two of them are rows and columns, as viewers show them; colours follow.

    Examples
    --------
    >>> order_to_show("TYX"), order_to_show("XYZ"), order_to_show("YXS")
    ([0, 1, 2], [2, 1, 0], [0, 1, 2])
    """
    return sorted(range(len(axes)), key=lambda place: "YXS".find(axes[place]))


def checked_letters(axes: str) -> str:
    """Give the letters of axes that a person named.

    Raises
    ------
    UtileError
        Where they cannot be those of an image.
    """
    named = "".join(axes).strip().upper()
    if len(set(named)) != len(named) or not {"Y", "X"} <= set(named) <= set(LETTERS):
        raise UtileError(
            f"The axes {axes!r} cannot be those of an image: a letter each, out of TCZYXS, with Y and X."
        )
    return named


def asked_axes(axes: str, shape: Sequence[int], what: str) -> str:
    """Check axes that a person named, and add those of one entry that were left out.

    Raises
    ------
    UtileError
        Where they do not describe such an image.
    """
    named, shape = checked_letters(axes), tuple(int(size) for size in shape)
    longer = [position for position, size in enumerate(shape) if size > 1]
    if len(named) == len(shape):
        return named
    if len(named) == len(longer) and len(shape) <= len(LETTERS):
        free = [letter for letter in LETTERS if letter not in named]
        given = iter(named)
        return "".join(next(given) if size > 1 else free.pop(0) for size in shape)
    raise UtileError(f"The axes {named!r} do not describe an image of the shape {shape}, which {what} has.")
