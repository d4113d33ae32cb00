"""What a bioimage.io package says of its network, in the words of its formats 0.4 and 0.5."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from napari_utile.engine.errors import UtileError
from napari_utile.engine.exchange.archive import Archive
from napari_utile.engine.networks.extra import exchange_module

NAMES = ("rdf.yaml", "bioimageio.yaml", "model.yaml")
LARGEST_TEXT = 4 << 20
_SPACE = set("yx")


@dataclass(frozen=True)
class Step:
    """One step of pre- or postprocessing."""

    name: str
    kwargs: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Description:
    """A package's network.

    Attributes
    ----------
    name, text, licence : str
    order : str
        Its input's axes, a letter each: ``"bcyx"``.
    in_channels : int or None
        None where the package does not say.
    channel_names : tuple of str
        Of the outputs, where they have names.
    step : int
        What rows and columns are multiples of, above the smallest size; 0 where the size is fixed.
    smallest : int
        Rows or columns at least (pixels).
    halo : int
        Pixels a side that the package says to cut off.
    before, after : tuple of Step
        Preprocessing, postprocessing.
    weights : dict
        By format: ``onnx``, ``pytorch_state_dict``, ``torchscript`` ...
    tests : tuple of str
        The parts with the test input and the test output, as far as there are any.
    pixel_size : float or None
        In micrometres.
    config : dict
    """

    name: str
    text: str
    licence: str
    order: str
    in_channels: int | None
    channel_names: tuple[str, ...]
    step: int
    smallest: int
    halo: int
    before: tuple[Step, ...]
    after: tuple[Step, ...]
    weights: dict[str, dict[str, Any]]
    tests: tuple[str, ...]
    pixel_size: float | None
    config: dict[str, Any]


def is_package(archive: Archive) -> bool:
    """Say whether a zip file holds a description."""
    return any(name in archive.parts for name in NAMES)


def read_description(archive: Archive) -> Description:
    """Read what a package says.

    Raises
    ------
    UtileError
        If it describes no network over a plane, or cannot be understood.
    """
    yaml = exchange_module("yaml")
    part = next(name for name in NAMES if name in archive.parts)
    if archive.parts[part].file_size > LARGEST_TEXT:
        raise UtileError(
            f"{archive.name} has a description of more than {LARGEST_TEXT >> 20} MB: that is not a model."
        )
    try:
        said = yaml.safe_load(archive.read(part))
        if said.get("type", "model") != "model":
            raise UtileError(f"{archive.name} is a package of the type {said['type']!r}, not a model.")
        described = _described(said)
    except UtileError:
        raise
    except (
        yaml.YAMLError,
        AttributeError,
        KeyError,
        IndexError,
        TypeError,
        ValueError,
        RecursionError,
    ) as error:
        raise UtileError(
            f"The description in {archive.name} cannot be understood ({error!r:.120})."
        ) from error
    return described


def _described(said: dict[str, Any]) -> Description:
    if len(said["inputs"]) > 1 or len(said["outputs"]) > 1:
        raise UtileError(
            "The network has more than one input or output: U-Tile runs networks with one of each."
        )
    (given,), (found,) = said["inputs"], said["outputs"]
    is_old = isinstance(given["axes"], str)
    axes = _old_axes(given) if is_old else {_axis(each): each for each in given["axes"]}
    if not set(axes) >= _SPACE or set(axes) - _SPACE - set("bc"):
        raise UtileError(
            f"The network works over the axes {', '.join(axes)}; U-Tile runs networks over planes (y and x)."
        )
    sizes: list[Any] = [axes[axis].get("size") for axis in "yx"]
    fixed = not all(isinstance(size, dict) and "step" in size for size in sizes)
    outputs = _old_axes(found) if is_old else {_axis(each): each for each in found["axes"]}
    channels = (
        axes.get("c", {}).get("size", 1) if is_old else len(axes.get("c", {}).get("channel_names", [0]))
    )
    tests = (
        (said.get("test_inputs", [None])[0], said.get("test_outputs", [None])[0])
        if is_old
        else (_source(given.get("test_tensor")), _source(found.get("test_tensor")))
    )
    names = outputs.get("c", {}).get("channel_names", [])
    unit, scale = axes["y"].get("unit"), axes["y"].get("scale")
    return Description(
        name=str(said.get("name") or "model"),
        text=str(said.get("description") or ""),
        licence=said["license"] if isinstance(said.get("license"), str) else "",
        order="".join(axes),
        in_channels=channels if isinstance(channels, int) else None,
        channel_names=tuple(map(str, names)) if isinstance(names, list) else (),
        step=0 if fixed else int(np.lcm.reduce([int(size["step"]) for size in sizes])),
        smallest=max(
            int(size) if isinstance(size, int) else int(size["min"]) if size else 0 for size in sizes
        ),
        halo=max(int(outputs.get(axis, {}).get("halo") or 0) for axis in "yx"),
        before=tuple(map(_step, given.get("preprocessing") or [])),
        after=tuple(map(_step, found.get("postprocessing") or [])),
        weights={str(key): dict(value) for key, value in said["weights"].items() if isinstance(value, dict)},
        tests=tuple(str(each) for each in tests) if all(tests) else (),
        pixel_size=float(scale) if unit == "micrometer" and scale else None,
        config=said.get("config") or {},
    )


def _axis(axis: dict[str, Any]) -> str:
    """Name an axis of format 0.5 by one letter."""
    kind = axis.get("type")
    return {"batch": "b", "channel": "c"}.get(str(kind), str(axis.get("id", kind)))


def _old_axes(tensor: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Put the axes of format 0.4, a letter and a number each, in the words of 0.5."""
    shape, halo = tensor.get("shape"), tensor.get("halo") or []
    found: dict[str, dict[str, Any]] = {}
    for index, letter in enumerate(tensor["axes"]):
        size: Any = None
        if isinstance(shape, dict) and "min" in shape:
            size = {"min": shape["min"][index], "step": shape["step"][index]}
            if not size["step"]:
                size = size["min"]
        elif isinstance(shape, list):
            size = shape[index]
        found[letter] = {"size": size, "halo": halo[index] if index < len(halo) else 0}
    return found


def _source(test: Any) -> str | None:
    return test.get("source") if isinstance(test, dict) else test


def _step(said: dict[str, Any]) -> Step:
    return Step(str(said.get("id") or said.get("name")), dict(said.get("kwargs") or {}))
