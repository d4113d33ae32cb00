"""Numbers and phrases as they stand in a sentence."""


def counted(number: int, noun: str) -> str:
    """Say how many there are of what.

    Examples
    --------
    >>> counted(1, "cell"), counted(0, "cell")
    ('1 cell', '0 cells')
    """
    return f"{number} {noun}{'' if number == 1 else 's'}"


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
