"""The card of a model: what it segments, how it was made, how to use it. Read without torch.

A model is one safetensors file; the card is JSON in the file's header, under the key ``utile``.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from napari_utile.engine.errors import UtileError
from napari_utile.engine.parameters import from_json, to_json
from napari_utile.engine.planes.normalize import Normalization

CARD_KEY = "utile"
FORMAT = 1
LARGEST_FILE = 4 << 30
"""Bytes; the largest network the families allow is far below."""
ROLES = ("background", "foreground", "border")


@dataclass(frozen=True)
class ModelClass:
    """One output class: its name, and the role it plays for instances (one of `ROLES`)."""

    name: str
    role: str


@dataclass(frozen=True)
class ModelCard:
    """Everything about a model but its weights.

    Attributes
    ----------
    name : str
        Short name, as in ``--model NAME``.
    title, description : str
        A few words, and a few sentences, for people.
    family : str
        Network family, for example ``"unet"``.
    config : dict
        The family's configuration.
    classes : tuple of ModelClass
        One for each output channel.
    channels : tuple of str
        What each input channel shows.
    object_diameter : float or None
        Typical diameter of an object in the training images (pixels); images are rescaled to it on request.
    pixel_size : float or None
        Pixel size of the training images (micrometres), where they had one.
    scale : float
        How much larger images are made for the network where neither a diameter nor pixel sizes decide: below 1
        for a model that learnt from shrunk images.
    normalization : Normalization
        How grey values are scaled.
    instances : dict
        The instance parameters that suit this model (see `InstanceParams`); missing ones keep their defaults.
    training : dict
        Data, recipe, seed, command, base model: how it was made.
    licence : str
        Of the weights, with the notices of the data.
    metrics : dict
        Scores, each with the images it was measured on.
    version : str
    format : int
    """

    name: str
    family: str
    config: dict[str, Any]
    classes: tuple[ModelClass, ...] = (
        ModelClass("background", "background"),
        ModelClass("cell", "foreground"),
    )
    channels: tuple[str, ...] = ("any",)
    title: str = ""
    description: str = ""
    object_diameter: float | None = None
    pixel_size: float | None = None
    scale: float = 1.0
    normalization: Normalization = field(default_factory=Normalization)
    instances: dict[str, Any] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)
    licence: str = ""
    metrics: dict[str, Any] = field(default_factory=dict)
    version: str = "1"
    format: int = FORMAT

    def __post_init__(self) -> None:
        if not self.name or not self.name.replace("-", "").replace("_", "").replace(".", "").isalnum():
            raise ValueError(
                f"A model's name is made of letters, digits, '-', '_' and '.'; got {self.name!r}."
            )
        if unknown := [each.role for each in self.classes if each.role not in ROLES]:
            raise ValueError(f"A class's role is one of {', '.join(ROLES)}; got {unknown[0]!r}.")
        if not any(each.role == "foreground" for each in self.classes):
            raise ValueError("A model needs a class with the role 'foreground'.")
        if self.object_diameter is not None and not 1 <= self.object_diameter <= 10_000:
            raise ValueError(
                f"object_diameter must lie between 1 and 10000 pixels; got {self.object_diameter}."
            )
        if not 0.01 <= self.scale <= 100:
            raise ValueError(f"scale must lie between 0.01 and 100; got {self.scale}.")

    @property
    def foreground(self) -> tuple[int, ...]:
        """Indices of the classes that are objects."""
        return tuple(index for index, each in enumerate(self.classes) if each.role == "foreground")

    def to_header(self) -> dict[str, str]:
        """Return the card as a safetensors header holds it."""
        return {CARD_KEY: json.dumps(to_json(self), sort_keys=True)}


def card_from_json(values: Any) -> ModelCard:
    """Make a card from parsed JSON.

    Raises
    ------
    ValueError
        If something is missing, unknown or of the wrong type.
    """
    if not isinstance(values, dict):
        raise ValueError("the card is no JSON object")
    if values.get("format") != FORMAT:
        raise ValueError(f"the card has format {values.get('format')!r}, this version reads format {FORMAT}")
    known = {each.name: each for each in fields(ModelCard)}
    if unknown := sorted(set(values) - set(known)):
        raise ValueError(f"the card has unknown entries: {', '.join(unknown)}")
    if missing := sorted({"name", "family", "config", "classes"} - set(values)):
        raise ValueError(f"the card lacks {', '.join(missing)}")
    for name, kind in {
        "config": dict,
        "instances": dict,
        "training": dict,
        "metrics": dict,
        "classes": list,
    }.items():
        if name in values and not isinstance(values[name], kind):
            raise ValueError(f"the card's {name} is no {kind.__name__}")
    for name in ("name", "family", "title", "description", "licence", "version"):
        if name in values and not isinstance(values[name], str):
            raise ValueError(f"the card's {name} is no text")
    values = dict(values)
    values["classes"] = tuple(from_json(ModelClass, _mapping(each)) for each in values["classes"])
    values["channels"] = tuple(str(each) for each in values.get("channels", ("any",)))
    if "normalization" in values:
        values["normalization"] = from_json(Normalization, _mapping(values["normalization"]))
    return ModelCard(**values)


def _mapping(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("the card's classes and normalization must be JSON objects")
    return value


def read_card(path: Path) -> ModelCard:
    """Read the card in a model file's header; no weight is read and nothing in the file is executed.

    Raises
    ------
    UtileError
        In one sentence, where the file is missing, broken or no model of this program.
    """
    if not path.is_file():
        raise UtileError(f"There is no model file {path}.")
    if path.stat().st_size > LARGEST_FILE:
        raise UtileError(
            f"{path.name} is larger than any model ({path.stat().st_size >> 20} MB): is it the right file?"
        )
    try:
        with safe_open(path, framework="np") as file:
            header = file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise UtileError(f"{path.name} is no readable model file ({error}).") from error
    if CARD_KEY not in header:
        raise UtileError(
            f"{path.name} is a safetensors file without a U-Tile card: choose a model made by U-Tile."
        )
    try:
        return card_from_json(json.loads(header[CARD_KEY]))
    except (ValueError, TypeError) as error:
        raise UtileError(f"The card of {path.name} cannot be used: {error}.") from error
