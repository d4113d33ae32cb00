"""From the numbers that a network computes to the values of its outputs."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from napari_utile.engine.late import torch
from napari_utile.engine.models.outputs import Output

if TYPE_CHECKING:
    from torch import Tensor

_ACTIVATIONS: "dict[str, Callable[[Tensor], Tensor]]" = {
    "softmax": lambda raw: raw.softmax(dim=0),
    "clip": lambda raw: raw.clamp(0, 1),
}


def activate(raw: "Tensor", outputs: Sequence[Output]) -> "Tensor":
    """Apply each output's activation to its channels.

    Parameters
    ----------
    raw : (C, Y, X) float32 tensor
        What the network computed.
    outputs : sequence of Output
        What its channels are, in their order.

    Returns
    -------
    (C, Y, X) float32 tensor
    """
    parts = torch.split(raw, [each.channels for each in outputs])
    values = [_ACTIVATIONS[each.activation](part) for each, part in zip(outputs, parts, strict=True)]
    return values[0] if len(values) == 1 else torch.cat(values)
