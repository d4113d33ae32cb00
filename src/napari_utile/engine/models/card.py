"""The card of a model: what it segments, how it was made, how to use it. Read without torch.

A model is one safetensors file; the card is JSON in the file's header, under the key ``utile``.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from napari_utile.engine.errors import UtileError
from napari_utile.engine.models.outputs import (
    CENTRE_DISTANCE,
    CLASSES,
    EDGE_DISTANCE,
    InputChannel,
    ModelClass,
    Output,
    class_output,
)
from napari_utile.engine.parameters import from_json, to_json
from napari_utile.engine.planes.axes import ImagePlane
from napari_utile.engine.planes.normalize import Normalization

CARD_KEY = "utile"
FORMAT = 2
LARGEST_FILE = 4 << 30
"""Bytes; the largest network the families allow is far below."""
RELIEFS = ("probability", "distances")


@dataclass(frozen=True)
class DataSource:
    """Images that a model was trained on: how many, under which licence, and the notice that it asks for."""

    name: str
    licence: str
    images: int = 0
    notice: str = ""


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
        One for each channel of the class probabilities.
    outputs : tuple of Output
        What the network's channels are, in their order, the class probabilities first; nothing else by default.
    relief : str
        What cells that touch are separated by: ``"probability"`` (with the distance to the background), or
        ``"distances"`` (the outputs B and C).
    inputs : tuple of InputChannel
        What each input channel shows; ``"any"`` by default.
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
        The instance parameters that suit this model (see `InstanceParams`) for cells of `object_diameter`;
        missing ones keep their defaults.
    specialists : tuple of str
        Names of models that know a part of what this one knows, and know it better: where images are measured, the
        surest of this one and them is used.
    confidence : float or None
        Below this confidence an image does not look like those the model was trained on; None: not known.
    failures : str
        What the model is known to get wrong, and what it is not for.
    teaching : bool
        Whether the model is there to be compared with others: it can be chosen, and is never suggested.
    data : tuple of DataSource
        What it was trained on.
    training : dict
        Recipe, seed, command, base model: how it was made.
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
    outputs: tuple[Output, ...] = ()
    relief: str = "probability"
    inputs: tuple[InputChannel, ...] = ()
    title: str = ""
    description: str = ""
    object_diameter: float | None = None
    pixel_size: float | None = None
    scale: float = 1.0
    normalization: Normalization = field(default_factory=Normalization)
    instances: dict[str, Any] = field(default_factory=dict)
    specialists: tuple[str, ...] = ()
    confidence: float | None = None
    failures: str = ""
    teaching: bool = False
    data: tuple[DataSource, ...] = ()
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
        object.__setattr__(self, "title", " ".join(self.title.split()))  # it stands in lists, on one line
        if not any(each.role == "foreground" for each in self.classes):
            raise ValueError("A model needs a class with the role 'foreground'.")
        if not self.outputs:
            object.__setattr__(self, "outputs", (class_output(len(self.classes)),))
        self._check_outputs()
        count = self.config.get("in_channels", 1)
        if not self.inputs:
            object.__setattr__(self, "inputs", (InputChannel("any"),) * count)
        if len(self.inputs) != count:
            raise ValueError(f"The network reads {count} channel(s), but inputs names {len(self.inputs)}.")
        optional = [each.optional for each in self.inputs]
        if optional[0] or optional != sorted(optional):
            raise ValueError(
                "Optional input channels come after those that are needed, of which there is one."
            )
        if self.object_diameter is not None and not 1 <= self.object_diameter <= 10_000:
            raise ValueError(
                f"object_diameter must lie between 1 and 10000 pixels; got {self.object_diameter}."
            )
        if not 0.01 <= self.scale <= 100:
            raise ValueError(f"scale must lie between 0.01 and 100; got {self.scale}.")

    def _check_outputs(self) -> None:
        names = [each.name for each in self.outputs]
        if len(set(names)) < len(names):
            raise ValueError(f"Two outputs have the same name: {', '.join(names)}.")
        first = self.outputs[0]
        if first.name != CLASSES or first.activation != "softmax":
            raise ValueError(f"The first output must be {CLASSES!r}, by softmax; got {first.name!r}.")
        if first.channels != len(self.classes):
            raise ValueError(
                f"The output {CLASSES!r} has {first.channels} channels, "
                f"but {len(self.classes)} classes are named."
            )
        if self.relief not in RELIEFS:
            raise ValueError(f"relief is one of {', '.join(RELIEFS)}; got {self.relief!r}.")
        if self.relief == "distances" and not self.has_distances:
            raise ValueError(
                f"The relief 'distances' needs the outputs {EDGE_DISTANCE} and {CENTRE_DISTANCE}."
            )

    @property
    def channels(self) -> tuple[str, ...]:
        """What each input channel shows."""
        return tuple(each.name for each in self.inputs)

    @property
    def optional_inputs(self) -> int:
        """How many of the input channels, the last ones, an image may lack."""
        return sum(each.optional for each in self.inputs)

    @property
    def needed_inputs(self) -> int:
        """How many of the input channels, the first ones, an image must have."""
        return len(self.inputs) - self.optional_inputs

    def shown(self, plane: ImagePlane, channels: Sequence[int] | None = None) -> ImagePlane:
        """Return the channels of a plane that the network reads, see `ImagePlane.for_network`.

        Raises
        ------
        UtileError
            If the channels do not fit.
        """
        return plane.for_network(len(self.inputs), channels, self.optional_inputs)

    def reads(self, plane: ImagePlane, channels: Sequence[int] | None = None) -> bool:
        """Return whether the network's channels can be taken from a plane, see `shown`."""
        try:
            self.shown(plane, channels)
        except UtileError:
            return False
        return True

    @property
    def output_channels(self) -> int:
        """How many channels the network computes."""
        return sum(each.channels for each in self.outputs)

    @property
    def foreground(self) -> tuple[int, ...]:
        """Indices of the classes that are objects."""
        return tuple(index for index, each in enumerate(self.classes) if each.role == "foreground")

    @property
    def background(self) -> tuple[int, ...]:
        """Indices of the classes that are not."""
        return tuple(index for index, each in enumerate(self.classes) if each.role == "background")

    @property
    def on_background(self) -> tuple[float, ...]:
        """What each output channel is on the background: all of it the first background class."""
        first = self.background[0] if self.background else -1
        classes = [float(index == first) for index in range(len(self.classes))]
        return (*classes, *(each.background for each in self.outputs[1:] for _ in range(each.channels)))

    @property
    def has_distances(self) -> bool:
        """Whether the network predicts B and C."""
        single = {each.name for each in self.outputs if each.channels == 1}
        return {EDGE_DISTANCE, CENTRE_DISTANCE} <= single

    @property
    def own_size(self) -> bool:
        """Whether it was trained further, on images that it uses as they are: their cells have the size it knows."""
        return "base" in self.training

    @property
    def left_to(self) -> tuple[str, ...]:
        """Names of the specialists that it leaves images to: trained further, it does itself what its base left."""
        return () if self.own_size else self.specialists

    def enlarged(self, diameter: float | None) -> float:
        """Return how many times cells of this diameter (pixels) are as large as those `instances` were chosen for.

        1 where either is not known.
        """
        if diameter is None or self.object_diameter is None:
            return 1.0
        return diameter * self.scale / self.object_diameter

    def expected_diameter(self, diameter: float | None) -> float | None:
        """Return the diameter of cells in an image (pixels), where none is known that of cells it finds as they are."""
        if diameter is not None or self.object_diameter is None:
            return diameter
        return self.object_diameter / self.scale

    def to_header(self) -> dict[str, str]:
        """Return the card as a safetensors header holds it."""
        return {CARD_KEY: json.dumps(to_json(self), sort_keys=True)}


def card_from_json(values: Any) -> ModelCard:
    """Make a card from parsed JSON, of this format or of format 1.

    Raises
    ------
    ValueError
        If something is missing, unknown or of the wrong type.
    """
    if not isinstance(values, dict):
        raise ValueError("the card is not a JSON object")
    if values.get("format") == 1:
        values = _from_format_1(values)
    if values.get("format") != FORMAT:
        raise ValueError(
            f"the card has format {values.get('format')!r}, this version reads formats 1 to {FORMAT}"
        )
    known = {each.name for each in fields(ModelCard)}
    if unknown := sorted(set(values) - known):
        raise ValueError(f"the card has unknown entries: {', '.join(unknown)}")
    if missing := sorted({"name", "family", "config", "classes"} - set(values)):
        raise ValueError(f"the card lacks {', '.join(missing)}")
    return from_json(ModelCard, values)


def _from_format_1(values: dict[str, Any]) -> dict[str, Any]:
    """Say in format 2 what a card of format 1 says: classes alone, of which borders are background."""
    values = {**values, "format": FORMAT}
    if isinstance(classes := values.get("classes"), list):
        values["classes"] = [
            {**each, "role": "background"}
            if isinstance(each, dict) and each.get("role") == "border"
            else each
            for each in classes
        ]
    names = values.pop("channels", [])
    config = values.get("config")
    if isinstance(names, list) and isinstance(config, dict) and len(names) == config.get("in_channels", 1):
        values["inputs"] = [{"name": str(each)} for each in names]
    return values


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
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np") as file:
            header = file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise UtileError(f"{path.name} is not a readable model file ({error}).") from error
    if CARD_KEY not in header:
        raise UtileError(
            f"{path.name} is a safetensors file without a U-Tile card: choose a model made by U-Tile."
        )
    try:
        return card_from_json(json.loads(header[CARD_KEY]))
    except (ValueError, TypeError) as error:
        raise UtileError(f"The card of {path.name} cannot be used: {str(error).rstrip('.')}.") from error
