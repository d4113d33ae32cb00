"""What a segmentation will cost, said before it runs."""

import threading
import time

import numpy as np

from napari_utile.engine.inference.cost import Estimate
from napari_utile.engine.inference.device import Compute
from napari_utile.engine.inference.field import Field
from napari_utile.engine.inference.predict import run_tile
from napari_utile.engine.inference.tiling import TilePlan, plan_tiles
from napari_utile.engine.models.library import Model
from napari_utile.engine.planes.axes import ImagePlane
from napari_utile.engine.planes.normalize import IntensityLimits
from napari_utile.engine.segment_params import SegmentParams
from napari_utile.engine.windows import Window

PROBE = 196
"""Output pixels a side of the tile that is timed: large enough for the rate of real tiles."""

_rates: dict[tuple[str, ...], float] = {}
_lock = threading.Lock()


def estimate(
    plane: ImagePlane, model: Model, params: SegmentParams | None = None, region: Window | None = None
) -> Estimate:
    """Estimate tiles, arithmetic, memory and time of a segmentation without running it.

    One small tile is timed the first time a model meets a device; nothing of the image is read.

    Parameters
    ----------
    plane : ImagePlane
    model : Model
    params : SegmentParams, optional
    region : Window, optional
        In pixels of the plane.
    """
    channels = len(model.card.inputs)
    no_limits = IntensityLimits((0.0,) * channels, (1.0,) * channels)  # nothing is read
    field = Field(plane, model, params, limits=no_limits)
    plan, compute = field.plan(region), field.compute
    map_bytes = 4 * model.card.output_channels * Window.part_of(field.shape, region).size
    seconds = plan.gflop / rate(model, compute)
    cost = plan.bytes + map_bytes
    return Estimate(
        len(plan), plan.gflop, cost, seconds, compute.device, compute.precision, field.enlargement
    )


def rate(model: Model, compute: Compute) -> float:
    """Return how many GFLOP a second the model's network does on a device, timed once."""
    key = (model.fingerprint, *compute.key)
    with _lock:
        if key not in _rates:
            plan = _probe(model, compute)
            plane = np.zeros((model.network.config.in_channels, *plan.shape), np.float32)
            seconds = []
            for _ in range(2):  # the first run also loads the network
                start = time.perf_counter()
                run_tile(model, plane, plan.tiles[0], compute)
                seconds.append(time.perf_counter() - start)
            _rates[key] = plan.gflop / seconds[-1]
        return _rates[key]


def _probe(model: Model, compute: Compute) -> TilePlan:
    geometry = model.network.geometry
    side = geometry.output_at_least(PROBE)
    return plan_tiles((side, side), model.network, compute.tile_budget)
