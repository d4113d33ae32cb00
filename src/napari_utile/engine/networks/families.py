"""The network families the product knows, by name."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor, nn

from napari_utile.engine.networks.geometry import Geometry
from napari_utile.engine.networks.unet import UNet, UNetConfig
from napari_utile.engine.parameters import from_json


class Network(Protocol):
    """What tiling, training and saving need of a network: valid, with a geometry and a cost."""

    family: str
    geometry: Geometry
    config: Any

    def __call__(self, image: Tensor) -> Tensor:
        """Return the logits (N, K, Y, X) of an image (N, C, Y + 2 halo, X + 2 halo)."""

    def flops(self, output: tuple[int, int]) -> int:
        """Return the floating point operations for one tile of `output` (Y, X) pixels."""

    def largest_features(self, output: tuple[int, int]) -> int:
        """Return how many numbers are held at once, at the most, for one tile of `output` (Y, X) pixels."""


@dataclass(frozen=True)
class Family:
    """A kind of network: its class, its configuration and the words for it."""

    network: type[nn.Module]
    config: type
    title: str


FAMILIES: dict[str, Family] = {
    "unet": Family(UNet, UNetConfig, "U-Net"),
}


def build_network(family: str, config: Mapping[str, Any]) -> nn.Module:
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
