"""Boxes for numbers as people type them: with a point or a comma, whatever the country of the computer."""

import re
import unicodedata

from qtpy.QtGui import QValidator
from qtpy.QtWidgets import QDoubleSpinBox

_NUMBER = re.compile(r"([+-]?)(\d*)(?:([.,])(\d*))?")


def read_number(text: str, point: str = ".") -> float | None:
    """Read a number whose decimal mark is a point or a comma.

    Parameters
    ----------
    text : str
        Digits of any script.
    point : str
        The decimal mark of the computer's country.

    Returns
    -------
    float or None
        None for what is no number, and for what could be thousands: ``1,500`` where the mark is a point, ``1.500``
        where it is a comma, ``1 500``, ``1'500``.

    Examples
    --------
    >>> read_number("0.4"), read_number("0,4"), read_number("1,500"), read_number("1,500", point=",")
    (0.4, 0.4, None, 1.5)
    """
    found = _NUMBER.fullmatch("".join(map(_plain, text.strip())))
    if found is None or not (found[2] or found[4]):
        return None
    sign, whole, mark, rest = found.groups()
    if mark and mark != _plain(point) and re.fullmatch(r"[1-9]\d{0,2}", whole) and len(rest) == 3:
        return None
    return float(f"{sign}{whole or 0}.{rest or 0}")


def _plain(letter: str) -> str:
    """Give an ASCII digit, sign or mark for one of another script."""
    if letter.isdecimal():
        return str(unicodedata.decimal(letter))
    return {"٫": ",", "−": "-"}.get(letter, letter)


class NumberBox(QDoubleSpinBox):
    """A box for a number, with a point or a comma.

    Nothing that is typed is swallowed; at the end it counts as it stands, or not at all.
    """

    def __init__(self) -> None:
        super().__init__()
        self.setKeyboardTracking(False)  # half of what is typed is another number

    def validate(self, text: str | None, position: int) -> tuple[QValidator.State, str, int]:
        """Accept a number within the bounds; all else may still become one."""
        number = self._read(text or "")
        good = number is not None and self.minimum() <= number <= self.maximum()
        return QValidator.State.Acceptable if good else QValidator.State.Intermediate, text or "", position

    def valueFromText(self, text: str | None) -> float:
        """Give the number that is shown."""
        number = self._read(text or "")
        return self.value() if number is None else number

    def fixup(self, text: str | None) -> str:
        """Guess nothing: what is no number leaves the value as it was."""
        return text or ""

    def _read(self, text: str) -> float | None:
        if self.specialValueText() and text == self.specialValueText():
            return self.minimum()
        number = text.removeprefix(self.prefix()).removesuffix(self.suffix())
        return read_number(number, self.locale().decimalPoint())


class WholeNumberBox(NumberBox):
    """A box for a whole number."""

    def __init__(self) -> None:
        super().__init__()
        self.setDecimals(0)

    def value(self) -> int:
        """Give the number."""
        return round(super().value())

    def _read(self, text: str) -> float | None:
        return None if set(text) & set(".,٫") else super()._read(text)
