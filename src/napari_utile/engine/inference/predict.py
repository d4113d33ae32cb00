"""Tiled inference as a generator: each tile as it is done, the whole probability map at the end."""

import contextlib
import traceback
from collections import deque
from collections.abc import Generator, Hashable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from napari_utile.engine.inference.activation import activate
from napari_utile.engine.inference.device import Compute, is_out_of_memory, release_memory
from napari_utile.engine.inference.exact import exact_float32
from napari_utile.engine.inference.heap import kept_heap
from napari_utile.engine.inference.tile_cache import TileCache
from napari_utile.engine.inference.tiling import Tile, TilePlan, halve
from napari_utile.engine.inference.warm import warm_network
from napari_utile.engine.models.library import Model
from napari_utile.engine.planes.mirror import mirror_window
from napari_utile.engine.windows import Window

Probabilities = NDArray[np.float32]


@dataclass(frozen=True)
class TileDone:
    """One finished tile.

    Attributes
    ----------
    done, total : int
        Tiles finished, and in all.
    window : Window
        Where it lies in the plane.
    probabilities : (C, y, x) float32 array
        All outputs of the model, the class probabilities first.
    """

    done: int
    total: int
    window: Window
    probabilities: Probabilities


def predict_tiles(
    model: Model,
    plane: Any,
    plan: TilePlan,
    compute: Compute,
    *,
    cache: TileCache | None = None,
    image_key: Hashable = None,
) -> Generator[TileDone, None, Probabilities]:
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
    image_key : hashable
        Stands for the pixels of the plane in the cache.

    Yields
    ------
    TileDone

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
    with kept_heap() if compute.device == "cpu" else contextlib.nullcontext(), _memory_released(compute):
        while todo:
            tile, its_plan = todo.popleft()
            key = (image_key, model.fingerprint, *compute.key, tile.key)
            probabilities = cache.get(key) if cache is not None else None
            if probabilities is None:
                probabilities = _run_if_it_fits(model, plane, tile, compute)
                if probabilities is None:
                    todo = _halved(model, [(tile, its_plan), *todo])
                    continue
                if cache is not None:
                    cache.put(key, probabilities)
            done += 1
            window = tile.inner & plan.region
            kept = probabilities[:, *window.relative_to(tile.inner)]
            result[:, *window.relative_to(plan.region)] = kept
            yield TileDone(done, done + len(todo), window, kept)
    return result


@contextlib.contextmanager
def _memory_released(compute: Compute) -> Iterator[None]:
    try:
        yield
    finally:
        release_memory(compute.device)


def _run_if_it_fits(model: Model, plane: Any, tile: Tile, compute: Compute) -> Probabilities | None:
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


def run_tile(model: Model, plane: Any, tile: Tile, compute: Compute) -> Probabilities:
    """Run the network on one tile and return its outputs (C, y, x) on the inner part, the probabilities first."""
    image = torch.from_numpy(np.ascontiguousarray(mirror_window(plane, tile.outer)))[None]
    image = image.to(device=compute.device, dtype=compute.dtype).contiguous(memory_format=torch.channels_last)
    with torch.inference_mode(), exact_float32():
        logits = warm_network(model, compute)(image)[0]
        values = activate(logits[:, *tile.local].float(), model.card.outputs)
        probabilities: Probabilities = values.cpu().numpy()
    return probabilities
