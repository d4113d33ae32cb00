"""Start a U-Net from a narrower one: its features come first, the new ones start small."""

import torch
from torch import Tensor

from napari_utile.engine.networks.network import Network

SMALL = 0.1


def start_from(network: Network, weights: dict[str, Tensor]) -> None:
    """Put the weights of a U-Net of at most this width, and with fewer inputs and outputs, into a network.

    Parameters
    ----------
    network : Network
        Of the family ``unet``; changed in place.
    weights : dict
        Of a U-Net of the same depth.
    """
    own = network.state_dict()
    for name, target in own.items():
        if name not in weights:
            continue
        source = weights[name].to(target.dtype)
        if source.shape == target.shape:
            target.copy_(source)
        elif target.ndim == 1:
            target[: source.shape[0]] = source
        elif target.ndim == 4:
            _put(name, target, source)
    network.load_state_dict(own)


def _put(name: str, target: Tensor, source: Tensor) -> None:
    outputs_first = not name.startswith("up.")  # transposed convolutions are (in, out, y, x)
    into, part = (target, source) if outputs_first else (target.transpose(0, 1), source.transpose(0, 1))
    outputs, inputs = part.shape[:2]
    known = torch.zeros(into.shape[1], dtype=torch.bool)
    if (
        name.startswith("merge.") and name.split(".")[2] == "0"
    ):  # reads a skip and what comes from below, half each
        half, own_half = inputs // 2, into.shape[1] // 2
        known[:half] = known[own_half : own_half + half] = True
    else:
        known[:inputs] = True
    into *= SMALL
    rows = into[:outputs]
    if name.startswith("head."):
        rows[:, ~known] = 0
    rows[:, known] = part
