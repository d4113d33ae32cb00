"""Tiled inference as a generator: each tile as it is done, the whole probability map at the end."""

import contextlib
import time
import traceback
from collections import deque
from collections.abc import Generator, Hashable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from napari_utile.engine.arrays import Float32Array
from napari_utile.engine.errors import is_out_of_memory
from napari_utile.engine.inference.activation import activate
from napari_utile.engine.inference.decode import foreground_of
from napari_utile.engine.inference.device import Compute, release_memory
from napari_utile.engine.inference.exact import exact_float32
from napari_utile.engine.inference.heap import kept_heap
from napari_utile.engine.inference.tile_cache import TileCache
from napari_utile.engine.inference.tiling import Tile, TilePlan, halve
from napari_utile.engine.inference.warm import warm_network
from napari_utile.engine.late import torch
from napari_utile.engine.models.library import Model
from napari_utile.engine.planes.mirror import mirror_window
from napari_utile.engine.windows import Window


@dataclass(frozen=True, eq=False)
class Progress:
    """How far a segmentation is.

    Attributes
    ----------
    done, total : int
        Tiles finished, and in all.
    window : Window or None
        Where the newest tile lies in the plane; None where no tile was finished since the last step.
    foreground : (y, x) float32 array or None
        The probability there that a pixel belongs to an object.
    seconds_left : float or None
        For the other tiles; known from the second one on, as the first also loads the network.
    stage : {"size", "tiles", "cells", "measurements"}
        What is being done.
    """

    done: int
    total: int
    window: Window | None = None
    foreground: Float32Array | None = None
    seconds_left: float | None = None
    stage: str = "tiles"


def predict_tiles(
    model: Model,
    plane: Any,
    plan: TilePlan,
    compute: Compute,
    *,
    cache: TileCache | None = None,
    key: Hashable = None,
) -> Generator[Progress, None, Float32Array]:
    """Run a network over a plane, tile by tile.

    Where memory runs out, the tile is run again as tiles of half its size, and all the following with it. Every
    yield is a point to cancel at.

    Parameters
    ----------
    model : Model
    plane : (C, Y, X) float32 array-like
        Normalised; read window by window.
    plan : TilePlan
        For this plane and the model's network.
    compute : Compute
    cache : TileCache, optional
        Tiles found there are not computed again; new ones are put there.
    key : hashable
        Stands in the cache for the plane and the network.

    Yields
    ------
    Progress

    Returns
    -------
    (C, y, x) float32 array
        All outputs of the model in the plan's region, the class probabilities first.

    Raises
    ------
    MemoryError
        If not even the smallest tile fits.
    """
    result = np.empty((model.network.config.classes, *plan.region.shape), np.float32)
    todo, done = deque((tile, plan) for tile in plan), 0
    began: float | None = None
    with kept_heap() if compute.device == "cpu" else contextlib.nullcontext(), _memory_released(compute):
        while todo:
            tile, its_plan = todo.popleft()
            values = cache.get(key, tile.inner, tile.outer.shape) if cache is not None else None
            if values is None:
                values = _run_if_it_fits(model, plane, tile, compute)
                if values is None:
                    todo = _halved(model, [(tile, its_plan), *todo])
                    continue
                if cache is not None:
                    cache.put(key, tile.inner, values, tile.outer.shape)
            done += 1
            window = tile.inner & plan.region
            kept = values[:, *window.relative_to(tile.inner)]
            result[:, *window.relative_to(plan.region)] = kept
            left = None if began is None else (time.perf_counter() - began) / (done - 1) * len(todo)
            began = began or time.perf_counter()
            yield Progress(done, done + len(todo), window, foreground_of(kept, model.card), left)
    return result


@contextlib.contextmanager
def _memory_released(compute: Compute) -> Iterator[None]:
    try:
        yield
    finally:
        release_memory(compute.device)


def _run_if_it_fits(model: Model, plane: Any, tile: Tile, compute: Compute) -> Float32Array | None:
    """Run one tile; return None, with the memory given back, where it ran out."""
    try:
        return run_tile(model, plane, tile, compute)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            traceback.clear_frames(error.__traceback__)  # else who keeps the error keeps the tile's tensors
            raise
    release_memory(compute.device)  # not in the handler: there its traceback still holds the tile's tensors
    return None


def _halved(model: Model, tiles: list[tuple[Tile, TilePlan]]) -> deque[tuple[Tile, TilePlan]]:
    plans = [halve(plan, model.network, tile) for tile, plan in tiles]
    return deque((smaller, plan) for plan in plans for smaller in plan)


def run_tile(model: Model, plane: Any, tile: Tile, compute: Compute) -> Float32Array:
    """Run the network on one tile and return its outputs (C, y, x) on the inner part, the probabilities first."""
    network = warm_network(model, compute)
    block = torch.from_numpy(np.ascontiguousarray(mirror_window(plane, tile.outer)))[None]
    # where the network runs in ONNX Runtime, torch holds what goes in and comes out
    block = block.to(device=compute.torch_device, dtype=compute.dtype)
    with torch.inference_mode(), exact_float32():
        raw = network(block.contiguous(memory_format=torch.channels_last))[0]
        values: Float32Array = activate(raw[:, *tile.local].float(), model.card.outputs).cpu().numpy()
    return values
