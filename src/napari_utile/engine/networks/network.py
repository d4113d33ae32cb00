"""What tiling, training and saving need of a network."""

from abc import abstractmethod
from typing import Any

from torch import Tensor, nn

from napari_utile.engine.networks.geometry import Geometry


class Network(nn.Module):
    """A valid convolutional network: (N, C, Y + 2 halo, X + 2 halo) in, logits (N, K, Y, X) out.

    Attributes
    ----------
    family : str
        Its name in `FAMILIES`.
    config : dataclass
        With at least ``in_channels`` and ``classes``.
    geometry : Geometry
        Halo, grid and legal sizes.
    """

    family: str
    config: Any
    geometry: Geometry

    @property
    def has_values(self) -> bool:
        """False on torch's meta device, where random weights cannot be drawn without loading its compiler (1.7 s)."""
        return not any(parameter.is_meta for parameter in self.parameters())

    @abstractmethod
    def forward(self, image: Tensor) -> Tensor:
        """Return the logits of an image."""

    @abstractmethod
    def flops(self, output: tuple[int, int]) -> int:
        """Return the floating point operations (two a multiply-add) for one tile of `output` (Y, X) pixels."""

    @abstractmethod
    def largest_features(self, output: tuple[int, int]) -> int:
        """Return how many numbers are held at once, at most, for one tile of `output` (Y, X) pixels."""
