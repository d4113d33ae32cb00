"""Seeds that grow in a store: what is planned of them, how a block of it grows, and how its table is made."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_utile.engine.arrays import Labels
from napari_utile.engine.cells.blocks.decoder import BlockDecoder, Facts, Shelf, read_window
from napari_utile.engine.cells.blocks.seeded import SeedGrower
from napari_utile.engine.cells.compartments import RING, compartment_columns, parts_of
from napari_utile.engine.cells.label_runs import label_runs
from napari_utile.engine.cells.measure import Columns
from napari_utile.engine.cells.relief import smoothed
from napari_utile.engine.cells.seeds import (
    Stain,
    distance_from_areas,
    relief_in_stain,
    relief_of_model,
    stain_of,
)
from napari_utile.engine.errors import UtileError, warn
from napari_utile.engine.files.label_planes import label_planes_on, labels_in, refuse_other_shape
from napari_utile.engine.files.label_reading import doubt_of, label_image
from napari_utile.engine.files.tiff import LARGEST_ID
from napari_utile.engine.planes.axes import ImagePlane
from napari_utile.engine.planes.numbers import refuse_without_numbers
from napari_utile.engine.planes.pixels import seen_of
from napari_utile.engine.planes.selection import SelectedPlanes
from napari_utile.engine.store.plan import StorePlan
from napari_utile.engine.store.seed_plan import SeedPlan
from napari_utile.engine.store.table import block_table, joined_table
from napari_utile.engine.windows import Window

Float32 = NDArray[np.float32]
_SIDE, _LOOKED_AT = 1024, 2048
PARTS = ("nucleus", "cytoplasm", "ring")
"""The tables that a measured block has beside that of its cells."""


def seed_planes(path: str | Path, planes: SelectedPlanes) -> list[ImagePlane]:
    """Open the seeds of some planes, each (1, Y, X).

    Raises
    ------
    UtileError
        If they do not pair with the planes.
    """
    found = label_planes_on(planes, label_image(path, what="the seeds", planes=planes))
    for seeds, (_, plane) in zip(found, planes, strict=True):
        refuse_other_shape(seeds.shape, plane)
    return found


def plan_seeds(
    path: str | Path,
    seeds: Sequence[ImagePlane],
    stains: Sequence[ImagePlane],
    distance: float | None,
    diameter: float | None = None,
) -> SeedPlan:
    """Look at all seeds once, window by window, and measure what they grow in.

    Parameters
    ----------
    path : str or Path
    seeds : sequence of ImagePlane
        From `seed_planes`.
    stains : sequence of ImagePlane
        Of one channel, where they grow in intensities; else none.
    distance : float or None
        As in `SeedPlan`; in intensities half the median diameter of the seeds by default.
    diameter : float, optional
        As in `SeedPlan`.

    Raises
    ------
    UtileError
        If they are not seeds, or have ids that no result holds; if they grow in pixels without a number.
    """
    if stains:
        refuse_without_numbers(stains)
    looked = Window.whole(seeds[0].shape).central(_LOOKED_AT)
    if doubt := doubt_of([labels_in(seeds[0], looked)]):
        warn(f"{Path(path).name} {doubt}")
    areas = [_areas(plane) for plane in seeds]
    if stains and distance is None:
        distance = distance_from_areas(np.concatenate(areas))
    measured = [
        _stain(plane, each, distance)
        for plane, each in zip(seeds, stains, strict=False)
        if distance is not None
    ]
    counts = tuple(each.size for each in areas)
    seen = seen_of(list(seeds))
    return SeedPlan(str(Path(path).resolve()), seen, distance, counts, tuple(measured), diameter=diameter)


def _areas(plane: ImagePlane) -> NDArray[np.int64]:
    """Return the pixels of each seed of a plane."""
    ids, pixels = [np.zeros(0, np.int64)], [np.zeros(0)]
    for window in Window.whole(plane.shape).blocks((_SIDE, _SIDE)):
        runs = label_runs(labels_in(plane, window.clipped(plane.shape)))
        ids.append(runs.ids)
        pixels.append(runs.total(runs.last - runs.first + 1))
    every, which = np.unique(np.concatenate(ids), return_inverse=True)
    if every.size and every[-1] > LARGEST_ID:
        raise UtileError(
            f"{plane.name} holds the id {every[-1]}; results hold ids up to {LARGEST_ID}: renumber them."
        )
    return np.bincount(which, np.concatenate(pixels), minlength=every.size).astype(np.int64)


def _stain(seeds: ImagePlane, image: ImagePlane, distance: float) -> Stain:
    def grey(window: Window) -> NDArray[Any]:
        return np.asarray(image.data[(0, *window)])

    return stain_of(grey, lambda window: labels_in(seeds, window), seeds.shape, distance)


def grower_of(plan: StorePlan, shelf: Shelf, seeds: Callable[[Window], Labels]) -> SeedGrower:
    """Return what grows the seeds of a plane of a store.

    Parameters
    ----------
    plan : StorePlan
    shelf : Shelf
        With ``foreground`` and perhaps ``height``, see `outputs_in_stain` and `BlockDecoder`.
    seeds : callable
        Gives the seeds (y, x) in a window of the store's plane.
    """
    assert plan.seeds is not None
    grid, grown, instances = plan.grid, plan.seeds, plan.instances

    def in_model(window: Window) -> Float32:
        far = window.grown(plan.seed_reach).clipped(grid.shape)
        likely = read_window(grid, shelf, "foreground", far)
        height = smoothed(read_window(grid, shelf, "height", far)) if plan.by_height else None
        relief = relief_of_model(
            likely,
            height,
            seeds(far),
            instances.threshold,
            instances.relief_limit,
            grown.distance,
            grown.diameter,
        )
        return np.ascontiguousarray(relief[window.relative_to(far)])

    def in_stain(window: Window) -> Float32:
        inside = read_window(grid, shelf, "foreground", window) > 0
        return np.where(inside, read_window(grid, shelf, "height", window), np.float32(-1))

    return SeedGrower(grid, shelf, in_stain if plan.seeds.stains else in_model, seeds)


def decoder_of(plan: StorePlan, shelf: Shelf, seeds: Callable[[Window], Labels] | None = None) -> Any:
    """Return what makes the cells of a plane: from its outputs alone, or from its seeds as well.

    Parameters
    ----------
    plan : StorePlan
    shelf : Shelf
    seeds : callable, optional
        As for `grower_of`; what is merged of all blocks needs none.
    """
    if plan.seeds is None:
        return BlockDecoder(plan.grid, plan.instances, shelf, by_height=plan.by_height)
    return grower_of(plan, shelf, seeds or _unread)


def _unread(window: Window) -> Labels:
    raise AssertionError(f"The seeds in {window} are not read here.")


def outputs_in_stain(
    grey: NDArray[Any], seeds: Labels, stain: Stain, distance: float
) -> tuple[Float32, Float32]:
    """Return where (y, x) cells may be, 0 or 1, and how high it is there, of a window of a stain."""
    relief = relief_in_stain(grey, seeds, stain, distance)
    return (relief >= 0).astype(np.float32), np.maximum(relief, 0)


def is_beyond_seeds(plan: StorePlan, seeds: Callable[[Window], Labels], block: Window) -> bool:
    """Tell whether no cell can reach a block, nor what is measured from it."""
    if plan.seeds is None or plan.seeds.distance is None or not math.isfinite(plan.seeds.distance):
        return False
    around = block.grown(plan.seed_reach + math.ceil(plan.seeds.distance) + 1)
    return not seeds(around.clipped(plan.grid.shape)).any()


def part_tables(
    labels: NDArray[np.int32],
    seeds: Callable[[Window], Labels],
    pixels: NDArray[Any],
    block: Window,
    shape: tuple[int, int],
    only: Labels | None = None,
) -> dict[str, Facts]:
    """Sum up nucleus, cytoplasm and ring of the cells (y, x) of a block, as `block_table` does with cells.

    Parameters
    ----------
    labels : (y, x) int32 array
        Of the block.
    seeds : callable
        Gives the seeds (y, x) in a window of the plane.
    pixels : (C, y, x) array
        Of the block.
    block : Window
    shape : (int, int)
        Of the plane.
    only : (N,) int array, optional
        The cells that are measured.
    """
    around = block.grown(RING + 1).clipped(shape)
    here, nuclei = block.relative_to(around), seeds(around)
    cells = nuclei.astype(np.int32)  # a seed is a part of its cell, also in other blocks
    cells[here] = labels
    tables = {}
    for name, part in parts_of(cells, nuclei).items():
        inner = np.ascontiguousarray(part[here])
        wanted = inner if only is None else np.where(np.isin(inner, only), inner, 0)
        tables[name] = block_table(wanted, pixels, block)
    return tables


def part_columns(
    ids: Labels,
    tables: Mapping[str, Iterable[Facts]],
    channels: int,
    pixel_size: tuple[float, float] | None,
    unit: str | None,
) -> Columns:
    """Make the columns of `compartments` of all blocks' tables."""
    parts = {name: joined_table(blocks, (0, 0)) for name, blocks in tables.items()}
    return compartment_columns(ids, parts, channels, pixel_size, unit)
