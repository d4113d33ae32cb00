"""The field of a model over a plane: its outputs, computed where they are read and nowhere else.

Whoever asks goes through the same normalisation, scale and exact tiling: a segmentation reads all tiles of a region, a
click or a preview the blocks around one place. Blocks lie on one lattice of the plane, so that neighbouring reads
share them in a cache; they also find there the tiles of a segmentation.
"""

from collections.abc import Generator, Hashable, Sequence
from dataclasses import replace
from math import prod, sqrt
from typing import Any

import numpy as np

from napari_utile.engine.arrays import Float32Array
from napari_utile.engine.cells.relief import HEIGHT_REACH
from napari_utile.engine.errors import UtileError
from napari_utile.engine.inference.decode import foreground_of, height_from
from napari_utile.engine.inference.device import Compute, choose_compute
from napari_utile.engine.inference.limits import limits_of, seen_plane
from napari_utile.engine.inference.predict import Progress, predict_tiles
from napari_utile.engine.inference.tile_cache import TileCache
from napari_utile.engine.inference.tiling import TilePlan, plan_tiles
from napari_utile.engine.models.card import ModelCard
from napari_utile.engine.models.library import Model
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
from napari_utile.engine.steps import Run
from napari_utile.engine.windows import Window

# The plane is cached in blocks of about this side; what is missing of a window is computed in one run. A
# small block means that little more than the window is computed. Pixels.
_BLOCK = 32


class Field:
    """The outputs of a model over a plane.

    Parameters
    ----------
    plane : ImagePlane
        All channels; `params.channels` picks.
    model : Model
    params : SegmentParams, optional
        Channels, diameter, tile, device and precision are used; a diameter that is not measured yet counts as none.
    compute : Compute, optional
        Chosen by the parameters by default.
    limits : IntensityLimits, optional
        Measured on the plane by default.
    cache : TileCache, optional
        Where outputs are kept and found.
    pixels : hashable
        Stands for the pixels of the plane in the cache; needed where others use it too.
    row_step : float
        How far apart the rows of the plane are (columns); a section across a stack has another one than 1.

    Attributes
    ----------
    plane : ImagePlane
        With the channels of the network.
    model, compute, limits

    Raises
    ------
    UtileError
        If channels, diameter or device do not fit.
    """

    def __init__(
        self,
        plane: ImagePlane,
        model: Model,
        params: SegmentParams | None = None,
        *,
        compute: Compute | None = None,
        limits: IntensityLimits | None = None,
        cache: TileCache | None = None,
        pixels: Hashable = None,
        row_step: float = 1.0,
    ) -> None:
        params = params or SegmentParams()
        self.model = model
        self.compute = compute or choose_compute(params.device, params.precision)
        self.plane = model.card.shown(plane, params.channels)
        seen = seen_plane(plane, params, model.card)
        self.limits = limits or limits_of([seen], params, model.card)
        along_y, along_x = scale_factors(self.plane, model.card, params.known_diameter)
        self._factors = along_y * row_step, along_x
        rows, columns = (scaled_shape(self.shape, factor)[axis] for axis, factor in enumerate(self._factors))
        self._scaled = rows, columns
        normalized = NormalizedPlane(seen.data, self.limits)
        self._image: Any = ScaledPlane(normalized, self._scaled) if self.is_scaled else normalized
        self._tile = params.tile
        self._cache = cache
        own = object() if pixels is None else pixels
        what = (own, self.limits, params.channels, params.preprocess, self._scaled)
        self._key = (*what, model.fingerprint, *self.compute.key)
        grid = model.network.geometry.grid
        self._block = -(-_BLOCK // grid) * grid

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the plane."""
        return self.plane.shape

    @property
    def is_scaled(self) -> bool:
        """Whether the network sees another scale than the user."""
        return self._scaled != self.shape

    @property
    def enlargement(self) -> float:
        """How many pixels the network sees for one of the plane."""
        return prod(self._scaled) / prod(self.shape)

    @property
    def object_diameter(self) -> float | None:
        """Typical diameter of the model's objects in pixels of the plane, where the model knows it."""
        expected = self.model.card.object_diameter
        return None if expected is None else expected / max(self._factors)

    @property
    def click_radius(self) -> int:
        """Half the width of the first window to read around a click (pixels): a typical cell fits."""
        diameter = self.object_diameter
        return 48 if diameter is None else int(np.clip(2 * diameter, 32, 256))

    def plan(self, region: Sequence[slice] | None = None) -> TilePlan:
        """Plan the tiles that a region needs, all of the plane by default; nothing is read.

        Raises
        ------
        ValueError
            If the region is empty or does not lie inside the plane.
        """
        region = self._seen(Window.part_of(self.shape, region))
        return plan_tiles(
            self._scaled, self.model.network, self.compute.tile_budget, region=region, tile=self._tile
        )

    def tiles(self, region: Sequence[slice] | None = None) -> Generator[Progress, None, Float32Array]:
        """Compute a region tile by tile, all of the plane by default; every yield is a point to cancel at.

        Yields
        ------
        Progress
            With the newest tile about as it will look, at the plane's own scale.

        Returns
        -------
        (C, y, x) float32 array
            All outputs of the model, the class probabilities first.
        """
        region = Window.part_of(self.shape, region)
        run = Run(self._run(self.plan(region), self._cache))
        for step in run:
            yield self._at_source(step, region) if self.is_scaled else step
        return self._to_source(run.result, region)

    def read(self, window: Window) -> Float32Array:
        """Return the foreground probability (y, x) of a window inside the plane."""
        return Run(self.read_steps(window)).result

    def read_steps(self, window: Window) -> Generator[None, None, Float32Array]:
        """Read the foreground probability (y, x) of a window; see `outputs_steps`."""
        return foreground_of((yield from self.outputs_steps(window)), self.model.card)

    def height_steps(self, window: Window) -> Generator[None, None, Float32Array | None]:
        """Read the height (y, x) by which cells are told apart, None where that follows from the probability."""
        if self.model.card.relief != "distances":
            return None
        around = window.grown(HEIGHT_REACH).clipped(self.shape)
        height = height_from((yield from self.outputs_steps(around)), self.model.card)
        return None if height is None else height[window.relative_to(around)]

    def outputs_steps(self, window: Window) -> Generator[None, None, Float32Array]:
        """Read all outputs (C, y, x) of a window; every yield, before something is computed, is a point to stop at."""
        region = self._seen(window)
        found, missing = self._known(region)
        if missing:
            around = Window.around(missing)
            plan = plan_tiles(
                self._scaled, self.model.network, self.compute.tile_budget, region=around, tile=None
            )
            yield
            computed = yield from Run(self._run(plan, None)).yielding(None)
            if self._cache is not None:
                for block in self._blocks(around):
                    self._cache.put(self._key, block, computed[:, *block.relative_to(around)])
            _paste(found, computed, around, region)
        return self._to_source(found, window)

    def seen(self, window: Window) -> Float32Array:
        """Compute all outputs (C, y, x) that a window depends on, at the network's own scale."""
        budget = self.compute.tile_budget
        plan = plan_tiles(self._scaled, self.model.network, budget, region=self._seen(window), tile=None)
        return Run(self._run(plan, None)).result

    def network_input(self, window: Window) -> Float32Array:
        """Give what the network gets of a window (C, y, x): each pixel as the network's pixel that covers it."""
        places = [
            ((np.arange(part.start, part.stop) + 0.5) * source / size).astype(int)
            for part, source, size in zip(window, self._scaled, self.shape, strict=True)
        ]
        rows, columns = (slice(int(at[0]), int(at[-1]) + 1) for at in places)
        block: Float32Array = np.asarray(self._image[:, rows, columns])
        return block[:, places[0] - rows.start][:, :, places[1] - columns.start]

    def is_known(self, window: Window) -> bool:
        """Whether reading this window computes nothing."""
        return not self._known(self._seen(window))[1]

    def _run(self, plan: TilePlan, cache: TileCache | None) -> Generator[Progress, None, Float32Array]:
        return predict_tiles(self.model, self._image, plan, self.compute, cache=cache, key=self._key)

    def _known(self, region: Window) -> tuple[Float32Array, list[Window]]:
        """Return what the cache has of a region of the rescaled plane, and the blocks that are missing."""
        found = np.empty((self.model.card.output_channels, *region.shape), np.float32)
        if self._cache is None:
            return found, self._blocks(region)
        there = np.zeros(region.shape, bool)
        for window, tile in self._cache.tiles(self._key):
            if (window & region).size:
                _paste(found, tile, window, region)
                there[(window & region).relative_to(region)] = True
        missing = []
        for block in self._blocks(region):
            if there[(block & region).relative_to(region)].all():
                continue
            known = self._cache.get(self._key, block)
            if known is None:
                missing.append(block)
            else:
                _paste(found, known, block, region)
        return found, missing

    def _blocks(self, region: Window) -> list[Window]:
        """List the blocks of the lattice that a region touches, ended by the plane's border."""
        return [block.clipped(self._scaled) for block in region.blocks(self._block)]

    # Between the plane's own scale and that of the network.

    def _seen(self, region: Window) -> Window:
        """Return the pixels of the rescaled plane that a region depends on."""
        return Window(*(part for _, part in self._back(region))) if self.is_scaled else region

    def _back(self, region: Window) -> list[tuple[Any, slice]]:
        """Return, along each axis, the weights that bring scaled pixels back to a region, and which those are."""
        return [
            interpolation_weights(source, size, part.start, part.stop)
            for source, size, part in zip(self._scaled, self.shape, region, strict=True)
        ]

    def _to_source(self, values: Float32Array, region: Window) -> Float32Array:
        if not self.is_scaled:
            return values
        (rows, _), (columns, _) = self._back(region)
        back = [(columns @ (rows @ channel).T).T for channel in values]
        return np.stack(back).astype(np.float32, copy=False)

    def _at_source(self, step: Progress, region: Window) -> Progress:
        assert step.window is not None
        assert step.foreground is not None
        parts = []
        for part, source, size, wanted in zip(step.window, self._scaled, self.shape, region, strict=True):
            start = min(max(round(part.start * size / source), wanted.start), wanted.stop - 1)
            parts.append(slice(start, min(max(round(part.stop * size / source), start + 1), wanted.stop)))
        window, every = Window(*parts), slice(None)
        shown = ScaledPlane(step.foreground[None], window.shape)[every, every, every][0]
        return replace(step, window=window, foreground=shown)


def _paste(found: Float32Array, part: Float32Array, lies: Window, region: Window) -> None:
    """Copy what `part`, which lies in a window, has of a region into the region's array."""
    both = lies & region
    found[:, *both.relative_to(region)] = part[:, *both.relative_to(lies)]


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


def zoom_of(plane: ImagePlane, card: ModelCard) -> float:
    """Return how many times larger than it is the model sees a plane where no diameter is given."""
    return sqrt(prod(scale_factors(plane, card, None)))
