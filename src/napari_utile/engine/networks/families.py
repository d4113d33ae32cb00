"""The network families the product knows, by name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from napari_utile.engine.networks.fcn import FCN8s, FCN16s, FCN32s, FCNConfig
from napari_utile.engine.networks.network import Network
from napari_utile.engine.networks.onnx_graph import OnnxConfig, OnnxNetwork
from napari_utile.engine.networks.plain_unet import PlainUNet, PlainUNetConfig
from napari_utile.engine.networks.unet import UNet, UNetConfig
from napari_utile.engine.parameters import from_json


@dataclass(frozen=True)
class Family:
    """A kind of network: its class, its configuration and the words for it."""

    network: Callable[[Any], Network]
    config: type
    title: str


FAMILIES: dict[str, Family] = {
    "unet": Family(UNet, UNetConfig, "U-Net"),
    "fcn32s": Family(FCN32s, FCNConfig, "FCN-32s"),
    "fcn16s": Family(FCN16s, FCNConfig, "FCN-16s"),
    "fcn8s": Family(FCN8s, FCNConfig, "FCN-8s"),
    "plain-unet": Family(PlainUNet, PlainUNetConfig, "U-Net made elsewhere"),
    "onnx": Family(OnnxNetwork, OnnxConfig, "ONNX"),
}


def build_network(family: str, config: Mapping[str, Any]) -> Network:
    """Build a network with fresh weights.

    Raises
    ------
    ValueError
        If there is no such family, or the configuration does not fit it.
    """
    if family not in FAMILIES:
        raise ValueError(f"There is no network family {family!r}; the known ones are {', '.join(FAMILIES)}.")
    chosen = FAMILIES[family]
    return chosen.network(from_json(chosen.config, config))
