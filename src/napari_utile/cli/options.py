"""Command line options made from parameter dataclasses, so that they are described once."""

import argparse
from typing import Any

from napari_utile.engine.parameters import Parameter, describe


def add_options(parser: argparse.ArgumentParser, cls: type, *, skip: tuple[str, ...] = ()) -> None:
    """Add an option for each parameter of a dataclass.

    An option that is not given is None in the parsed arguments, so that `given` can tell what was chosen.
    """
    group = parser.add_argument_group((cls.__doc__ or cls.__name__).splitlines()[0].rstrip("."))
    for parameter in describe(cls):
        if parameter.name not in skip:
            _add(group, parameter)


def _add(group: Any, parameter: Parameter) -> None:
    bounds = parameter.bounds
    text = (bounds.help or parameter.label).replace("%", "%%")
    if parameter.default is not None:
        text += f" Default: {parameter.default}".replace("%", "%%") + (
            f" {bounds.unit}." if bounds.unit else "."
        )
    common: dict[str, Any] = {"dest": parameter.name, "default": None, "help": text}
    if parameter.kind is bool:
        group.add_argument(parameter.option, action=argparse.BooleanOptionalAction, **common)
    elif parameter.kind is tuple:
        group.add_argument(parameter.option, type=_numbers, metavar="N[,N...]", **common)
    elif bounds.choices:
        group.add_argument(parameter.option, choices=bounds.choices, **common)
    else:
        kind = parameter.kind if parameter.kind in (int, float) else str
        metavar = bounds.unit.replace("²", "2").upper() if bounds.unit.isalpha() else "VALUE"
        group.add_argument(parameter.option, type=kind, metavar=metavar or "VALUE", **common)


def _numbers(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no list of numbers such as 0,2") from error


def given(arguments: argparse.Namespace, cls: type) -> dict[str, Any]:
    """Return the parameters of a dataclass that were given on the command line."""
    values = {parameter.name: getattr(arguments, parameter.name, None) for parameter in describe(cls)}
    return {name: value for name, value in values.items() if value is not None}
