"""Numbers and phrases as they stand in a sentence."""

from collections.abc import Iterable


def counted(number: int, noun: str) -> str:
    """Say how many there are of what.

    Examples
    --------
    >>> counted(1, "cell"), counted(0, "cell"), counted(1200, "cell")
    ('1 cell', '0 cells', '1,200 cells')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def bracketed(*phrases: str) -> str:
    """Put what is to be added to a sentence in brackets; phrases may be empty.

    Examples
    --------
    >>> bracketed("axes TYX", "", "cells of 12 px"), bracketed("")
    (' (axes TYX; cells of 12 px)', '')
    """
    said = "; ".join(filter(None, phrases))
    return f" ({said})" if said else ""


def capitalised(phrase: str) -> str:
    """Begin a sentence with a phrase; the case of its other letters stays.

    Examples
    --------
    >>> capitalised("found by U-Net")
    'Found by U-Net'
    """
    return f"{phrase[:1].upper()}{phrase[1:]}"


def three_digits(number: float) -> str:
    """Write a number with three digits, thousands apart, and never with a power of ten.

    Examples
    --------
    >>> three_digits(7368.2), three_digits(41.23), three_digits(0.0512), three_digits(3e-5), three_digits(26.0)
    ('7,370', '41.2', '0.0512', '0.00003', '26')
    """
    rounded = float(f"{number:.3g}")
    if abs(rounded) >= 1000:
        return f"{rounded:,.0f}"
    return (
        f"{rounded:g}" if abs(rounded) >= 1e-4 or rounded == 0 else f"{rounded:.12f}".rstrip("0").rstrip(".")
    )


def rescaled(zoom: float) -> str:
    """Say how many times larger than it is a model sees an image; empty where that is no difference in these digits.

    Examples
    --------
    >>> rescaled(0.696), rescaled(0.9999998)
    ('rescaled by 0.696', '')
    """
    said = three_digits(zoom)
    return "" if said == "1" else f"rescaled by {said}"


def bytes_in_words(size: float) -> str:
    """Write a size in bytes as megabytes, or gigabytes.

    Examples
    --------
    >>> bytes_in_words(2.4e10), bytes_in_words(330_000), bytes_in_words(0)
    ('24 GB', '0.33 MB', '0 MB')
    """
    return f"{three_digits(size / 1e9)} GB" if size >= 1e9 else f"{three_digits(size / 1e6)} MB"


def percent(share: float) -> str:
    """Write a share as whole per cent.

    Examples
    --------
    >>> percent(0.158), percent(1)
    ('16 %', '100 %')
    """
    return f"{100 * share:.0f} %"


def unlike(names: Iterable[object], between: str = " ") -> list[str]:
    """Add their numbers to names that occur twice.

    Examples
    --------
    >>> unlike(["actin", "actin", "nuclei"]), unlike(["a", "a", "a_1"], "_")
    (['actin 0', 'actin 1', 'nuclei'], ['a_0', 'a_1_1', 'a_1_2'])
    """
    made = [str(name) for name in names]
    while len(set(made)) < len(made):
        made = [
            name if made.count(name) == 1 else f"{name}{between}{number}" for number, name in enumerate(made)
        ]
    return made
