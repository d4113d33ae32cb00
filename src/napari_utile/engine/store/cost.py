"""What a store will cost: blocks, disk, memory and time, said before anything runs."""

from dataclasses import dataclass

import numpy as np

from napari_utile.engine.inference.cost import duration
from napari_utile.engine.inference.estimate import rate
from napari_utile.engine.inference.field import Field
from napari_utile.engine.models.library import Model
from napari_utile.engine.planes.axes import ImagePlane
from napari_utile.engine.planes.spread import spread
from napari_utile.engine.store.plan import StorePlan
from napari_utile.engine.store.run import threads_for
from napari_utile.engine.store.work import is_empty
from napari_utile.engine.windows import Window

_LOOKED_AT, _LOOK = 16, 256
_DECODING = 0.2
"""Seconds per megapixel on one core for all but the network."""


@dataclass(frozen=True)
class StoreCost:
    """The cost of a store.

    Attributes
    ----------
    blocks : int
    empty : float
        Share of the blocks that look empty and are left out.
    disk_bytes : int
        At the most, while it is made.
    memory_bytes : int
        Of this process, beside what it has loaded.
    seconds : (float, float)
        From and to.
    """

    blocks: int
    empty: float
    disk_bytes: int
    memory_bytes: int
    seconds: tuple[float, float]

    def __str__(self) -> str:
        """Say it in one line."""
        empty = f", about {self.empty:.0%} of them empty" if self.empty >= 0.05 else ""
        least, most = map(duration, self.seconds)
        return (
            f"{self.blocks} blocks{empty}, up to {_bytes(self.disk_bytes)} on the disk while it runs, "
            f"{_bytes(self.memory_bytes)} of memory, {least} to {most}"
        )


def cost_of(plan: StorePlan, planes: list[ImagePlane], model: Model) -> StoreCost:
    """Estimate what a store costs; the network is timed once, and a few windows of the image are looked at."""
    grid, threads = plan.grid, threads_for(plan)
    blocks = len(grid) * len(plan.planes)
    field = Field(planes[0], model, plan.params, compute=plan.compute, limits=plan.limits[0])
    middle = grid.window((grid.counts[0] // 2, grid.counts[1] // 2)).moved(plan.window.start)
    per_pixel = field.plan(middle).gflop / middle.size
    empty = _empty_share(plan, planes)
    pixels = plan.window.size * len(plan.planes) * (1 - empty)
    network = pixels * per_pixel / rate(model, plan.compute)
    seconds = network + pixels / 1e6 * _DECODING / threads
    return StoreCost(
        blocks,
        empty,
        plan.scratch_bytes + plan.stored_bytes,
        threads * plan.block_bytes,
        (0.7 * seconds, 1.6 * seconds),
    )


def _empty_share(plan: StorePlan, planes: list[ImagePlane]) -> float:
    if not plan.skip_empty or plan.params.preprocess:
        return 0.0
    keys, found = list(plan.grid), []
    for place in spread(len(keys), _LOOKED_AT):
        block = plan.grid.window(keys[place]).moved(plan.window.start)
        start = [(part.start + part.stop - _LOOK) // 2 for part in block]
        looked = Window.span(start, (first + _LOOK for first in start)) & block
        plane = planes[0].with_channels(range(len(plan.limits[0].low)))
        found.append(is_empty(np.asarray(plane.data[(slice(None), *looked)]), plan.limits[0]))
    return float(np.mean(found))


def _bytes(size: int) -> str:
    return f"{size / 1e9:.2g} GB" if size >= 1e9 else f"{max(1, size // 10**6)} MB"
