"""U-Net, to the letter of the paper [1]_ by default, and its variants by configuration.

Every convolution is valid, so a tile's output does not know where the tile ends: that is what makes tiling exact.
Batch normalisation is allowed (at inference it is a fixed scale, folded into the convolution); instance and group
normalisation would depend on the tile and are not offered.

References
----------
.. [1] O. Ronneberger, P. Fischer, T. Brox. U-Net: Convolutional networks for biomedical image segmentation.
       MICCAI 2015. https://arxiv.org/abs/1505.04597
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor, nn

from napari_utile.engine.networks.geometry import Geometry, Step, geometry_of, smallest_sizes
from napari_utile.engine.networks.network import Network, ValidConfig, two_convolutions
from napari_utile.engine.parameters import Bounds


@dataclass(frozen=True)
class UNetConfig(ValidConfig):
    """What a U-Net is made of; the defaults are the network of 2015 (31.0 M parameters)."""

    width: Annotated[
        int, Bounds(1, 256, label="Width", help="Channels of the first level; each level below doubles them.")
    ] = 64
    depth: Annotated[
        int, Bounds(1, 6, label="Depth", help="How often the image is halved: the context it sees.")
    ] = 4
    batch_norm: Annotated[
        bool, Bounds(label="Batch normalisation", help="Normalise after each convolution: trains faster.")
    ] = False
    dropout: Annotated[
        float,
        Bounds(0, 0.95, step=0.05, label="Dropout", help="Share of features dropped at the deepest levels."),
    ] = 0.5


class UNet(Network):
    """U-Net of valid convolutions: (N, C, Y + 2 halo, X + 2 halo) in, logits (N, K, Y, X) out.

    Parameters
    ----------
    config : UNetConfig

    Attributes
    ----------
    geometry : Geometry
        Halo, grid and legal sizes.
    """

    family = "unet"

    def __init__(self, config: UNetConfig = UNetConfig()) -> None:
        super().__init__()
        self.config = config
        widths = [config.width << level for level in range(config.depth + 1)]  # 64, 128, 256, 512, 1024
        inputs = [config.in_channels, *widths]
        self.down = nn.ModuleList(
            two_convolutions(inputs[level], widths[level], batch_norm=config.batch_norm)
            for level in range(config.depth + 1)
        )
        self.up = nn.ModuleList(
            nn.ConvTranspose2d(widths[level + 1], widths[level], 2, stride=2) for level in range(config.depth)
        )
        self.merge = nn.ModuleList(
            two_convolutions(2 * widths[level], widths[level], batch_norm=config.batch_norm)
            for level in range(config.depth)
        )
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.Conv2d(widths[0], config.classes, 1)
        self.geometry, self.crops = unet_geometry(config.depth)
        if self.has_values:
            initialise(self)

    def forward(self, image: Tensor) -> Tensor:
        """Return the logits (N, K, Y, X) of an image (N, C, Y + 2 halo, X + 2 halo)."""
        skips = []
        x = image  # 572 pixels wide in the paper's figure 1
        for level, block in enumerate(self.down):  # 568, 280, 136, 64, 28 wide after the blocks
            if level:
                x = nn.functional.max_pool2d(x, 2)
            x = block(x)
            if level >= self.config.depth - 1:  # "drop-out layers at the end of the contracting path"
                x = self.dropout(x)
            skips.append(x)
        x = skips.pop()
        for level in reversed(range(self.config.depth)):  # 52, 100, 196, 388 wide after the blocks
            c = self.crops[level]
            skip = skips.pop()[..., c : -c or None, c : -c or None]
            x = self.merge[level](torch.cat([skip, self.up[level](x)], dim=1))
        logits: Tensor = self.head(x)
        return logits

    def flops(self, output: tuple[int, int]) -> int:
        """Return the floating point operations (two a multiply-add) for one tile of `output` (Y, X) pixels."""
        return sum(flops for _, flops, _ in self._layers(output))

    def largest_features(self, output: tuple[int, int]) -> int:
        """Return how many numbers the largest two neighbouring layers and the open skips hold at once."""
        layers = [(kept, features) for kept, _, features in self._layers(output)]
        most, open_skips = 0, 0
        previous = self.config.in_channels * self.input_area(output)
        for kept, features in layers:
            most = max(most, previous + features + open_skips)
            open_skips += kept
            previous = features
        return most

    def _layers(self, output: tuple[int, int]) -> Iterator[tuple[int, int, int]]:
        """Yield (numbers kept for a skip, operations, numbers held) of each convolution."""
        config, depth = self.config, self.config.depth
        y, x = (n + 2 * self.geometry.halo for n in output)
        channels = config.in_channels
        for level in range(depth + 1):
            width = config.width << level
            if level:
                y, x = y // 2, x // 2
            for last in (False, True):
                y, x = y - 2, x - 2
                kept = width * y * x if last and level < depth else 0
                yield kept, 2 * 9 * channels * width * y * x, width * y * x
                channels = width
        for level in reversed(range(depth)):
            width = config.width << level
            yield 0, 2 * channels * 4 * width * y * x, 2 * width * (2 * y) * (2 * x)
            y, x = 2 * y, 2 * x
            for inputs in (2 * width, width):
                y, x = y - 2, x - 2
                yield 0, 2 * 9 * inputs * width * y * x, width * y * x
            channels = width
        yield 0, 2 * channels * config.classes * y * x, config.classes * y * x


def unet_geometry(depth: int) -> tuple[Geometry, tuple[int, ...]]:
    """Compute the geometry of a U-Net and how many pixels a side each level's skip is cropped by."""
    convolutions = [Step(3), Step(3)]
    up = Step(2, 2, up=True)
    inner: list[Step] = [*convolutions]  # from the deepest level outwards
    crops: list[int] = []
    for _ in range(depth):
        inner = [Step(2, 2), *inner, up]
        before, after = smallest_sizes(inner)
        crops.append((before - after) // 2)
        inner = [*convolutions, *inner, *convolutions]
    crops.reverse()  # index 0 is the full resolution
    paths = [inner]
    for level in range(depth):
        descent = [*convolutions, *([Step(2, 2), *convolutions] * level)]
        ascent = [*convolutions, *([up, *convolutions] * level)]
        paths.append([*descent, Step(1, crop=crops[level]), *ascent])
    return geometry_of(paths), tuple(crops)


def initialise(network: nn.Module) -> None:
    """Draw the weights of all convolutions from a Gaussian of standard deviation sqrt(2 / N) (He et al. 2015)."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_in", nonlinearity="relu")
        elif isinstance(
            module, nn.ConvTranspose2d
        ):  # each output pixel sees one input pixel: N = input channels
            nn.init.normal_(module.weight, std=(2.0 / module.weight.shape[0]) ** 0.5)
        else:
            continue
        if module.bias is not None:
            nn.init.zeros_(module.bias)
