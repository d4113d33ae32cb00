"""A plane made ready for a network, and its probabilities brought back: normalised, rescaled, planned."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_utile.engine.cells.relief import height_of
from napari_utile.engine.errors import UtileError
from napari_utile.engine.inference.device import Compute
from napari_utile.engine.inference.predict import Probabilities, TileDone
from napari_utile.engine.inference.tiling import TilePlan, plan_tiles
from napari_utile.engine.models.card import ModelCard
from napari_utile.engine.models.library import Model
from napari_utile.engine.models.outputs import CENTRE_DISTANCE, EDGE_DISTANCE, by_name
from napari_utile.engine.planes.axes import ImagePlane
from napari_utile.engine.planes.normalize import IntensityLimits
from napari_utile.engine.planes.resample import (
    NormalizedPlane,
    ScaledPlane,
    interpolation_weights,
    scaled_shape,
)
from napari_utile.engine.planes.units import micrometres
from napari_utile.engine.segment_params import SegmentParams
from napari_utile.engine.windows import Window


@dataclass(frozen=True, eq=False)
class Prediction:
    """A plane made ready for a network: normalised, rescaled, planned. Cheap to make once limits are known.

    Attributes
    ----------
    plane : (C, y, x) float32 array-like
        At the scale of the model.
    plan : TilePlan
        Of the rescaled plane.
    region : Window
        What is wanted of the plane at its own scale.
    shape : (int, int)
        Of the plane at its own scale.
    """

    plane: Any
    plan: TilePlan
    region: Window
    shape: tuple[int, int]

    @property
    def is_scaled(self) -> bool:
        """Whether the network sees another scale than the user."""
        return tuple(self.plane.shape[1:]) != self.shape

    def to_source(self, probabilities: Probabilities) -> Probabilities:
        """Bring the plan's probabilities (K, y, x) back to the region at the plane's own scale."""
        if not self.is_scaled:
            return probabilities
        (rows, _), (columns, _) = _back(self.plane.shape[1:], self.shape, self.region)
        back = [(columns @ (rows @ channel).T).T for channel in probabilities]
        return np.stack(back).astype(np.float32, copy=False)

    def preview(self, tile: TileDone) -> tuple[Window, Probabilities]:
        """Return a finished tile as it will about look at the plane's own scale, and where."""
        if not self.is_scaled:
            return tile.window, tile.probabilities
        scaled, parts = self.plane.shape[1:], []
        for part, source, size, wanted in zip(tile.window, scaled, self.shape, self.region, strict=True):
            start = min(max(round(part.start * size / source), wanted.start), wanted.stop - 1)
            parts.append(slice(start, min(max(round(part.stop * size / source), start + 1), wanted.stop)))
        window, every = Window(*parts), slice(None)
        return window, ScaledPlane(tile.probabilities, window.shape)[every, every, every]


def prepare(
    plane: ImagePlane,
    model: Model,
    params: SegmentParams,
    compute: Compute,
    limits: IntensityLimits,
    region: Sequence[slice] | None = None,
) -> Prediction:
    """Normalise, rescale and plan; nothing is read but the plane's shape.

    Parameters
    ----------
    plane : ImagePlane
        With the channels of the network.
    model, params, compute, limits
    region : Window or (slice, slice), optional
        In pixels of the plane.
    """
    region = Window.part_of(plane.shape, region)
    factors = scale_factors(plane, model.card, params.diameter)
    data: Any = NormalizedPlane(plane.data, limits)
    scaled_region = region
    shape = (scaled_shape(plane.shape, factors[0])[0], scaled_shape(plane.shape, factors[1])[1])
    if shape != plane.shape:
        data = ScaledPlane(data, shape)
        (_, y), (_, x) = _back(shape, plane.shape, region)
        scaled_region = Window(y, x)
    plan = plan_tiles(shape, model.network, compute.tile_budget, region=scaled_region, tile=params.tile)
    return Prediction(data, plan, region, plane.shape)


def _back(scaled: Sequence[int], shape: tuple[int, int], region: Window) -> list[tuple[Any, slice]]:
    """Return, along each axis, the weights that bring scaled pixels back to a region, and which pixels those are."""
    return [
        interpolation_weights(source, size, part.start, part.stop)
        for source, size, part in zip(scaled, shape, region, strict=True)
    ]


def scale_factors(plane: ImagePlane, card: ModelCard, diameter: float | None) -> tuple[float, float]:
    """Return how much larger along y and x the plane must be made for the model.

    By the diameter of the objects where it is given; else by the pixel size where plane and model both have one;
    else as the model's card says.

    Raises
    ------
    UtileError
        If a diameter is given and the model does not say which one it expects.
    """
    if diameter is not None:
        if card.object_diameter is None:
            raise UtileError(
                f"The model {card.name} does not say which cell diameter it expects: leave it empty."
            )
        return (card.object_diameter / diameter,) * 2
    if card.pixel_size is not None and plane.pixel_size is not None:
        unit = micrometres(plane.unit)
        if unit is not None:
            y, x = (size * unit / card.pixel_size for size in plane.pixel_size)
            return y, x
    return card.scale, card.scale


def height_from(values: Probabilities, card: ModelCard) -> NDArray[np.float32] | None:
    """Return the height (Y, X) by which cells are told apart, None where the card leaves it to the probability."""
    if card.relief != "distances":
        return None
    named = by_name(card.outputs, values)
    return height_of(named[EDGE_DISTANCE], named[CENTRE_DISTANCE])


def foreground_of(probabilities: Probabilities, card: ModelCard) -> NDArray[np.float32]:
    """Return the probability (Y, X) that a pixel belongs to an object: the sum over the foreground classes."""
    if len(card.foreground) == 1:
        only: NDArray[np.float32] = probabilities[card.foreground[0]]
        return only
    total: NDArray[np.float32] = probabilities[list(card.foreground)].sum(axis=0, dtype=np.float32)
    return total
