"""What tiling, training and saving need of a network, and what several networks are built of."""

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

from torch import Tensor, nn

from napari_utile.engine.networks.geometry import Geometry
from napari_utile.engine.parameters import Bounds, check_bounds


@dataclass(frozen=True)
class ValidConfig:
    """What every network of valid convolutions is told."""

    in_channels: Annotated[
        int, Bounds(1, 64, label="Input channels", help="Image channels the network reads.")
    ] = 1
    classes: Annotated[
        int,
        Bounds(2, 64, label="Classes", help="Output channels: one a class, and those of further outputs."),
    ] = 2

    def __post_init__(self) -> None:
        check_bounds(self)


def convolution(
    inputs: int,
    outputs: int,
    kernel: int = 3,
    *,
    batch_norm: bool,
    bias: bool | None = None,
    padding: int = 0,
) -> Iterator[nn.Module]:
    """Yield a convolution, valid by default, its normalisation where there is one, and a ReLU."""
    yield nn.Conv2d(inputs, outputs, kernel, padding=padding, bias=not batch_norm if bias is None else bias)
    if batch_norm:
        yield nn.BatchNorm2d(outputs)
    yield nn.ReLU(inplace=True)


def two_convolutions(inputs: int, outputs: int, **options: Any) -> nn.Sequential:
    """Two convolutions, each with its ReLU, see `convolution`; of valid 3x3 ones, 4 pixels of a side are lost."""
    return nn.Sequential(*convolution(inputs, outputs, **options), *convolution(outputs, outputs, **options))


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

    def input_area(self, output: tuple[int, int]) -> int:
        """Return how many pixels a tile of `output` (Y, X) pixels reads."""
        return (output[0] + 2 * self.geometry.halo) * (output[1] + 2 * self.geometry.halo)

    @abstractmethod
    def flops(self, output: tuple[int, int]) -> int:
        """Return the floating point operations (two a multiply-add) for one tile of `output` (Y, X) pixels."""

    @abstractmethod
    def largest_features(self, output: tuple[int, int]) -> int:
        """Return how many numbers are held at once, at most, for one tile of `output` (Y, X) pixels."""
