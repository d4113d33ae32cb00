"""A U-Net as most people write it: padded convolutions, so that the output has the input's size. For checkpoints."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from napari_utile.engine.networks.foreign import ForeignConfig, ForeignNetwork, grid_cells
from napari_utile.engine.networks.network import two_convolutions
from napari_utile.engine.networks.unet import unet_geometry

UPS = ("transposed", "bilinear", "nearest")


@dataclass(frozen=True)
class PlainUNetConfig(ForeignConfig):
    """A padded U-Net.

    Attributes
    ----------
    widths : tuple of int
        Channels of each level, the full resolution first.
    channels : int
        What its last layer gives.
    up : str
        How features are enlarged, one of `UPS`; with a 1x1 convolution after it where `up_convolution`.
    up_channels : tuple of int
        Channels after enlarging to each level.
    up_convolution : bool
    skip_first : bool
        Whether the skip's channels come before those from below.
    bias, batch_norm : bool
        Of the 3x3 convolutions.
    """

    widths: tuple[int, ...] = (16, 32)
    channels: int = 2
    up: str = "transposed"
    up_channels: tuple[int, ...] = (16,)
    up_convolution: bool = False
    skip_first: bool = True
    bias: bool = True
    batch_norm: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 2 <= len(self.widths) <= 8 or not all(1 <= each <= 4096 for each in self.widths):
            raise ValueError("A U-Net has 2 to 8 levels of 1 to 4096 channels.")
        if len(self.up_channels) != len(self.widths) - 1 or self.up not in UPS:
            raise ValueError(
                f"Each level but the deepest needs a way of upsampling, one of {', '.join(UPS)}."
            )
        if self.channels != self.raw_channels:
            raise ValueError(
                f"The reading {self.reading!r} takes {self.raw_channels} channels of {self.channels}."
            )


class PlainUNet(ForeignNetwork):
    """A padded U-Net, see `ForeignNetwork`.

    Parameters
    ----------
    config : PlainUNetConfig
    """

    family = "plain-unet"
    config: PlainUNetConfig

    def __init__(self, config: PlainUNetConfig) -> None:
        super().__init__(config)
        widths, ups = config.widths, config.up_channels
        inputs = (config.in_channels, *widths)
        levels = range(len(widths) - 1)
        self.down = nn.ModuleList(self._pair(inputs[level], widths[level]) for level in range(len(widths)))
        self.up = nn.ModuleList(self._enlarge(widths[level + 1], ups[level]) for level in levels)
        self.merge = nn.ModuleList(self._pair(widths[level] + ups[level], widths[level]) for level in levels)
        self.head = nn.Conv2d(widths[0], config.channels, 1)

    def raw(self, image: Tensor) -> Tensor:
        """Run the network."""
        skips: list[Tensor] = []
        x = image
        for level, block in enumerate(self.down):
            x = block(nn.functional.max_pool2d(x, 2) if level else x)
            skips.append(x)
        x = skips.pop()
        for level in reversed(range(len(self.up))):
            both = [skips.pop(), self.up[level](x)]
            x = self.merge[level](torch.cat(both if self.config.skip_first else both[::-1], dim=1))
        raw: Tensor = self.head(x)
        return raw

    def flops(self, output: tuple[int, int]) -> int:
        """Return the floating point operations (two a multiply-add) for one tile of `output` (Y, X) pixels."""
        area = self.input_area(output)
        return sum(2 * weights * area >> 2 * level for level, weights in self._layers())

    def largest_features(self, output: tuple[int, int]) -> int:
        """Return how many numbers are held at once, at most: all skips, and two layers of the full resolution."""
        area = self.input_area(output)
        kept = sum(width * area >> 2 * level for level, width in enumerate(self.config.widths))
        return kept + 3 * self.config.widths[0] * area

    def _layers(self) -> Iterator[tuple[int, int]]:
        """Yield (level, weights) of each 3x3 convolution."""
        for level, block in (*enumerate(self.down), *enumerate(self.merge)):
            for layer in block.modules():
                if isinstance(layer, nn.Conv2d):
                    yield level, layer.weight.numel()

    def _pair(self, inputs: int, outputs: int) -> nn.Sequential:
        config = self.config
        return two_convolutions(inputs, outputs, batch_norm=config.batch_norm, bias=config.bias, padding=1)

    def _enlarge(self, inputs: int, outputs: int) -> nn.Module:
        if self.config.up == "transposed":
            return nn.ConvTranspose2d(inputs, outputs, 2, stride=2)
        bilinear = {"align_corners": False} if self.config.up == "bilinear" else {}
        enlarged = nn.Upsample(scale_factor=2, mode=self.config.up, **bilinear)
        return (
            nn.Sequential(enlarged, nn.Conv2d(inputs, outputs, 1)) if self.config.up_convolution else enlarged
        )


def plain_unet_halo(depth: int, up: str) -> int:
    """Return the halo (pixels) that covers a padded U-Net's reach, in whole grid cells.

    The reach of a U-Net does not depend on its padding. Bilinear enlarging reads one coarse pixel more a level: less
    than two grid cells in all.
    """
    geometry, _ = unet_geometry(depth)
    more = 2 * geometry.grid if up == "bilinear" else 0
    return grid_cells(max(geometry.support) + more, geometry.grid)
