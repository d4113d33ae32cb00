"""What a store will cost: blocks, disk, memory and time, said before anything runs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from napari_utile.engine.inference.cost import duration, seen_in_words
from napari_utile.engine.inference.estimate import rate
from napari_utile.engine.inference.field import Field
from napari_utile.engine.models.library import Model
from napari_utile.engine.planes.axes import ImagePlane
from napari_utile.engine.planes.mask import part_of_mask
from napari_utile.engine.planes.spread import spread
from napari_utile.engine.store.empty import is_empty
from napari_utile.engine.store.memory import LOADED_BYTES, threads_for
from napari_utile.engine.store.plan import StorePlan

_LOOKED_AT, _LOOK = 16, 256
_DECODING = 0.2
"""Seconds per megapixel on one core for all but the network."""

Where = Literal["here", "apart", "workers", "cluster"]
"""What computes: this process, one beside it, some of this computer, or those of a cluster of unknown size."""


_WORDS = {
    "here": ("", ""),
    "apart": (" in a process of its own", ""),
    "workers": (" in all processes", ""),
    "cluster": (" in each worker", " with one worker"),
}


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
        Of this process, beside what it has loaded; or of all that compute instead; or of each worker of a cluster.
    seconds : (float, float)
        From and to; with one worker of a cluster.
    where : {"here", "apart", "workers", "cluster"}
    seen : float
        How many pixels the network sees for one of the image.
    """

    blocks: int
    empty: float
    disk_bytes: int
    memory_bytes: int
    seconds: tuple[float, float]
    where: Where = "here"
    seen: float = 1.0

    def __str__(self) -> str:
        """Say it in one line."""
        empty = f", about {round(100 * self.empty)} % of them left out as empty" if self.empty >= 0.05 else ""
        least, most = map(duration, self.seconds)
        of, alone = _WORDS[self.where]
        return (
            f"{self.blocks} block{'' if self.blocks == 1 else 's'}{empty}, up to {_bytes(self.disk_bytes)} on the disk "
            f"while it runs, {_bytes(self.memory_bytes)} of memory{of}, {least} to {most}{alone}"
            f"{seen_in_words(self.seen)}"
        )


def cost_of(
    plan: StorePlan,
    planes: Sequence[ImagePlane],
    model: Model | None,
    mask: NDArray[np.bool_] | None = None,
    where: Where = "here",
    workers: int = 1,
) -> StoreCost:
    """Estimate what a store costs; the network is timed once, and a few windows of the image are looked at.

    Parameters
    ----------
    plan : StorePlan
    planes : sequence of ImagePlane
        In the order of the plan.
    model : Model or None
        None for seeds that grow in intensities.
    mask : (y, x) bool array, optional
        The plan's mask: blocks without a pixel of it cost nothing.
    where : {"here", "apart", "workers", "cluster"}
    workers : int
        How many processes of this computer do a block at a time, where `where` says so.
    """
    grid = plan.grid
    at_once = {"workers": workers, "cluster": 1}.get(where) or threads_for(plan)
    loaded = LOADED_BYTES * {"here": 0, "workers": workers}.get(where, 1)
    blocks = len(grid) * len(plan.planes)
    empty = _empty_share(plan, planes, mask)
    pixels = plan.window.size * len(plan.planes) * (1 - empty)
    each, seen = _network(plan, planes[0], model) if model is not None else (0.0, 1.0)
    seconds = pixels * each + pixels / 1e6 * _DECODING / at_once
    return StoreCost(
        blocks,
        empty,
        plan.scratch_bytes + plan.stored_bytes,
        loaded + (plan.block_bytes if where == "cluster" else plan.memory_bytes(at_once)),
        (0.7 * seconds, 1.6 * seconds),
        where,
        seen,
    )


def _network(plan: StorePlan, plane: ImagePlane, model: Model) -> tuple[float, float]:
    """Time the network: seconds for a pixel of the image, and how many pixels it sees for one."""
    counts = plan.grid.counts
    middle = plan.grid.window((counts[0] // 2, counts[1] // 2)).moved(plan.window.start)
    field = Field(plane, model, plan.params, compute=plan.compute, limits=plan.limits[0])
    return field.plan(middle).gflop / middle.size / rate(model, plan.compute), field.enlargement


def _empty_share(plan: StorePlan, planes: Sequence[ImagePlane], mask: NDArray[np.bool_] | None) -> float:
    blocks = [plan.grid.window(key).moved(plan.window.start) for key in plan.grid]
    counted = [each for each in blocks if mask is None or part_of_mask(mask, each, planes[0].shape).any()]
    share = 1 - len(counted) / len(blocks)
    if not counted or not plan.skip_empty or plan.params.preprocess:
        return share
    found = []
    for place in spread(len(counted) * len(planes), _LOOKED_AT):
        number, at = divmod(place, len(counted))
        block, limits = counted[at], plan.limits[number]
        looked = block.central(_LOOK)
        plane = planes[number].with_channels(range(len(limits.low)))
        found.append(is_empty(np.asarray(plane.data[(slice(None), *looked)]), limits))
    return share + (1 - share) * float(np.mean(found))


def _bytes(size: int) -> str:
    return f"{size / 1e9:.2g} GB" if size >= 1e9 else f"{max(1, size // 10**6)} MB"
