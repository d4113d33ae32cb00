"""Weights without a description, placed into a padded U-Net by the shapes and the order of their tensors.

Two 3x3 convolutions a level on the way down, enlarging by a 2x2 up-convolution or by interpolation (with or without a
1x1 convolution), two more 3x3 convolutions a level on the way up, a 1x1 convolution at the end. Each convolution may be
followed by a batch normalisation. What cannot be seen in shapes is said.
"""

from dataclasses import dataclass, field, replace
from itertools import count

import torch
from torch import Tensor

from napari_utile.engine.errors import UtileError
from napari_utile.engine.networks.foreign import ForeignConfig
from napari_utile.engine.networks.plain_unet import PlainUNetConfig, plain_unet_halo
from napari_utile.engine.words import counted

_STATISTICS = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")


@dataclass
class _Layer:
    """A convolution with what follows it: its tensors, by the names they get."""

    name: str
    weight: Tensor
    bias: Tensor | None = None
    norm: dict[str, Tensor] = field(default_factory=dict)

    @property
    def kernel(self) -> int:
        return int(self.weight.shape[-1])


def plain_unet_of(weights: dict[str, Tensor], name: str) -> tuple[PlainUNetConfig, dict[str, Tensor]]:
    """Find the padded U-Net that weights belong to.

    Parameters
    ----------
    weights : dict of str to Tensor
        In the order of the network's layers.
    name : str
        Of the file, for what is said.

    Returns
    -------
    config : PlainUNetConfig
        With the reading ``"logits"`` for two or more channels, ``"foreground logit"`` for one.
    weights : dict of str to Tensor
        By the names of `PlainUNet`.

    Raises
    ------
    UtileError
        If they are not those of such a network, with the first layer that does not fit.
    """
    layers = _layers(weights, name)
    threes = [each for each in layers if each.kernel == 3]
    twos = [each for each in layers if each.kernel == 2]
    ones = [each for each in layers if each.kernel == 1]
    if len(threes) < 6 or (len(threes) - 2) % 4 or len(threes) + len(twos) + len(ones) < len(layers):
        raise _unlike(
            name,
            f"it has {counted(len(threes), 'convolution')} of 3x3 and {counted(len(layers), 'layer')} in all",
        )
    depth = (len(threes) - 2) // 4
    down, rest = threes[: 2 * depth + 2], threes[2 * depth + 2 :]
    widths = tuple(int(each.weight.shape[0]) for each in down[1::2])
    merge = _by_level(rest, widths, depth, name)
    if not ones:
        raise _unlike(name, "it has no 1x1 convolution at its end")
    head, more = ones[-1], ones[:-1]
    up, up_layers = _ups(twos, more, widths, depth, name)
    merged = [int(merge[2 * level].weight.shape[1]) for level in range(depth)]
    up_channels = tuple(merged[level] - widths[level] for level in range(depth))
    norms = {bool(each.norm) for each in threes}
    biases = {each.bias is not None for each in threes}
    if len(norms) > 1 or len(biases) > 1:
        raise _unlike(name, "some of its convolutions are normalised or have a bias and others not")
    channels = int(head.weight.shape[0])
    shared = ForeignConfig(
        in_channels=int(down[0].weight.shape[1]),
        classes=max(2, channels),
        halo=plain_unet_halo(depth, up),
        grid=1 << depth,
        gain=(1.0,) * int(down[0].weight.shape[1]),
        offset=(0.0,) * int(down[0].weight.shape[1]),
        reading="foreground logit" if channels == 1 else "logits",
    )
    config = PlainUNetConfig(
        **vars(shared),
        widths=widths,
        channels=channels,
        up=up,
        up_channels=up_channels,
        up_convolution=bool(up_layers) and up != "transposed",
        bias=biases.pop(),
        batch_norm=norms.pop(),
    )
    return config, _named(config, down, merge, up_layers, head)


def alternatives(config: PlainUNetConfig) -> list[PlainUNetConfig]:
    """List the networks that have the same shapes, the likeliest first."""
    ups = (config.up,) if config.up == "transposed" else ("bilinear", "nearest")
    found = [replace(config, up=up, skip_first=first) for first in (True, False) for up in ups]
    depth = len(config.widths) - 1
    return [replace(each, halo=plain_unet_halo(depth, each.up)) for each in found]


def _layers(weights: dict[str, Tensor], name: str) -> list[_Layer]:
    """Gather tensors to layers: each four-dimensional one begins a layer, the others belong to the last."""
    layers: list[_Layer] = []
    prefixes: dict[str, _Layer] = {}
    for key, value in weights.items():
        prefix, _, kind = key.rpartition(".")
        if value.ndim == 4:
            if value.shape[-1] != value.shape[-2]:
                raise _unlike(name, f"{key} is not square")
            layers.append(_Layer(prefix, value))
            prefixes[prefix] = layers[-1]
        elif kind not in _STATISTICS or value.ndim > 1 or not layers:
            raise _unlike(name, f"{key} has the shape {tuple(value.shape)}")
        elif prefix in prefixes:
            prefixes[prefix].bias = value
        else:
            layers[-1].norm[kind] = value
    for layer in layers:
        if layer.norm and not {"weight", "bias", "running_mean", "running_var"} <= set(layer.norm):
            raise _unlike(
                name, f"the layer after {layer.name} normalises each tile by itself, so tiles would differ"
            )
    return layers


def _by_level(rest: list[_Layer], widths: tuple[int, ...], depth: int, name: str) -> list[_Layer]:
    """Sort the pairs of the way up by level, the full resolution first; they are made in either order."""
    pairs = [rest[2 * index : 2 * index + 2] for index in range(depth)]
    for ordered in (pairs[::-1], pairs):
        fits = all(
            int(layer.weight.shape[0]) == widths[level]
            for level, pair in enumerate(ordered)
            for layer in pair
        )
        wide = all(int(pair[0].weight.shape[1]) > widths[level] for level, pair in enumerate(ordered))
        if fits and wide:
            return [layer for pair in ordered for layer in pair]
    raise _unlike(name, "the channels of its way up are not those of its way down")


def _ups(
    twos: list[_Layer], ones: list[_Layer], widths: tuple[int, ...], depth: int, name: str
) -> tuple[str, list[_Layer]]:
    """Find how features are enlarged to each level, the full resolution first."""
    if len(twos) == depth and not ones:
        layers, inputs = twos, 0
    elif not twos and len(ones) in (0, depth):
        layers, inputs = ones, 1
    else:
        raise _unlike(name, f"it has {len(twos)} up-convolutions and {len(ones)} more of 1x1")
    for ordered in (layers[::-1], layers):
        if all(int(each.weight.shape[inputs]) == widths[level + 1] for level, each in enumerate(ordered)):
            return ("transposed" if twos else "bilinear"), list(ordered)
    raise _unlike(name, "its up-convolutions do not fit its levels")


def _named(
    config: PlainUNetConfig, down: list[_Layer], merge: list[_Layer], ups: list[_Layer], head: _Layer
) -> dict[str, Tensor]:
    """Give the tensors the names of `PlainUNet`."""
    step = 3 if config.batch_norm else 2
    named: dict[str, Tensor] = {}

    def put(place: str, layer: _Layer, norm: str = "") -> None:
        named[f"{place}.weight"] = layer.weight
        if layer.bias is not None:
            named[f"{place}.bias"] = layer.bias
        elif layer.kernel < 3:
            named[f"{place}.bias"] = torch.zeros(layer.weight.shape[1 if layer.kernel == 2 else 0])
        for key, value in layer.norm.items():
            named[f"{norm}.{key}"] = value
        if layer.norm:
            named.setdefault(f"{norm}.num_batches_tracked", torch.tensor(0))

    for part, layers in (("down", down), ("merge", merge)):
        for index, layer in zip(count(), layers, strict=False):
            first = step * (index % 2)
            put(f"{part}.{index // 2}.{first}", layer, f"{part}.{index // 2}.{first + 1}")
    for level, layer in enumerate(ups):
        put(f"up.{level}.1" if config.up_convolution else f"up.{level}", layer)
    put("head", head)
    return named


def _unlike(name: str, reason: str) -> UtileError:
    return UtileError(
        f"The weights in {name} are not those of a U-Net as U-Tile knows it ({reason}): ask for ONNX."
    )
