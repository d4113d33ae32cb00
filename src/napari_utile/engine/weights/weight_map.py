"""The pixel weights of the U-Net's loss: class balance, and a ridge where cells come close."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, Any

import numpy as np

from napari_utile.engine.arrays import Float32Array, Labels
from napari_utile.engine.parameters import Bounds, check_bounds
from napari_utile.engine.planes.units import checked_pixel_size
from napari_utile.engine.weights.nearest_cells import nearest_two, nearest_two_within
from napari_utile.engine.weights.touching import as_cells, separate_touching

_NEGLIGIBLE = 5e-6
"""Border weights below this are left out, which bounds how far cells matter."""


@dataclass(frozen=True)
class WeightMapParams:
    """How much the loss counts each pixel."""

    w0: Annotated[
        float,
        Bounds(
            0,
            1000,
            0.5,
            label="Weight w0",
            help="Weight of the border term in the narrowest gaps between cells.",
        ),
    ] = 10.0
    sigma: Annotated[
        float,
        Bounds(0.1, 100, 0.5, "px", "Width sigma", help="How wide a gap still counts as a border."),
    ] = 5.0
    balance: Annotated[
        bool,
        Bounds(
            label="Balance classes",
            help="Let cells and background count the same in total, however few the cells are.",
        ),
    ] = True
    balance_limit: Annotated[
        float,
        Bounds(
            1,
            1e6,
            1,
            help="Largest weight of a class, so that a single cell does not drown out everything else.",
            advanced=True,
        ),
    ] = 10.0
    everywhere: Annotated[
        bool,
        Bounds(help="Add the border term inside cells as well, not only to the background.", advanced=True),
    ] = False

    def __post_init__(self) -> None:
        check_bounds(self)

    @property
    def reach(self) -> float:
        """Sum of the two distances, in pixels, beyond which the border term is negligible."""
        if self.w0 <= _NEGLIGIBLE:
            return 0.0
        return float(self.sigma * math.sqrt(2 * math.log(self.w0 / _NEGLIGIBLE)))


@dataclass(frozen=True)
class WeightMap:
    """The weight of every pixel and what it is made of, all (Y, X) float32.

    Attributes
    ----------
    total : array
        ``class_balance + border``.
    class_balance, border : array
        The two terms.
    cells : (Y, X) integer array
        The label image the map belongs to, touching cells separated.
    params : WeightMapParams
    aspect : (float, float)
        Height and width of a pixel, the shorter being 1.
    """

    total: Float32Array = field(repr=False)
    class_balance: Float32Array = field(repr=False)
    border: Float32Array = field(repr=False)
    cells: Labels = field(repr=False)
    params: WeightMapParams
    aspect: tuple[float, float]

    @cached_property
    def _nearest(self) -> tuple[Float32Array, Float32Array]:
        return nearest_two(self.cells, self.aspect)

    @property
    def d1(self) -> Float32Array:
        """Distance to the nearest cell, 0 inside; measured when first asked for."""
        return self._nearest[0]

    @property
    def d2(self) -> Float32Array:
        """Distance to the second nearest cell; infinite where there is none."""
        return self._nearest[1]


def weight_map(
    labels: Any,
    w0: float = 10.0,
    sigma: float = 5.0,
    balance: bool = True,
    everywhere: bool = False,
    pixel_size: Sequence[float] | None = None,
    balance_limit: float = 10.0,
) -> WeightMap:
    """Weight every pixel of a label image as the U-Net's training does [1]_.

    ``w(x) = w_c(x) + w0 exp(-(d1(x) + d2(x))^2 / (2 sigma^2))`` with d1 and d2 the
    distances from x to the nearest and second nearest cell. Cells that touch are
    separated by `separate_touching` first.

    Parameters
    ----------
    labels : (Y, X) array
        0 is background, every other value one cell.
    w0 : float
        Weight in the narrowest gaps.
    sigma : float
        Width of a border in pixels, of the shorter side where pixels are not square.
    balance : bool
        Weight classes by ``w_c = N / (2 N_c)``, of N pixels N_c being of the class,
        so that both count the same and the mean of w_c is 1. Otherwise w_c is 1.
    everywhere : bool
        Add the border term to the pixels of cells too.
    pixel_size : (height, width), optional
        Only their ratio matters.
    balance_limit : float
        The largest w_c.

    Returns
    -------
    WeightMap
        Within 1e-5 of the formula with one distance transform per cell.

    Raises
    ------
    ValueError
        Unless `labels` is two-dimensional and holds whole numbers from 0 up, and
        every parameter is within its bounds.

    References
    ----------
    .. [1] Ronneberger, Fischer, Brox: U-Net: Convolutional Networks for Biomedical
       Image Segmentation. MICCAI 2015.

    Examples
    --------
    >>> cells = np.array([[1, 1, 1, 0, 2, 2, 2]] * 7)  # a gap of one pixel: d1 = d2 = 1
    >>> weight_map(cells, balance=False).total[3].astype(int).tolist()
    [1, 1, 1, 10, 1, 1, 1]
    """
    params = WeightMapParams(w0, sigma, balance, balance_limit, everywhere)
    aspect = pixel_aspect(pixel_size)
    cells = separate_touching(as_cells(labels))
    border = weigh_distances(*nearest_two_within(cells, params.reach, aspect), params, cells)
    class_balance = class_weights(int(np.count_nonzero(cells)), cells.size, params)[
        (cells != 0).astype(np.intp)
    ]
    return WeightMap(class_balance + border, class_balance, border, cells, params, aspect)


def pixel_aspect(pixel_size: Sequence[float] | None) -> tuple[float, float]:
    """Give height and width of a pixel in units of the shorter one.

    Raises
    ------
    ValueError
        Unless `pixel_size` is None or two positive numbers.
    """
    if pixel_size is None:
        return (1.0, 1.0)
    height, width = checked_pixel_size(pixel_size)
    shorter = min(height, width)
    return (height / shorter, width / shorter)


def class_weights(inside: int, pixels: int, params: WeightMapParams) -> Float32Array:
    """Weights of background and cells, where `inside` of all `pixels` belong to cells."""
    if not params.balance or inside in (0, pixels):
        return np.ones(2, np.float32)
    counts = np.array([pixels - inside, inside])
    return np.minimum(pixels / (2 * counts), params.balance_limit).astype(np.float32)


def weigh_distances(
    d1: Float32Array, d2: Float32Array, params: WeightMapParams, cells: Labels
) -> Float32Array:
    """Evaluate ``w0 exp(-(d1 + d2)^2 / (2 sigma^2))``; 0 where negligible, and inside `cells` if so asked."""
    weight = np.add(d1, d2, dtype=np.float32)
    weight[weight > np.float32(params.reach)] = np.inf
    np.multiply(weight, weight, out=weight)
    weight *= np.float32(-0.5 / params.sigma**2)
    np.exp(weight, out=weight)
    weight *= np.float32(params.w0)
    if not params.everywhere:
        weight[cells != 0] = 0
    return weight
