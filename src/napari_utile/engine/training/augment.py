"""Augmentation: shift, rotation, flips, scale, the elastic deformation of the U-Net paper [1]_, and grey values.

All random numbers are drawn with numpy beforehand, into a `Deformation` and a `GreyChange`; torch only carries them
out. So one seed gives one sample on every device, and a resumed run continues with the samples of the first.

References
----------
.. [1] O. Ronneberger, P. Fischer, T. Brox. U-Net: Convolutional networks for biomedical image segmentation.
       MICCAI 2015, section 3.1: "random displacement vectors on a coarse 3 by 3 grid ... Gaussian distribution with
       10 pixels standard deviation. Per-pixel displacements are then computed using bicubic interpolation."
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from napari_utile.engine.training.augment_params import AugmentParams

SOMETIMES = 0.3
"""Share of the samples that are blurred, and of those under uneven light."""
ELASTIC_GRID = 3
"""Displacements are drawn on a grid of 3 by 3 points that spans the tile."""
_BICUBIC_OVERSHOOT = 1.4
"""Bicubic interpolation leaves the range of its grid by no more than this factor."""


@dataclass(frozen=True, eq=False)
class Deformation:
    """Where the pixels of one sample come from.

    Attributes
    ----------
    centre : (2,) float64
        Image position (y, x) that the middle of the sample shows, in pixels.
    matrix : (2, 2) float64
        Sample offsets (y, x) from its middle -> image offsets.
    displacements : (2, 3, 3) float64
        Elastic displacements (y, x) on the coarse grid, in image pixels.
    """

    centre: NDArray[np.float64]
    matrix: NDArray[np.float64]
    displacements: NDArray[np.float64]

    def reach(self, size: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the first and the last (exclusive) image pixel (y, x) that a sample of `size` pixels may read."""
        radius = np.abs(self.matrix).sum(axis=1) * (size - 1) / 2
        radius += _BICUBIC_OVERSHOOT * np.abs(self.displacements).max(axis=(1, 2))
        first = np.floor(self.centre - radius - 2).astype(np.int64)  # 2: support of the cubic interpolation
        last = np.ceil(self.centre + radius + 3).astype(np.int64)
        return first, last

    def coordinates(self, size: int, device: torch.device | str = "cpu") -> Tensor:
        """Return the image position (y, x) of every pixel of a sample, (size, size, 2) float32."""
        offsets = torch.arange(size, dtype=torch.float32, device=device) - (size - 1) / 2
        a = self.matrix
        y = float(a[0, 0]) * offsets[:, None] + float(a[0, 1]) * offsets[None, :] + float(self.centre[0])
        x = float(a[1, 0]) * offsets[:, None] + float(a[1, 1]) * offsets[None, :] + float(self.centre[1])
        where = torch.stack([y, x], dim=-1)
        if self.displacements.any():
            coarse = torch.as_tensor(self.displacements, dtype=torch.float32, device=device)[None]
            smooth = functional.interpolate(coarse, size=(size, size), mode="bicubic", align_corners=True)
            where = where + smooth[0].permute(1, 2, 0)
        return where


def draw_deformation(
    rng: np.random.Generator, centre: tuple[float, float], params: AugmentParams
) -> Deformation:
    """Draw the geometry of one sample.

    Parameters
    ----------
    rng : numpy.random.Generator
    centre : (float, float)
        Image position (y, x) in pixels that the sample shows in its middle, before the random shift.
    params : AugmentParams

    Returns
    -------
    Deformation
    """
    angle = np.deg2rad(rng.uniform(-params.rotation, params.rotation))
    scale = params.scale ** rng.uniform(-1, 1)
    flip = -1.0 if params.flip and rng.random() < 0.5 else 1.0
    cosine, sine = np.cos(angle), np.sin(angle)
    matrix = np.array([[cosine, -sine * flip], [sine, cosine * flip]]) / scale
    shift = rng.uniform(-params.shift, params.shift, size=2)
    displacements = rng.normal(0.0, 1.0, size=(2, ELASTIC_GRID, ELASTIC_GRID)) * params.elastic
    return Deformation(np.asarray(centre, np.float64) + shift, matrix, displacements)


def warp(source: Tensor, coordinates: Tensor, mode: str) -> Tensor:
    """Read an image at the given positions; beyond its border it is mirrored.

    Parameters
    ----------
    source : (C, Y, X) float tensor
    coordinates : (y, x, 2) tensor
        Positions (y, x) in pixels of `source`.
    mode : str
        ``"bilinear"``, ``"bicubic"`` or ``"nearest"``.

    Returns
    -------
    (C, y, x) tensor
    """
    height, width = source.shape[-2:]
    span = torch.tensor([max(width - 1, 1), max(height - 1, 1)], dtype=torch.float32, device=source.device)
    grid = coordinates.flip(-1) * (2.0 / span) - 1.0  # grid_sample wants (x, y) from -1 to 1
    return functional.grid_sample(
        source[None], grid[None], mode=mode, padding_mode="reflection", align_corners=True
    )[0]


@dataclass(frozen=True)
class GreyChange:
    """One change of grey values, in the order of the attributes.

    Attributes
    ----------
    gamma : float
        Power of the grey values.
    gain, offset : float
    noise : float
        Standard deviation of what is added at last.
    noise_seed : int
    blur : float
        Standard deviation of a Gaussian, before all else (pixels).
    invert : bool
        Whether bright becomes dark, after the power.
    slope : (float, float)
        Relative change of the light from the middle to the border, along y and x, before the noise.
    colours : tuple of float
        Gain of each channel by itself; empty: 1.
    """

    gamma: float
    gain: float
    offset: float
    noise: float
    noise_seed: int
    blur: float = 0.0
    invert: bool = False
    slope: tuple[float, float] = (0.0, 0.0)
    colours: tuple[float, ...] = ()

    def apply(self, image: Tensor) -> Tensor:
        """Change an image (C, Y, X) whose cells lie about between 0 and 1."""
        if self.blur:
            image = blurred(image, self.blur)
        if self.gamma != 1.0:
            image = image.sign() * image.abs().pow(self.gamma)
        if self.invert:
            image = 1 - image
        image = image * self.gain + self.offset
        for channel, gain in zip(image, self.colours, strict=False):
            channel *= gain
        if any(self.slope):
            y, x = (torch.linspace(-1, 1, size, device=image.device) for size in image.shape[-2:])
            image = image * (1 + self.slope[0] * y[:, None] + self.slope[1] * x)
        if self.noise:
            generator = torch.Generator("cpu").manual_seed(self.noise_seed)  # the same noise on every device
            image = image + self.noise * torch.randn(image.shape, generator=generator).to(image.device)
        return image


def draw_grey_change(rng: np.random.Generator, params: AugmentParams) -> GreyChange:
    """Draw how the grey values of one sample change."""
    gamma = params.gamma ** rng.uniform(-1, 1)
    gain = 1.0 + rng.uniform(-params.contrast, params.contrast)
    offset = rng.uniform(-params.brightness, params.brightness)
    noise = params.noise * rng.random()
    seed = int(rng.integers(1 << 62))
    blur = params.blur * rng.random() if params.blur and rng.random() < SOMETIMES else 0.0
    invert = bool(params.invert and rng.random() < params.invert)
    slope = (0.0, 0.0)
    if params.gradient and rng.random() < SOMETIMES:
        slope = float(rng.uniform(-1, 1) * params.gradient), float(rng.uniform(-1, 1) * params.gradient)
    colours = tuple((1 + rng.uniform(-1, 1, 3) * params.colour).tolist()) if params.colour else ()
    return GreyChange(
        float(gamma), float(gain), float(offset), float(noise), seed, blur, invert, slope, colours
    )


def blurred(image: Tensor, sigma: float) -> Tensor:
    """Blur an image (C, Y, X) by a Gaussian; beyond its border it is mirrored."""
    reach = min(int(np.ceil(3 * sigma)), min(image.shape[-2:]) - 1)
    offsets = torch.arange(-reach, reach + 1, dtype=torch.float32, device=image.device)
    weights = torch.exp(-0.5 * (offsets / max(sigma, 1e-3)) ** 2)
    weights = weights / weights.sum()
    padded = functional.pad(image[:, None], (reach, reach, reach, reach), mode="reflect")
    along_rows = functional.conv2d(padded, weights[None, None, :, None])
    return functional.conv2d(along_rows, weights[None, None, None, :])[:, 0]
