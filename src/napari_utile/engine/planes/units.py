"""Names of length units, as microscopes, ImageJ, OME and napari spell them."""

import math
import re
from typing import Any

from napari_utile.engine.parameters import shown

_MICROMETRES = {
    "fm": 1e-9,
    "pm": 1e-6,
    "Å": 1e-4,
    "nm": 1e-3,
    "µm": 1.0,
    "mm": 1e3,
    "cm": 1e4,
    "dm": 1e5,
    "m": 1e6,
}
_MICROMETRES |= {"km": 1e9, "thou": 25.4, "in": 25400.0, "ft": 304800.0, "yd": 914400.0}

_SPELLINGS = {
    "picometer": "pm",
    "picometre": "pm",
    "angstrom": "Å",
    "ångström": "Å",
    "nanometer": "nm",
    "nanometre": "nm",
    "um": "µm",
    "micron": "µm",
    "microns": "µm",
    "micrometer": "µm",
    "micrometre": "µm",
    "µ": "µm",
    "u": "µm",
    "mikrometer": "µm",
    "mikron": "µm",
    "micromètre": "µm",
    "micrómetro": "µm",
    "micrometro": "µm",
    "mkm": "µm",
    "мкм": "µm",
    "нм": "nm",
    "мм": "mm",
    "см": "cm",
    "微米": "µm",
    "纳米": "nm",
    "奈米": "nm",
    "毫米": "mm",
    "厘米": "cm",
    "マイクロメートル": "µm",
    "ナノメートル": "nm",
    "ミリメートル": "mm",
    "마이크로미터": "µm",
    "나노미터": "nm",
    "millimeter": "mm",
    "millimetre": "mm",
    "centimeter": "cm",
    "centimetre": "cm",
    "meter": "m",
    "metre": "m",
    "inch": "in",
    "inches": "in",
    '"': "in",
}

# Greek mu and the angstrom sign look like letters of their own; UTF-8 that was read as Latin-1, once or twice.
_LETTERS = {
    "\u03bc": "µ",
    "\u212b": "Å",
    "\u339b": "µm",
    "\u339a": "nm",
    "\u339c": "mm",
    "\u339d": "cm",
    "Ã\u0082Âµ": "µ",
    "Ã‚Âµ": "µ",
    "Âµ": "µ",
    "Î¼": "µ",
    "Ã…": "Å",
    "Ã\u0085": "Å",
    "\ufffdm": "µm",
}
_ESCAPED = re.compile(r"\\?u([0-9A-Fa-f]{4})")

_NO_UNIT = {"", "pixel", "pixels", "px", "none", "reference frame", "dimensionless"}


def checked_pixel_size(pixel_size: Any) -> tuple[float, float]:
    """Give height and width of a pixel as two numbers.

    Raises
    ------
    ValueError
        Unless they are two positive, finite numbers.
    """
    try:
        height, width = (float(side) for side in pixel_size)
    except (TypeError, ValueError):
        height = width = math.nan
    if not (0 < height < math.inf and 0 < width < math.inf):
        raise ValueError(
            f"pixel_size must be two positive numbers, height and width; got {shown(pixel_size)}."
        )
    return height, width


def canonical_unit(unit: str | None) -> str | None:
    """Give the short name of a length unit, or None where there is no physical unit.

    Parameters
    ----------
    unit : str or None
        Any spelling: ``"um"``, ``"micron"``, ``"micrometer"`` and ImageJ's escaped ``u00B5m`` give ``"µm"``;
        ``"pixel"`` gives None. An unknown unit is returned as it came.

    Returns
    -------
    str or None
        ``"nm"``, ``"µm"``, ``"mm"``, ``"in"`` ..., as it came, or None.

    Examples
    --------
    >>> canonical_unit("micrometer")
    'µm'
    """
    if unit is None:
        return None
    # ImageJ escapes what is not ASCII, and some programs lose its backslash.
    name = _ESCAPED.sub(lambda found: chr(int(found[1], 16)), str(unit)).strip()
    for spelling, letter in _LETTERS.items():
        name = name.replace(spelling, letter)
    if name.lower() in _NO_UNIT:
        return None
    if name in _MICROMETRES:
        return name
    lower = name.lower()
    return _SPELLINGS.get(lower) or _SPELLINGS.get(lower.removesuffix("s"), name)


def micrometres(unit: str | None) -> float | None:
    """Give how many micrometres one `unit` is.

    Parameters
    ----------
    unit : str or None
        A length unit in any spelling.

    Returns
    -------
    float or None
        None where `unit` is not a known length (pixels, None, an unknown name).
    """
    return _MICROMETRES.get(canonical_unit(unit) or "")


_SECONDS = {"ns": 1e-9, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_TIMES = {
    "ns": "nanosecond nsec",
    "µs": "us microsecond usec µsec",
    "ms": "millisecond msec",
    "s": "second sec sek sekunde seconde segundo secondo сек 秒",
    "min": "minute minuto мин 分",
    "h": "hour hr stunde heure hora ora час",
    "d": "day tag jour giorno",
}
_TIME_SPELLINGS = {word: short for short, words in _TIMES.items() for word in (short, *words.split())}


def canonical_time(unit: str | None) -> str | None:
    """Give the short name of a unit of time, seconds where none is named; None where it is not one.

    Examples
    --------
    >>> canonical_time("seconds"), canonical_time("µs"), canonical_time("fortnight")
    ('s', 'µs', None)
    """
    name = str(unit or "s").strip().rstrip(".").lower()
    for spelling, letter in _LETTERS.items():
        name = name.replace(spelling.lower(), letter)
    return _TIME_SPELLINGS.get(name) or _TIME_SPELLINGS.get(name[:-1] if name[-1:] in "sn" else name)


def seconds(unit: str | None) -> float | None:
    """Give how many seconds one `unit` is; None where it is not a unit of time."""
    return _SECONDS.get(canonical_time(unit) or "")


def shown_unit(unit: str | None) -> str:
    """Give the unit that an axis is shown with: a length or a time that viewers know, or ``"pixel"``.

    Examples
    --------
    >>> shown_unit("micrometer"), shown_unit("s"), shown_unit("widgets/sq ft"), shown_unit(None)
    ('micrometer', 's', 'pixel', 'pixel')
    """
    if unit is None or micrometres(unit) is not None:
        return unit or "pixel"
    return (canonical_time(unit) if unit else None) or "pixel"


_OME_LENGTHS = {
    "pm": "picometer", "Å": "angstrom", "nm": "nanometer", "µm": "micrometer",
    "mm": "millimeter", "cm": "centimeter", "m": "meter", "in": "inch",
}  # fmt: skip
_OME_TIMES = {
    "ns": "nanosecond",
    "µs": "microsecond",
    "ms": "millisecond",
    "s": "second",
    "min": "minute",
    "h": "hour",
    "d": "day",
}


def ome_axis(letter: str, unit: str | None) -> dict[str, str]:
    """Describe an axis as OME-Zarr does, with its unit where that is known.

    Examples
    --------
    >>> ome_axis("Y", "µm"), ome_axis("T", None)
    ({'name': 'y', 'type': 'space', 'unit': 'micrometer'}, {'name': 't', 'type': 'time'})
    """
    if letter == "T":
        known = _OME_TIMES.get((canonical_time(unit) if unit else None) or "")
        return {"name": "t", "type": "time", **({"unit": known} if known else {})}
    known = _OME_LENGTHS.get(canonical_unit(unit) or "")
    return {"name": letter.lower(), "type": "space", **({"unit": known} if known else {})}
