"""The cell probability of a plane, computed where it is read and nowhere else.

Reading goes through the same normalisation, scale and exact tiling as a segmentation of the whole plane,
with small tiles on one lattice of the plane, so that neighbouring reads share them in a cache.
"""

import weakref
from collections.abc import Generator, Hashable
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from napari_utile.engine.inference.device import choose_compute, is_out_of_memory
from napari_utile.engine.inference.predict import predict_tiles, run_tile
from napari_utile.engine.inference.prepare import Prediction, foreground_of, prepare, scale_factors
from napari_utile.engine.inference.tile_cache import TileCache
from napari_utile.engine.inference.tiling import TilePlan, plan_tiles
from napari_utile.engine.models.library import Model
from napari_utile.engine.planes.axes import ImagePlane
from napari_utile.engine.planes.normalize import IntensityLimits, measure_limits
from napari_utile.engine.segment_params import SegmentParams
from napari_utile.engine.steps import Run
from napari_utile.engine.windows import Window

FloatArray = npt.NDArray[np.float32]

# The plane is cached in blocks of about this side; what is missing of a window is computed in one run. A
# small block means that little more than the window is computed. Pixels.
_BLOCK = 32


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
        self.plane = plane.for_network(len(model.card.inputs), params.channels, model.card.optional_inputs)
        self.limits = limits or measure_limits(self.plane.data, model.card.normalization)
        self._params = replace(params, tile=256)  # any: blocks and runs are planned here
        self._block = -(-_BLOCK // model.network.geometry.grid) * model.network.geometry.grid
        self._cache = cache
        everything = self._prepare(Window.whole(self.plane.shape))
        self._image_key = (image_key, self.limits, params.channels, everything.plan.shape)
        self._lent: tuple[weakref.ref[FloatArray], Window] | None = None

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

    @property
    def click_radius(self) -> int:
        """Half the width of the first window to read around a click (pixels): a typical cell fits."""
        diameter = self.object_diameter
        return 48 if diameter is None else int(np.clip(2 * diameter, 32, 256))

    def read(self, window: Window) -> FloatArray:
        """Return the foreground probability (y, x) of a window inside the plane."""
        return Run(self.read_steps(window)).result

    def read_steps(self, window: Window) -> Generator[None, None, FloatArray]:
        """Read a window; every yield, before something is computed, is a point to stop at."""
        lent = self._lent_in(window)
        if lent is not None:
            return lent
        ready = self._prepare(window)
        region, shape = ready.plan.region, ready.plan.shape
        found = np.empty((self.model.network.config.classes, *region.shape), np.float32)
        missing = []
        for block in self._blocks(region, shape):
            known = self._cache.get(self._key(block))
            if known is None:
                missing.append(block)
            else:
                _paste(found, known, block, region)
        if missing:
            around = Window.around(missing)
            computed = yield from self._compute(ready, around)
            for block in self._blocks(around, shape):
                self._cache.put(self._key(block), computed[:, *block.relative_to(around)])
            _paste(found, computed, around, region)
        return foreground_of(ready.to_source(found), self.model.card)

    def lend(self, probabilities: FloatArray, region: Window) -> None:
        """Read from what a segmentation of the same plane computed, as long as somebody keeps it.

        Parameters
        ----------
        probabilities : (K, y, x) float32 array
            Made with the same model, channels, diameter, limits, device and precision, at the plane's own scale.
        region : Window
            Where they lie.
        """
        self._lent = weakref.ref(probabilities), region

    def _lent_in(self, window: Window) -> FloatArray | None:
        """Return the probability of a window that lies in what was lent."""
        if self._lent is None:
            return None
        (probabilities, region) = self._lent[0](), self._lent[1]
        if probabilities is None or not region.holds(window):
            return None
        return foreground_of(probabilities[:, *window.relative_to(region)], self.model.card)

    def is_known(self, window: Window) -> bool:
        """Whether reading this window computes nothing."""
        if self._lent_in(window) is not None:
            return True
        plan = self._prepare(window).plan
        return all(
            self._cache.get(self._key(block)) is not None for block in self._blocks(plan.region, plan.shape)
        )

    def _compute(self, ready: Prediction, region: Window) -> Generator[None, None, FloatArray]:
        """Compute the classes' probabilities (K, y, x) of a region of the rescaled plane."""
        plan = plan_tiles(ready.plan.shape, self.model.network, self.compute.tile_budget, region=region)
        computed = np.empty((self.model.network.config.classes, *region.shape), np.float32)
        for tile in plan:
            yield
            try:
                probabilities = run_tile(self.model, ready.plane, tile, self.compute)
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                probabilities = None
            if probabilities is None:  # out of the handler, whose traceback held the memory
                return (yield from self._halved(ready, plan))
            _paste(computed, probabilities, tile.inner, region)
        return computed

    def _blocks(self, region: Window, shape: tuple[int, int]) -> list[Window]:
        """List the blocks of the lattice that a region touches, ended by the plane's border."""
        return [block.clipped(shape) for block in region.blocks(self._block)]

    def _prepare(self, window: Window) -> Prediction:
        return prepare(self.plane, self.model, self._params, self.compute, self.limits, window)

    def _key(self, block: Window) -> Hashable:
        return (self._image_key, self.model.fingerprint, *self.compute.key, self._block, block.start)

    def _halved(self, ready: Prediction, plan: TilePlan) -> Generator[None, None, FloatArray]:
        """Compute with ever smaller tiles, where memory is short."""
        run = Run(predict_tiles(self.model, ready.plane, plan, self.compute))
        for _ in run:
            yield
        return run.result


def _paste(found: FloatArray, part: FloatArray, lies: Window, region: Window) -> None:
    """Copy what `part`, which lies in a window, has of a region into the region's array."""
    both = lies & region
    found[:, *both.relative_to(region)] = part[:, *both.relative_to(lies)]
