"""Networks made elsewhere: they pad their input, so tiles are given more of it and what the padding reaches is cut off.

A network of this kind takes (N, C, Y, X) and gives as many pixels. Its outer pixels depend on its padding; those
further in than the network's reach do not. So a tile is read with a halo of whole grid cells that covers the reach, and
the halo is cut off after the network: what is left is what the network gives for an image without an end.
"""

from abc import abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from napari_utile.engine.networks.geometry import Geometry
from napari_utile.engine.networks.network import Network
from napari_utile.engine.networks.readings import READINGS

TINY = 1e-7
"""The least probability whose logarithm is taken."""


@dataclass(frozen=True)
class ForeignConfig:
    """What every foreign network is told.

    Attributes
    ----------
    in_channels, classes : int
        Of the network as U-Tile sees it.
    halo, grid : int
        Pixels a side that are cut off; what sizes are multiples of. The halo is a multiple of the grid.
    gain, offset : tuple of float
        One a channel: the network reads gain x value + offset, of values that are 0 and 1 at the limits.
    ends : tuple of float
        The network's input is clipped to these two numbers; empty: it is not.
    reading : str
        One of `READINGS`.
    """

    in_channels: int = 1
    classes: int = 2
    halo: int = 0
    grid: int = 1
    gain: tuple[float, ...] = (1.0,)
    offset: tuple[float, ...] = (0.0,)
    ends: tuple[float, ...] = ()
    reading: str = "logits"

    def __post_init__(self) -> None:
        reading = READINGS.get(self.reading)
        if reading is None:
            raise ValueError(f"reading must be one of {', '.join(READINGS)}; got {self.reading!r}.")
        if not (1 <= self.in_channels <= 64 and 1 <= self.classes <= 64):
            raise ValueError("A network has 1 to 64 input channels, and as many classes.")
        if reading.classes and len(reading.classes) != self.classes:
            raise ValueError(f"The reading {self.reading!r} gives {len(reading.classes)} classes.")
        if not (1 <= self.grid <= 1024 and 0 <= self.halo <= 8192 and self.halo % self.grid == 0):
            raise ValueError("The halo is a multiple of the grid, 8192 pixels at most.")
        if len(self.gain) != self.in_channels or len(self.offset) != self.in_channels:
            raise ValueError("gain and offset have one number for each input channel.")
        if len(self.ends) not in (0, 2):
            raise ValueError("ends are two numbers, or none.")

    @property
    def raw_channels(self) -> int:
        """How many channels the foreign network gives."""
        return READINGS[self.reading].channels or self.classes


class ForeignNetwork(Network):
    """A network that pads: (N, C, Y + 2 halo, X + 2 halo) in, logits (N, K, Y, X) out.

    Parameters
    ----------
    config : ForeignConfig
    """

    config: ForeignConfig

    def __init__(self, config: ForeignConfig) -> None:
        super().__init__()
        self.config = config
        self.geometry = Geometry(config.halo, config.grid, config.grid, (config.halo, config.halo))

    @abstractmethod
    def raw(self, image: Tensor) -> Tensor:
        """Run the network as it was made: (N, C, Y, X) in, (N, channels, Y, X) out."""

    def forward(self, image: Tensor) -> Tensor:
        """Return the logits of an image."""
        config, halo = self.config, self.geometry.halo
        gain, offset = (image.new_tensor(each)[:, None, None] for each in (config.gain, config.offset))
        seen = image * gain + offset
        if config.ends:
            seen = seen.clamp(*config.ends)
        raw = self.raw(seen)[..., halo : -halo or None, halo : -halo or None]
        return as_logits(raw, config.reading)


def as_logits(raw: Tensor, reading: str) -> Tensor:
    """Return logits (N, K, Y, X) whose softmax is what the channels (N, C, Y, X) mean.

    Examples
    --------
    >>> import torch
    >>> as_logits(torch.full((1, 1, 1, 1), 0.8), "foreground").softmax(1).flatten()
    tensor([0.2000, 0.8000])
    """
    if reading == "logits":
        return raw
    if reading.endswith(("logit", "logits")):
        raw, reading = raw.sigmoid(), reading.replace(" logits", "").replace(" logit", "")
    first = raw[:, :1]
    if reading == "foreground":
        raw = torch.cat([1 - first, first], 1)
    elif reading == "border":
        raw = torch.cat([first, 1 - first], 1)
    elif reading == "foreground and border":
        border = raw[:, 1:2]
        raw = torch.cat([1 - first, first * (1 - border), first * border], 1)
    return raw.clamp(min=TINY).log()


def grid_cells(pixels: int, grid: int) -> int:
    """Round up to whole grid cells (pixels)."""
    return -(-pixels // grid) * grid
