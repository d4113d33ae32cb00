"""Parameters described once: the bounds in the type make the check, the form, the option and the docs.

A stage's parameters are a frozen dataclass whose fields are annotated with `Bounds`::

    @dataclass(frozen=True)
    class InstanceParams:
        threshold: Annotated[float, Bounds(0, 1, label="Threshold", help="...")] = 0.5

        def __post_init__(self) -> None:
            check_bounds(self)
"""

import dataclasses
import functools
import math
import os
import textwrap
import types
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin, get_type_hints

import numpy as np

Params = TypeVar("Params")


@dataclass(frozen=True)
class Bounds:
    """What a form, a command line option and the documentation need to know of one parameter.

    Attributes
    ----------
    minimum, maximum : float, optional
        Inclusive limits; None leaves that side open.
    step : float, optional
        The step of a slider or spin box.
    unit : str
        Unit of the value, for example ``"px"``.
    label : str
        Name shown in a form; the field's name in words where empty.
    help : str
        One plain sentence: what it does, and when to change it.
    choices : tuple of str
        The allowed values of a text parameter.
    words : tuple of str
        Words that are allowed in place of a number; ``"none"`` is how None is written.
    option : str
        Command line option without the dashes; the field's name with dashes where empty.
    advanced : bool
        Whether forms hide it under "More options".
    share : str
        What the value is a share of, such as ``"of the tiles"``; forms show it in per cent.
    """

    minimum: float | None = None
    maximum: float | None = None
    step: float | None = None
    unit: str = ""
    label: str = ""
    help: str = ""
    choices: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    option: str = ""
    advanced: bool = False
    share: str = ""


@dataclass(frozen=True)
class Parameter:
    """One field of a parameter dataclass.

    `kind` is the bare type, `item` that of a tuple's entries, `optional` whether None is allowed.
    """

    name: str
    kind: type
    optional: bool
    default: Any
    bounds: Bounds
    item: type = int

    @property
    def label(self) -> str:
        """The name in words."""
        return self.bounds.label or self.name.replace("_", " ").capitalize()

    @property
    def option(self) -> str:
        """The command line option, with its dashes."""
        return option_of(self.bounds.option or self.name)


def option_of(name: str) -> str:
    """Return the command line option of a name, with its dashes.

    Examples
    --------
    >>> option_of("minimum_size")
    '--minimum-size'
    """
    return f"--{name.replace('_', '-')}"


def describe(cls: type) -> tuple[Parameter, ...]:
    """Describe the annotated fields of a parameter dataclass, in order; nested dataclasses are left out."""
    return _described(cls)


@functools.cache
def _described(cls: type) -> tuple[Parameter, ...]:
    hints = get_type_hints(cls, include_extras=True)
    described = []
    for field in dataclasses.fields(cls):
        hint = hints[field.name]
        bounds = Bounds()
        if get_origin(hint) is Annotated:
            hint, *extras = get_args(hint)
            bounds = next((extra for extra in extras if isinstance(extra, Bounds)), bounds)
        kind, optional = _bare_type(hint)
        if dataclasses.is_dataclass(kind):
            continue
        default = field.default
        if field.default_factory is not dataclasses.MISSING:
            default = field.default_factory()
        described.append(Parameter(field.name, kind, optional, default, bounds, _item_type(hint)))
    return tuple(described)


def _bare_type(hint: Any) -> tuple[type, bool]:
    """Split ``X | None`` into X and whether None was there; a union takes its first member."""
    if get_origin(hint) in (Union, types.UnionType):
        members = [member for member in get_args(hint) if member is not type(None)]
        return get_origin(members[0]) or members[0], type(None) in get_args(hint)
    return get_origin(hint) or hint, False


def _item_type(hint: Any) -> type:
    """Give the type of the entries of a tuple, also of one that may be None."""
    members = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
    entries = [get_args(member) for member in members if get_origin(member) is tuple]
    return entries[0][0] if entries and isinstance(entries[0][0], type) else int


def check_bounds(params: Any) -> None:
    """Check every field of a parameter dataclass against its type and bounds.

    Raises
    ------
    ValueError
        Naming the field, what is allowed and the value that was given.
    """
    for parameter in describe(type(params)):
        value = getattr(params, parameter.name)
        check_value(parameter, value)
        if isinstance(value, np.generic):  # a small type would overflow where sizes are multiplied
            object.__setattr__(params, parameter.name, value.item())
        elif parameter.kind is str and isinstance(value, os.PathLike):
            object.__setattr__(params, parameter.name, os.fspath(value))


def check_value(parameter: Parameter, value: Any) -> None:
    """Check one value; see `check_bounds`."""
    name, bounds, given = parameter.name, parameter.bounds, shown(value)
    if value is None:
        if parameter.optional:
            return
        raise ValueError(f"{name} must be given.")
    if bounds.choices and value not in bounds.choices:
        raise ValueError(f"{name} must be one of {', '.join(bounds.choices)}; got {given}.")
    if isinstance(value, str) and value in bounds.words:
        return
    if parameter.kind is bool and not isinstance(value, (bool, np.bool_)):
        raise ValueError(f"{name} must be True or False; got {given}.")
    if parameter.kind is str and not isinstance(value, (str, os.PathLike)):
        raise ValueError(f"{name} must be a text; got {given}.")
    if parameter.kind is tuple:
        if not isinstance(value, (tuple, list)):
            raise ValueError(f"{name} must be several numbers in brackets; got {given}.")
        entry = dataclasses.replace(parameter, kind=parameter.item, optional=False)
        for each in value:
            check_value(entry, each)
        return
    if parameter.kind in (int, float):
        is_number = hasattr(value, "__float__") and getattr(value, "ndim", 0) == 0
        if isinstance(value, (bool, str)) or not is_number or not math.isfinite(value):
            words = f", {', '.join(bounds.words)}" if bounds.words else ""
            raise ValueError(f"{name} must be a number{words}; got {given}.")
        if parameter.kind is int and value != int(value):
            raise ValueError(f"{name} must be a whole number; got {given}.")
        if bounds.minimum is not None and value < bounds.minimum:
            raise ValueError(f"{name} must be at least {bounds.minimum:g}; got {given}.")
        if bounds.maximum is not None and value > bounds.maximum:
            raise ValueError(f"{name} must be at most {bounds.maximum:g}; got {given}.")


def shown(value: Any) -> str:
    """Show in a message what was given; arrays are long.

    Examples
    --------
    >>> shown("0.5"), len(shown(list(range(1000)))) <= 80
    ("'0.5'", True)
    """
    return textwrap.shorten(repr(value), 80, placeholder=" ...")


def to_json(params: Any) -> dict[str, Any]:
    """Turn a parameter dataclass into what JSON can hold; nested dataclasses become nested objects."""

    def plain(value: Any) -> Any:
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return to_json(value)
        if isinstance(value, Path):
            return str(value)
        if isinstance(value, (tuple, list)):
            return [plain(item) for item in value]
        return value.item() if hasattr(value, "item") else value

    return {field.name: plain(getattr(params, field.name)) for field in dataclasses.fields(params)}


def from_json(cls: type[Params], values: Mapping[str, Any]) -> Params:
    """Make a parameter dataclass from what `to_json` gave.

    Raises
    ------
    ValueError
        Where a name is unknown or a value is out of bounds.
    """
    hints = get_type_hints(cls)
    known = {field.name for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
    unknown = sorted(set(values) - known)
    if unknown:
        raise ValueError(f"{cls.__name__} has no parameter {', '.join(unknown)}.")
    made = {}
    for name, value in values.items():
        kind, _ = _bare_type(hints[name])
        if dataclasses.is_dataclass(kind) and isinstance(value, Mapping):
            value = from_json(kind, value)
        elif kind is tuple and isinstance(value, list):
            value = tuple(value)
        made[name] = value
    return cls(**made)
