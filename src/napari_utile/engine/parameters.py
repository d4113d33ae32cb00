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
import numbers
import os
import textwrap
import types
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin, get_type_hints

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
    """Check every field of a parameter dataclass against its type and bounds, and keep it as `checked_value` gives it.

    Raises
    ------
    ValueError
        Naming the field, what is allowed and the value that was given.
    """
    for parameter in describe(type(params)):
        value = getattr(params, parameter.name)
        object.__setattr__(params, parameter.name, checked_value(parameter, value))


def checked_value(parameter: Parameter, given: Any) -> Any:
    """Return a value as Python has it: whole numbers as int, single elements of arrays as numbers, paths as text.

    Raises
    ------
    ValueError
        As `check_bounds`.
    """
    name, kind, bounds, said = parameter.name, parameter.kind, parameter.bounds, shown(given)
    # A small type of NumPy would overflow where sizes are multiplied.
    value = given.item() if hasattr(given, "item") and getattr(given, "ndim", 1) == 0 else given
    if value is None:
        if parameter.optional:
            return None
        raise ValueError(f"{name} must be given.")
    if bounds.choices and value not in bounds.choices:
        raise ValueError(f"{name} must be one of {', '.join(bounds.choices)}; got {said}.")
    if isinstance(value, str) and value in bounds.words:
        return value
    if kind is bool and not isinstance(value, bool):
        raise ValueError(f"{name} must be True or False; got {said}.")
    if kind is str:
        if not isinstance(value, (str, os.PathLike)):
            raise ValueError(f"{name} must be a text; got {said}.")
        return os.fspath(value)
    if kind is tuple:
        if not isinstance(value, (tuple, list)):
            raise ValueError(f"{name} must be several numbers in brackets; got {said}.")
        entry = dataclasses.replace(parameter, kind=parameter.item, optional=False)
        return tuple(checked_value(entry, each) for each in value)
    return _checked_number(parameter, value, said) if kind in (int, float) else value


def _checked_number(parameter: Parameter, value: Any, said: str) -> int | float:
    name, bounds = parameter.name, parameter.bounds
    is_number = hasattr(value, "__float__") and getattr(value, "ndim", 0) == 0
    if isinstance(value, (bool, str)) or not is_number or not math.isfinite(value):
        words = f", {', '.join(bounds.words)}" if bounds.words else ""
        raise ValueError(f"{name} must be a number{words}; got {said}.")
    if parameter.kind is int and value != int(value):
        raise ValueError(f"{name} must be a whole number; got {said}.")
    if bounds.minimum is not None and value < bounds.minimum:
        raise ValueError(f"{name} must be at least {bounds.minimum:g}; got {said}.")
    if bounds.maximum is not None and value > bounds.maximum:
        raise ValueError(f"{name} must be at most {bounds.maximum:g}; got {said}.")
    if parameter.kind is int:
        return int(value)
    return value if isinstance(value, int) else float(value)


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
    """Make a dataclass from what `to_json` gave, each value of the type that its field declares.

    Fields that are not there keep their defaults; instances of dataclasses are taken as they are.

    Raises
    ------
    ValueError
        Where a name is unknown or missing, or a value is of another type or out of bounds.
    """
    if not isinstance(values, Mapping):
        raise ValueError(f"{cls.__name__} is made of a JSON object; got {shown(values)}.")
    hints, every = _hints(cls), dataclasses.fields(cls)  # type: ignore[arg-type]
    unknown = sorted(set(values) - {field.name for field in every})
    if unknown:
        raise ValueError(f"{cls.__name__} has no parameter {', '.join(unknown)}.")
    missing = [
        repr(field.name)
        for field in every
        if field.name not in values and field.default is field.default_factory is dataclasses.MISSING
    ]
    if missing:
        raise ValueError(f"it lacks {', '.join(missing)}")
    return cls(**{name: _typed(name, hints[name], value) for name, value in values.items()})


def known_to(cls: type, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values that a dataclass has a field for: what is written by other versions may say more."""
    return {field.name: values[field.name] for field in dataclasses.fields(cls) if field.name in values}


_IN_JSON: dict[Any, tuple[Any, str]] = {
    str: ((str, os.PathLike), "a text"),
    bool: (bool, "True or False"),
    int: (numbers.Real, "a number"),
    float: (numbers.Real, "a number"),
    tuple: ((list, tuple), "a list"),
    dict: (Mapping, "a JSON object"),
}
"""What holds a value of a type, and how messages call it."""


def _typed(name: str, hint: Any, value: Any) -> Any:
    """Give a value of JSON the type that is declared; of several kinds any, and of the first one its entries."""
    kind, entries, optional, single = _read_type(hint)
    if value is None and optional:
        return None
    held, called = _IN_JSON.get(kind, (object, ""))
    fits = isinstance(value, held) and not (held is numbers.Real and isinstance(value, bool))
    if single and not fits:
        raise ValueError(f"{name} must be {called}; got {shown(value)}.")
    if single and kind is int and value % 1:  # also of what is infinite
        raise ValueError(f"{name} must be a whole number; got {shown(value)}.")
    if kind is tuple and fits:
        entries = entries[:1] * len(value) if ... in entries else entries
        if len(entries) != len(value):
            raise ValueError(f"{name} must have {len(entries)} entries; got {shown(value)}.")
        return tuple(_typed(name, entry, each) for entry, each in zip(entries, value, strict=True))
    if kind is dict and fits:
        key_type, entry = entries
        return {key_type(key): _typed(name, entry, each) for key, each in value.items()}
    has_fields: bool = dataclasses.is_dataclass(kind)
    if not has_fields or isinstance(value, kind):
        return value
    if not isinstance(value, Mapping):
        raise ValueError(f"{name} must be made of JSON objects; got {shown(value)}.")
    return from_json(kind, value)


@functools.cache
def _read_type(hint: Any) -> tuple[Any, tuple[Any, ...], bool, bool]:
    """Return the bare type, the types of its entries, whether None is allowed, and whether nothing else is."""
    kind, optional = _bare_type(hint)
    kinds = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
    first, *others = (each for each in kinds if each is not type(None))
    return kind, get_args(first), optional or kind is Any, not others


_hints = functools.cache(get_type_hints)
