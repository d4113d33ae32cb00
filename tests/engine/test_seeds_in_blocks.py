"""Seeds that grow block by block grow to the cells of one piece, to the bit."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

import napari_utile.engine.cells.blocks.seeded as seeded
from napari_utile.engine.cells.blocks.decoder import MemoryShelf
from napari_utile.engine.cells.blocks.grid import Grid
from napari_utile.engine.cells.blocks.seeded import SeedGrower
from napari_utile.engine.cells.relief import smoothed
from napari_utile.engine.cells.seeds import (
    grow_in_intensity,
    grow_in_model,
    reach_in_model,
    reach_in_stain,
    relief_in_stain,
    relief_of_model,
    stain_of,
)
from strategies import probability_maps

sides = st.tuples(st.integers(1, 40), st.integers(1, 40))
planes = st.one_of(probability_maps(largest=12, ties=True), probability_maps(largest=64, ties=True))
distances = st.one_of(st.none(), st.floats(0, 20))
diameters = st.one_of(st.none(), st.floats(0.5, 20))


def grown_in_blocks(shape, side, reach, relief, seeds):
    """Grow with a relief that sees so many pixels around a window, and no more."""
    side = tuple(max(each, -(-size // 12)) for each, size in zip(side, shape, strict=True))
    grid = Grid(shape, side)

    def relief_in(window):
        around = window.grown(reach).clipped(shape)
        return np.ascontiguousarray(relief(around)[window.relative_to(around)])

    grower = SeedGrower(grid, MemoryShelf(), relief_in, lambda window: seeds[window])
    for key in grid:
        grower.basins(key)
    grower.merge_basins()
    labels = np.empty(shape, np.int32)
    for key in grid:
        labels[grid.window(key)] = grower.labels(key)
    return labels


def seeds_on(shape, seed):
    """Some seeds of some pixels, in pieces, touching, in any order of ids."""
    rng = np.random.default_rng(seed)
    seeds = np.zeros(shape, np.int32)
    for _ in range(rng.integers(0, 12)):
        y, x = rng.integers(shape[0]), rng.integers(shape[1])
        height, width = rng.integers(1, 6, 2)
        seeds[y : y + height, x : x + width] = (
            rng.integers(1, 9) if rng.random() < 0.5 else rng.integers(2**31)
        )
    return seeds


def in_model(likely, seeds, side, distance, limit, height=None, diameter=None):
    one = grow_in_model(
        seeds,
        likely,
        None if height is None else smoothed(height),
        limit=limit,
        distance=distance,
        diameter=diameter,
    )

    def relief(window):
        smooth = None if height is None else smoothed(height[window])
        return relief_of_model(likely[window], smooth, seeds[window], 0.5, limit, distance, diameter)

    reach = reach_in_model(limit, distance, diameter, by_height=height is not None)
    return grown_in_blocks(likely.shape, side, reach, relief, seeds), one


@settings(max_examples=80, deadline=None)
@given(planes, sides, st.integers(0, 2**32 - 1), distances, st.sampled_from([8, 64]), diameters)
def test_by_the_distance_to_the_background(likely, side, seed, distance, limit, diameter) -> None:
    seeds = seeds_on(likely.shape, seed)
    blocks, one = in_model(likely, seeds, side, distance, limit, diameter=diameter)
    np.testing.assert_array_equal(blocks, one)


@settings(max_examples=60, deadline=None)
@given(planes, sides, st.integers(0, 2**32 - 1), distances, st.booleans(), diameters)
def test_by_predicted_distances(likely, side, seed, distance, rough, diameter) -> None:
    height = np.random.default_rng(seed).random(likely.shape).astype(np.float32)
    height = height if rough else np.round(height * 3) / 3
    blocks, one = in_model(likely, seeds_on(likely.shape, seed), side, distance, 64, height, diameter)
    np.testing.assert_array_equal(blocks, one)


@settings(max_examples=80, deadline=None)
@given(planes, sides, st.integers(0, 2**32 - 1), st.floats(0, 20), st.booleans())
def test_by_intensity(image, side, seed, distance, broken) -> None:
    seeds = seeds_on(image.shape, seed)
    image = np.where(image > 0.5, image, image / 8).astype(np.float32)
    if broken:
        image[np.random.default_rng(seed).random(image.shape) < 0.05] = np.nan
    stain = stain_of(lambda window: image[window], lambda window: seeds[window], image.shape, distance)
    blocks = grown_in_blocks(
        image.shape,
        side,
        reach_in_stain(distance),
        lambda window: relief_in_stain(image[window], seeds[window], stain, distance),
        seeds,
    )
    np.testing.assert_array_equal(blocks, grow_in_intensity(seeds, image, distance))


def literally(seeds, relief):
    """Grow pixel by pixel, as the definition says it; `relief` is -1 where no cell may be."""
    shape = seeds.shape
    pixels = [(y, x) for y in range(shape[0]) for x in range(shape[1]) if relief[y, x] >= 0]
    root = {}

    def neighbours(y, x):
        return [each for each in ((y - 1, x), (y, x - 1), (y, x), (y, x + 1), (y + 1, x)) if each in root]

    def top(pixel):
        while root[pixel] != pixel:
            pixel = root[pixel]
        return pixel

    root.update((pixel, pixel) for pixel in pixels)
    uphill = {
        pixel: pixel if seeds[pixel] else max(neighbours(*pixel), key=lambda each: (relief[each], each))
        for pixel in pixels
    }
    root.update(uphill)
    passes = []
    for y, x in pixels:
        for axis, other in enumerate([(y, x + 1), (y + 1, x)]):
            if other in root:
                passes.append((-min(relief[y, x], relief[other]), (y, x), axis, other))
    for _, one, _, other in sorted(passes):
        one, other = top(one), top(other)
        if one != other and not (seeds[one] and seeds[other]):
            one, other = (one, other) if seeds[one] else (other, one)
            root[other] = one
    cells = np.zeros_like(seeds)
    for pixel in pixels:
        cells[pixel] = seeds[top(pixel)]
    return cells


@settings(max_examples=60, deadline=None)
@given(probability_maps(largest=12, ties=True), sides, st.integers(0, 2**32 - 1))
def test_as_the_definition_says(relief, side, seed) -> None:
    seeds = seeds_on(relief.shape, seed) % 9
    relief = np.where((relief > 0.3) | (seeds > 0), np.clip(relief, 0, 1), -1).astype(np.float32)
    expected = literally(seeds, relief)
    for blocks in (side, relief.shape):
        grown = grown_in_blocks(relief.shape, blocks, 0, lambda window: relief[window], seeds)
        np.testing.assert_array_equal(grown, expected)


def test_two_seeds_share_an_even_plane_by_the_distance() -> None:
    seeds = np.zeros((9, 30), int)
    seeds[4, 6], seeds[4, 23] = 2, 1
    cells = grow_in_model(seeds, np.ones(seeds.shape, np.float32), np.ones(seeds.shape, np.float32))
    np.testing.assert_array_equal(cells, np.where(np.arange(30) < 15, 2, 1) * np.ones((9, 1), int))


def test_one_cell_may_reach_over_all_blocks() -> None:
    likely = np.zeros((41, 40), np.float32)
    likely[::2] = 0.9
    likely[1::4, -1] = likely[3::4, 0] = 0.9
    seeds = np.zeros(likely.shape, np.int32)
    seeds[20, 20] = 5
    blocks, one = in_model(likely, seeds, (6, 7), None, 64)
    np.testing.assert_array_equal(one, np.where(likely > 0, 5, 0))
    np.testing.assert_array_equal(blocks, one)


def fault_paths_stop_at_borders(patch) -> None:
    patch.setattr(seeded, "where_they_end", lambda blocks, grid, offset, total: np.arange(total))


def fault_no_passes_over_borders(patch) -> None:
    patch.setattr(seeded.Grid, "neighbour", lambda grid, key, where: None)


def fault_a_block_is_sure_of_all(patch) -> None:
    join = seeded.join_to_seeds
    patch.setattr(
        seeded,
        "join_to_seeds",
        lambda low, high, rooted, unsure: join(low, high, rooted, np.zeros_like(unsure)),
    )


def fault_ties_in_no_order(patch) -> None:
    first = seeded.first_passes

    def unordered(one, other, height, lies):
        return first(one, other, height, -lies)

    patch.setattr(seeded, "first_passes", unordered)


def fault_short_sight(patch) -> None:
    patch.setitem(globals(), "reach_in_model", lambda limit, distance, diameter, by_height: 1)


@pytest.mark.parametrize(
    "fault",
    [
        None,
        fault_paths_stop_at_borders,
        fault_no_passes_over_borders,
        fault_a_block_is_sure_of_all,
        fault_ties_in_no_order,
        fault_short_sight,
    ],
)
def test_faults_put_in_on_purpose_are_seen(monkeypatch, fault) -> None:
    def cases(side):
        for number in range(10):
            smooth = ndimage.gaussian_filter(np.random.default_rng(number).random((60, 70)), 1 + number % 3)
            likely = ((smooth - smooth.min()) / np.ptp(smooth)).astype(np.float32)
            seeds = seeds_on(likely.shape, number)
            yield in_model(likely, seeds, side, None, 16)[0]
            steps = np.round(likely * 4) / 4  # many passes of one height
            yield grown_in_blocks(likely.shape, side, 0, lambda window, steps=steps: steps[window], seeds)

    expected = list(cases((60, 70)))
    if fault is not None:
        fault(monkeypatch)
    try:
        same = all(map(np.array_equal, cases((7, 9)), expected))
    except (IndexError, ValueError):
        same = False
    assert same == (fault is None)
