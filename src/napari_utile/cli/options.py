"""Command line options made from parameter dataclasses, so that they are described once."""

import argparse
import math
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from napari_utile.engine.cells.instances import InstanceParams
from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.names import as_path
from napari_utile.engine.files.space import usable_length
from napari_utile.engine.parameters import Parameter, describe
from napari_utile.engine.planes.naming import checked_letters

_NUMBER = re.compile(r"[+-]?\d*\.?\d+")


def add_options(
    parser: argparse.ArgumentParser,
    cls: type,
    *,
    skip: tuple[str, ...] = (),
    by_default: Mapping[str, str] | None = None,
) -> None:
    """Add an option for each parameter of a dataclass.

    An option that is not given is None in the parsed arguments, so that `given` can tell what was chosen.

    Parameters
    ----------
    parser : ArgumentParser
    cls : type
    skip : tuple of str
        Parameters without an option here.
    by_default : mapping of str to str, optional
        What is taken, in words, where a parameter is not given and it is not the default of the dataclass.
    """
    words = dict(by_default or {})
    if cls is InstanceParams:
        words = {each.name: "what the model suggests" for each in describe(cls)}
    group = parser.add_argument_group((cls.__doc__ or cls.__name__).splitlines()[0].rstrip("."))
    for parameter in describe(cls):
        if parameter.name not in skip:
            _add(group, parameter, cls, words.get(parameter.name))


def _add(group: Any, parameter: Parameter, cls: type, by_default: str | None) -> None:
    bounds = parameter.bounds
    text = (bounds.help or parameter.label).replace("%", "%%")
    if by_default is None and parameter.default is not None:
        by_default = f"{parameter.default} {bounds.unit}".rstrip()
    if by_default:
        text += f" Default: {by_default}.".replace("%", "%%")
    common: dict[str, Any] = {"dest": parameter.name, "default": None, "help": text}
    if parameter.kind is bool:
        group.add_argument(parameter.option, action=argparse.BooleanOptionalAction, **common)
    elif parameter.kind is tuple:
        metavar = "N[,N...]" if parameter.item is int else "LOW,HIGH"
        group.add_argument(
            parameter.option,
            type=_within(cls, parameter, _numbers(parameter.item)),
            metavar=metavar,
            **common,
        )
    elif bounds.choices:
        group.add_argument(parameter.option, choices=bounds.choices, **common)
    else:
        kind = {int: whole_number, float: number}.get(parameter.kind, str)
        metavar = bounds.unit.replace("²", "2").upper() if bounds.unit.isalpha() else "VALUE"
        if bounds.words:
            metavar = "|".join((*bounds.words, metavar))
        group.add_argument(
            parameter.option, type=_within(cls, parameter, kind), metavar=metavar or "VALUE", **common
        )


def number(text: str) -> float:
    """Read a number as a command line takes it: with a point, whatever the country.

    Raises
    ------
    argparse.ArgumentTypeError
        If it is none, or not finite.
    """
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or "_" in text:
        pointed = text.replace(",", ".")
        hint = f": write it with a point, {pointed}" if _NUMBER.fullmatch(pointed) and "," in text else ""
        raise argparse.ArgumentTypeError(f"{text!r} is not a number{hint}")
    return value


def whole_number(text: str) -> int:
    """Read a whole number.

    Raises
    ------
    argparse.ArgumentTypeError
        If it is none.
    """
    if not re.fullmatch(r"[+-]?\d+", text, re.ASCII):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number")
    return int(text)


def at_least_one(text: str) -> int:
    """Read a whole number above 0."""
    value = whole_number(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1; got {text}")
    return value


def share(text: str) -> float:
    """Read a number above 0 and up to 1."""
    value = number(text)
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError(f"must lie above 0 and not above 1; got {text}")
    return value


def pixel_length(text: str) -> float:
    """Read the size of a pixel in micrometres."""
    value = usable_length(number(text), "µm")
    if value is None:
        raise argparse.ArgumentTypeError(f"{text} µm cannot be the size of a pixel")
    return value


def file_path(text: str) -> Path:
    """Read the name of a file or folder.

    Raises
    ------
    argparse.ArgumentTypeError
        If it is empty, as a variable of a script may be: that would mean the folder where one is. Or if it is a pipe,
        which may be waited for without end.
    """
    if not text.strip():
        raise argparse.ArgumentTypeError("the name is empty")
    try:
        path = as_path(text, "a file")
    except UtileError as error:
        raise argparse.ArgumentTypeError(str(error).rstrip(".")) from error
    with suppress(OSError):  # what cannot be looked at is said where it is read or written
        if path.is_fifo():
            raise argparse.ArgumentTypeError(f"{text} is a pipe, not a file")
    return path


def add_output(parser: argparse.ArgumentParser, metavar: str, text: str, default: Path | None = None) -> None:
    """Add the option that names what is written; it must be given where it has no default."""
    parser.add_argument(
        "-o",
        "--output",
        type=file_path,
        required=default is None,
        default=default,
        metavar=metavar,
        help=text,
    )


def add_axes(parser: argparse.ArgumentParser, of: str = "labels", lacks: str = "file lacks") -> None:
    """Add the option that names the axes of labels."""
    parser.add_argument(
        "--axes",
        type=_axes_letters,
        metavar="LETTERS",
        help=f"axes of the {of}, out of TCZYXS, where the {lacks} their names",
    )


def _axes_letters(text: str) -> str:
    try:
        return checked_letters(text)
    except UtileError as error:
        raise argparse.ArgumentTypeError(str(error).rstrip(".")) from error


def _within(cls: type, parameter: Parameter, kind: Callable[[str], Any]) -> Callable[[str], Any]:
    """Refuse what cannot be where it is typed, naming the option."""

    def read(text: str) -> Any:
        value = text if text in parameter.bounds.words else kind(text)
        try:
            cls(**{parameter.name: value})
        except (UtileError, ValueError) as error:
            raise argparse.ArgumentTypeError(str(error).rstrip(".")) from error
        return value

    return read


def _numbers(kind: type) -> Callable[[str], tuple[Any, ...]]:
    """Read numbers with commas between them."""
    read_one, example = (whole_number, "0,2") if kind is int else (number, "1,99.8")

    def read(text: str) -> tuple[Any, ...]:
        try:
            return tuple(read_one(part) for part in text.split(","))
        except argparse.ArgumentTypeError as error:
            raise argparse.ArgumentTypeError(
                f"{text!r} is not a list of numbers such as {example}"
            ) from error

    return read


def given(arguments: argparse.Namespace, cls: type) -> dict[str, Any]:
    """Return the parameters of a dataclass that were given on the command line."""
    values = {parameter.name: getattr(arguments, parameter.name, None) for parameter in describe(cls)}
    return {name: value for name, value in values.items() if value is not None}
