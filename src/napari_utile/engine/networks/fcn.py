"""FCN-32s, FCN-16s and FCN-8s [1]_: a VGG-16-shaped contracting part [2]_, scored, upsampled and fused.

As everywhere here all convolutions are valid (the originals pad the input by 100 pixels instead), and every crop is
computed: up-convolutions lose the pixels that see too few inputs, skips are cropped to lie pixel on pixel.

References
----------
.. [1] J. Long, E. Shelhamer, T. Darrell. Fully convolutional networks for semantic segmentation. CVPR 2015.
.. [2] K. Simonyan, A. Zisserman. Very deep convolutional networks for large-scale image recognition. ICLR 2015.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated

import torch
from torch import Tensor, nn

from napari_utile.engine.networks.geometry import Geometry, Step, geometry_of, smallest_sizes
from napari_utile.engine.networks.network import Network, ValidConfig, convolution
from napari_utile.engine.networks.unet import initialise
from napari_utile.engine.parameters import Bounds

CONVOLUTIONS = (2, 2, 3, 3, 3)
"""3x3 convolutions of each block, before its pooling."""
WIDTHS = (1, 2, 4, 8, 8)
"""Channels of each block over those of the first: 64, 128, 256, 512, 512."""
FUSIONS = {32: 0, 16: 1, 8: 2}
"""Poolings that are fused at each stride."""
HEAD_WIDTH, HEAD_KERNEL = 64, 7
"""The head's channels over the width (4096 over 64), and its first kernel."""


@dataclass(frozen=True)
class FCNConfig(ValidConfig):
    """What an FCN is made of; width 64 without batch normalisation is the network of the paper (134 M parameters)."""

    width: Annotated[
        int, Bounds(1, 256, label="Width", help="Channels of the first block; the head has 64 times as many.")
    ] = 64
    batch_norm: Annotated[
        bool, Bounds(label="Batch normalisation", help="Normalise after each convolution: trains faster.")
    ] = False
    dropout: Annotated[
        float, Bounds(0, 0.95, step=0.05, label="Dropout", help="Share of features dropped in the head.")
    ] = 0.5


class FCN(Network):
    """An FCN: (N, C, Y + 2 halo, X + 2 halo) in, logits (N, K, Y, X) out. Use one of its three subclasses.

    Parameters
    ----------
    config : FCNConfig

    Attributes
    ----------
    stride : int
        Of the last up-convolution: 32, 16 or 8.
    """

    stride: int

    def __init__(self, config: FCNConfig = FCNConfig()) -> None:
        super().__init__()
        self.config = config
        widths = [config.width * each for each in WIDTHS]
        inputs = [config.in_channels, *widths]
        self.blocks = nn.ModuleList(
            nn.Sequential(
                *(
                    layer
                    for index in range(count)
                    for layer in convolution(
                        inputs[block + (index > 0)], widths[block], batch_norm=config.batch_norm
                    )
                )
            )
            for block, count in enumerate(CONVOLUTIONS)
        )
        wide = HEAD_WIDTH * config.width
        self.head = nn.Sequential(
            *convolution(widths[-1], wide, HEAD_KERNEL, batch_norm=config.batch_norm),
            nn.Dropout(config.dropout),
            *convolution(wide, wide, 1, batch_norm=config.batch_norm),
            nn.Dropout(config.dropout),
        )
        self.score = nn.Conv2d(wide, config.classes, 1)
        skips = [3, 2][: self.skips]  # blocks whose poolings are fused: pool4, then pool3
        self.skip_scores = nn.ModuleList(nn.Conv2d(widths[block], config.classes, 1) for block in skips)
        self.ups = nn.ModuleList(bilinear_up(config.classes, 2) for _ in skips)
        self.last_up = bilinear_up(config.classes, self.stride)
        self.geometry, self.crops = fcn_geometry(self.stride)
        self._initialise()

    @property
    def skips(self) -> int:
        """How many poolings are fused: 0, 1 or 2."""
        return FUSIONS[self.stride]

    def forward(self, image: Tensor) -> Tensor:
        """Return the logits (N, K, Y, X) of an image (N, C, Y + 2 halo, X + 2 halo)."""
        pools = []
        x = image
        for block in self.blocks:
            x = nn.functional.max_pool2d(block(x), 2)
            pools.append(x)
        x = self.score(self.head(x))  # at 1/32
        for index, (up, skip_score) in enumerate(zip(self.ups, self.skip_scores, strict=True)):
            c = self.crops[index]
            x = _cropped(up(x), 2) + skip_score(_cropped(pools[3 - index], c))  # at 1/16, then at 1/8
        return _cropped(self.last_up(x), self.stride)

    def initialise_from(self, coarser: "FCN") -> None:
        """Take over all that a trained network of a coarser stride has: staged training, 32s -> 16s -> 8s.

        The new skip's score starts at 0 and the up-convolutions after it bilinear, so that at first the finer
        network repeats what the coarser one says.

        Raises
        ------
        ValueError
            If the other is not the next coarser of the same configuration.
        """
        if coarser.stride != 2 * self.stride or coarser.config != self.config:
            raise ValueError(
                f"{self.family} starts from an FCN of the same configuration and stride {2 * self.stride}."
            )
        own = self.state_dict()
        taken = {
            key: value
            for key, value in coarser.state_dict().items()
            if key in own and not key.startswith("last_up")
        }
        self.load_state_dict({**own, **taken})

    def _initialise(self) -> None:
        initialise(self.blocks)
        initialise(self.head)
        nn.init.normal_(self.score.weight, std=0.01)
        for score in (self.score, *self.skip_scores):
            assert isinstance(score, nn.Conv2d)
            if score is not self.score:
                nn.init.zeros_(score.weight)  # "a 1x1 convolution ... with zero-initialised parameters"
            assert score.bias is not None
            nn.init.zeros_(score.bias)

    def flops(self, output: tuple[int, int]) -> int:
        """Return the floating point operations (two a multiply-add) for one tile of `output` (Y, X) pixels."""
        return sum(flops for flops, _ in self._layers(output))

    def largest_features(self, output: tuple[int, int]) -> int:
        """Return how many numbers the largest two neighbouring layers hold at once; the skips' are few."""
        layers = [
            self.input_area(output) * self.config.in_channels,
            *(held for _, held in self._layers(output)),
        ]
        skips: int = self.config.width * self.input_area(output) // 16  # pool3 and pool4 are kept
        largest: int = max(a + b for a, b in pairwise(layers))
        return largest + skips

    def _layers(self, output: tuple[int, int]) -> Iterator[tuple[int, int]]:
        """Yield (operations, numbers held) of each layer."""
        config = self.config
        y, x = (n + 2 * self.geometry.halo for n in output)
        channels = config.in_channels
        for count, factor in zip(CONVOLUTIONS, WIDTHS, strict=True):
            for _ in range(count):
                y, x = y - 2, x - 2
                yield 2 * 9 * channels * factor * config.width * y * x, factor * config.width * y * x
                channels = factor * config.width
            y, x = y // 2, x // 2
            yield 0, channels * y * x
        y, x = y - HEAD_KERNEL + 1, x - HEAD_KERNEL + 1
        wide = HEAD_WIDTH * config.width
        yield 2 * HEAD_KERNEL**2 * channels * wide * y * x, wide * y * x
        yield 2 * wide * wide * y * x, wide * y * x
        yield 2 * wide * config.classes * y * x, config.classes * y * x
        for _ in range(self.skips):  # score of the skip, kernel 4 at stride 2
            y, x = 2 * y, 2 * x
            yield (
                2 * (8 * config.width + 4 * config.classes) * config.classes * y * x,
                2 * config.classes * y * x,
            )
        area = output[0] * output[1]  # kernel 2s at stride s: each output pixel sees 2 x 2 inputs
        yield 2 * 4 * config.classes**2 * area, config.classes * (area + 2 * self.stride * sum(output))


class FCN32s(FCN):
    """FCN-32s: scored at 1/32 of the resolution, upsampled at once."""

    family, stride = "fcn32s", 32


class FCN16s(FCN):
    """FCN-16s: fused with the scores of pool4."""

    family, stride = "fcn16s", 16


class FCN8s(FCN):
    """FCN-8s: fused with the scores of pool4, then of pool3."""

    family, stride = "fcn8s", 8


def fcn_geometry(stride: int) -> tuple[Geometry, tuple[int, ...]]:
    """Compute the geometry of an FCN, and by how many pixels a side pool4 (then pool3) is cropped."""
    blocks = [[*[Step(3)] * count, Step(2, 2)] for count in CONVOLUTIONS]
    head = [Step(HEAD_KERNEL)]
    fuse = _up(2)
    crops: list[int] = []
    inner: list[Step] = [*blocks[4], *head]  # from pool4 to the scores at 1/32
    skips: list[
        tuple[int, list[Step]]
    ] = []  # block whose pooling is fused, steps from there to the fusion's output
    fusions = FUSIONS[stride]
    for index in range(fusions):
        inner = [*inner, fuse]
        before, after = smallest_sizes(inner)
        crops.append((before - after) // 2)
        skips = [(block, [*path, fuse]) for block, path in skips]
        skips.append((3 - index, [Step(1, crop=crops[-1])]))
        inner = [*blocks[3 - index], *inner]  # from the pooling before
    last = _up(stride)
    whole = [*(step for block in blocks for step in block), *head, *[fuse] * fusions, last]
    paths = [whole]
    for block, path in skips:
        paths.append([*(step for each in blocks[: block + 1] for step in each), *path, last])
    return geometry_of(paths), tuple(crops)


def _up(stride: int) -> Step:
    return Step(2 * stride, stride, up=True, crop=stride)


def bilinear_up(classes: int, stride: int) -> nn.ConvTranspose2d:
    """Make an up-convolution that at first interpolates bilinearly, each class by itself; it can be learnt."""
    kernel = 2 * stride
    up = nn.ConvTranspose2d(classes, classes, kernel, stride, bias=False)
    tent = 1 - (torch.arange(kernel) - (kernel - 1) / 2).abs() / stride
    with torch.no_grad():
        up.weight.zero_()
        for each in range(classes):
            up.weight[each, each] = tent[:, None] * tent[None, :]
    return up


def _cropped(x: Tensor, pixels: int) -> Tensor:
    return x[..., pixels : -pixels or None, pixels : -pixels or None]
