"""What goes into a network and what comes out of it: channels, classes and further outputs. Known without torch."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

ROLES = ("background", "foreground")
ACTIVATIONS = ("softmax", "clip")
CLASSES = "classes"
"""Name of the output that holds the class probabilities: the first one of every model."""
EDGE_DISTANCE, CENTRE_DISTANCE = "B", "C"
"""Names of the outputs that the relief of a model with distances is made of."""


@dataclass(frozen=True)
class ModelClass:
    """One class: its name, and the role it plays for instances (one of `ROLES`)."""

    name: str
    role: str

    def __post_init__(self) -> None:
        if self.role not in ROLES:
            raise ValueError(f"A class's role is one of {', '.join(ROLES)}; got {self.role!r}.")


@dataclass(frozen=True)
class InputChannel:
    """One image channel that a network reads; an optional one is 0 everywhere where the image lacks it."""

    name: str
    optional: bool = False


@dataclass(frozen=True)
class Output:
    """One output of a network: consecutive channels of what it computes.

    Attributes
    ----------
    name : str
        As in ``result.outputs[name]``.
    channels : int
    activation : str
        What turns the network's numbers into values: ``"softmax"`` over the channels, or ``"clip"`` to 0..1.
    meaning : str
        For people.
    background : float
        What it is on the background; that of the classes follows from their roles.
    """

    name: str
    channels: int
    activation: str
    meaning: str = ""
    background: float = 0.0

    def __post_init__(self) -> None:
        if not self.name:
            raise ValueError("An output needs a name.")
        if not 1 <= self.channels <= 64:
            raise ValueError(f"The output {self.name!r} must have 1 to 64 channels; got {self.channels}.")
        if self.activation not in ACTIVATIONS:
            raise ValueError(
                f"The activation of the output {self.name!r} is one of {', '.join(ACTIVATIONS)}; "
                f"got {self.activation!r}."
            )


DISTANCES = (
    Output(
        EDGE_DISTANCE, 1, "clip", "distance to the edge of its cell, as a share of the largest in that cell"
    ),
    Output(
        CENTRE_DISTANCE,
        1,
        "clip",
        "distance to the centre of its cell, as a share of the largest in that cell; 1 on the background",
        background=1.0,
    ),
)
"""What a model predicts beside its classes to tell crowded cells apart."""


def class_output(count: int) -> Output:
    """Describe the probabilities of this many classes."""
    return Output(CLASSES, count, "softmax", "probability of each class")


def channels_of(outputs: Sequence[Output], name: str) -> slice:
    """Return which of the network's channels an output is.

    Raises
    ------
    KeyError
        If there is no such output.
    """
    start = 0
    for each in outputs:
        if each.name == name:
            return slice(start, start + each.channels)
        start += each.channels
    raise KeyError(name)


def by_name(outputs: Sequence[Output], values: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
    """Part the channels (C, Y, X) by outputs: (Y, X) where an output has one channel, else (K, Y, X)."""
    named = {each.name: values[channels_of(outputs, each.name)] for each in outputs}
    return {each.name: named[each.name][0] if each.channels == 1 else named[each.name] for each in outputs}
