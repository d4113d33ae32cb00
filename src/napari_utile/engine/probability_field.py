"""The cell probability of a plane, computed where it is read and nowhere else.

Reading goes through the same normalisation, scale and exact tiling as a segmentation of the whole plane,
with small tiles on one lattice of the plane, so that neighbouring reads share them in a cache.
"""

from collections.abc import Generator, Hashable
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from napari_utile.engine.axes import ImagePlane
from napari_utile.engine.device import Compute, choose_compute, is_out_of_memory
from napari_utile.engine.models import Model
from napari_utile.engine.normalize import IntensityLimits, measure_limits
from napari_utile.engine.predict import predict_tiles, run_tile
from napari_utile.engine.segment import Prediction, foreground_of, prepare, scale_factors
from napari_utile.engine.segment_params import SegmentParams
from napari_utile.engine.tile_cache import TileCache
from napari_utile.engine.tiling import Tile, Window

FloatArray = npt.NDArray[np.float32]

# Arithmetic of one click's tile: about 50 ms on two CPU cores, less than 10 ms on a graphics card.
_GFLOP = {"cpu": 6.0, "mps": 40.0, "cuda": 200.0}
_TILE_SIZES = (512, 384, 256, 192, 128, 96, 64)


class ProbabilityField:
    """Foreground probability of a plane, tile by tile on demand.

    Parameters
    ----------
    plane : ImagePlane
        All channels; `params.channels` picks.
    model : Model
    params : SegmentParams
        Channels, diameter, device and precision are used.
    cache : TileCache
        Where tiles are kept and found.
    image_key : hashable
        Stands for the pixels of the plane in the cache.
    limits : IntensityLimits, optional
        Measured on the plane by default.

    Raises
    ------
    UtileError
        If channels or device do not fit.
    """

    def __init__(
        self,
        plane: ImagePlane,
        model: Model,
        params: SegmentParams,
        cache: TileCache,
        image_key: Hashable = None,
        limits: IntensityLimits | None = None,
    ) -> None:
        self.model = model
        self.compute = choose_compute(params.device, params.precision)
        self.plane = plane.for_network(model.network.config.in_channels, params.channels)
        self.limits = limits or measure_limits(self.plane.data, model.card.normalization)
        self._params = replace(params, tile=click_tile(model, self.compute))
        self._cache = cache
        self._image_key = (image_key, self.limits)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the plane."""
        return self.plane.shape

    @property
    def object_diameter(self) -> float | None:
        """Typical diameter of the model's objects in pixels of the plane, where the model knows it."""
        expected = self.model.card.object_diameter
        if expected is None:
            return None
        return expected / max(scale_factors(self.plane, self.model.card, self._params.diameter))

    def read(self, window: Window) -> FloatArray:
        """Return the foreground probability (y, x) of a window inside the plane."""
        steps = self.read_steps(window)
        while True:
            try:
                next(steps)
            except StopIteration as end:
                probability: FloatArray = end.value
                return probability

    def read_steps(self, window: Window) -> Generator[None, None, FloatArray]:
        """Read a window; every yield, before a tile is computed, is a point to stop at."""
        ready = self._prepare(window)
        shape = tuple(part.stop - part.start for part in ready.plan.region)
        found = np.empty((self.model.network.config.classes, *shape), np.float32)
        for tile in ready.plan:
            probabilities = self._cache.get(self._key(tile))
            if probabilities is None:
                yield
                try:
                    probabilities = run_tile(self.model, ready.plane, tile, self.compute)
                except (RuntimeError, MemoryError) as error:
                    if not is_out_of_memory(error):
                        raise
                    probabilities = None
                if probabilities is None:
                    found = yield from self._halved(ready)
                    break
                self._cache.put(self._key(tile), probabilities)
            _paste(found, probabilities, tile.inner, ready.plan.region)
        return foreground_of(ready.to_source(found), self.model.card)

    def is_known(self, window: Window) -> bool:
        """Whether reading this window computes nothing."""
        return all(self._cache.get(self._key(tile)) is not None for tile in self._prepare(window).plan)

    def _prepare(self, window: Window) -> Prediction:
        return prepare(self.plane, self.model, self._params, self.compute, self.limits, window)

    def _key(self, tile: Tile) -> Hashable:
        return (self._image_key, self.model.fingerprint, *self.compute.key, tile.key)

    def _halved(self, ready: Prediction) -> Generator[None, None, npt.NDArray[np.float32]]:
        """Compute with ever smaller tiles, where memory is short."""
        steps = predict_tiles(self.model, ready.plane, ready.plan, self.compute)
        while True:
            try:
                next(steps)
            except StopIteration as end:
                probabilities: npt.NDArray[np.float32] = end.value
                return probabilities
            yield


def click_tile(model: Model, compute: Compute) -> int:
    """Return the side of the largest tile that answers a click at once on this device, in pixels."""
    most = _GFLOP[compute.device] * (2.0 if compute.precision == "bfloat16" else 1.0)
    network = model.network
    for size in _TILE_SIZES:
        output = network.geometry.output_at_least(size)
        if network.flops((output, output)) <= most * 1e9:
            return size
    return _TILE_SIZES[-1]


def _paste(found: FloatArray, tile: FloatArray, inner: Window, region: Window) -> None:
    """Copy the part of a tile that lies in the region into the region's array."""
    into, part = [], []
    for lies, wanted in zip(inner, region, strict=True):
        start, stop = max(lies.start, wanted.start), min(lies.stop, wanted.stop)
        into.append(slice(start - wanted.start, stop - wanted.start))
        part.append(slice(start - lies.start, stop - lies.start))
    found[:, into[0], into[1]] = tile[:, part[0], part[1]]
